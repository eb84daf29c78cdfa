"""Videos, pictures and folders of frames, damaged in every way: the frames, or a sentence of what is wrong."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fuzzing import FEW, MANY, fuzz, mutated
from hypothesis import strategies as st
from PIL import Image
from video_corpus import CLOSED, Coded, piped, x264

from repro.core.errors import DecodeError
from repro.data import frames
from repro.data.decode import frame_count, read_frames
from repro.data.truncation import cut
from repro.data.video_facts import probe

VIDEOS = {
    "a.mp4": x264(CLOSED, count=8),
    "b.mp4": x264(CLOSED, count=8, container={"movflags": "frag_keyframe+empty_moov"}),
    "c.mkv": x264(CLOSED, count=8),
    "d.ts": x264(CLOSED, count=8),
    "e.avi": Coded("mpeg4", 12, 0, count=8),
    "f.mpg": Coded("mpeg2video", 12, 2, count=8),
    "g.webm": Coded("libvpx", 20, None, {"deadline": "realtime"}, count=8),
    "h.flv": Coded("flv", 12, 0, count=8),
    "i.wmv": Coded("wmv2", 12, 0, count=8),
    "j.gif": Coded("gif", 1, None, pix_fmt="rgb8", count=3),
    "m.ivf": Coded("libvpx", 20, None, {"deadline": "realtime"}, count=8),
    "n.swf": Coded("flv", 12, 0, count=8),
    "o.mxf": Coded("mpeg2video", 12, 2, count=8),
    "p.y4m": Coded("wrapped_avframe", 1, None, count=3),
    "q.mp4": x264(CLOSED, count=8, container={"movflags": "dash+frag_keyframe+global_sidx"}),
}
PIPED = {"k.avi": piped(Coded("mpeg4", 12, 0, count=8), "avi"), "l.mkv": piped(x264(CLOSED, count=8), "matroska")}


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    folder = tmp_path_factory.mktemp("whole")
    return [write(folder / name).read_bytes() for name, write in {**VIDEOS, **PIPED}.items()]


def pictures() -> list[bytes]:
    shown = np.random.default_rng(0).integers(0, 256, (16, 24, 3), np.uint8)
    grey = shown[..., 0].astype(np.uint16) * 256
    found = []
    for picture, form in (
        (shown, "JPEG"),
        (shown, "PNG"),
        (grey, "PNG"),
        (shown, "BMP"),
        (shown, "WEBP"),
        (shown, "GIF"),
    ):
        stream = io.BytesIO()
        Image.fromarray(picture).save(stream, format=form)
        found.append(stream.getvalue())
    return found


def read_video(data: bytes, folder: Path) -> None:
    path = folder / "v.mp4"
    path.write_bytes(data)
    cut(path)
    for read in (probe, lambda place: read_frames(place, range(frame_count(place)), resize_short=16)):
        try:
            read(str(path))
        except DecodeError as error:
            assert str(error)


def read_end(data: bytes, folder: Path) -> None:
    (folder / "v.mp4").write_bytes(data)
    found = cut(folder / "v.mp4")
    assert not found or found.startswith("truncated: ")


def read_picture(data: bytes, folder: Path) -> None:
    (folder / "1.jpg").write_bytes(data)
    found = frames.read_picture(folder / "1.jpg")
    assert found.dtype == np.uint8 and found.ndim == 3 and found.shape[2] == 3


def read_folder(names: list[str], folder: Path) -> None:
    place = folder / "frames"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    for name in names:
        (place / name).touch()
    found = frames.list_folder(place)
    assert len(found.names) == len(set(found.names)) and set(found.names) <= set(names)
    numbers = [int("".join(filter(str.isdecimal, Path(name).stem[-6:]))) for name in found.names]
    assert numbers == sorted(numbers)


NAMES = st.tuples(
    st.sampled_from(["", "img_", "._", "image_", "x_", "flow_x_", "é"]), st.integers(0, 12), st.sampled_from([1, 3, 5]),
    st.sampled_from([".jpg", ".png", ".JPG", ".txt", ".jpeg", ""]),
).map(lambda case: f"{case[0]}{case[1]:0{case[2]}d}{case[3]}")  # fmt: skip


def readers(whole: list[bytes]) -> dict[str, tuple[st.SearchStrategy[Any], Callable[[Any, Path], Any]]]:
    return {
        "video": (mutated(whole), read_video),
        "end of a video": (st.one_of(mutated(whole), st.binary(max_size=400)), read_end),
        "picture": (mutated(pictures()), read_picture),
        "folder of frames": (st.lists(NAMES, unique=True, max_size=8), read_folder),
    }


KINDS = ["video", "end of a video", "picture", "folder of frames"]


def fuzz_reader(name: str, whole: list[bytes], folder: Path, count: int) -> None:
    strategy, read = readers(whole)[name]
    near = 0 if name == "folder of frames" else 4
    fuzz(strategy, lambda case: read(case, folder), count, near)


@pytest.mark.parametrize("name", KINDS)
def test_a_reader_answers_or_says_what_is_wrong(name: str, whole: list[bytes], tmp_path: Path) -> None:
    fuzz_reader(name, whole, tmp_path, FEW)


@pytest.mark.fuzz
@pytest.mark.parametrize("name", KINDS)
def test_a_reader_on_100_000_cases(name: str, whole: list[bytes], tmp_path: Path) -> None:
    fuzz_reader(name, whole, tmp_path, MANY)
