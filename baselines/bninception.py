"""BN-Inception (Ioffe and Szegedy, Batch Normalization, ICML 2015, arXiv 1502.03167), as video repositories have it.

Code studied: mit-han-lab/temporal-shift-module@1f6a834:archs/bn_inception.py; yjxiong/tensorflow-model-zoo.torch (the
Caffe network whose weights all of them share). Tensors: frames folded into the batch, (N*T, C, H, W). Weights expect
BGR pixels 0..255 minus (104, 117, 128).

It stands in the outline of a ResNet, so that every network over 2D backbones takes it: conv1, bn1, act1, maxpool;
`layer1` the second convolutions and their pooling, `layer2` the modules 3a to 3c, `layer3` 4a to 4e, `layer4` 5a and
5b. A module has `conv_1x1`, `conv_3x3_reduce`, `conv_3x3`, `conv_double_3x3_reduce`, `conv_double_3x3_1`,
`conv_double_3x3_2`, `conv_pool_proj`, each a convolution with bias, its normalization and ReLU.

Known differences
1. The authors average over windows of 7x7 and so take 224x224 only; we average over the whole map, which at 224 is the
   same.
2. Normalizations move with momentum 0.9, as in the authors' file (torch's convention: nine tenths of the new batch).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from baselines.resnet import TINY_STEM, initialize_convolutions

MOMENTUM = 0.9
#: module -> channels of 1x1, 3x3 reduce, 3x3, double 3x3 reduce, double 3x3, pooling's projection (0: none)
MODULES: dict[str, tuple[int, int, int, int, int, int]] = {
    "3a": (64, 64, 64, 64, 96, 32),
    "3b": (64, 64, 96, 64, 96, 64),
    "3c": (0, 128, 160, 64, 96, 0),
    "4a": (224, 64, 96, 96, 128, 128),
    "4b": (192, 96, 128, 96, 128, 128),
    "4c": (160, 128, 160, 128, 160, 128),
    "4d": (96, 128, 192, 160, 192, 128),
    "4e": (0, 128, 192, 192, 256, 0),
    "5a": (352, 192, 320, 160, 224, 128),
    "5b": (352, 192, 320, 192, 224, 128),
}
#: the same of `tiny_inception`; the second one halves the map
TINY_MODULES: dict[str, tuple[int, int, int, int, int, int]] = {
    "tiny 3a": (16, 16, 16, 16, 24, 8),
    "tiny 3b": (0, 16, 32, 16, 24, 0),
    "tiny 4a": (32, 32, 48, 32, 32, 16),
    "tiny 4b": (32, 32, 48, 32, 32, 16),
}
#: modules that pool by the maximum; the others average
_MAX_POOLED = ("3c", "4e", "5b", "tiny 3b", "tiny 4b")
STEM, SECOND = 64, 192


class ConvNorm(nn.Module):
    """Convolution with bias, normalization, ReLU; `padded` so that at stride 1 the map keeps its size."""

    def __init__(
        self, channels: int, out: int, kernel: int | tuple[int, int] = 1, stride: int = 1, padded: bool = True
    ) -> None:
        super().__init__()
        rows, columns = (kernel, kernel) if isinstance(kernel, int) else kernel
        padding = (rows // 2, columns // 2) if padded else 0
        self.conv = nn.Conv2d(channels, out, (rows, columns), stride, padding)
        self.bn = nn.BatchNorm2d(out, momentum=MOMENTUM)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, out, H / stride, W / stride)."""
        return relu(self.bn(self.conv(x)), inplace=True)


