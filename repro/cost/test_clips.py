"""Clips for timing decoders, written by x264: 10 seconds at 30 frames a second, with B-frames, as datasets have them.

A camera pans over a textured plane with grain, and a square moves over it: 0.2 to 4 Mbit/s, as copies of Kinetics have.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np

from repro.core.files import filling

_FRAMES, _RATE = 300, 30
_B_FRAMES = 3
#: raised when what is written changes
_VERSION = 1

#: name -> (width, height), frames from one key frame to the next
CLIPS = {
    "340x256 GOP 12": ((340, 256), 12),
    "340x256 GOP 250": ((340, 256), 250),
    "1280x720 GOP 12": ((1280, 720), 12),
    "1280x720 GOP 250": ((1280, 720), 250),
}


def clip_file(name: str, folder: Path, frames: int = _FRAMES) -> Path:
    """The file of a clip of `CLIPS` in `folder`, written there if it is not yet (up to 15 s of CPU time)."""
    size, gop = CLIPS[name]
    path = folder / f"{name.replace(' ', '-')}-{frames}-v{_VERSION}.mp4"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with filling(path) as part:
            _write(part, size, gop, frames)
    return path


def _write(path: Path, size: tuple[int, int], gop: int, frames: int) -> None:
    with av.open(str(path), "w", format="mp4") as container:
        options = {"preset": "fast", "crf": "28", "threads": "1"}
        stream = container.add_stream("libx264", rate=_RATE, options=options)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.codec_context.gop_size, stream.codec_context.max_b_frames = gop, _B_FRAMES
        for picture in _scene(*size, frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))


def _scene(width: int, height: int, frames: int) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(0)
    tiles = rng.integers(40, 168, (height // 16 + 40, width // 16 + 40, 3)).repeat(8, 0).repeat(8, 1)
    plane = (tiles + rng.integers(0, 24, tiles.shape)).astype(np.uint8)
    tall, wide = height // 4, width // 4
    for number in range(frames):
        down, across = 60 + 60 * np.sin(number / 23), 80 + 80 * np.sin(number / 31)
        rows = (np.arange(height) + int(down)) % len(plane)
        columns = (np.arange(width) + int(across)) % plane.shape[1]
        picture = plane[rows][:, columns]
        top, left = 3 * number % (height - tall), 5 * number % (width - wide)
        picture[top : top + tall, left : left + wide] ^= 255
        yield picture
