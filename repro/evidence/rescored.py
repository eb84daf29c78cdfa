"""One accuracy out of a file of scores: some of its views, one fusion, some of its videos, and what may be missing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from repro.core.errors import BadOption
from repro.data import id_lists
from repro.evidence.stats import Interval, wilson_interval
from repro.evidence.subviews import choose
from repro.records import metrics
from repro.records.scores import Scores


@dataclass(frozen=True)
class Rate:
    """A share of videos, in percent."""

    scored: Interval
    """Over the videos that are scored, with Wilson's 95 % interval."""
    low: float
    """Over all videos asked for, were every missing one wrong."""
    high: float
    """The same, were every missing one right."""


@dataclass(frozen=True)
class Reading:
    """What one test says."""

    test: str
    """`10x3`: clips x crops."""
    fusion: str
    notes: tuple[str, ...]
    """Which views these are, where that is not plain."""
    subset: str
    """`all`, `copy:NAME` or the name of a list."""
    scored: int
    missing: tuple[str, ...]
    """Ids that were asked for and have no scores."""
    beyond: int
    """Scored videos that were not asked for."""
    rates: dict[str, Rate]
    """top1 and top5."""


def read(
    scores: Scores,
    *,
    clips: int | None = None,
    crops: int | None = None,
    fusion: str | None = None,
    subset: str | None = None,
) -> Reading:
    """The accuracy of `clips` x `crops` views (None: all), fused by `fusion` (None: as the test has it), on `subset`.

    What the scores cannot tell is refused with the reason.
    """
    views = scores.about.get("views", {})
    fusion = fusion or views.get("fusion", "softmax")
    chosen = choose(views.get("sampling"), scores.clips, scores.crops, clips, crops)
    positions, missing = _videos(scores, subset)
    if not positions:
        raise BadOption(
            f"none of the {len(missing)} videos of {subset} is among the {len(scores.ids)} that are scored",
            allowed=f"ids such as {scores.ids[0]!r}, or the name of the file in them",
        )
    fused = metrics.fuse(scores.logits, fusion, chosen.of(scores.crops))[positions]
    placed = metrics.rank_of_label(fused, scores.labels[positions])
    equal = ("a mean of features before a linear classifier equals the mean of logits",) if fusion == "features" else ()
    return Reading(
        test=f"{len(chosen.clips)}x{len(chosen.crops)}",
        fusion=fusion,
        notes=(*chosen.notes, *equal),
        subset=subset or "all",
        scored=len(positions),
        missing=tuple(missing),
        beyond=len(scores.ids) - len(positions),
        rates={f"top{k}": _rate(placed < k, len(missing)) for k in (1, 5)},
    )


def _videos(scores: Scores, subset: str | None) -> tuple[list[int], list[str]]:
    """Positions of the videos that were asked for, in the order of the scores, and the ids that have none."""
    if subset is None:
        return list(range(len(scores.ids))), [problem["id"] for problem in scores.problems]
    wanted = id_lists.ids_of(subset, scores.about.get("split", "val"), scores.ids)
    found = id_lists.match(wanted, scores.ids)
    return sorted(found.values()), [one for one in wanted if one not in found]


def _rate(right: np.ndarray, missing: int) -> Rate:
    correct, scored = int(right.sum()), len(right)
    low, high = (100.0 * some / (scored + missing) for some in (correct, correct + missing))
    return Rate(wilson_interval(correct, scored), low, high)
