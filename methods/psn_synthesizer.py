"""The action perceptron synthesizer: two bags of kernels and the fusion between them (PSN, equation 1 and Figure 3).

Tensors: frames folded into the batch, (N*T, C, H, W). p channels enter, u = p / r go through the bags in G = 4 groups
of c = u / 4, one for each kernel of a bag. "Compress" p -> u, spatial bag, normalization and ReLU, fusion u -> u,
temporal bag, "expand" u -> p, added to the input.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from methods.psn_frozen import FrozenSynthesizer
from methods.psn_fusion import LastMeans, fusion
from methods.psn_kernels import Kernel, TemporalConv2d, in_groups, spatial_kernel, temporal_kernel
from methods.psn_places import Added, Place

GROUPS = 4


@dataclass(frozen=True, kw_only=True)
class Form:
    """What a synthesizer is made of."""

    spatial: tuple[Kernel, ...]
    temporal: tuple[Kernel, ...]
    proportion: int
    relu: bool
    one_by_one: bool
    """(1+1+1)D: spatial kernels as a column and a row."""
    fusion: str
    expand_scale: float
    keep_means: bool
    """Whether a training forward keeps what the capacity loss needs."""

    def group_width(self, channels: int) -> int:
        """Channels of one kernel in a stage of `channels`."""
        return compressed(channels, self.proportion, GROUPS) // GROUPS


def compressed(channels: int, proportion: int, groups: int = 1) -> int:
    """`channels` over `proportion`, rounded down to a multiple of `groups`, at least one channel for each."""
    return max(groups, channels // proportion // groups * groups)


class Synthesizer(Added):
    """One synthesizer on `place.channels` channels."""

    def __init__(self, place: Place, form: Form) -> None:
        super().__init__(place)
        each = form.group_width(place.channels)
        width = GROUPS * each
        self.form = form
        self.compress = nn.Conv2d(place.channels, width, 1, bias=False)
        self.spatial = nn.ModuleList(spatial_kernel(kernel, each, form.one_by_one) for kernel in form.spatial)
        self.bn = nn.BatchNorm2d(width)
        self.act: nn.Module = nn.ReLU(inplace=True) if form.relu else nn.Identity()
        self.fusion = fusion(form.fusion, GROUPS, width)
        self.temporal = nn.ModuleList(temporal_kernel(kernel, each, self.frames) for kernel in form.temporal)
        self.expand = expansion(width, place.channels, form.expand_scale)
        self.last = LastMeans()
        initialize(self)

    def branch(self, x: Tensor) -> Tensor:
        """What is added to the input."""
        x = self.fusion(self.act(self.bn(in_groups(self.spatial, self.compress(x)))))
        if self.training and self.form.keep_means:
            wide = torch.promote_types(x.dtype, torch.float32)
            self.last.value = x.mean((2, 3), dtype=wide).unflatten(0, (-1, self.frames)).mean(1)
        return self.expand(in_groups(self.temporal, x))

    def frozen(self) -> FrozenSynthesizer:
        """The form for inference."""
        return FrozenSynthesizer(self)


class Expansion(nn.Conv2d):
    """The 1x1 convolution back to all channels; it starts small, so that the network begins near what it was."""


def expansion(width: int, channels: int, scale: float) -> Expansion:
    """torch's initial weights times `scale`."""
    conv = Expansion(width, channels, 1, bias=False)
    with torch.no_grad():
        conv.weight.mul_(scale)
    return conv


def initialize(block: nn.Module) -> None:
    """Convolutions from N(0, 2 / (kernel values * channels out)), the expansion excepted."""
    for part in block.modules():
        if isinstance(part, TemporalConv2d):
            nn.init.normal_(part.weight, 0.0, (2 / (part.kernel.taps * part.out_channels)) ** 0.5)
        elif isinstance(part, nn.Conv2d) and not isinstance(part, Expansion):
            nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")
