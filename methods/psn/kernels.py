"""The kernels of PSN's bags: identity, convolution, pooling, over rows and columns or over the frames of a clip.

Tensors: frames folded into the batch, (N*T, C, H, W). All kernels keep the shape.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

_POOL = 3
_SHORT = {"identity": "I", "conv": "C", "max": "M", "avg": "A"}


@dataclass(frozen=True)
class Kernel:
    """One kernel of a bag."""

    kind: str
    """`identity`, `conv`, `max`, `avg`."""
    reach: int = 1
    """Pixels or frames from one end to the other."""
    taps: int = 1
    """Pixels or frames that it reads on this way."""

    @property
    def label(self) -> str:
        """As in the paper's Figure 5: C-3 for a convolution of 3."""
        return f"{_SHORT[self.kind]}-{self.reach}"


def bag(reach: int, dilated: bool, pooling: str) -> tuple[Kernel, ...]:
    """Identity, a kernel of 3, one of `reach`, and a pooling of 3 (`none`: a second identity)."""
    wide = Kernel("conv", reach, 3 if dilated else reach)
    last = Kernel("identity") if pooling == "none" else Kernel(pooling, _POOL, _POOL)
    return (Kernel("identity"), Kernel("conv", 3, 3), wide, last)


def in_groups(kernels: nn.ModuleList, x: Tensor) -> Tensor:
    """Each kernel on its group of channels."""
    parts = x.chunk(len(kernels), dim=1)
    return torch.cat([kernel(parts[index]) for index, kernel in enumerate(kernels)], dim=1)


def spatial_kernel(kernel: Kernel, channels: int, one_by_one: bool = False) -> nn.Module:
    """A kernel over rows and columns."""
    if kernel.kind == "identity":
        return nn.Identity()
    if kernel.kind != "conv":
        pool = SpatialMaxPool if kernel.kind == "max" else nn.AvgPool2d
        return pool(_POOL, stride=1, padding=_POOL // 2)
    if one_by_one:
        return nn.Sequential(_conv(kernel, channels, (0,)), _conv(kernel, channels, (1,)))
    return _conv(kernel, channels, (0, 1))


def _conv(kernel: Kernel, channels: int, axes: tuple[int, ...]) -> nn.Conv2d:
    """A convolution that keeps the size, long on these axes alone."""
    step = _step(kernel)
    taps = (kernel.taps if 0 in axes else 1, kernel.taps if 1 in axes else 1)
    half = (kernel.reach // 2 if 0 in axes else 0, kernel.reach // 2 if 1 in axes else 0)
    return nn.Conv2d(channels, channels, taps, padding=half, dilation=step, bias=False)


def _step(kernel: Kernel) -> int:
    return (kernel.reach - 1) // (kernel.taps - 1)


class SpatialMaxPool(nn.MaxPool2d):
    """The largest of a value and its eight neighbours. In evaluation as four maximums of shifted maps, which give the
    same bits in a twentieth of the time that torch's pooling takes on a CPU (a third in channels_last); on a GPU that
    would be five passes over the map where pooling is one.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(N*T, C, H, W) -> the same shape."""
        if self.training or x.is_cuda is True:  # of what torch.fx traces it is neither
            return super().forward(x)
        x = pad(x, (1, 1, 1, 1), value=float("-inf"))
        x = torch.maximum(torch.maximum(x[..., :-2], x[..., 1:-1]), x[..., 2:])
        return torch.maximum(torch.maximum(x[..., :-2, :], x[..., 1:-1, :]), x[..., 2:, :])


def temporal_kernel(kernel: Kernel, channels: int, frames: int) -> nn.Module:
    """A kernel over the frames of a clip."""
    if kernel.kind == "identity":
        return nn.Identity()
    if kernel.kind == "conv":
        return TemporalConv2d(channels, kernel, frames)
    return TemporalPool(kernel.kind, frames)


class TemporalConv2d(nn.Conv2d):
    """A convolution over frames alone, zeros outside of the clip: the frames that it reads beside one another, 1x1."""

    def __init__(self, channels: int, kernel: Kernel, frames: int) -> None:
        super().__init__(kernel.taps * channels, channels, 1, bias=False)
        self.kernel, self.frames = kernel, frames

    def forward(self, x: Tensor) -> Tensor:
        """(N*T, C, H, W) -> the same shape."""
        half, step = self.kernel.reach // 2, _step(self.kernel)
        clips = pad(x.unflatten(0, (-1, self.frames)), (0, 0, 0, 0, 0, 0, half, half))
        read = [clips[:, tap * step : tap * step + self.frames] for tap in range(self.kernel.taps)]
        return super().forward(torch.cat(read, dim=2).flatten(0, 1))


class TemporalPool(nn.Module):
    """The largest, or the average, of a frame and its two neighbours; an average counts zeros outside of the clip."""

    def __init__(self, kind: str, frames: int) -> None:
        super().__init__()
        self.kind, self.frames = kind, frames

    def forward(self, x: Tensor) -> Tensor:
        """(N*T, C, H, W) -> the same shape."""
        clips = x.unflatten(0, (-1, self.frames))
        if self.kind == "avg":
            padded = pad(clips, (0, 0, 0, 0, 0, 0, 1, 1))
            return ((padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]) / _POOL).flatten(0, 1)
        if self.frames == 1:
            return x
        pairs = torch.maximum(clips[:, :-1], clips[:, 1:])
        inner = torch.maximum(pairs[:, :-1], pairs[:, 1:])
        return torch.cat([pairs[:, :1], inner, pairs[:, -1:]], dim=1).flatten(0, 1)

    def extra_repr(self) -> str:
        """Which, and the frames of a clip."""
        return f"{self.kind}, frames={self.frames}"
