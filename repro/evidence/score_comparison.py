"""Two files of scores held against each other on the videos that both scored: the paired difference, and McNemar."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from repro.core.errors import DataError
from repro.evidence.stats import Interval, mcnemar, paired_difference
from repro.records import metrics
from repro.records.scores import Scores

_SEED = 0


@dataclass(frozen=True)
class Compared:
    """What the shared videos say."""

    videos: int
    """That both scored."""
    alone: tuple[int, int]
    """That only the one, or the other, scored."""
    top1: tuple[float, float]
    """In percent, on the shared videos."""
    difference: Interval
    """Top-1 of the second minus that of the first, in points; 95 %, paired bootstrap over the videos."""
    only: tuple[int, int]
    """Videos that only the first, or only the second, has right."""
    p: float
    """Exact McNemar test of those."""


def compare(a: Scores, b: Scores, fusion: str | None = None) -> Compared:
    """The second beside the first, each over all its views by `fusion` (default: as each was tested, else softmax).

    Raises `DataError` where they share no video, or a shared one has two labels.
    """
    places = {name: at for at, name in enumerate(b.ids)}
    pairs = [(at, places[name]) for at, name in enumerate(a.ids) if name in places]
    if not pairs:
        raise DataError(
            f"the two files share no video: {a.ids[0]!r}, ... and {b.ids[0]!r}, ...", allowed="tests of the same videos"
        )
    mine, theirs = (np.array(side) for side in zip(*pairs, strict=True))
    differ = np.flatnonzero(a.labels[mine] != b.labels[theirs])
    if differ.size:
        raise DataError(
            f"{differ.size} of {len(pairs)} shared videos have two labels, first {a.ids[mine[differ[0]]]!r}",
            allowed="the same numbers of classes in both",
        )
    right_a, right_b = _right(a, fusion)[mine], _right(b, fusion)[theirs]
    return Compared(
        videos=len(pairs),
        alone=(len(a.ids) - len(pairs), len(b.ids) - len(pairs)),
        top1=(100 * float(right_a.mean()), 100 * float(right_b.mean())),
        difference=paired_difference(right_a, right_b, np.random.default_rng(_SEED)),
        only=(int((right_a & ~right_b).sum()), int((~right_a & right_b).sum())),
        p=mcnemar(right_a, right_b),
    )


def _right(scores: Scores, fusion: str | None) -> np.ndarray:
    used = fusion or scores.about.get("views", {}).get("fusion", "softmax")
    fused = metrics.aggregate(scores.logits, used, scores.clips, scores.crops)
    return metrics.rank_of_label(fused, scores.labels) < 1
