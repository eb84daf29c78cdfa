"""What a clip tells without being watched, for controls: of its geometry, and of its colours. In workers, no torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from repro.core.errors import DecodeError
from repro.core.spec import Views
from repro.data import clip_views
from repro.data.pool import Pool, Problem
from repro.data.video_facts import probe


def simple(clips: Sequence[Path], kind: str) -> np.ndarray:
    """A row for each clip, float32. `geometry`: width, height, their ratio, frames, rate, seconds. `colour`: mean and
    deviation of red, green, blue, and each one's histogram of eight bins, over five frames.

    Raises `DecodeError` for a clip that cannot be read.
    """
    rows = []
    for clip, made in zip(clips, Pool(_KINDS[kind]).run(((str(clip),) for clip in clips), ahead=8), strict=True):
        if isinstance(made, Problem):
            raise DecodeError(clip, made.reason)
        rows.append(made)
    return np.stack(rows)


def _geometry(path: str) -> np.ndarray:
    told = probe(path)
    seconds = told.frames / told.fps if told.fps else 0.0
    return np.array([told.width, told.height, told.width / told.height, told.frames, told.fps, seconds], np.float32)


def _colour(path: str) -> np.ndarray:
    seen = clip_views.clip_task(path, "auto", Views(sampling="mmaction2.uniform_test_5", resize=32, crop=32))
    pictures = seen.cuts.part(0, 1)[0].astype(np.float32)
    bins = [np.histogram(pictures[:, channel], 8, (0, 256))[0] / pictures[:, channel].size for channel in range(3)]
    return np.concatenate([pictures.mean((0, 2, 3)), pictures.std((0, 2, 3)), *bins]).astype(np.float32)


_KINDS: dict[str, Callable[[str], np.ndarray]] = {"geometry": _geometry, "colour": _colour}
