"""Folders of pictures are videos: numbered from 0 or 1, any prefix; what is missing or broken is named."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from repro.core.errors import DecodeError
from repro.core.spec import Views
from repro.data import views_of_video
from repro.data.decode import frame_count, read_frames
from repro.data.frames import is_picture, list_folder
from repro.data.pool import Pool, Problem


def write_frames(folder, template="{:05d}.jpg", first=1, count=9, size=(32, 40)):
    """Frame i is a flat picture of grey level 20 * i, so that its place can be read off."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        picture = np.full((*size, 3), 20 * number, np.uint8)
        Image.fromarray(picture).save(folder / template.format(first + number))
    return folder


@pytest.mark.parametrize("first", [0, 1, 17])
@pytest.mark.parametrize("template", ["{:05d}.jpg", "img_{:05d}.jpg", "image_{:06d}.jpeg", "{}.png", "v2_a_{:03d}.JPG"])
def test_any_numbering_gives_the_same_frames(tmp_path, template, first):
    folder = write_frames(tmp_path / "a", template, first, count=12)
    assert frame_count(folder) == 12
    frames = read_frames(folder, [11, 0, 5, 5], resize_short=0)
    assert frames.shape == (4, 32, 40, 3)
    assert frames[:, 0, 0, 0].tolist() == pytest.approx([220, 0, 100, 100], abs=1)
    assert list_folder(folder).first == first


def test_the_template_is_found_and_flow_is_left_alone(tmp_path):
    folder = write_frames(tmp_path / "a", "img_{:05d}.jpg")
    write_frames(folder, "flow_x_{:05d}.jpg", count=8)
    write_frames(folder, "y_{:05d}.jpg", count=8)
    assert list_folder(folder).names[0].startswith("img_")
    assert frame_count(folder, decoder="pyav") == 9


def test_pictures_of_16_bits_are_scaled_not_cut_off(tmp_path):
    greys = [0, 255, 256, 12_850, 32_768, 65_535]
    for number, grey in enumerate(greys):
        Image.fromarray(np.full((32, 40), grey, np.uint16)).save(tmp_path / f"depth_{number}.png")
    frames = read_frames(tmp_path, range(len(greys)), resize_short=0)
    assert frames[:, 0, 0, 1].tolist() == [0, 1, 1, 50, 128, 255] and frames.shape == (6, 32, 40, 3)


def test_what_systems_leave_in_a_folder_is_no_frame(tmp_path):
    folder = write_frames(tmp_path / "a", "img_{:05d}.jpg", count=9)
    for name in [file.name for file in folder.iterdir()]:
        (folder / f"._{name}").write_bytes(b"\x00\x05\x16\x07" + bytes(100))
    for name in (".DS_Store", "Thumbs.db", "desktop.ini", ".img_00010.jpg"):
        (folder / name).write_bytes(b"junk")
    assert frame_count(folder) == 9 and list_folder(folder).names[0].startswith("img_")
    assert not is_picture("._img_00001.jpg")


@given(st.integers(0, 99999), st.sampled_from(["", "img_", "image_", "frame", "v2_"]))
@settings(max_examples=30)
def test_numbered_names_are_pictures(number, prefix):
    assert is_picture(f"{prefix}{number:05d}.jpg")
    assert not is_picture(f"flow_x_{number:05d}.jpg") and not is_picture(f"{prefix}{number:05d}.txt")


def spoil(folder, how):
    if how == "hole":
        (folder / "00004.jpg").unlink()
    elif how == "two kinds":
        write_frames(folder, "img_{:05d}.jpg", count=2)
    elif how == "twice":
        write_frames(folder, "{:04d}.jpg", first=3, count=1)
    elif how == "truncated":
        data = (folder / "00005.jpg").read_bytes()
        (folder / "00005.jpg").write_bytes(data[: len(data) // 2])
    elif how == "text":
        (folder / "00005.jpg").write_text("no picture")
    elif how == "program":
        (folder / "00005.jpg").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n")
    elif how == "empty":
        (folder / "00005.jpg").write_bytes(b"")
    elif how == "size":
        write_frames(folder, first=9, count=1, size=(16, 16))


@pytest.mark.parametrize(
    "how, reason",
    [
        ("hole", "frame 4 is missing"),
        ("two kinds", "2 kinds of names"),
        ("twice", "frame 3 is there twice"),
        ("truncated", "00005.jpg: truncated"),
        ("text", "00005.jpg: not a picture"),
        ("program", "00005.jpg: not a picture"),
        ("empty", "00005.jpg: empty file"),
        ("size", "size of the picture changes"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, how, reason):
    folder = write_frames(tmp_path / "a")
    spoil(folder, how)
    with pytest.raises(DecodeError, match=reason):
        read_frames(folder, range(9))


@pytest.mark.parametrize("values", [np.ones((8, 8), np.float32), np.full((8, 8), 70_000, np.int32)])
def test_pictures_that_do_not_tell_what_is_white_are_refused(tmp_path, values):
    Image.fromarray(values).save(tmp_path / "1.png", format="TIFF")
    with pytest.raises(DecodeError, match=r"1\.png: its values are .* and what is white is not told"):
        read_frames(tmp_path, [0])


def test_pictures_are_turned_as_their_camera_says(tmp_path):
    shown = np.zeros((16, 24, 3), np.uint8)
    shown[:8, :12] = 255
    for number, turn in ((1, lambda a: a), (2, np.fliplr), (3, lambda a: np.rot90(a, 2)), (6, np.rot90)):
        exif = Image.Exif()
        exif[0x0112] = number
        folder = tmp_path / str(number)
        folder.mkdir()
        Image.fromarray(np.ascontiguousarray(turn(shown))).save(folder / "1.png", exif=exif)
        assert np.array_equal(read_frames(folder, [0])[0], shown), number


def test_workers_read_folders_through_the_clip_interface(tmp_path):
    views = Views(sampling="mmaction2.uniform_test_4", crop=32, resize=32)
    whole, broken = write_frames(tmp_path / "a"), write_frames(tmp_path / "b")
    spoil(broken, "hole")
    tasks = [(str(path), path.name, "decord", views, 0) for path in (whole, broken)]
    (made, used), problem = Pool(views_of_video.test_task).run(tasks, ahead=2)
    assert used == "pillow" and made.part(0, len(made)).shape == (1, 4, 3, 32, 32)
    assert isinstance(problem, Problem) and "frame 4 is missing" in problem.reason
