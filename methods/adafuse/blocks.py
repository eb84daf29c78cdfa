"""Blocks of 2D backbones with AdaFuse's gate between their first and second convolutions.

Each takes over the parts of the block that it replaces, under their names, and adds `policy`. Tensors: (N*T, C, H, W).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from timm.models._efficientnet_blocks import InvertedResidual
from timm.models.regnet import Bottleneck as RegNetBlock
from timm.models.resnet import BasicBlock, Bottleneck
from torch import Tensor, nn
from torch.nn.functional import batch_norm, conv2d

from baselines.bninception import ConvNorm, InceptionModule
from baselines.tsm import ShiftConv2d, TemporalShift, temporal_shift
from methods.adafuse.cost import Conv, Neighbours
from methods.adafuse.gate import Gate

MakeGate = Callable[[int, int, Neighbours], Gate]
"""(channels that enter the block, channels that are decided, the convolutions around) -> the gate."""


class GatedResidual(nn.Module):
    """A ResNet's block, gated before its second convolution. It takes over the parts of `block`."""

    conv1: nn.Conv2d
    bn1: nn.Module
    act1: nn.Module
    conv2: nn.Conv2d
    bn2: nn.Module
    act2: nn.Module
    conv3: nn.Conv2d
    bn3: nn.Module
    act3: nn.Module
    downsample: nn.Module | None

    def __init__(self, block: BasicBlock | Bottleneck, make: MakeGate) -> None:
        super().__init__()
        self.bottleneck = isinstance(block, Bottleneck)
        for name in ("conv1", "bn1", "act1", "conv2", "bn2", "act2", *(("conv3", "bn3", "act3") * self.bottleneck)):
            self.add_module(name, block.get_submodule(name))
        self.downsample = block.downsample
        if isinstance(self.conv1, ShiftConv2d):
            shift_downsample(self)
        first, second = Conv.of(self.conv1), Conv.of(self.conv2)
        around = Neighbours(((0, first.out_channels, first),), (second,))
        self.policy = make(self.conv1.in_channels, first.out_channels, around)

    def pooled(self, x: Tensor) -> Tensor:
        """What the policy reads, (N*T, C): the mean map, shifted in time where the first convolution is."""
        return _shifted_as(self.conv1, pool(x))

    def forward(self, x: Tensor) -> Tensor:
        """Residual block."""
        shortcut = x if self.downsample is None else self.downsample(x)
        y = self.policy(self.pooled(x), x, self.first)
        return self.rest(y, shortcut)

    def first(self, x: Tensor, rows: Tensor | None = None) -> Tensor:
        """Up to the gate; with `rows` only these channels, in evaluation."""
        return self.act1(self.bn1(self.conv1(x)) if rows is None else rows_of(self.conv1, self.bn1, x, rows))

    def rest(self, y: Tensor, shortcut: Tensor) -> Tensor:
        """After the gate."""
        y = self.bn2(self.conv2(y))
        if self.bottleneck:
            y = self.bn3(self.conv3(self.act2(y)))
        y += shortcut
        return self.act3(y) if self.bottleneck else self.act2(y)


class GatedInception(InceptionModule):
    """A module of BN-Inception with its output gated. It takes over the parts of `module`; `after` is the next one."""

    def __init__(self, module: InceptionModule, after: InceptionModule | None, make: MakeGate) -> None:
        nn.Module.__init__(self)
        self.out_channels = module.out_channels
        for name in ("before", "conv_1x1", *_INNER, "pool", "conv_pool_proj"):
            setattr(self, name, getattr(module, name))
        self.policy = make(_in_channels(module), module.out_channels, _around(module, after))

    def pooled(self, x: Tensor) -> Tensor:
        """What the policy reads, (N*T, C): the mean map of the input, shifted in time where the module's is."""
        values = pool(x)
        if isinstance(self.before, TemporalShift):
            values = self.before(values[..., None, None]).flatten(1)
        return values

    def forward(self, x: Tensor, double: Tensor | None = None) -> Tensor:
        """(N*T, C, H, W) -> (N*T, out_channels, H', W')."""
        whole = partial(super().forward, double=double)
        return self.policy(self.pooled(x), x, lambda x, rows=None: whole(x) if rows is None else whole(x)[:, rows])


class GatedInverted(nn.Module):
    """EfficientNet's block, gated between expansion and depthwise convolution. It takes over the parts of `block`."""

    def __init__(self, block: InvertedResidual, make: MakeGate) -> None:
        super().__init__()
        self.has_skip = block.has_skip
        for name, part in block.named_children():
            self.add_module(name, part)
        first, second = Conv.of(block.conv_pw), Conv.of(block.conv_dw)
        around = Neighbours(((0, first.out_channels, first),), (second,))
        self.policy = make(block.conv_pw.in_channels, first.out_channels, around)

    def forward(self, x: Tensor) -> Tensor:
        """Inverted residual block."""
        y = self.policy(_shifted_as(self.get_submodule("conv_pw"), pool(x)), x, self.first)
        y = self.get_submodule("bn2")(self.get_submodule("conv_dw")(y))
        y = self.get_submodule("se")(self.get_submodule("aa")(y))
        y = self.get_submodule("bn3")(self.get_submodule("conv_pwl")(y))
        return self.get_submodule("drop_path")(y) + x if self.has_skip else y

    def first(self, x: Tensor, rows: Tensor | None = None) -> Tensor:
        """Up to the gate; with `rows` only these channels, in evaluation."""
        conv, norm = self.get_submodule("conv_pw"), self.get_submodule("bn1")
        return norm(conv(x)) if rows is None else norm.act(rows_of(conv, norm, x, rows))  # type: ignore[operator]


