"""Real video files, made by PyAV: what each test reads has gone through an encoder, a container and a decoder."""

from __future__ import annotations

import functools
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import av
import numpy as np
import pytest


def _load(name: str) -> ModuleType:
    """A module that lies beside this file, for tests to import."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


miniatures = _load("miniatures")
_load("video_corpus")


def picture(number: int, height: int, width: int) -> np.ndarray:
    """A smooth picture that differs from frame to frame and from place to place."""
    y, x = np.mgrid[0:height, 0:width]
    red = (x * 255 // max(width - 1, 1) + 13 * number) % 256
    green = (y * 255 // max(height - 1, 1) + 29 * number) % 256
    blue = np.full_like(x, (number * 37) % 256)
    blue[(number * 3) % height, :] = 255
    return np.stack([red, green, blue], -1).astype(np.uint8)


def write_video(
    path: Path,
    frames: int = 20,
    size: tuple[int, int] = (48, 64),
    codec: str = "libx264",
    gop: int = 6,
    bframes: int = 2,
    options: dict[str, str] | None = None,
    still: bool = False,
) -> Path:
    """Encode `frames` pictures of (height, width); the container follows the suffix."""
    height, width = size
    container_options = {"movflags": "faststart"} if path.suffix == ".mp4" else {}
    with av.open(str(path), "w", options=container_options) as container:
        stream = container.add_stream(codec, rate=25, options=options or {})
        stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
        stream.codec_context.gop_size = gop
        if codec != "libvpx-vp9":
            stream.codec_context.max_b_frames = bframes
        for number in range(frames):
            image = av.VideoFrame.from_ndarray(picture(0 if still else number, height, width), format="rgb24")
            container.mux(stream.encode(image))
        container.mux(stream.encode(None))
    return path


def write_audio(path: Path) -> Path:
    """A second of silence without any picture."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        for start in range(0, 8000, 1024):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 8000, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_csv(path: Path, rows: list[tuple[str, ...]], header: str = "path,label,split") -> Path:
    """A CSV of rows that need no quoting."""
    path.write_text("\n".join([header, *(",".join(row) for row in rows)]) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="session", name="write_video")
def _write_video():
    return write_video


@pytest.fixture(scope="session", name="write_csv")
def _write_csv():
    return write_csv


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory) -> Path:
    """Good files: formats, sizes, groups of pictures."""
    folder = tmp_path_factory.mktemp("clips")
    write_video(folder / "h264.mp4", frames=40)
    write_video(folder / "long_gop.mp4", frames=40, gop=250)
    write_video(folder / "portrait.mp4", frames=12, size=(90, 50))
    write_video(folder / "odd.avi", frames=20, size=(50, 67), codec="mpeg4", bframes=0)
    write_video(folder / "bframes.avi", frames=30, codec="mpeg4", bframes=2)
    write_video(folder / "part2.mp4", frames=30, codec="mpeg4", bframes=2)
    write_video(folder / "h264.flv", frames=30)
    write_video(folder / "h264.mkv", frames=30)
    write_video(folder / "mpeg2.mpg", frames=30, codec="mpeg2video", bframes=2)
    write_video(folder / "vp9.webm", frames=20, codec="libvpx-vp9")
    write_video(folder / "one.mp4", frames=1)
    write_video(folder / "still.mp4", frames=9, still=True)
    return folder


@pytest.fixture(scope="session")
def bad_folder(tmp_path_factory) -> Path:
    """Files that no network should ever be scored on; `missing.mp4` is not there."""
    folder = tmp_path_factory.mktemp("bad")
    (folder / "empty.mp4").write_bytes(b"")
    (folder / "text.mp4").write_text("this is not a video\n" * 50)
    whole = write_video(folder / "whole.mp4", frames=200, size=(96, 128), options={"crf": "10"}).read_bytes()
    (folder / "truncated.mp4").write_bytes(whole[: len(whole) // 2])
    (folder / "header_only.mp4").write_bytes(whole[:200])
    moov = write_video(folder / "late.mov", frames=30).read_bytes()
    (folder / "no_moov.mp4").write_bytes(moov[: moov.index(b"moov") - 4])
    write_audio(folder / "audio.mp4")
    with av.open(str(folder / "zero.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.start_encoding()
    for name, codec in (("cut.webm", "libvpx-vp9"), ("cut.avi", "mpeg4")):
        data = write_video(folder / f"whole_{name}", frames=60, codec=codec).read_bytes()
        (folder / name).write_bytes(data[: len(data) // 2])
    zeroed = bytearray(whole)
    cut = len(whole) // 5  # so much that frames from each quarter of the video must meet it
    zeroed[cut : 4 * cut] = bytes(3 * cut)
    (folder / "zeroed.mp4").write_bytes(zeroed)
    (folder / "folder.mp4").mkdir()
    return folder


#: file of `bad_folder` -> parts of the reason, one of which each decoder gives
BAD = {
    "empty.mp4": ("empty file",),
    "text.mp4": ("not a video",),
    "truncated.mp4": ("truncated",),
    "header_only.mp4": ("truncated",),
    "no_moov.mp4": ("not a video",),
    "audio.mp4": ("no video stream",),
    "zero.mp4": ("no frames",),
    "zeroed.mp4": ("damaged", "it may misnumber frames, as a packet holds 0 pictures"),
    "cut.webm": ("truncated",),
    "cut.avi": ("truncated",),
    "folder.mp4": ("not a regular file",),
    "missing.mp4": ("no such file",),
}


@pytest.fixture(scope="session")
def miniatures_module():
    """The builders of `miniatures.py`."""
    return miniatures


@pytest.fixture(scope="session")
def miniature(tmp_path_factory):
    """name -> the miniature copy of a dataset, built once; not to be changed."""
    folder = tmp_path_factory.mktemp("miniatures")
    return functools.cache(lambda name: miniatures.build(name, folder / name))


@pytest.fixture(scope="session")
def bad_reasons() -> dict[str, tuple[str, ...]]:
    return BAD


@pytest.fixture(scope="session")
def bad_files(bad_folder) -> dict[str, Path]:
    return {name: bad_folder / name for name in BAD}
