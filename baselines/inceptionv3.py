"""Inception-v3 (Szegedy et al., CVPR 2016, arXiv 1512.00567), as the video repositories that came from Caffe have it.

Code studied: swathikirans/GSM@43e8eba:model_zoo/bninception/inceptionv3_gsm.yaml and layer_factory.py, the network of
yjxiong/tensorflow-model-zoo.torch. Tensors: frames folded into the batch, (N*T, C, H, W). Weights expect BGR pixels
0..255 minus (104, 117, 128). Crops are 229x229.

It stands in the outline of a ResNet, so that a network over 2D backbones takes it: conv1, bn1, act1; `layer1` the other
convolutions of the stem with both poolings, `layer2` the modules mixed to mixed_2, `layer3` mixed_3 to mixed_7,
`layer4` mixed_8 to mixed_10. Convolutions of a module have their TensorFlow names: `conv`, `tower_conv`,
`tower_conv_1`, `tower_1_conv`, ... , each with bias, its normalization and ReLU.

Known differences
1. The poolings of mixed_3 and mixed_8 round down: at 229 they give the authors' maps, and at sizes where theirs do not
   match the convolutions beside them (224 is one), ours do.
2. The authors average over windows of 6x6 and so take 229x229 only; we average over the whole map.
3. torchvision's Inception-v3 has no biases, another epsilon (0.001) and averages without the padding.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from baselines.bninception import MOMENTUM, ConvNorm
from baselines.resnet import initialize_convolutions

Kernel = int | tuple[int, int]
_WIDE, _TALL = (1, 7), (7, 1)


@dataclass(frozen=True)
class Mixed:
    """What a module has. `branches`: prefix of names -> output channels and kernel of the convolutions in turn."""

    branches: dict[str, tuple[tuple[int, Kernel], ...]]
    pooled: int = 0
    """Channels of the 1x1 convolution behind the pooling; 0: none."""
    halves: bool = False
    """The last convolution of each branch and the pooling have stride 2 and no padding."""
    split: dict[str, int] = field(default_factory=dict)
    """Branches that end in a 3x1 and a 1x3 convolution side by side, with so many channels each."""
    max_pool: bool = False


def _first(pooled: int) -> Mixed:
    towers = {"": ((64, 1),), "tower_": ((48, 1), (64, 5)), "tower_1_": ((64, 1), (96, 3), (96, 3))}
    return Mixed(towers, pooled)  # type: ignore[arg-type]


def _second(width: int) -> Mixed:
    chain = ((width, 1), (width, _WIDE), (width, _TALL), (width, _WIDE), (192, _TALL))
    return Mixed({"": ((192, 1),), "tower_": ((width, 1), (width, _TALL), (192, _WIDE)), "tower_1_": chain}, 192)


def _third(max_pool: bool) -> Mixed:
    towers = {"": ((320, 1),), "tower_": ((384, 1),), "tower_1_": ((448, 1), (384, 3))}
    return Mixed(towers, 192, split={"tower_": 384, "tower_1_": 384}, max_pool=max_pool)  # type: ignore[arg-type]


MODULES: dict[str, tuple[Mixed, ...]] = {
    "layer2": (_first(32), _first(64), _first(64)),
    "layer3": (
        Mixed({"": ((384, 3),), "tower_": ((64, 1), (96, 3), (96, 3))}, halves=True, max_pool=True),
        _second(128),
        _second(160),
        _second(160),
        _second(192),
    ),
    "layer4": (
        Mixed(
            {"tower_": ((192, 1), (320, 3)), "tower_1_": ((192, 1), (192, _TALL), (192, _WIDE), (192, 3))},
            halves=True,
            max_pool=True,
        ),
        _third(max_pool=False),
        _third(max_pool=True),
    ),
}


class StemConvolutions(nn.Module):
    """3x3 to 32, 3x3 to 64, pooling, 1x1 to 80, 3x3 to 192, pooling."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_1 = ConvNorm(32, 32, 3, padded=False)
        self.conv_2 = ConvNorm(32, 64, 3)
        self.conv_3 = ConvNorm(64, 80)
        self.conv_4 = ConvNorm(80, 192, 3, padded=False)
        self.pool = nn.MaxPool2d(3, 2, ceil_mode=True)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 32, H, W) -> (B, 192, H', W'), about a quarter of the size."""
        return self.pool(self.conv_4(self.conv_3(self.pool(self.conv_2(self.conv_1(x))))))


class MixedModule(nn.Module):
    """Branches side by side, the pooling last."""

    def __init__(self, plan: Mixed, channels: int) -> None:
        super().__init__()
        self.plan = plan
        self.out_channels = plan.pooled or channels
        for prefix, convolutions in plan.branches.items():
            width = channels
            for index, (out, kernel) in enumerate(convolutions):
                halves = plan.halves and index == len(convolutions) - 1
                part = ConvNorm(width, out, kernel, 2 if halves else 1, padded=not halves)
                self.add_module(_name(prefix, index), part)
                width = out
            split = plan.split.get(prefix, 0)
            if split:
                self.add_module(f"{prefix}mixed_conv", ConvNorm(width, split, (3, 1)))
                self.add_module(f"{prefix}mixed_conv_1", ConvNorm(width, split, (1, 3)))
            self.out_channels += 2 * split or width
        pool = nn.MaxPool2d if plan.max_pool else nn.AvgPool2d
        self.pool = pool(3, 2) if plan.halves else pool(3, 1, padding=1)
        if plan.pooled:
            self.tower_2_conv = ConvNorm(channels, plan.pooled)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, out_channels, H', W'); H' is H, or (H - 1) / 2 rounded down."""
        out: list[Tensor] = []
        for prefix, convolutions in self.plan.branches.items():
            y = x
            for index in range(len(convolutions)):
                y = self.get_submodule(_name(prefix, index))(y)
            ends = ("mixed_conv", "mixed_conv_1") if prefix in self.plan.split else ()
            out += [self.get_submodule(prefix + end)(y) for end in ends] or [y]
        pooled = self.pool(x)
        out.append(self.tower_2_conv(pooled) if self.plan.pooled else pooled)
        return torch.cat(out, dim=1)


def _name(prefix: str, index: int) -> str:
    """Of a convolution: `conv`, `tower_conv_1`."""
    return f"{prefix}conv" + (f"_{index}" if index else "")


class InceptionV3(nn.Module):
    """The parts of the network; a video network takes them over and runs them."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 32, kernel_size=3, stride=2)
        self.bn1 = nn.BatchNorm2d(32, momentum=MOMENTUM)
        self.act1 = nn.ReLU(inplace=True)
        self.maxpool = nn.Identity()
        self.layer1 = StemConvolutions()
        channels = 192
        for name, plans in MODULES.items():
            stage = nn.Sequential()
            for plan in plans:
                module = MixedModule(plan, channels)
                stage.append(module)
                channels = module.out_channels
            self.add_module(name, stage)
        self.num_features = channels


def inceptionv3() -> nn.Module:
    """Inception-v3 without classifier."""
    net = InceptionV3()
    initialize_convolutions(net)
    return net
