"""CSV files and label maps: what is accepted, and that each fault is named with its line and value."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from repro.core.errors import DataError, UnknownName
from repro.data.index import Index, Video, read_classes, read_csv


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
    assert len({made("three", 5), made("four", 6), made("five", 5, "0")}) == 3


def test_the_first_videos_are_of_all_classes():
    videos = tuple(Video(f"{n}", Path(f"{n}.mp4"), label) for n, label in enumerate([0, 0, 0, 1, 1, 2, 0]))
    index = Index("d", "train", videos, ("a", "b", "c"), "f" * 64)
    assert [v.id for v in index.first(5).videos] == ["0", "3", "5", "1", "4"]
    assert index.first(0) is index
    assert {v.id for v in index.first(7).videos} == {v.id for v in videos}
    with pytest.raises(DataError, match="it has 7"):
        index.first(8)