class SecondConvolutions(nn.Module):
    """1x1 to 64, 3x3 to 192, pooling. `before` works on the input: the place of TSM's shift."""

    def __init__(self) -> None:
        super().__init__()
        self.before: nn.Module = nn.Identity()
        self.reduce = ConvNorm(STEM, STEM)
        self.conv = ConvNorm(STEM, SECOND, 3)
        self.pool = nn.MaxPool2d(3, 2, ceil_mode=True)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 64, H, W) -> (B, 192, H / 2, W / 2)."""
        return self.pool(self.conv(self.reduce(self.before(x))))


class InceptionModule(nn.Module):
    """Four branches side by side, three where the module halves the map. `before` as in `SecondConvolutions`."""

    conv_1x1: nn.Module | None
    conv_pool_proj: nn.Module | None

    def __init__(self, name: str, channels: int) -> None:
        super().__init__()
        one, three_reduce, three, double_reduce, double, pooled = {**MODULES, **TINY_MODULES}[name]
        stride = 1 if one else 2
        self.before: nn.Module = nn.Identity()
        self.conv_1x1 = ConvNorm(channels, one) if one else None
        self.conv_3x3_reduce = ConvNorm(channels, three_reduce)
        self.conv_3x3 = ConvNorm(three_reduce, three, 3, stride)
        self.conv_double_3x3_reduce = ConvNorm(channels, double_reduce)
        self.conv_double_3x3_1 = ConvNorm(double_reduce, double, 3)
        self.conv_double_3x3_2 = ConvNorm(double, double, 3, stride)
        pool = nn.MaxPool2d if name in _MAX_POOLED else nn.AvgPool2d
        self.pool = pool(3, stride, padding=1 if stride == 1 else 0, ceil_mode=True)
        self.conv_pool_proj = ConvNorm(channels, pooled) if pooled else None
        self.out_channels = one + three + double + (pooled or channels)

    def first_double(self, x: Tensor) -> Tensor:
        """The first two convolutions of the third branch: what ECO reads."""
        return self.conv_double_3x3_1(self.conv_double_3x3_reduce(x))

    def forward(self, x: Tensor, double: Tensor | None = None) -> Tensor:
        """(B, C, H, W) -> (B, out_channels, H', W'); H' is H, or H / 2 rounded up. `double`: `first_double(x)`."""
        x = self.before(x)
        branches = [] if self.conv_1x1 is None else [self.conv_1x1(x)]
        branches.append(self.conv_3x3(self.conv_3x3_reduce(x)))
        branches.append(self.conv_double_3x3_2(self.first_double(x) if double is None else double))
        pooled = self.pool(x)
        branches.append(pooled if self.conv_pool_proj is None else self.conv_pool_proj(pooled))
        return torch.cat(branches, dim=1)


class BNInception(nn.Module):
    """The parts of the network; a video network takes them over and runs them."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, STEM, kernel_size=7, stride=2, padding=3)
        self.bn1 = nn.BatchNorm2d(STEM, momentum=MOMENTUM)
        self.act1 = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.layer1 = SecondConvolutions()
        self.layer2, channels = modules(("3a", "3b", "3c"), SECOND)
        self.layer3, channels = modules(("4a", "4b", "4c", "4d", "4e"), channels)
        self.layer4, channels = modules(("5a", "5b"), channels)
        self.num_features = channels


def modules(names: Sequence[str], channels: int) -> tuple[nn.Sequential, int]:
    """The named Inception modules one after the other, and the channels that come out."""
    stage = nn.Sequential()
    for name in names:
        module = InceptionModule(name, channels)
        stage.append(module)
        channels = module.out_channels
    return stage, channels


def bninception() -> nn.Module:
    """BN-Inception without classifier."""
    net = BNInception()
    initialize_convolutions(net)
    return net


class TinyInception(nn.Module):
    """The parts of `tiny_inception`."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, TINY_STEM, kernel_size=3, stride=2, padding=1)
        self.bn1 = nn.BatchNorm2d(TINY_STEM, momentum=MOMENTUM)
        self.act1 = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.layer1 = nn.Identity()
        self.layer2, channels = modules(("tiny 3a", "tiny 3b"), TINY_STEM)
        self.layer3, channels = modules(("tiny 4a", "tiny 4b"), channels)
        self.layer4 = nn.Identity()
        self.num_features = channels


def tiny_inception() -> nn.Module:
    """Four Inception modules on maps of 8x8 and 4x4, for clips of 32x32 that a CPU trains in minutes; nobody's."""
    net = TinyInception()
    initialize_convolutions(net)
    return net
