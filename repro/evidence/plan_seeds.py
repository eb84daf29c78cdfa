"""How many seeds a printed difference needs before a measurement can decide it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from repro.core.spec import Accuracy
from repro.evidence import plan_facts as facts
from repro.evidence.noise import RUN_DEVIATION, TEST_VIDEOS
from repro.evidence.stats import seeds_needed
from repro.papers import published
from repro.papers.table import PROBE, RowSpec, TableSpec

POWER, ALPHA = 0.8, 0.05
METHOD = (
    "Seeds of each network for a two-sided test at 5 % with power 0.8: noncentral t (Cohen 1988, section 2.3), with "
    "variance 2 s^2 / n of the seeds plus (p1 q1 + p2 q2 - 2 r sqrt(p1 q1 p2 q2)) / N of N test videos, which seeds do "
    "not lessen; "
    f"s = {RUN_DEVIATION} points ({facts.RUN_DEVIATION_ENDS[0]} to {facts.RUN_DEVIATION_ENDS[1]}), an assumption of "
    f"`repro.evidence.noise`; r = {facts.CORRELATION.value} ({facts.CORRELATION.low} to {facts.CORRELATION.high}), "
    f"{facts.CORRELATION.source}."
)


@dataclass(frozen=True)
class Decision:
    """A printed difference of two networks on one dataset, and the seeds of each that would decide it."""

    row: str
    baseline: str
    dataset: str
    difference: float
    """Points of printed top-1."""
    videos: int
    test_deviation: float
    """Points: of the difference, from the choice of test videos alone."""
    seeds: int | None
    """None: no number of seeds; the test set is too small for the difference."""
    low: int | None
    high: int | None


def decisions(table: TableSpec) -> Iterator[Decision]:
    """A decision for each row with a baseline whose top-1 are both printed on a dataset of known size."""
    printed = published.load(table.published_csv)
    for row in table.rows:
        if row.baseline is None or row.published_row is None:
            continue
        base = table.row(row.baseline)
        if base.published_row is None or "top1" not in printed.columns:
            continue
        pair = [printed.value(key, "top1") for key in (row.published_row, base.published_row)]
        dataset = _dataset(row, printed)
        if dataset not in TEST_VIDEOS or any(one is None or one.number is None for one in pair):
            continue
        here, there = (one.number for one in pair if one is not None and one.number is not None)
        if here != there:
            yield decide(row.key, base.key, dataset, here, there)


def _dataset(row: RowSpec, printed: published.PublishedTable) -> str:
    """What the CSV says, else the only dataset of the row's cells that is no probe."""
    if "dataset" in printed.columns and row.published_row is not None:
        told = printed.value(row.published_row, "dataset")
        if told is not None:
            return told.text
    names = {e.measure.dataset for e in row.cells.values() if isinstance(e.measure, Accuracy)}
    names = {name for name in names if not name.startswith(PROBE)}
    return names.pop() if len(names) == 1 else ""


def decide(row: str, baseline: str, dataset: str, here: float, there: float) -> Decision:
    """For printed top-1 of `here` and `there` in percent on a dataset of `TEST_VIDEOS`."""
    videos, difference = TEST_VIDEOS[dataset][0], here - there

    def seeds(deviation: float, correlation: float) -> int | None:
        fixed = deviation_of_test(here, there, videos, correlation)
        return seeds_needed(difference, deviation, POWER, ALPHA, fixed=fixed)

    correlation, (least, most) = facts.CORRELATION, facts.RUN_DEVIATION_ENDS
    return Decision(
        row,
        baseline,
        dataset,
        difference,
        videos,
        deviation_of_test(here, there, videos, correlation.value),
        seeds(RUN_DEVIATION, correlation.value),
        seeds(least, correlation.high),
        seeds(most, correlation.low),
    )


def deviation_of_test(here: float, there: float, videos: int, correlation: float) -> float:
    """Standard deviation, in points, of the difference of two accuracies on the same videos.

    It is at least that of networks whose right answers are nested, which differ on no more videos than they must.
    """
    a, b = here / 100, there / 100
    variance = a * (1 - a) + b * (1 - b) - 2 * correlation * math.sqrt(a * (1 - a) * b * (1 - b))
    nested = abs(a - b) - (a - b) ** 2
    return 100 * math.sqrt(max(variance, nested) / videos)
