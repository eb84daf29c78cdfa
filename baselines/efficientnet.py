"""EfficientNet-B0 to B3 (Tan and Le, ICML 2019, arXiv 1905.11946) as timm builds them, in the outline of a ResNet.

AdaFuse's Table 2 has TSN on them. `conv1` and `bn1` (with its activation) are the stem, `layer1` to `layer4` the
blocks, of timm's stages 0 and 1, 2, 3 and 4, 5 and 6; the last part of `layer4` is the 1x1 convolution to the features.
Tensors: frames folded into the batch, (N*T, C, H, W).

Known differences
1. The paper scales the input, too (224, 240, 260, 300); a video network takes what it is given.
2. Paddings are symmetric, as everywhere in torch, where the TensorFlow original pads one side more at stride 2.
3. Stochastic depth, a part of the ImageNet recipe, is off.
"""

from __future__ import annotations

from typing import Any

import timm
from torch import nn

#: timm's stages -> ours
_STAGES = {"layer1": (0, 1), "layer2": (2,), "layer3": (3, 4), "layer4": (5, 6)}


class EfficientNet(nn.Module):
    """The parts of the network; a video network takes them over and runs them."""

    def __init__(self, name: str) -> None:
        super().__init__()
        net: Any = timm.create_model(name, pretrained=False, num_classes=0)
        self.conv1, self.bn1 = net.conv_stem, net.bn1
        self.act1: nn.Module = nn.Identity()
        self.maxpool: nn.Module = nn.Identity()
        for stage, numbers in _STAGES.items():
            self.add_module(stage, nn.Sequential(*(block for number in numbers for block in net.blocks[number])))
        head = nn.Sequential()
        head.add_module("conv", net.conv_head)
        head.add_module("bn", net.bn2)
        self.layer4: nn.Sequential
        self.layer4.append(head)
        self.num_features: int = net.num_features


def efficientnet_b0() -> nn.Module:
    """EfficientNet-B0 without classifier."""
    return EfficientNet("efficientnet_b0")


def efficientnet_b1() -> nn.Module:
    """EfficientNet-B1 without classifier."""
    return EfficientNet("efficientnet_b1")


def efficientnet_b2() -> nn.Module:
    """EfficientNet-B2 without classifier."""
    return EfficientNet("efficientnet_b2")


def efficientnet_b3() -> nn.Module:
    """EfficientNet-B3 without classifier."""
    return EfficientNet("efficientnet_b3")
