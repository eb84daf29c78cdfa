"""A small set of real videos with classes that can be told: camera motions over segments of real clips.

The pixels are real, the motion is the crop's: a window that moves left, right, in or out over a segment. A source clip
is a group, so what is tested is never of a source that was trained on. It says how the machinery does on real frames,
and nothing about actions. A single frame does not tell the class; the frames' order does; reversed, left is right.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
from PIL import Image

CLASSES = ("moves left", "moves right", "moves in", "moves out")
FRAMES, WIDTH, HEIGHT = 16, 160, 120


def window(kind: str, share: float) -> tuple[float, float, float]:
    """Left edge, top edge and size of the crop, as shares of the frame, at this share of the clip."""
    if kind in ("moves left", "moves right"):
        return (0.4 * (1 - share if kind == "moves left" else share), 0.2, 0.6)
    size = 0.95 - 0.4 * (share if kind == "moves in" else 1 - share)
    return ((1 - size) / 2, (1 - size) / 2, size)


def make(sources: Sequence[Path], folder: Path, segments: int) -> Path:
    """Write the clips and `my.csv` (path,label,group)."""
    rows = []
    for source in sources:
        with av.open(str(source)) as container:
            frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        starts = np.linspace(0, len(frames) - FRAMES, segments).astype(int)
        for number, start in enumerate(starts.tolist()):
            for kind in CLASSES:
                name = f"{source.stem}-{source.suffix[1:]}-{number}-{kind.split()[1]}.mp4"
                _write(folder / name, frames[start : start + FRAMES], kind)
                rows.append((name, kind, source.name))
    with (folder / "my.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("path", "label", "group"), *rows])
    return folder / "my.csv"


def _write(path: Path, frames: Sequence[np.ndarray], kind: str) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=12, options={"crf": "18"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number, frame in enumerate(frames):
            height, width = frame.shape[:2]
            left, top, size = window(kind, number / (len(frames) - 1))
            box = (left * width, top * height, (left + size) * width, (top + size) * height)
            picture = Image.fromarray(frame).resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR, box)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.asarray(picture), format="rgb24")))
        container.mux(stream.encode())
