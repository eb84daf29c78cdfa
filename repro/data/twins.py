"""The twin datasets: two small procedural datasets in real H.264 files, written on first use, then read like any other.

`twin-appearance` shows its class in any single frame; `twin-temporal` shows it only in the order of the frames. Each
has eight classes of equal size; `train` and `val` come from seeds that never meet. The `-smoke` ones hold two videos a
split, for a run of the whole machine that shows nothing. `twin_render` draws the frames, `twin_files` writes the files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from repro.core import paths
from repro.core.errors import UnknownName
from repro.data import twin_files
from repro.data.index import Index, Video
from repro.data.twin_render import MOTIONS, SHAPES

_SIZES = {"train": 2048, "val": 1024}
_SMOKE = {"train": 2, "val": 2}


@dataclass(frozen=True)
class Twin:
    """One of the datasets: what is drawn, the names of its classes, and the number of videos of each split."""

    kind: str
    classes: tuple[str, ...]
    sizes: Mapping[str, int]


TWINS = {
    "twin-appearance": Twin("appearance", SHAPES, _SIZES),
    "twin-temporal": Twin("temporal", MOTIONS, _SIZES),
    "twin-appearance-smoke": Twin("appearance", SHAPES, _SMOKE),
    "twin-temporal-smoke": Twin("temporal", MOTIONS, _SMOKE),
}


def open_twin(name: str, split: str) -> Index:
    """The videos of `train` or `val`, written first if they are not there; refuses files that are not as written."""
    folder = folder_of(name)
    if split not in twin_files.SPLITS:
        raise UnknownName(f"split of {name}", split, twin_files.SPLITS)
    twin_files.ensure(folder, TWINS[name].kind, TWINS[name].sizes)
    listed = twin_files.listed(folder, split)
    videos = tuple(
        Video(id=file.removesuffix(".mp4"), path=folder / file, label=facts["label"])
        for file, facts in listed["files"].items()
    )
    return Index(name=name, split=split, videos=videos, classes=TWINS[name].classes, fingerprint=listed["fingerprint"])


def check_twin(name: str) -> list[str]:
    """Read every file of a dataset, written first if it is not there: a line for each that is not as it was written."""
    folder = folder_of(name)
    twin_files.ensure(folder, TWINS[name].kind, TWINS[name].sizes)
    return twin_files.problems(folder)


def folder_of(name: str) -> Path:
    """Where a twin's files lie, or will."""
    if name not in TWINS:
        raise UnknownName("twin dataset", name, TWINS)
    return paths.cache() / "twins" / f"v{twin_files.VERSION}" / name


def direction_metrics(labels: np.ndarray, predictions: np.ndarray) -> dict[str, float]:
    """Percentages for the temporal twin, from labels (N,) and predicted classes (N,).

    `pair_top1`: the motion is right, whichever its direction (chance 25). `direction_top1`: the direction is right,
    among the videos whose motion is (chance 50; nan if there are none).
    """
    labels, predictions = np.asarray(labels), np.asarray(predictions)
    pair = labels // 2 == predictions // 2
    right = labels[pair] == predictions[pair]
    return {
        "pair_top1": 100.0 * float(pair.mean()) if pair.size else float("nan"),
        "direction_top1": 100.0 * float(right.mean()) if right.size else float("nan"),
    }
