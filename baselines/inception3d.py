"""Inception-V1 over volumes: what I3D and S3D share (Szegedy et al., Going Deeper with Convolutions, CVPR 2015).

Nine modules `mixed_3b` to `mixed_5c` with the branches `branch0` (1x1x1), `branch1_reduce` and `branch1`,
`branch2_reduce` and `branch2`, `branch3` (pooled, then 1x1x1), and a gate on each where the network has gates.
Tensors: (N, C, T, H, W).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

#: module -> channels of 1x1x1, 3x3x3 reduce, 3x3x3, second 3x3x3 reduce, second 3x3x3, pooling's projection
MIXED: dict[str, tuple[int, int, int, int, int, int]] = {
    "3b": (64, 96, 128, 16, 32, 32),
    "3c": (128, 128, 192, 32, 96, 64),
    "4b": (192, 96, 208, 16, 48, 64),
    "4c": (160, 112, 224, 24, 64, 64),
    "4d": (128, 128, 256, 24, 64, 64),
    "4e": (112, 144, 288, 32, 64, 64),
    "4f": (256, 160, 320, 32, 128, 128),
    "5b": (256, 160, 320, 32, 128, 128),
    "5c": (384, 192, 384, 48, 128, 128),
}
STEM, SECOND, FEATURES = 64, 192, 1024

Unit = Callable[[int, int], nn.Module]
"""(channels in, channels out) -> convolution, normalization, ReLU."""


class ConvNorm3d(nn.Module):
    """Convolution, normalization, ReLU; padded by `padding` on each side."""

    def __init__(
        self,
        channels: int,
        out: int,
        kernel: tuple[int, int, int] = (1, 1, 1),
        stride: int = 1,
        padding: tuple[int, int, int] = (0, 0, 0),
        *,
        eps: float = 1e-5,
        momentum: float = 0.1,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv3d(channels, out, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm3d(out, eps=eps, momentum=momentum)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, H, W) -> (N, out, T', H', W')."""
        return relu(self.bn(self.conv(x)), inplace=True)


class Mixed(nn.Module):
    """Four branches side by side."""

    def __init__(
        self, name: str, channels: int, point: Unit, wide: Unit, pool: nn.Module, gate: Callable[[int], nn.Module]
    ) -> None:
        super().__init__()
        one, first_reduce, first, second_reduce, second, pooled = MIXED[name]
        self.branch0 = point(channels, one)
        self.branch1_reduce, self.branch1 = point(channels, first_reduce), wide(first_reduce, first)
        self.branch2_reduce, self.branch2 = point(channels, second_reduce), wide(second_reduce, second)
        self.pool, self.branch3 = pool, point(channels, pooled)
        self.gate0, self.gate1, self.gate2, self.gate3 = (gate(width) for width in (one, first, second, pooled))
        self.out_channels = one + first + second + pooled

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, H, W) -> (N, out_channels, T, H, W)."""
        branches = (
            self.gate0(self.branch0(x)),
            self.gate1(self.branch1(self.branch1_reduce(x))),
            self.gate2(self.branch2(self.branch2_reduce(x))),
            self.gate3(self.branch3(self.pool(x))),
        )
        return torch.cat(branches, dim=1)


def add_mixed(
    net: nn.Module,
    point: Unit,
    wide: Unit,
    pool: Callable[[], nn.Module],
    gate: Callable[[int], nn.Module] = lambda channels: nn.Identity(),
) -> None:
    """Give `net` the nine modules; `pool` makes the pooling of the fourth branch."""
    channels = SECOND
    for name in MIXED:
        module = Mixed(name, channels, point, wide, pool(), gate)
        net.add_module(f"mixed_{name}", module)
        channels = module.out_channels


def run_mixed(net: nn.Module, x: Tensor, stages: str) -> Tensor:
    """Run the modules whose names start with one of the digits in `stages`."""
    for name in MIXED:
        if name[0] in stages:
            x = net.get_submodule(f"mixed_{name}")(x)
    return x


class PairsInTime(nn.Module):
    """(N, C, T, H, W) -> (N, T - 1, C): averages over each two neighbours in time and the whole map.

    A module, since what it does depends on the shape: tracing for the fastest form passes it over as one call.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Of one place in time alone, (N, 1, C)."""
        places = x.mean((3, 4)).transpose(1, 2)
        return (places[:, :-1] + places[:, 1:]) / 2 if x.shape[2] > 1 else places
