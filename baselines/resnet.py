"""2D residual backbones as timm builds them, with torchvision's names: conv1, bn1, layerL.B.convK, bnK, downsample.

He et al., Deep Residual Learning for Image Recognition, CVPR 2016. The stride of a bottleneck sits on its 3x3
convolution (v1.5, as in torchvision and in all the video repositories here). Option `norm`: `bn`, or `gn` (Wu and He,
Group Normalization, ECCV 2018) in `groups` groups, 32 as there (8 in `tiny_resnet`, which has 16 channels).

Known differences
1. timm starts the last normalization of each block at zero; the video repositories do not, and neither do we.
2. ResNeXt-101 (Xie et al., CVPR 2017) is the 32x4d one: DNR's Table 2 does not say which, mmaction2 publishes TSN on
   this, and it is the one with the size and cost of ResNet-101.
3. `tiny_resnet` is nobody's: it carries the same bottleneck to clips of 32x32 pixels that a CPU trains in minutes.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import timm
from timm.models.resnet import Bottleneck, downsample_conv
from torch import Tensor, nn

from baselines.backbone import STAGES
from baselines.options import refuse_unknown, require_choice, require_count

NORMS = ("bn", "gn")
TINY_WIDTH = 16
TINY_STEM = 32


def backbone(name: str, options: Mapping[str, Any]) -> nn.Module:
    """The registered backbone `name`: a module with the parts conv1, bn1, act1, maxpool, layer1..4 and `num_features`.

    An option that the backbone does not have is a ValueError.
    """
    from repro.registry import backbones

    builder = backbones[name].load()
    refuse_unknown(f"backbone {name!r}", options, inspect.signature(builder).parameters)
    return builder(**options)


def resnet18(norm: str = "bn", groups: int = 32) -> nn.Module:
    """ResNet-18 without classifier."""
    return _timm("resnet18", norm, groups)


def resnet34(norm: str = "bn", groups: int = 32) -> nn.Module:
    """ResNet-34 without classifier."""
    return _timm("resnet34", norm, groups)


def resnet50(norm: str = "bn", groups: int = 32) -> nn.Module:
    """ResNet-50 without classifier."""
    return _timm("resnet50", norm, groups)


def resnet101(norm: str = "bn", groups: int = 32) -> nn.Module:
    """ResNet-101 without classifier."""
    return _timm("resnet101", norm, groups)


def resnext101(norm: str = "bn", groups: int = 32) -> nn.Module:
    """ResNeXt-101 32x4d without classifier."""
    return _timm("resnext101_32x4d", norm, groups)


def _timm(name: str, norm: str, groups: int) -> nn.Module:
    layer = norm_layer(f"backbone {name!r}", norm, groups, 64)
    return timm.create_model(name, pretrained=False, num_classes=0, zero_init_last=False, norm_layer=layer)


def norm_layer(owner: str, norm: str, groups: int, narrowest: int) -> Callable[..., nn.Module]:
    """What makes each normalization from its channels: batch (`bn`) or group (`gn`) normalization in `groups` groups.

    `narrowest` is the number of channels that the groups have to divide, as all others are multiples of it.
    """
    require_choice(owner, "norm", norm, NORMS)
    require_count(owner, "groups", groups)
    if norm == "bn":
        return nn.BatchNorm2d
    if narrowest % groups:
        raise ValueError(f"{owner}: groups {groups} is not possible; allowed: divisors of {narrowest} channels")

    def group_norm(channels: int, **where: Any) -> nn.Module:  # timm takes a partial apart
        return nn.GroupNorm(groups, channels, **where)

    return group_norm


def tiny_resnet(
    blocks: int = 1, pool: bool = False, norm: str = "bn", groups: int = 8, width: int = TINY_WIDTH
) -> nn.Module:
    """Bottleneck network for clips of 32x32: 3x3 stem of stride 2, three stages of `blocks` bottlenecks.

    `pool` has the large networks' max pooling after the stem, which leaves maps of 8x8 and a third of the time. `width`
    is that of the first stage's 3x3 convolutions; the stem has twice, the next stages two and four times as many.
    """
    owner = "backbone 'tiny_resnet'"
    require_count(owner, "blocks", blocks)
    require_count(owner, "width", width)
    require_choice(owner, "pool", pool, (False, True))
    net = TinyResNet(blocks, pool, norm_layer(owner, norm, groups, width), width)
    initialize_convolutions(net)
    return net


class TinyResNet(nn.Module):
    """The parts of `tiny_resnet`; a video network takes them over and runs them."""

    def __init__(self, blocks: int, pool: bool, norm: Callable[..., nn.Module], width: int) -> None:
        super().__init__()
        stem = 2 * width
        self.conv1 = nn.Conv2d(3, stem, kernel_size=3, stride=2, padding=1, bias=False)
        self.bn1 = norm(stem)
        self.act1 = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1) if pool else nn.Identity()
        channels = stem
        for index, narrow in enumerate((width, 2 * width, 4 * width)):
            self.add_module(STAGES[index], _stage(channels, narrow, blocks, 1 if index == 0 else 2, norm))
            channels = narrow * Bottleneck.expansion
        self.layer4 = nn.Identity()
        self.num_features = channels


def _stage(channels: int, width: int, blocks: int, stride: int, norm: Callable[..., nn.Module]) -> nn.Sequential:
    out = width * Bottleneck.expansion
    shortcut = downsample_conv(channels, out, kernel_size=1, stride=stride, norm_layer=norm)  # type: ignore[arg-type]
    first = Bottleneck(channels, width, stride, shortcut, norm_layer=norm)  # type: ignore[arg-type]
    rest = (Bottleneck(out, width, norm_layer=norm) for _ in range(blocks - 1))  # type: ignore[arg-type]
    return nn.Sequential(first, *rest)


def initialize_convolutions(module: nn.Module) -> None:
    """Every Conv2d weight from N(0, 2 / (k * k * channels out)), as all the repositories here initialize."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")


class OpenBottleneck(nn.Module):
    """timm's bottleneck with two places for a subclass, `enter` and `middle`. It takes over the parts of `block`."""

    conv1: nn.Module
    bn1: nn.Module
    act1: nn.Module
    conv2: nn.Module
    bn2: nn.Module
    act2: nn.Module
    conv3: nn.Module
    bn3: nn.Module
    act3: nn.Module
    downsample: nn.Module | None

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        for name in ("conv1", "bn1", "act1", "conv2", "bn2", "act2", "conv3", "bn3", "act3"):
            self.add_module(name, block.get_submodule(name))
        self.downsample = block.downsample  # type: ignore[assignment]

    def enter(self, x: Tensor) -> Tensor:
        """What the residual branch does before its first convolution: nothing here."""
        return x

    def middle(self, x: Tensor) -> Tensor:
        """From the first activation to the second normalization: the 3x3 convolution here."""
        return self.conv2(x)

    def forward(self, x: Tensor) -> Tensor:
        """Residual block of (N*T, C, H, W)."""
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.act1(self.bn1(self.conv1(self.enter(x))))
        x = self.bn3(self.conv3(self.act2(self.bn2(self.middle(x)))))
        x += shortcut
        return self.act3(x)
