"""Which way a block of compact AdaFuse goes: by times of its parts, measured on the machine at hand in seconds.

For each shape of block: one frame's part of the first convolution as a + b * (channels made), of the second as
a + b * (channels read), both from two densities; the union of a batch as a + b * (channels in it); the dense way.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from methods.adafuse_compact import CompactBlock

KINDS = ("compact", "union", "dense")
_DENSITIES = (0.25, 0.75)


@dataclass(frozen=True)
class Line:
    """Seconds as a straight line over a number of channels."""

    start: float
    slope: float

    @staticmethod
    def through(points: Mapping[int, float]) -> Line:
        """Through two points; a slope is not negative."""
        (low, first), (high, last) = points.items()
        slope = max(0.0, (last - first) / max(1, high - low))
        return Line(max(0.0, first - slope * low), slope)

    def __call__(self, channels: Any) -> Any:
        """Seconds."""
        return self.start + self.slope * channels


@dataclass(frozen=True)
class Costs:
    """Seconds that a block of one shape takes for a batch of some frames."""

    frames: int
    rows: Line
    """First convolution of one frame, by channels made."""
    reduce: Line
    """Second convolution of one frame, by channels read."""
    union: Line
    """Both, of all frames, by channels in the union."""
    dense: float
    """Both, of all frames."""

    def estimate(self, made: np.ndarray, read: np.ndarray, union: int) -> dict[str, float]:
        """Seconds of each way, from the channels made and read in each frame, and in the union."""
        share = len(made) / self.frames
        return {
            "compact": float((self.rows(made) + self.reduce(read)).sum()),
            "union": float(self.union(union)) * share,
            "dense": self.dense * share,
        }

    def best(self, made: np.ndarray, read: np.ndarray, union: int) -> str:
        """The way that takes least."""
        found = self.estimate(made, read, union)
        return min(KINDS, key=found.__getitem__)


class Times:
    """Measures; the least of `repeats` counts."""

    def __init__(self, repeats: int) -> None:
        self.repeats = repeats

    def fill(self, net: nn.Module, blocks: Mapping[str, CompactBlock], example: Tensor) -> float:
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

    def _measure(self, block: CompactBlock, example: Tensor) -> Costs:
        frames, decided = block.policy.frames, block.policy.decided
        generator = torch.Generator().manual_seed(0)
        x = torch.rand(block.shape, generator=generator).to(example)
        x = x.contiguous(memory_format=torch.channels_last)
        points: dict[str, dict[int, float]] = {"rows": {}, "reduce": {}, "union": {}}
        for density in _DENSITIES:
            count = max(1, round(density * decided))
            order = torch.randperm(decided, generator=generator)[:count].sort().values.numpy()
            for part, seconds in self._parts(block, x, order, frames).items():
                points[part][count if len(points[part]) == 0 else max(count, min(points[part]) + 1)] = seconds
        lines = {part: Line.through(found) for part, found in points.items()}
        whole = self._codes(block, np.arange(decided), len(x) // frames)
        return Costs(frames=len(x), dense=self._least(lambda: self._way(block, "dense", x, whole), x), **lines)

    def _parts(self, block: CompactBlock, x: Tensor, order: np.ndarray, frames: int) -> dict[str, float]:
        from methods.adafuse_compact_pair import Source

        pair, each = block.pair, x.split(1)
        y = [pair.rows(frame, order) for frame in each]
        codes = self._codes(block, order, len(x) // frames)
        return {
            "rows": self._least(lambda: [pair.rows(frame, order) for frame in each], x) / len(each),
            "reduce": self._least(
                lambda: [pair.reduce([Source(part, None, order)], frame) for part, frame in zip(y, each, strict=True)],
                x,
            )
            / len(each),
            "union": self._least(lambda: self._way(block, "union", x, codes), x),
        }

    def _codes(self, block: CompactBlock, kept: np.ndarray, clips: int) -> np.ndarray:
        codes = np.zeros((clips, block.policy.frames, block.policy.decided), dtype=np.int64)
        codes[..., kept] = 2
        return codes

    def _way(self, block: CompactBlock, kind: str, x: Tensor, codes: np.ndarray) -> None:
        before, block.kind = block.kind, kind
        try:
            block.middle(x, codes)
        finally:
            block.kind = before

    def _least(self, work: Callable[[], Any], x: Tensor) -> float:
        taken = []
        for _ in range(self.repeats):
            _wait(x)
            began = time.perf_counter()
            work()
            _wait(x)
            taken.append(time.perf_counter() - began)
        return min(taken)


def _wait(x: Tensor) -> None:
    if x.is_cuda:
        torch.cuda.synchronize(x.device)
