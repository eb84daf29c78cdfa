from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from repro.core.errors import DataError, DecodeError
from repro.core.spec import Views
from repro.data import clip_views
from repro.data.resize import resize_short
from tests.repro.conftest import write_video


@pytest.fixture
def folder(tmp_path):
    """Twelve frames, frame N of brightness 10 N; names without leading zeros."""
    place = tmp_path / "frames"
    place.mkdir()
    for number in range(1, 13):
        Image.fromarray(np.full((24, 32, 3), 10 * number, np.uint8)).save(place / f"img_{number}.png")
    (place / "notes.txt").write_text("not a frame")
    (place / "._img_1.png").write_bytes(b"left by a Mac")
    return place


def test_frames_come_in_natural_order_each_once(folder):
    source = clip_views.source_of(folder, "decord", 0)
    frames, place = source.read(lambda n: np.array([[n - 1, 0], [1, 0]]))
    assert clip_views.frame_count(folder, "decord") == 12
    assert len(frames) == 3
    assert (frames[place][..., 0, 0, 0] // 10).tolist() == [[12, 1], [2, 1]]


def test_a_folder_gives_the_views_of_its_frames(folder):
    views = Views(sampling="mmaction2.uniform_test_4", crops=3, resize=16, crop=16)
    found, _ = clip_views.views_of_clip(folder, views, "decord")
    assert found.shape == (3, 4, 3, 16, 16)
    assert found[0, :, 0, 8, 8].tolist() == [20, 50, 80, 110]
    frames, _ = clip_views.FolderSource(folder, 16).read(lambda n: np.arange(2))
    assert np.array_equal(frames, resize_short(np.stack([np.full((24, 32, 3), v, np.uint8) for v in (10, 20)]), 16))


@given(st.lists(st.integers(0, 10**6), unique=True, min_size=1))
def test_natural_order_is_that_of_the_numbers(numbers):
    names = [f"a{number}.jpg" for number in numbers]
    assert sorted(names, key=clip_views.natural) == [f"a{number}.jpg" for number in sorted(numbers)]


def test_the_key_is_total_where_numbers_and_letters_meet():
    names = ["2.jpg", "a.jpg", "10.jpg", "A1.jpg", "a01.jpg", "a1.jpg", "1a2.jpg"]
    ordered = sorted(names, key=clip_views.natural)
    assert ordered.index("2.jpg") < ordered.index("10.jpg")
    assert sorted(reversed(names), key=clip_views.natural) == ordered


def test_grey_and_transparent_pictures_become_rgb(tmp_path):
    Image.fromarray(np.full((8, 8), 7, np.uint8)).save(tmp_path / "0.png")
    Image.fromarray(np.full((8, 8, 4), 9, np.uint8)).save(tmp_path / "1.png")
    frames, _ = clip_views.FolderSource(tmp_path, 0).read(lambda n: np.arange(n))
    assert frames.shape == (2, 8, 8, 3) and frames[:, 0, 0].tolist() == [[7] * 3, [9] * 3]


def test_optical_flow_and_covers_beside_the_frames_are_left_alone_and_names_need_no_number(folder, tmp_path):
    for name in ("flow_x_1.png", "cover.png"):
        Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(folder / name)
    assert clip_views.frame_count(folder, "decord") == 12
    letters = tmp_path / "letters"
    letters.mkdir()
    for name in ("b.png", "a.png"):
        Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(letters / name)
    assert [path.name for path in clip_views.picture_files(letters)] == ["a.png", "b.png"]


def test_a_picture_that_lies_there_twice_is_told(folder):
    Image.open(folder / "img_5.png").save(folder / "img_5.jpg")
    with pytest.raises(DecodeError, match=r"img_5\.jpg and img_5\.png are one picture twice"):
        clip_views.frame_count(folder, "decord")


def test_faults_of_a_folder_are_told(folder, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DecodeError, match="without pictures"):
        clip_views.source_of(tmp_path / "empty", "decord", 0).read(lambda n: np.arange(n))
    (folder / "img_5.png").write_bytes(b"no picture")
    with pytest.raises(DecodeError, match=r"img_5\.png: not a picture"):
        clip_views.FolderSource(folder, 0).read(lambda n: np.arange(n))
    whole = (folder / "img_6.png").read_bytes()
    (folder / "img_5.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DecodeError, match=r"img_5\.png"):
        clip_views.FolderSource(folder, 0).read(lambda n: np.arange(n))
    Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(folder / "img_5.png")
    with pytest.raises(DecodeError, match=r"differ in size.*32x24.*img_5.png is 9x9"):
        clip_views.FolderSource(folder, 0).read(lambda n: np.arange(n))


def test_the_digest_is_of_names_and_contents(folder, tmp_path):
    before = clip_views.sha256(folder)
    (folder / "notes.txt").write_text("changed")
    assert clip_views.sha256(folder) == before
    (folder / "img_1.png").rename(folder / "img_0.png")
    assert clip_views.sha256(folder) != before


def test_a_video_file_is_read_by_its_decoder(tmp_path):
    write_video(tmp_path / "v.mp4", 0)
    assert clip_views.told_decoder(tmp_path / "v.mp4", "pyav").startswith("pyav ")
    assert clip_views.told_decoder(tmp_path, "pyav").startswith("pillow ")
    views = Views(sampling="mmaction2.uniform_test_4", resize=0, crop=32)
    made, used = clip_views.views_of_clip(tmp_path / "v.mp4", views, "auto")
    assert (made.shape, used) == ((1, 4, 3, 32, 32), "pyav")
    with pytest.raises(DataError, match="missing"):
        clip_views.views_of_clip(tmp_path / "w.mp4", views, "pyav")
