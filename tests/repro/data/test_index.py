"""CSV files and label maps: what is accepted, and that each fault is named with its line and value."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest

from repro.core.errors import DataError, UnknownName
from repro.data.index import Index, Video, read_classes, read_csv, read_splits


def test_names_are_sorted_and_paths_relative_to_the_csv(tmp_path, write_csv):
    file = write_csv(
        tmp_path / "my.csv", [("b.mp4", "push", "train"), ("sub/a.mp4", "pull", "val"), ("c.mp4", "pull", "train")]
    )
    index = read_csv(file, "train")
    assert (index.name, index.split, index.classes) == ("my", "train", ("pull", "push"))
    assert [(video.id, video.label) for video in index.videos] == [("b.mp4", 1), ("c.mp4", 0)]
    assert index.videos[0].path == tmp_path / "b.mp4"
    assert [video.id for video in read_csv(file, "val").videos] == ["sub/a.mp4"]


def test_without_split_it_tests_but_does_not_train(tmp_path, write_csv):
    file = write_csv(tmp_path / "my.csv", [("a.mp4", "3")], header="path,label")
    index = read_csv(file, "val")
    assert index.classes == ("0", "1", "2", "3") and index.videos[0].label == 3
    with pytest.raises(DataError, match="add a column `split`"):
        read_csv(file, "train")


def test_label_map(tmp_path, write_csv):
    (tmp_path / "labels.txt").write_text("wave\nrun, fast\n跳\n", encoding="utf-8")
    file = write_csv(tmp_path / "my.csv", [("a.mp4", "2"), ("b.mp4", "wave"), ("c.mp4", "跳")], header="path,label")
    assert [video.label for video in read_csv(file, "val").videos] == [2, 0, 2]
    assert read_classes(file) == ("wave", "run, fast", "跳")
    (tmp_path / "my.labels.txt").write_text("x\ny\nz\nwave\n跳\n", encoding="utf-8")
    assert read_csv(file, "val").videos[1].label == 3, "the map of this name goes before"


def test_hostile_names_survive(tmp_path):
    names = ["a,b.mp4", 'say "hi".mp4', "two\nlines.mp4", "视频 ü.mp4", "<script>.mp4", " lead.mp4"]
    file = tmp_path / "my.csv"
    with file.open("w", newline="", encoding="utf-8-sig") as stream:
        csv.writer(stream).writerows([("path", "label"), *((name, "x<y>,&") for name in names)])
    index = read_csv(file, "test")
    assert [video.id for video in index.videos] == names and index.classes == ("x<y>,&",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "header is ''"),
        ("a.mp4,1\n", "header is 'a.mp4,1'"),
        ("path,label\n", "holds no video"),
        ("path,label,lable\na,1,2\n", "column 'lable'"),
        ("path,label\na.mp4,1\nb.mp4\n", "line 3: 1 fields"),
        ("path,label\na.mp4,1\nb,c.mp4,1\n", "line 3: 3 fields"),
        ("path,label\na.mp4,\n", "line 2: the label is empty"),
        ("path,label\n,1\n", "line 2: the path is empty"),
        ("path,label\na.mp4,1\nb.mp4,2\na.mp4,1\n", "line 4: the path 'a.mp4' stands on line 2"),
        ("path,label,split\na.mp4,1,\n", "line 2: the split is empty"),
        ('path,label\n"a.mp4,1\n', "line 2: "),
        ("path,label\na.mp4,-1\nb.mp4,x\n", ""),
    ],
)
def test_faults_are_named(tmp_path, text, said):
    file = tmp_path / "my.csv"
    file.write_text(text, encoding="utf-8")
    if said:
        with pytest.raises(DataError) as caught:
            read_csv(file, "val")
        assert said in str(caught.value) and "my.csv" in str(caught.value)
    else:
        assert read_csv(file, "val").classes == ("-1", "x"), "names, as they are not numbers all"


@pytest.mark.parametrize(
    ("label", "said"),
    [
        ("3", "label '3' is not in"),
        ("hop", "label 'hop' is not in"),
        ("1.5", "label '1.5' is not in"),
        ("4.0", "label '4.0' is not in"),
    ],
)
def test_labels_outside_the_map(tmp_path, write_csv, label, said):
    (tmp_path / "labels.txt").write_text("a\nb\nc\n")
    with pytest.raises(DataError, match=f"line 2: {said}"):
        read_csv(write_csv(tmp_path / "my.csv", [("v.mp4", label)], header="path,label"), "val")


def test_a_name_that_is_another_number_is_refused(tmp_path, write_csv):
    (tmp_path / "labels.txt").write_text("1\n0\n")
    with pytest.raises(DataError, match="name of class 1 but a number too"):
        read_csv(write_csv(tmp_path / "my.csv", [("v.mp4", "0")], header="path,label"), "val")


@pytest.mark.parametrize(("text", "said"), [("a\n\nb\n", "line 2"), ("a\nb\na\n", "line 3: 'a' stands on line 1")])
def test_bad_label_maps(tmp_path, write_csv, text, said):
    (tmp_path / "labels.txt").write_text(text)
    with pytest.raises(DataError, match=said):
        read_csv(write_csv(tmp_path / "my.csv", [("v.mp4", "0")], header="path,label"), "val")


def test_unreadable_files(tmp_path):
    with pytest.raises(DataError, match="No such file"):
        read_csv(tmp_path / "none.csv", "val")
    (tmp_path / "latin.csv").write_bytes(b"path,label\n\xe9.mp4,1\n")
    with pytest.raises(DataError, match="not UTF-8"):
        read_csv(tmp_path / "latin.csv", "val")


@pytest.mark.parametrize("label", ["{}", "{}.0", '"{},0"', "+{}", "0{}", " {} "])
def test_numbers_are_classes_however_a_program_wrote_them(tmp_path, write_csv, label):
    rows = [(f"{number}.mp4", label.format(number)) for number in range(12)]
    index = read_csv(write_csv(tmp_path / "my.csv", rows, header="path,label"), "val")
    assert [video.label for video in index.videos] == list(range(12)) and index.classes[10] == "10"


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (("0", "-1"), "line 3: label '-1'"),
        (("0.5", "1"), "line 2: label '0.5'"),
        (("0.0", "nan"), "line 3: label 'nan'"),
        (("1e0", "1"), "line 2: label '1e0'"),
        (('"1,000"', "1"), "line 2: label '1,000'"),
        (("push", "2.0"), "line 3: label '2.0'"),
        (("push", "NaN"), "line 3: label 'NaN'"),
        (("push", "рush"), "look alike"),
        (("PUSH", "ᏢUSH"), "look alike"),
        (("0", "999999999"), "line 3: label '999999999'.*0 to 99999"),
        (("0", "9" * 5000), "line 3: label"),
        (("push", "pu\uff53h"), "look alike"),
    ],
)
def test_labels_that_may_mean_something_else_are_refused(tmp_path, write_csv, labels, said):
    rows = [(f"{place}.mp4", label) for place, label in enumerate(labels)]
    with pytest.raises(DataError, match=said):
        read_csv(write_csv(tmp_path / "my.csv", rows, header="path,label"), "val")


def test_unicode_forms_of_a_name_are_one_class(tmp_path, write_csv):
    rows = [
        ("a.mp4", "caf\u00e9"),
        ("b.mp4", "cafe\u0301"),
        ("c.mp4", "caf\u00e9\u200b"),
        ("d.mp4", "x\u00a0 y"),
        ("e", "x y"),
    ]
    index = read_csv(write_csv(tmp_path / "my.csv", rows, header="path,label"), "val")
    assert index.classes == ("caf\u00e9", "x y") and [video.label for video in index.videos] == [0, 0, 0, 1, 1]


def test_splits_are_read_by_their_meaning_and_it_is_told(tmp_path, write_csv):
    rows = [
        (f"{place}.mp4", "x", split) for place, split in enumerate(("val", "Val", "dev", " VALIDATION", "Training"))
    ]
    file = write_csv(tmp_path / "my.csv", rows)
    assert len(read_csv(file, "val")) == len(read_csv(file, "validation")) == 4 and len(read_csv(file, "train")) == 1
    assert read_splits(file) == ("train", "val") and "'dev' as val" in read_csv(file, "val").notes[0]
    for wrong in ("vall", "holdout", "fold1"):
        with pytest.raises(UnknownName, match=f"line 3 '{wrong}'"):
            read_csv(write_csv(file, [("a.mp4", "x", "val"), ("b.mp4", "x", wrong)]), "val")


def test_a_file_is_of_one_split_and_label_however_it_is_named(tmp_path, write_csv):
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.mp4").write_bytes(b"1")
    (tmp_path / "b.mp4").write_bytes(b"2")
    (tmp_path / "link.mp4").symlink_to("a.mp4")
    (tmp_path / "hard.mp4").hardlink_to(tmp_path / "a.mp4")
    (tmp_path / "folder").symlink_to("sub")
    names = ["./a.mp4", "sub/../a.mp4", "link.mp4", "hard.mp4", str(tmp_path / "a.mp4"), "sub//../a.mp4"]
    for name in names:
        with pytest.raises(DataError, match=r"line 2 already|one file, of train and val"):
            read_csv(write_csv(tmp_path / "my.csv", [("a.mp4", "x", "train"), (name, "x", "val")]), "val")
        with pytest.raises(DataError, match=r"line 2 already|one file, two labels"):
            read_csv(write_csv(tmp_path / "my.csv", [("a.mp4", "x", "val"), (name, "y", "val")]), "val")
    with pytest.raises(DataError, match="stands on line 2 already"):
        read_csv(write_csv(tmp_path / "my.csv", [("sub", "x", "train"), ("sub/", "x", "val")]), "val")
    with pytest.raises(DataError, match="one file, of train and val"):
        read_csv(write_csv(tmp_path / "my.csv", [("sub", "x", "train"), ("folder", "x", "val")]), "val")
    assert len(read_csv(write_csv(tmp_path / "my.csv", [("a.mp4", "x", "train"), ("b.mp4", "x", "val")]), "val")) == 1


def test_labels_that_begin_at_1_are_told(tmp_path, write_csv):
    rows = [(f"{number}.mp4", str(number), "val") for number in range(1, 4)]
    assert read_csv(write_csv(tmp_path / "my.csv", rows), "val").notes == (
        "labels begin at 1: class 0 of 4 has no video",
    )
    assert read_csv(write_csv(tmp_path / "my.csv", [*rows, ("7.mp4", "7", "val")]), "val").notes
    assert not read_csv(write_csv(tmp_path / "my.csv", rows[1:]), "val").notes


def test_numbers_among_names_are_told(tmp_path, write_csv):
    found = read_csv(write_csv(tmp_path / "my.csv", [("a.mp4", "10", "val"), ("b.mp4", "run", "val")]), "val")
    assert found.classes == ("10", "run") and found.notes == ("labels are names and numbers: '10' was read as a name",)


def test_a_copy_of_a_training_video_is_not_held_out(tmp_path, write_csv):
    (tmp_path / "a.mp4").write_bytes(b"a" * 3_000_000)
    shutil.copy(tmp_path / "a.mp4", tmp_path / "copy.mp4")
    (tmp_path / "other.mp4").write_bytes(b"b" * 3_000_000)
    for name in ("frames", "same"):
        (tmp_path / name).mkdir()
        for number in range(3):
            (tmp_path / name / f"{number:05d}.jpg").write_bytes(b"%d" % number)
    for one, copy in (("a.mp4", "copy.mp4"), ("frames", "same")):
        for split in ("val", "train"):
            with pytest.raises(DataError, match=f"lines 2 and 4: '{one}' and '{copy}' are copies of one video, in tr"):
                rows = [(one, "x", "train"), ("other.mp4", "x", "train"), (copy, "x", "val")]
                read_csv(write_csv(tmp_path / "my.csv", rows), split)
    rows = [("a.mp4", "x", "val"), ("copy.mp4", "x", "test"), ("other.mp4", "x", "train"), ("none.mp4", "x", "train")]
    assert len(read_csv(write_csv(tmp_path / "my.csv", rows), "val")) == 1
    (tmp_path / "same" / "00001.jpg").write_bytes(b"9")
    assert read_csv(write_csv(tmp_path / "my.csv", [("frames", "x", "train"), ("same", "x", "val")]), "val")


@pytest.mark.parametrize(
    "text", ["\ufeffPath,LABEL\r\na.mp4,1\r\n\r\n", "path,label\n\n\na.mp4,1\n,\n", "path , label\ra.mp4,1\r"]
)
def test_what_programs_add_to_a_csv_makes_no_difference(tmp_path, text):
    (tmp_path / "my.csv").write_bytes(text.encode())
    assert [(video.id, video.label) for video in read_csv(tmp_path / "my.csv", "val").videos] == [("a.mp4", 1)]


def test_a_header_in_the_label_map_is_no_class(tmp_path, write_csv):
    (tmp_path / "labels.txt").write_text("id,name\n0,wave\n1,run\n")
    index = read_csv(write_csv(tmp_path / "my.csv", [("a.mp4", "run"), ("b.mp4", "0")], header="path,label"), "val")
    assert index.classes == ("wave", "run") and [video.label for video in index.videos] == [1, 0]


def test_unknown_split(tmp_path, write_csv):
    with pytest.raises(UnknownName, match="allowed: train, val"):
        read_csv(write_csv(tmp_path / "my.csv", [("a", "1", "train"), ("b", "1", "val")]), "test")


def test_fingerprint_tells_copies_apart_but_not_places(tmp_path, write_csv):
    def made(folder: str, size: int, label: str = "1") -> str:
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.mp4").write_bytes(bytes(size))
        return read_csv(
            write_csv(tmp_path / folder / "x.csv", [("a.mp4", label)], header="path,label"), "val"
        ).fingerprint

    assert made("one", 5) == made("two", 5)
    (tmp_path / "two" / "a.mp4").write_bytes(b"12345")
    assert (
        read_csv(tmp_path / "two" / "x.csv", "val").fingerprint
        != read_csv(tmp_path / "one" / "x.csv", "val").fingerprint
    )
    assert len({made("three", 5), made("four", 6), made("five", 5, "0")}) == 3


def test_the_first_videos_are_of_all_classes():
    videos = tuple(Video(f"{n}", Path(f"{n}.mp4"), label) for n, label in enumerate([0, 0, 0, 1, 1, 2, 0]))
    index = Index("d", "train", videos, ("a", "b", "c"), "f" * 64)
    assert [v.id for v in index.first(5).videos] == ["0", "3", "5", "1", "4"]
    assert index.first(0) is index
    assert {v.id for v in index.first(7).videos} == {v.id for v in videos}
    with pytest.raises(DataError, match="it has 7"):
        index.first(8)
