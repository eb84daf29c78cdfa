"""Which way a block of compact AdaFuse goes: by times measured on the machine at hand in seconds.

For each shape of block: the compact way of a batch as a + b * (multiply-adds), the union as a + b * (channels in it),
both from two densities; the dense way as it is.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from methods.adafuse.policy import KEEP

KINDS = ("compact", "union", "dense")
#: shares of channels that are timed
_DENSITIES = (0.25, 1.0)


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


class Times:
    """Measures parts of compact blocks; the least of `repeats` counts."""

    def __init__(self, repeats: int) -> None:
        self.repeats = repeats

    def fill(self, net: nn.Module, blocks: Mapping[str, Any], example: Tensor) -> float:
        """Give each block its costs; returns the seconds that this took."""
        began = time.perf_counter()
        known: dict[tuple[Any, ...], Costs] = {}
        with torch.inference_mode():
            net(example)
            for block in blocks.values():
                key = (block.shape, block.policy.decided, block.pair.macs(block.shape[2:]))
                if key not in known:
                    known[key] = self._measure(block, example)
                block.costs = known[key]
        return time.perf_counter() - began

    def _measure(self, block: Any, example: Tensor) -> Costs:
        decided, each = block.policy.decided, sum(block.pair.macs(block.shape[2:]))
        generator = torch.Generator().manual_seed(0)
        x = torch.rand(block.shape, generator=generator).to(example)
        x = x.contiguous(memory_format=torch.channels_last)
        compact: dict[float, float] = {}
        union: dict[float, float] = {}
        for density in _DENSITIES:
            kept = torch.randperm(decided, generator=generator)[: max(1, int(density * decided))].numpy()
            codes = np.zeros((len(x) // block.policy.frames, block.policy.frames, decided), dtype=np.int64)
            codes[..., kept] = KEEP
            compact[len(x) * len(kept) * each] = self._least(block, "compact", x, codes)
            union[len(kept)] = self._least(block, "union", x, codes)
        dense = self._least(block, "dense", x, codes)
        return Costs(frames=len(x), compact=Line.through(compact), union=Line.through(union), dense=dense)

    def _least(self, block: Any, kind: str, x: Tensor, codes: np.ndarray) -> float:
        taken, before = [], block.kind
        block.kind = kind
        try:
            for _ in range(self.repeats):
                _wait(x)
                began = time.perf_counter()
                block.middle(x, codes)
                _wait(x)
                taken.append(time.perf_counter() - began)
        finally:
            block.kind = before
        return min(taken)


def _wait(x: Tensor) -> None:
    if x.is_cuda:
        torch.cuda.synchronize(x.device)
