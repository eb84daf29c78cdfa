"""How far two printed accuracies of single runs may lie apart by chance.

Two sources, added as variances: the test set (binomial, taken as independent for the two networks; on the same videos
the true one is smaller, so this errs towards doubt), and the run itself, whose deviation no paper here prints.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

from repro.core.errors import UnknownName

#: videos in the split that the papers report on, and where the number stands
TEST_VIDEOS: dict[str, tuple[int, str]] = {
    "kinetics400": (19_772, "DNR, supplement A"),
    "kinetics200": (5_000, "DNR, supplement A: 25 a class"),
    "minikinetics": (10_000, "AdaFuse, section 4"),
    "sthv1": (11_522, "the dataset's validation list; the papers say about 12,000"),
    "sthv2": (24_777, "the dataset's validation list; the papers say about 25,000"),
    "jester": (14_787, "the dataset's validation list; AdaFuse says 15,000"),
    "diving48": (2_000, "about 2,000 in the official split; PSN gives 18,000 videos in all"),
}

#: one run's standard deviation in points of top-1, an assumption: public repeats of one recipe spread over 0.2 to 0.9
RUN_DEVIATION = 0.3


@dataclass(frozen=True)
class Doubt:
    """A printed difference beside what chance alone may do, both in percentage points."""

    difference: float
    margin: float
    """Half-width of the 95 % interval of what chance alone gives."""
    videos: int

    @property
    def decided(self) -> bool:
        """Whether the difference is outside what chance alone may do."""
        return abs(self.difference) > self.margin

    def told(self) -> str:
        """In words, with the assumption."""
        where = "outside" if self.decided else "within"
        return (
            f"{self.difference:+.2f} points, {where} the ±{self.margin:.2f} that two single runs may give "
            f"({self.videos:,} test videos; one run's deviation taken as {RUN_DEVIATION})"
        )


def doubt(top1: Sequence[float], dataset: str) -> Doubt:
    """The difference of two printed top-1 in percent on `dataset`."""
    if dataset not in TEST_VIDEOS:
        raise UnknownName("dataset", dataset, TEST_VIDEOS)
    return single_runs(top1, TEST_VIDEOS[dataset][0])


def single_runs(top1: Sequence[float], videos: int) -> Doubt:
    """The same of two single runs that were tested on so many videos."""
    first, second = top1
    return Doubt(first - second, margin_of([(1.0, value, videos) for value in top1]), videos)


def margin_of(runs: Iterable[tuple[float, float, int]]) -> float:
    """Half-width of the 95 % interval of a sum of single runs by chance: of each its factor, top-1 and test videos."""
    variance = sum(factor**2 * (rate * (100 - rate) / videos + RUN_DEVIATION**2) for factor, rate, videos in runs)
    return NormalDist().inv_cdf(0.975) * math.sqrt(variance)
