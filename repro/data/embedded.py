"""The embedded datasets: small procedural ones in real H.264 files, written on first use, then read like any other.

The probes each ask one thing that a paper claims: the order of frames, sight, small batches, redundancy, the shapes of
kernels (`probe_render`). `train` is for training, on `choose` whatever is chosen is chosen, `test` is for the declared
seeds alone; their seeds never meet.

All have eight classes of equal size. The `-smoke` ones hold two videos a split, for a run of the whole machine that
shows nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from repro.core import paths
from repro.core.errors import UnknownName
from repro.data import embedded_files, probe_render
from repro.data.drawing import MOTIONS, SHAPES
from repro.data.index import Index, Video


@dataclass(frozen=True)
class Embedded:
    """One of the datasets: what is drawn, the names of its classes, and the number of videos of each split."""

    kind: str
    """Of `probe_render.DIALS`."""
    version: int
    classes: tuple[str, ...]
    sizes: Mapping[str, int]


def _probe(kind: str, *sizes: int) -> Embedded:
    dial = probe_render.DIALS[kind]
    classes = SHAPES if dial.shape else MOTIONS
    return Embedded(kind, dial.version, classes, dict(zip(("train", "choose", "test"), sizes, strict=True)))


#: of records that do not tell it yet
_UNTOLD = 8
EMBEDDED = {f"probe-{kind}": _probe(kind, 4096, 1024, 4096) for kind in probe_render.DIALS}
EMBEDDED |= {f"{name}-smoke": _probe(made.kind, 2, 2, 2) for name, made in EMBEDDED.items()}


def open_embedded(name: str, split: str) -> Index:
    """The videos of a split, written first if they are not there; refuses files that are not as written."""
    folder, made = folder_of(name), EMBEDDED[name]
    if split not in made.sizes:
        raise UnknownName(f"split of {name}", split, made.sizes)
    embedded_files.ensure(folder, made.kind, made.sizes)
    listed = embedded_files.listed(folder, split)
    videos = tuple(
        Video(id=file.removesuffix(".mp4"), path=folder / file, label=facts["label"])
        for file, facts in listed["files"].items()
    )
    return Index(name, split, videos, made.classes, listed["fingerprint"], facts={"version": made.version})


def is_of_now(name: str, told: Mapping[str, Any] | None) -> bool:
    """Whether the videos of the dataset `name` that a record tells of are those that are written now; of datasets that
    are not embedded nothing is known.
    """
    made = EMBEDDED.get(name)
    return made is None or (told or {}).get("version", _UNTOLD) == made.version


def check_embedded(name: str) -> list[str]:
    """Read every file of a dataset, written first if it is not there: a line for each that is not as it was written."""
    folder = folder_of(name)
    embedded_files.ensure(folder, EMBEDDED[name].kind, EMBEDDED[name].sizes)
    return embedded_files.problems(folder)


def folder_of(name: str) -> Path:
    """Where a dataset's files lie, or will."""
    if name not in EMBEDDED:
        raise UnknownName("embedded dataset", name, EMBEDDED)
    return paths.cache() / "probes" / f"v{EMBEDDED[name].version}" / name


def cell_of(video: str) -> str:
    """The grade or cell of a grid of a probe's video, out of its id: `p4` of redundancy, `r0d2` of shapes, else ""."""
    return video.partition("-")[2]


def direction_metrics(labels: np.ndarray, predictions: np.ndarray) -> dict[str, float]:
    """Percentages for motions in pairs of opposite directions, from labels (N,) and predicted classes (N,).

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
