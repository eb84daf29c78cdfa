"""Annotation files are recognised by what they hold, never by their names; what is broken is named with its line."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repro.core.errors import DataError, ReproError, UnknownName
from repro.data.annotations import FORMATS, read
from repro.data.splits import split_of_file_name

KINETICS = 'label,youtube_id,time_start,time_end,split,is_cc\n"archery",abc-DEF_123,13,23,validate,0\n'
TEST_CSV = "youtube_id,time_start,time_end,split\nabc-DEF_123,13,23,test\n"
V2 = json.dumps([{"id": "7", "label": "a cup", "template": "Holding [something]", "placeholders": ["a cup"]}])
DIVING = json.dumps([{"vid_name": "_8Vy3dlHg2w_00000", "label": 20, "start_frame": 0, "end_frame": 155}])

#: content -> format, names, label, frames of its first video
LISTS = [
    (KINETICS, "kinetics", ("abc-DEF_123_000013_000023", "abc-DEF_123"), "archery", None),
    ("100218;Holding something, then\n7;B\n", "20bn-csv", ("100218",), "Holding something, then", None),
    (V2, "20bn-json", ("7",), "Holding [something]", None),
    (DIVING, "diving48", ("_8Vy3dlHg2w_00000",), 20, None),
    ("abseiling/0wR5jVB-WPk 92 0\n", "rawframes", ("abseiling/0wR5jVB-WPk",), 0, 92),
    ("images/val/air drumming/7LSJ2Ryv1a8_0 60 3\n", "rawframes", ("images/val/air drumming/7LSJ2Ryv1a8_0",), 3, 60),
    ("9223 35 20\n", "rawframes", ("9223",), 20, 35),
    ("a/b.mp4 7\n", "videos", ("a/b.mp4",), 7, None),
    ("/data/v 1.mp4,7\n", "videos", ("/data/v 1.mp4",), 7, None),
    ("78687.webm\t7\n", "videos", ("78687.webm",), 7, None),
    ("clips/a.avi;12\n", "videos", ("clips/a.avi",), 12, None),
    ('path,label\n"a, b.mp4",archery\n', "csv", ("a, b.mp4",), "archery", None),
    ("abc-DEF_123\n-----------\n", "ids", ("abc-DEF_123",), None, None),
    ("label,path,split\n3,a.mp4,val\n", "csv", ("a.mp4",), 3, None),
    ("Label,Path\r\n3.0,a.mp4\r\n\r\n", "csv", ("a.mp4",), 3, None),
    ("a/v1.mp4     0\nlong/v2.mp4  1\n", "videos", ("a/v1.mp4",), 0, None),
    ("a/v1   12     0\nlong/v2  7  1\n", "rawframes", ("a/v1",), 0, 12),
    ("run 1.mp4\t\t 5\n\n", "videos", ("run 1.mp4",), 5, None),
    ("clip 3\t0\nclip 4\t1\n", "videos", ("clip 3",), 0, None),
    ("a.mp4 ,  5\nb c.mp4, 6\n", "videos", ("a.mp4",), 5, None),
    ("\ufeffa.mp4 5\r\nb.mp4 6\r\n", "videos", ("a.mp4",), 5, None),
]


@pytest.mark.parametrize("text, format, names, label, frames", LISTS)
def test_lists_are_recognised(tmp_path, text, format, names, label, frames):
    file = tmp_path / "x_val.txt"
    file.write_text(text)
    made = read(file)
    first = made.entries[0]
    assert (made.format, first.names, first.label, first.frames, first.split) == (format, names, label, frames, "val")


LABELS = ["Holding something", "Putting something, something and something on the table", "Pushing 2 things"]
MAPS = [
    "\n".join(LABELS),
    "\n".join(f"{number},{name}" for number, name in enumerate(LABELS)),
    json.dumps({name: str(number) for number, name in reversed(list(enumerate(LABELS)))}),
    json.dumps([name.split() for name in LABELS]),
    json.dumps(LABELS),
]


@pytest.mark.parametrize("text", MAPS)
def test_label_files_are_recognised_and_ordered_by_number(tmp_path, text):
    (tmp_path / "x").write_text(text)
    made = read(tmp_path / "x")
    assert (made.format, made.classes) == ("labels", tuple(LABELS))


@pytest.mark.parametrize(
    "name, split",
    [
        ("kinetics_train.csv", "train"),
        ("something-something-v1-validation.csv", "val"),
        ("mini_val_videofolder.txt", "val"),
        ("Diving48_V2_test.json", "test"),
        ("training_set_v2.txt", "train"),
        ("list.txt", None),
    ],
)
def test_the_split_is_told_by_the_name(tmp_path, name, split):
    assert split_of_file_name((tmp_path / name).stem) == split


@pytest.mark.parametrize(
    "text, told",
    [
        ("label,youtube_id,time_start,time_end,split\nyoga,abc,0,10,vall\n", "line 2 'vall'; did you mean val"),
        ("label,youtube_id,time_start,time_end,split\nyoga,abc,0,1e999,val\n", "line 2"),
        ("label,youtube_id,time_start,time_end,split\n,abc,0,10,val\n", "line 2"),
        ("path,label,split\na.mp4,x,holdout\n", "line 2 'holdout'"),
        ("path,label\na.mp4,x,y\n", "line 2: 3 fields"),
        ("path,label,path\na.mp4,x,b.mp4\n", "a column stands twice"),
    ],
)
def test_no_line_is_left_out_or_guessed(tmp_path, text, told):
    (tmp_path / "x_val.csv").write_text(text)
    with pytest.raises(ReproError, match=told):
        read(tmp_path / "x_val.csv")


def test_unlabelled_test_lines_are_left_out_and_a_test_file_alone_is_an_error(tmp_path):
    (tmp_path / "test.csv").write_text(TEST_CSV)
    with pytest.raises(DataError, match="holds no video"):
        read(tmp_path / "test.csv")


@pytest.mark.parametrize(
    "text, part",
    [
        ("", "is empty"),
        ("a 1\nb\nc 2\nd 3\n", "in no format known"),
        ('[{"id": 1', "line 1: not well-formed JSON"),
        ("label,youtube_id,time_start,time_end,split\narchery,abc,x,23,train\n", "line 2"),
        ('{"a": "0", "b": "2"}', "not 0 to 1"),
        ("Holding\nHolding\n", "line 2: 'Holding' stands on line 1 already"),
    ],
)
def test_what_is_broken_is_named(tmp_path, text, part):
    (tmp_path / "train.txt").write_text(text)
    with pytest.raises(DataError, match=part):
        read(tmp_path / "train.txt")


def test_a_format_can_be_forced_and_must_fit(tmp_path):
    (tmp_path / "train.txt").write_text("vid 10 7\n")
    assert read(tmp_path / "train.txt", format="videos").entries[0].names == ("vid 10",)
    with pytest.raises(DataError, match="read as diving48, as --format asks"):
        (tmp_path / "train.json").write_text("[1]")
        read(tmp_path / "train.json", format="diving48")
    with pytest.raises(UnknownName, match="rawframes"):
        read(tmp_path / "train.txt", format="rawframe")
    assert set(FORMATS) >= {"kinetics", "20bn-csv", "20bn-json", "diving48", "rawframes", "videos", "labels"}


def test_a_missing_or_binary_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"none\.csv.*cannot be read"):
        read(tmp_path / "none.csv")
    (tmp_path / "b.csv").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(DataError, match="not UTF-8"):
        read(tmp_path / "b.csv")


PIECES = [
    "a.mp4",
    "v 1",
    " ",
    ";",
    ",",
    "12",
    "0",
    "\n",
    "\t",
    "[",
    "]",
    "{",
    '"',
    ":",
    "label,youtube_id,time_start",
    "é",
]


@given(text=st.lists(st.sampled_from(PIECES), max_size=30).map("".join), format=st.sampled_from([None, *FORMATS]))
def test_any_text_is_read_or_refused_by_a_named_error(tmp_path_factory, text, format):
    file = tmp_path_factory.getbasetemp() / "any_train.txt"
    file.write_text(text)
    try:
        made = read(file, format=format)
    except DataError as error:
        assert "any_train.txt" in str(error)
    else:
        assert made.format in FORMATS and (made.entries or made.format == "labels")


@pytest.mark.parametrize(
    "text",
    ["a.mp4 -1\nb.mp4 0\n", "a.mp4 1.0\nb.mp4 0.0\n", "a.mp4 0\nb.mp4\n", "a.mp4\u00a00\nb.mp4\u00a01\n",
     "a.mp4\u30000\nb.mp4\u30001\n", "a.mp4 0 3\nb.mp4 1 2\n"],
)  # fmt: skip
def test_a_list_whose_labels_are_none_is_no_label_map(tmp_path, text):
    file = tmp_path / "x_val.txt"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=r"not every line ends in a label|two labels"):
        read(file)
