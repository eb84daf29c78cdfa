"""Bilinear resizing of uint8 frames, in numpy: half-pixel centres, no smoothing before shrinking, edges repeated.

That is OpenCV's INTER_LINEAR, which mmaction2 uses, to within one grey level (OpenCV rounds its weights to 11 bits).
The authors' repositories resize with PIL, which smooths when it shrinks: their pixels differ from these.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from repro.errors import BadOption


def short_side_size(height: int, width: int, short: int) -> tuple[int, int]:
    """(height, width) after scaling the short side to `short`: int(x * scale + 0.5), as mmcv's imrescale."""
    if short < 1:
        raise BadOption(f"short side {short}", allowed="1 pixel or more")
    scale = short / min(height, width)
    return int(height * scale + 0.5), int(width * scale + 0.5)


def resize_short(frames: np.ndarray, short: int) -> np.ndarray:
    """Frames (..., H, W, 3) with the short side scaled to `short` pixels; 0 keeps them as they are."""
    if not short or not frames.size:
        return frames
    return resize(frames, *short_side_size(frames.shape[-3], frames.shape[-2], short))


def resize(frames: np.ndarray, height: int, width: int) -> np.ndarray:
    """uint8 (..., H, W, 3) -> uint8 (..., height, width, 3)."""
    if frames.shape[-3:-1] == (height, width):
        return frames
    flat = frames.reshape(-1, *frames.shape[-3:])
    out = np.empty((len(flat), height, width, 3), dtype=np.uint8)
    top, bottom, down = _weights(frames.shape[-3], height)
    left, right, across = _weights(frames.shape[-2], width)
    down, across = down[:, None, None], across[None, :, None]
    for frame, target in zip(flat, out, strict=True):  # one frame at a time stays in the processor's cache
        columns = frame[:, left].astype(np.float32)
        columns += (frame[:, right] - columns) * across
        rows = columns[top]
        rows += (columns[bottom] - rows) * down
        rows += 0.5
        target[...] = rows
    return out.reshape(*frames.shape[:-3], height, width, 3)


@lru_cache(maxsize=64)
def _weights(size: int, wanted: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each wanted pixel: its two sources, and the share of the second."""
    place = (np.arange(wanted) + 0.5) * (size / wanted) - 0.5
    place = np.clip(place, 0, size - 1)
    first = np.floor(place).astype(np.int64)
    return first, np.minimum(first + 1, size - 1), (place - first).astype(np.float32)
