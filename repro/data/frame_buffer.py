"""The frames of one video on their way from a decoder: each is resized as it comes, and kept in one array.

No decoded frame is held in its full size: 80 frames of 1280x720 are 220 MB, and writing them to memory that has never
been touched costs as much as decoding them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from repro.core.errors import DecodeError
from repro.data.resize import resize_into, short_side_size


class Stack:
    """`count` frames, put in any order; `resize_short` as in `repro.data.decode.read_frames`."""

    def __init__(self, path: Path, resize_short: int = 0) -> None:
        self.count = 0
        self._path, self._short = path, resize_short
        self._source: tuple[int, ...] | None = None
        self._frames = np.empty((0, 0, 0, 3), dtype=np.uint8)
        self._filled = np.zeros(0, dtype=bool)

    def put(self, place: int, frame: np.ndarray) -> None:
        """Frame uint8 (H, W, 3), which may be overwritten afterwards."""
        if self._source is None:
            self._source = frame.shape
            self._begin(*frame.shape[:2])
            self._filled = np.zeros(self.count, dtype=bool)
        if frame.shape != self._source:
            raise DecodeError(self._path, "the size of the picture changes within the video")
        self._keep(place, frame)
        self._filled[place] = True

    def _begin(self, height: int, width: int) -> None:
        size = short_side_size(height, width, self._short) if self._short else (height, width)
        self._frames = np.empty((self.count, *size, 3), dtype=np.uint8)

    def _keep(self, place: int, frame: np.ndarray) -> None:
        resize_into(frame, self._frames[place])

    def missing(self) -> list[int]:
        """Places without a frame."""
        return list(range(self.count)) if self._source is None else np.flatnonzero(~self._filled).tolist()

    def frames(self) -> np.ndarray:
        """uint8 (count, H, W, 3)."""
        assert not self.missing()
        return self._frames


class Middle(Stack):
    """Looks at every frame and keeps the one in the middle, `frames()[0]`."""

    def _begin(self, height: int, width: int) -> None:
        self._frames = np.empty((1, height, width, 3), dtype=np.uint8)

    def _keep(self, place: int, frame: np.ndarray) -> None:
        if place == self.count // 2:
            self._frames[0] = frame
