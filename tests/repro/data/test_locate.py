"""Videos are found below a root in any folders; a wrong root says what was looked for and what is there."""

from __future__ import annotations

import pytest

from repro.core.errors import DataError
from repro.data.annotations import Entry
from repro.data.locate import locate, video_id


def files(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")


def by_id(*names, label="archery", split="val"):
    return Entry(names, label, split)


def listed(name):
    return Entry((name,), 0, "train", 9, 1, True)


@pytest.mark.parametrize("place", ["", "val/", "val/archery/", "a/b/c/d/"])
@pytest.mark.parametrize("name", ["abc_000001_000011.mp4", "abc.webm", "abc/00001.jpg"])
def test_an_id_is_found_in_any_folder(tmp_path, place, name):
    files(tmp_path, f"{place}{name}", "val/other/zzz.mp4")
    (found,) = locate(tmp_path, [by_id("abc_000001_000011", "abc")])
    assert found is not None and (tmp_path / found).exists() and str(found).startswith(f"{place}abc")


def test_what_other_systems_leave_is_no_place(tmp_path):
    files(tmp_path, "__MACOSX/v/abc/._00001.jpg", "v/@eaDir/abc/x.jpg", "v/abc/00001.jpg", "v/._abc.mp4")
    assert str(locate(tmp_path, [by_id("abc")])[0]) == "v/abc"


def test_of_two_places_the_one_of_the_split_is_taken(tmp_path):
    files(tmp_path, "a_train/abc.mp4", "val_256/abc.mp4", "zzz/abc.mp4")
    assert str(locate(tmp_path, [by_id("abc")])[0]) == "val_256/abc.mp4"
    assert str(locate(tmp_path, [by_id("abc", split="train")])[0]) == "a_train/abc.mp4"


@pytest.mark.parametrize(
    "name", ["archery/abc.mp4", "data/k400/archery/abc.mp4", "/abs/archery/abc.avi", "archery/abc"]
)
def test_a_listed_path_is_found_without_its_leading_folders_and_with_another_suffix(tmp_path, name):
    files(tmp_path, "archery/abc.mp4")
    assert str(locate(tmp_path, [listed(name)])[0]) == "archery/abc.mp4"
    assert video_id(listed(name)) == "abc"


def test_frames_of_a_listed_video_file_are_found_and_missing_ones_are_none(tmp_path):
    files(tmp_path, "v.1/00001.jpg", "78687/00001.jpg")
    found = locate(tmp_path, [listed("78687.webm"), listed("v.1"), listed("12.webm")])
    assert [str(path) for path in found] == ["78687", "v.1", "None"]


def test_a_root_within_the_listed_folders_serves_too(tmp_path):
    files(tmp_path, "img/archery/abc.mp4")
    assert str(locate(tmp_path / "img" / "archery", [listed("img/archery/abc.mp4")])[0]) == "abc.mp4"


def test_a_listed_video_is_found_in_a_renamed_folder_unless_its_name_is_not_its_own(tmp_path):
    files(tmp_path, "air drumming/abc.mp4", "archery/001.mp4")
    found = locate(tmp_path, [listed("air_drumming/abc"), listed("archery/001"), listed("yoga/001")])
    assert [str(path) for path in found] == ["air drumming/abc.mp4", "archery/001.mp4", "None"]


def test_a_link_in_a_circle_ends(tmp_path):
    files(tmp_path, "a/abc.mp4")
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    assert str(locate(tmp_path, [by_id("abc")])[0]) == "a/abc.mp4"


def test_a_wrong_root_says_what_it_looked_for_and_what_is_there(tmp_path):
    files(tmp_path, "train/xyz.mp4", "up/img/archery/abc.mp4")
    with pytest.raises(DataError, match=r"wrong root.*none of 1 videos.*'abd'.*there is 'train', 'up'"):
        locate(tmp_path, [by_id("abd")])
    files(tmp_path, "up/other/xyz.mp4")
    with pytest.raises(DataError, match=rf"--root {tmp_path}/up"):
        locate(tmp_path / "up" / "other", [listed("img/archery/abc.mp4")])
    with pytest.raises(DataError, match="is not a folder"):
        locate(tmp_path / "none", [by_id("abc")])
