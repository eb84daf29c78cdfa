"""Which way a block of compact AdaFuse goes: by times measured on the machine at hand in seconds.

For each shape of block: the compact way of a batch as a + b * (multiply-adds), the union as a + b * (channels in it),
both from two densities; the dense way as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

KINDS = ("compact", "union", "dense")


@dataclass(frozen=True)
class Line:
    """Seconds as a straight line over a number of channels."""

    start: float
    slope: float

    @staticmethod
    def through(points: Mapping[float, float]) -> Line:
        """Through two points; neither start nor slope is negative."""
        (low, first), (high, last) = sorted(points.items())
        slope = max(0.0, (last - first) / (high - low))
        return Line(max(0.0, first - slope * low), slope)

    def __call__(self, amount: float) -> float:
        """Seconds."""
        return self.start + self.slope * amount


@dataclass(frozen=True)
class Costs:
    """Seconds that the first two convolutions of a block of one shape take for a batch of `frames` frames."""

    frames: int
    compact: Line
    """By multiply-adds."""
    union: Line
    """By channels in the union."""
    dense: float

    def estimate(self, frames: int, macs: float, union: int) -> dict[str, float]:
        """Seconds of each way for so many frames, from the compact way's multiply-adds and the union's channels."""
        share = frames / self.frames
        return {
            "compact": self.compact(macs / share) * share,
            "union": self.union(union) * share,
            "dense": self.dense * share,
        }

    def best(self, frames: int, macs: float, union: int) -> str:
        """The way that takes least."""
        found = self.estimate(frames, macs, union)
        return min(KINDS, key=found.__getitem__)
