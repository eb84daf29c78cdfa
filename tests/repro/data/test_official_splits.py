"""UCF101 and HMDB51 by the files of their official splits."""

from __future__ import annotations

import pytest

from repro.__main__ import main
from repro.core.errors import DataError
from repro.data import annotations, official_splits
from repro.data.known_datasets import KNOWN


def test_ucf101_lists_are_known_by_their_lines(tmp_path):
    for name, text, split in (
        ("trainlist02", "Basketball/v_Basketball_g08_c01.avi 8\nYoYo/v_YoYo_g01_c02.avi 101\n", "train"),
        ("testlist02", "HandstandPushups/v_HandStandPushups_g01_c01.avi\r\n", "test"),
    ):
        (tmp_path / f"{name}.txt").write_text(text)
        made = annotations.read(tmp_path / f"{name}.txt")
        assert made.format == "ucf-list" and {entry.split for entry in made.entries} == {split}
    assert made.entries[0].names == ("HandstandPushups/v_HandStandPushups_g01_c01.avi",)
    assert made.entries[0].label == "HandstandPushups"


def test_hmdb51_files_name_their_class_and_tell_the_split_of_each_video(tmp_path):
    file = tmp_path / "brush_hair_test_split3.txt"
    file.write_text("a_(x)_brush_hair_u_0.avi 1 \nb_brush_hair_u_0.avi 2 \nc_brush_hair_u_0.avi 0 \n")
    made = annotations.read(file)
    assert [(entry.names[0], entry.label, entry.split) for entry in made.entries] == [
        ("brush_hair/a_(x)_brush_hair_u_0.avi", "brush_hair", "train"),
        ("brush_hair/b_brush_hair_u_0.avi", "brush_hair", "test"),
    ]


def test_each_of_the_three_splits_is_a_dataset():
    assert (KNOWN["ucf101"].splits, KNOWN["ucf101-2"].splits) == (
        {"train": 9537, "val": 3783}, {"train": 9586, "val": 3734},
    )  # fmt: skip
    assert KNOWN["hmdb51-3"].splits == {"train": 3570, "val": 1530} and KNOWN["hmdb51"].classes == 51


def test_the_files_of_a_split_are_found_in_the_folder_of_all(tmp_path):
    for number in (1, 2, 3):
        for kind in ("train", "test"):
            (tmp_path / f"{kind}list0{number}.txt").write_text("")
    (tmp_path / "classInd.txt").write_text("1 ApplyEyeMakeup\n")
    found = official_splits.files_of("ucf101-2", str(tmp_path))
    assert [file.rpartition("/")[2] for file in found] == ["testlist02.txt", "trainlist02.txt"]
    assert official_splits.files_of("kinetics400", str(tmp_path)) == [str(tmp_path)]
    with pytest.raises(DataError, match="no file of split 1"):
        official_splits.files_of("hmdb51", str(tmp_path))


def test_files_of_another_split_or_dataset_are_refused(tmp_path, capsys):
    for name in ("trainlist02", "testlist02"):
        (tmp_path / f"{name}.txt").write_text("Basketball/v_Basketball_g08_c01.avi\n")
    files = [str(tmp_path / "trainlist02.txt"), str(tmp_path / "testlist02.txt")]
    assert main(["data", "add", "ucf101", "--root", str(tmp_path), "--annotations", *files]) == 2
    assert "is of split 2, ucf101 is split 1; try: data add ucf101-2" in capsys.readouterr().err
    assert main(["data", "add", "hmdb51", "--root", str(tmp_path), "--annotations", *files]) == 2
    assert "is a list of ucf101, not of hmdb51" in capsys.readouterr().err


def test_a_line_that_is_none_is_told(tmp_path):
    (tmp_path / "trainlist01.txt").write_text("Basketball/v_Basketball_g08_c01.avi 8\nBasketball\n")
    with pytest.raises(DataError, match="line 2"):
        annotations.read(tmp_path / "trainlist01.txt", format="ucf-list")