class GatedRegNet(nn.Module):
    """RegNet's block, gated between its first two convolutions. It takes over the parts of `block`."""

    conv1: Any
    downsample: nn.Module | None

    def __init__(self, block: RegNetBlock, make: MakeGate) -> None:
        super().__init__()
        for name, part in block.named_children():
            self.add_module(name, part)
        self.downsample = block.downsample
        first, second = Conv.of(self.conv1.conv), Conv.of(self.get_submodule("conv2.conv"))
        around = Neighbours(((0, first.out_channels, first),), (second,))
        self.policy = make(self.conv1.conv.in_channels, first.out_channels, around)

    def forward(self, x: Tensor) -> Tensor:
        """Residual block."""
        y = self.policy(_shifted_as(self.conv1.conv, pool(x)), x, self.first)
        for name in ("conv2", "se", "conv3", "drop_path"):
            y = self.get_submodule(name)(y)
        y = y if self.downsample is None else y + self.downsample(x)  # None is no shortcut here
        return self.get_submodule("act3")(y)

    def first(self, x: Tensor, rows: Tensor | None = None) -> Tensor:
        """Up to the gate; with `rows` only these channels, in evaluation."""
        conv, norm = self.conv1.conv, self.conv1.bn
        return self.conv1(x) if rows is None else norm.act(rows_of(conv, norm, x, rows))


def _shifted_as(conv: nn.Module, values: Tensor) -> Tensor:
    """Pooled values (N*T, C), shifted in time where the convolution's input is."""
    if not isinstance(conv, ShiftConv2d):
        return values
    return temporal_shift(values[..., None, None], conv.frames).flatten(1)


_INNER = ("conv_3x3_reduce", "conv_3x3", "conv_double_3x3_reduce", "conv_double_3x3_1", "conv_double_3x3_2")


def pool(x: Tensor) -> Tensor:
    """(N*T, C, H, W) -> (N*T, C), in float32 or wider."""
    return x.mean((2, 3), dtype=torch.promote_types(x.dtype, torch.float32))


def rows_of(conv: Any, norm: Any, x: Tensor, rows: Tensor) -> Tensor:
    """The channels `rows` of `norm(conv(x))` in evaluation, without computing others."""
    bias = None if conv.bias is None else conv.bias[rows]
    y = conv2d(x, conv.weight[rows], bias, conv.stride, conv.padding, conv.dilation)
    mean, var, weight, shift = (v[rows] for v in (norm.running_mean, norm.running_var, norm.weight, norm.bias))
    return batch_norm(y, mean, var, weight, shift, training=False, eps=norm.eps)


def shift_downsample(block: nn.Module) -> None:
    """Let the downsampling convolution of a shifted block read the shifted input, as AdaFuse's TSM does."""
    downsample = block.downsample
    if isinstance(downsample, nn.Sequential) and isinstance(block.conv1, ShiftConv2d):
        convs = [name for name, part in downsample.named_children() if isinstance(part, nn.Conv2d)]
        for name in convs:
            if not isinstance(downsample.get_submodule(name), ShiftConv2d):
                setattr(downsample, name, ShiftConv2d.like(downsample.get_submodule(name), block.conv1.frames))


def gated(block: nn.Module, after: nn.Module | None, make: MakeGate) -> nn.Module | None:
    """The gated form of a block, or None for one that has no place for a gate."""
    if isinstance(block, BasicBlock | Bottleneck) and not _has_more(block):
        return GatedResidual(block, make)
    if isinstance(block, InceptionModule) and all(_is_plain(part) for part in block.children()):
        return GatedInception(block, after if isinstance(after, InceptionModule) else None, make)
    if isinstance(block, InvertedResidual):
        return GatedInverted(block, make)
    if isinstance(block, RegNetBlock):
        return GatedRegNet(block, make)
    return None


def _has_more(block: nn.Module) -> bool:
    """Whether a ResNet's block of timm has parts beyond the plain one's: attention, smoothing before a stride."""
    more = [getattr(block, name, None) for name in ("se", "aa", "drop_path")]
    return any(part is not None and not isinstance(part, nn.Identity) for part in more)


def _is_plain(part: nn.Module) -> bool:
    """Not a convolution that reads other frames too, as GSM's."""
    return not isinstance(part, ConvNorm) or type(part) is ConvNorm


def _in_channels(module: InceptionModule) -> int:
    return module.conv_3x3_reduce.conv.in_channels


def _around(module: InceptionModule, after: InceptionModule | None) -> Neighbours:
    """Each branch's last convolution makes a range of channels; the next module's first ones read them all."""
    branches = (module.conv_1x1, module.conv_3x3, module.conv_double_3x3_2, module.conv_pool_proj)
    before: list[tuple[int, int, Conv]] = []
    start = 0
    for branch in branches:
        if branch is not None:
            conv = Conv.of(branch.get_submodule("conv"))
            before.append((start, start + conv.out_channels, conv))
            start += conv.out_channels
    readers: Mapping[str, ConvNorm | None] = {} if after is None else _readers(after)
    return Neighbours(tuple(before), tuple(Conv.of(part.conv) for part in readers.values() if part is not None))


def _readers(module: InceptionModule) -> dict[str, ConvNorm | None]:
    names = ("conv_1x1", "conv_3x3_reduce", "conv_double_3x3_reduce", "conv_pool_proj")
    return {name: getattr(module, name) for name in names}
