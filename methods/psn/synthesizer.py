"""The action perceptron synthesizer: two bags of kernels and the fusion between them (PSN, equation 1 and Figure 3).

Tensors: frames folded into the batch, (N*T, C, H, W). p channels enter, u = p / r go through the bags in G = 4 groups
of c = u / 4, one for each kernel of a bag. "Compress" p -> u, spatial bag, normalization and ReLU, fusion u -> u,
temporal bag, "expand" u -> p, added to the input.

The frozen form for inference: equal output, fewer operations.
PSN: "When the process finished, we freeze the synthesizer and utilize the produced filter group". Folded away exactly:
  normalization   into the spatial convolutions; for identity and pooling into the compressing convolution, since
                  max(s x) = s max(x) for s > 0, and for s < 0 the sign is taken out of the pooling
  channels that the fusion gives to nobody (all-zero columns of T; three quarters with channel dropout), with their
                  filters of the spatial bag and, for identity and pooling, of the compressing convolution
  channel shuffle into the way that the groups are put side by side; channel dropout into one input of all kernels
The learned T stays a layer. Multiplied into a temporal convolution of 3 taps it would cost 3 u c a position instead of
u c + 3 c c (u = 4 c), and into the expansion p c against p u: more in each case.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from methods.psn.fusion import FixedFusion, LastMeans, fusion, interleaved
from methods.psn.kernels import Kernel, TemporalConv2d, in_groups, spatial_kernel, temporal_kernel
from methods.psn.places import Added, Place

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


Affine = tuple[Tensor, Tensor]


def freeze(model: nn.Module) -> nn.Module:
    """A copy of a network whose blocks between stages are frozen, in evaluation mode and without gradients.

    Raises ValueError if it has none.
    """
    copied = copy.deepcopy(model).eval()
    count = 0
    for parent in list(copied.modules()):
        for name, part in list(parent.named_children()):
            if isinstance(part, Added):
                parent.add_module(name, part.frozen().eval())
                count += 1
    if count == 0:
        raise ValueError("freeze: the network has no synthesizer; allowed: one with method psn or an rf_ method")
    if hasattr(copied, "psn"):
        del copied.psn
    return copied.requires_grad_(False)


def affine(norm: nn.Module) -> Affine:
    """What a normalization does in evaluation, as scale and shift in float64, (C,)."""
    bn = cast(nn.BatchNorm2d, norm)
    assert bn.running_mean is not None and bn.running_var is not None
    scale = bn.weight.detach().double() / (bn.running_var.double() + bn.eps).sqrt()
    return scale, bn.bias.detach().double() - bn.running_mean.double() * scale


def normalized(kernel: nn.Module, scale: Tensor, shift: Tensor, keep: Tensor) -> nn.Module:
    """A convolution (or a column and a row) followed by scale and shift, and only its channels `keep`."""
    if isinstance(kernel, nn.Sequential):
        return nn.Sequential(*kernel[:-1], normalized(kernel[-1], scale, shift, keep))
    conv = cast(nn.Conv2d, kernel)
    return with_weights(conv, (conv.weight.double() * scale[:, None, None, None])[keep], shift[keep])


def with_weights(conv: nn.Conv2d, weight: Tensor, bias: Tensor | None) -> nn.Conv2d:
    """A convolution as `conv` with other weights, given in any precision."""
    new = nn.Conv2d(
        weight.shape[1],
        weight.shape[0],
        conv.kernel_size,  # type: ignore[arg-type]
        conv.stride,  # type: ignore[arg-type]
        conv.padding,  # type: ignore[arg-type]
        conv.dilation,  # type: ignore[arg-type]
        bias=bias is not None,
        device="meta",
    )
    new.weight = nn.Parameter(weight.detach().to(conv.weight.dtype))
    if bias is not None:
        new.bias = nn.Parameter(bias.detach().to(conv.weight.dtype))
    return new


class ScaledPool(nn.Module):
    """Pooling, then a factor and a summand for each channel, where there are any."""

    factor: Tensor | None
    summand: Tensor | None

    def __init__(self, pool: nn.Module, factor: Tensor | None, summand: Tensor | None) -> None:
        super().__init__()
        self.pool = pool
        for name, value in (("factor", factor), ("summand", summand)):
            self.register_buffer(name, None if value is None else value[:, None, None])

    def forward(self, x: Tensor) -> Tensor:
        """(N*T, C, H, W)."""
        x = self.pool(x)
        x = x if self.factor is None else x * self.factor
        return x if self.summand is None else x + self.summand


class FrozenSynthesizer(Added):
    """What `Synthesizer` computes in evaluation."""

    def __init__(self, block: Synthesizer) -> None:
        super().__init__(block.place)
        groups = len(block.spatial)
        used = (block.fusion.matrix() != 0).any(0).to(block.bn.weight.device)  # (u,)
        self.relu = not isinstance(block.act, nn.Identity)
        self._fold_spatial(block, used.chunk(groups))
        self._fold_fusion(block, used)
        self.temporal = copy.deepcopy(block.temporal)
        self.expand = copy.deepcopy(block.expand)

    def _fold_spatial(self, block: Synthesizer, used: tuple[Tensor, ...]) -> None:
        """`compress`, the groups' sizes and the kernels of those that are used."""
        scales, shifts = (value.chunk(len(used)) for value in affine(block.bn))
        filters = block.compress.weight.detach().double().chunk(len(used))
        rows: list[Tensor] = []
        biases: list[Tensor] = []
        kernels: list[nn.Module] = []
        for kernel, w, scale, shift, keep in zip(block.spatial, filters, scales, shifts, used, strict=True):
            if not keep.any():
                continue
            factor, bias, folded = _fold_kernel(kernel, scale, shift, keep)
            rows.append(w if factor is None else w[keep] * factor[:, None, None, None])
            biases.append(torch.zeros_like(shift) if bias is None else bias)
            kernels.append(folded)
        self.compress = with_weights(block.compress, torch.cat(rows), torch.cat(biases))
        self.sizes = [len(row) for row in rows]
        self.spatial = nn.ModuleList(kernels)
        for part in self.spatial.modules():
            for name, value in part.named_buffers(recurse=False):
                part.register_buffer(name, value.to(block.compress.weight.dtype))

    def _fold_fusion(self, block: Synthesizer, used: Tensor) -> None:
        """`fusion`, `interleave` (groups side by side channel by channel) and `shared` (one input for all kernels)."""
        self.fusion: nn.Module = nn.Identity()
        self.interleave = self.shared = False
        if not isinstance(block.fusion, FixedFusion):
            weight = block.fusion.weight
            self.fusion = block.fusion if used.all() else with_weights(block.fusion, weight[:, used], None)
            return
        groups, width = len(block.temporal), len(used)
        place = (used.cumsum(0) - 1).tolist()
        order = [place[channel] for channel in block.fusion.order]
        first = order[: width // groups]
        self.shared = order == first * groups
        order = first if self.shared else order
        self.interleave = len(order) % groups == 0 and order == interleaved(groups, len(order))
        if not self.interleave and order != list(range(len(order))):
            self.fusion = FixedFusion(order).to(used.device)

    def branch(self, x: Tensor) -> Tensor:
        """What is added to the input."""
        groups = self.compress(x).split(self.sizes, dim=1)
        parts = [kernel(groups[index]) for index, kernel in enumerate(self.spatial)]
        x = torch.stack(parts, dim=2).flatten(1, 2) if self.interleave else torch.cat(parts, dim=1)
        x = self.fusion(relu(x, inplace=True) if self.relu else x)
        if self.shared:
            return self.expand(torch.cat([kernel(x) for kernel in self.temporal], dim=1))
        return self.expand(in_groups(self.temporal, x))


def _fold_kernel(
    kernel: nn.Module, scale: Tensor, shift: Tensor, keep: Tensor
) -> tuple[Tensor | None, Tensor | None, nn.Module]:
    """Factor and bias of the compressing filters before a kernel (None: all filters as they are), and the kernel."""
    if isinstance(kernel, nn.Identity):
        return scale[keep], shift[keep], kernel
    if isinstance(kernel, nn.MaxPool2d):
        sign = torch.where(scale < 0, -1.0, 1.0).double()[keep]
        folded = kernel if bool((sign > 0).all()) else ScaledPool(kernel, sign, None)
        return scale[keep].abs(), shift[keep] * sign, folded
    if isinstance(kernel, nn.AvgPool2d):  # zeros around the map count: the shift comes after
        return scale[keep], torch.zeros_like(shift[keep]), ScaledPool(kernel, None, shift[keep])
    return None, None, normalized(kernel, scale, shift, keep)
