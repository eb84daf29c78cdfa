"""How a picture is shown: turned and mirrored as the display matrix of its file says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from av.sidedata.sidedata import Type

from repro.core.errors import DecodeError

#: the tangent of one degree, by which ffmpeg lets a quarter turn be off
_OFF = 0.0175


def matrix_of(frame: Any) -> tuple[int, int, int, int]:
    """a, b, c, d of the display matrix: a stored point (x, y) is shown at (ax + cy, bx + dy). (1, 0, 0, 1) without."""
    found = frame.side_data.get(Type.DISPLAYMATRIX)
    if found is None:
        return 1, 0, 0, 1
    a, b, _, c, d = np.frombuffer(found, dtype="<i4", count=5).tolist()
    return (1, 0, 0, 1) if a * d == b * c else (a, b, c, d)


def upright(path: Path, image: np.ndarray, frame: Any) -> np.ndarray:
    """The picture (H, W, 3) of a frame as it is shown: a view. DecodeError for another turn than by quarters."""
    a, b, c, d = matrix_of(frame)
    if max(abs(b), abs(c)) <= _OFF * min(abs(a), abs(d)):
        across, down = a, d
    elif max(abs(a), abs(d)) <= _OFF * min(abs(b), abs(c)):
        image, across, down = image.swapaxes(0, 1), c, b
    else:
        turn = abs(frame.rotation)
        raise DecodeError(path, f"its pictures are shown turned by {turn} degrees; allowed are quarter turns")
    return image[:: -1 if down < 0 else 1, :: -1 if across < 0 else 1]
