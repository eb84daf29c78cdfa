"""How many seeds a printed difference needs before a measurement can decide it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from repro.evidence import plan_facts as facts
from repro.evidence.noise import RUN_DEVIATION, TEST_VIDEOS
from repro.evidence.stats import seeds_needed
from repro.papers import published
from repro.papers.table import TableSpec

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
        base = table.row(row.baseline) if row.baseline else None
        dataset = printed.dataset(row.published_row) or row.dataset
        if base is None or dataset not in TEST_VIDEOS:
            continue
        here, there = (printed.number(one.published_row, "top1") for one in (row, base))
        if here is not None and there is not None and here.number != there.number:
            yield decide(row.key, base.key, dataset, here.number or 0.0, there.number or 0.0)


def decide(row: str, baseline: str, dataset: str, here: float, there: float) -> Decision:
    """For printed top-1 of `here` and `there` in percent on a dataset of `TEST_VIDEOS`."""
    videos, difference = TEST_VIDEOS[dataset][0], here - there

    def seeds(deviation: float, correlation: float) -> int | None:
        fixed = deviation_of_test(here, there, videos, correlation)
        return seeds_needed(difference, deviation, fixed=fixed)

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
