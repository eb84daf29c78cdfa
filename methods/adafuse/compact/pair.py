"""Parts of the two convolutions around a gate: some output channels of the first, some input channels of the second.

This is the form in plain PyTorch, which runs anywhere in any precision; `native.py` has one for CPUs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

from methods.adafuse.cost import Conv


class Asked(Protocol):
    """What the decisions of one clip ask for, booleans (T, C)."""

    keep: np.ndarray
    reuse: np.ndarray

    @property
    def made(self) -> np.ndarray:
        """Channels that the first convolution makes."""


@dataclass(frozen=True)
class Source:
    """Channels that the second convolution reads: `channels` are their numbers, `places` where they lie in `y`."""

    y: Any
    """From `Pair.rows`."""
    places: np.ndarray | None
    """None: all of `y`, in order."""
    channels: np.ndarray


class Pair(Protocol):
    """What computes parts of two convolutions with normalizations folded in."""

    def macs(self, size: Sequence[int]) -> tuple[float, float]:
        """Multiply-adds for one channel between the two, in the first and in the second, for an input of this size."""

    def rows(self, x: Tensor, rows: np.ndarray) -> Any:
        """Output channels `rows` of the first convolution, rectified, of (1, c, H, W), in a form of its own."""

    def reduce(self, sources: Sequence[Source], x: Tensor) -> Tensor:
        """The second convolution of what is read alone, (1, C', H', W'); `x` is the block's input."""

    def clips(self, x: Tensor, clips: Sequence[Asked]) -> Tensor:
        """All frames of all clips: (N*T, c, H, W) -> (N*T, C', H', W')."""


class PairBase:
    """What does not depend on how the parts are computed."""

    def __init__(self, first: nn.Conv2d, second: nn.Conv2d, relu: bool) -> None:
        self.first, self.second, self.relu = Conv.of(first), Conv.of(second), relu
        self.inputs = first.in_channels

    def sizes(self, size: Sequence[int]) -> tuple[tuple[int, int], tuple[int, int]]:
        """Sizes of the maps after the first and after the second convolution."""
        middle = self.first.output((size[0], size[1]))
        return middle, self.second.output(middle)

    def macs(self, size: Sequence[int]) -> tuple[float, float]:
        """Of one channel between the two, without biases."""
        (height, width), (below, aside) = self.sizes(size)
        first = self.inputs * self.first.kernel[0] * self.first.kernel[1] * height * width
        second = self.second.out_channels * self.second.kernel[0] * self.second.kernel[1] * below * aside
        return float(first), float(second)

    def clips(self, x: Tensor, clips: Sequence[Asked]) -> Tensor:
        """Frame by frame; what a frame reuses is there from the frame before."""
        out, frames = [], iter(x.split(1))
        for wanted in clips:
            before: tuple[Any, np.ndarray] | None = None
            made = wanted.made
            for t, keep in enumerate(wanted.keep):
                frame, rows = next(frames), np.flatnonzero(made[t])
                y = self.rows(frame, rows)  # type: ignore[attr-defined]
                sources = [_among(y, rows, np.flatnonzero(keep))]
                if before is not None:
                    sources.append(_among(*before, np.flatnonzero(wanted.reuse[t])))
                out.append(self.reduce(sources, frame))  # type: ignore[attr-defined]
                before = y, rows
        return torch.cat(out)


class TorchPair(PairBase):
    """In plain PyTorch: weights of the listed channels are gathered, then convolved with. Takes M frames at a time."""

    def __init__(self, first: nn.Conv2d, second: nn.Conv2d, relu: bool) -> None:
        super().__init__(first, second, relu)
        assert first.bias is not None and second.bias is not None and first.groups == second.groups == 1
        self.weights = first.weight.detach(), second.weight.detach()
        self.biases = first.bias.detach(), second.bias.detach()
        self.where: tuple[Any, ...] = tuple((conv.stride, conv.padding, conv.dilation) for conv in (first, second))

    def rows(self, x: Tensor, rows: np.ndarray) -> Tensor:
        """(M, len(rows), H, W)."""
        if not len(rows):
            return x.new_zeros(len(x), 0, *self.sizes(x.shape[2:])[0])
        picked = torch.from_numpy(rows).to(x.device)
        return conv2d(x, self.weights[0][picked], self.biases[0][picked], *self.where[0]).relu_()

    def reduce(self, sources: Sequence[Source], x: Tensor) -> Tensor:
        """(M, C', H', W')."""
        parts = [
            source.y if source.places is None else source.y[:, torch.from_numpy(source.places).to(x.device)]
            for source in sources
            if len(source.channels)
        ]
        if not parts:
            height, width = self.sizes(x.shape[2:])[1]
            y = self.biases[1][:, None, None].expand(len(x), -1, height, width).clone()
        else:
            channels = torch.from_numpy(np.concatenate([source.channels for source in sources])).to(x.device)
            y = torch.cat(parts, dim=1) if len(parts) > 1 else parts[0]
            y = conv2d(y, self.weights[1][:, channels], self.biases[1], *self.where[1])
        return y.relu_() if self.relu else y


def _among(y: Any, made: np.ndarray, wanted: np.ndarray) -> Source:
    """The wanted channels of what was made; both lists are sorted."""
    places = None if len(wanted) == len(made) else np.searchsorted(made, wanted)
    return Source(y, places, wanted)
