"""TDN: Temporal Difference Networks (Wang et al., CVPR 2021, arXiv 2012.10071).

Authors' code: MCG-NJU/TDN@a7c7e9b:ops/tdn_net.py, ops/base_module.py, ops/models.py.
Tensors: N clips, T segments of 5 consecutive frames, input (N, T, 5, 3, H, W), the third frame being the centre; maps
(N*T, C, H, W). Short-term: the four differences of neighbouring frames (12 channels), halved in size, through a stem
and a stage of their own, join the main path before and after its first stage with weights `belta` against `apha`.
Long-term: stages 2 to 4 have, before each 3x3, a gate from differences of neighbouring segments (mse) and a learnable
shift.
Known differences
1. Frames are halved before they are subtracted, and the shift is `baselines/temporal.py`; equal but for rounding.
2. `conv1_temp`, which the authors only read to initialize `conv1_5`, is kept for equal names and parameter counts, but
   frozen; in their network it takes part in weight decay without effect on any output.
3. `tiny_resnet` has a 3x3 stem of stride 2 and no pooling: the short-term stem has the same kernel, stride and (no)
   pooling on the halved differences, so it joins at half the main path's size, as in the large networks.
4. Commit 2b0a287 of the authors' repository feeds the third scale of the backward difference from the forward one;
   commit a7c7e9b, followed here, does not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from baselines.resnet import OpenBottleneck, initialize_convolutions
from baselines.resnet import backbone as make_backbone
from baselines.temporal import LearnableShift
from baselines.video import VideoResNet, require_bottlenecks, split_options

SEGMENT = 5
REDUCTION = 16


def tdn(backbone: str, *, num_classes: int, frames: int, dropout: float = 0.5, **options: Any) -> TDN:
    """TDN on a backbone of bottlenecks; `frames` counts segments. Options: `head`, and the backbone's."""
    head, rest = split_options(options)
    body, short = make_backbone(backbone, rest), make_backbone(backbone, rest)
    net = TDN(body, short, num_classes=num_classes, frames=frames, dropout=dropout, **head)
    require_bottlenecks("tdn", backbone, net)
    for name, stage in net.stages():
        for index, block in enumerate(stage):
            if name != "layer1":
                stage[index] = DifferenceBottleneck(block, frames)
    initialize_convolutions(net)
    add_biases(net)
    net.inflate_stem()
    return net


class TDN(VideoResNet):
    """The network: (N, T, 5, 3, H, W) -> (N, K)."""

    clip_length = SEGMENT
    conv1_temp: nn.Conv2d
    resnext_layer1: nn.Module

    def __init__(self, body: nn.Module, short: nn.Module, *, frames: int, **settings: Any) -> None:
        super().__init__(body, frames=frames, **settings)
        self.belta = 0.5 if frames == 8 else 0.25
        self.apha = 1.0 - self.belta
        self.conv1_temp = short.get_submodule("conv1")  # type: ignore[assignment]
        stem, channels = self.conv1_temp, self.conv1_temp.out_channels
        self.conv1_5 = nn.Sequential(
            nn.Conv2d(
                3 * (SEGMENT - 1),
                channels,
                stem.kernel_size,  # type: ignore[arg-type]
                stem.stride,  # type: ignore[arg-type]
                stem.padding,  # type: ignore[arg-type]
                bias=False,
            ),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
        )
        self.resnext_layer1 = short.get_submodule("layer1")

    def maps(self, x: Tensor) -> Tensor:
        """Last feature maps of each segment: (N, T, 5, 3, H, W) -> (N*T, D, h, w)."""
        x = x.flatten(0, 1)  # (N*T, 5, 3, H, W)
        near = self.maxpool(self.conv1_5(_differences(x)))
        far = self.resnext_layer1(near)
        x = self.maxpool(self.act1(self.bn1(self.conv1(x[:, SEGMENT // 2]))))
        x = self.layer1(self._join(x, near))
        return self.layer4(self.layer3(self.layer2(self._join(x, far))))

    def _join(self, x: Tensor, difference: Tensor) -> Tensor:
        return self.apha * x + self.belta * F.interpolate(difference, x.shape[-2:])

    def inflate_stem(self) -> None:
        """Start `conv1_5` from `conv1_temp`, averaged over its colours and repeated."""
        with torch.no_grad():
            self.conv1_5[0].weight.copy_(self.conv1_temp.weight.mean(1, keepdim=True))  # type: ignore[operator]

    def load_backbone(self, state: Mapping[str, Tensor]) -> None:
        """The short-term path starts from the same weights: its stem inflated from `conv1`, its stage from `layer1`."""
        more = {f"conv1_temp.{k.removeprefix('conv1.')}": v for k, v in state.items() if k.startswith("conv1.")}
        more |= {f"resnext_layer1.{k.removeprefix('layer1.')}": v for k, v in state.items() if k.startswith("layer1.")}
        super().load_backbone({**state, **more})
        self.inflate_stem()


def _differences(x: Tensor) -> Tensor:
    """(M, 5, 3, H, W) -> (M, 12, H/2, W/2): each frame minus the one before, averaged over 2x2 pixels."""
    halved = F.avg_pool2d(x.flatten(0, 1), 2, 2).unflatten(0, (-1, SEGMENT))
    return (halved[:, 1:] - halved[:, :-1]).flatten(1, 2)


def add_biases(net: TDN) -> None:
    """Give the convolutions of the backbone and of the short-term stage biases, as torch initializes them."""
    parts = [net.conv1, net.conv1_temp, net.resnext_layer1, *(stage for _, stage in net.stages())]
    for part in parts:
        for name, conv in part.named_modules():
            if isinstance(conv, nn.Conv2d) and ".mse." not in f".{name}":
                bound = 1 / math.sqrt(conv.weight[0].numel())
                conv.bias = nn.Parameter(torch.empty(conv.out_channels).uniform_(-bound, bound))
    net.conv1_temp.requires_grad_(False)


class DifferenceBottleneck(OpenBottleneck):
    """A bottleneck with the difference gate and the learnable shift before its 3x3 convolution."""

    def __init__(self, block: nn.Module, frames: int) -> None:
        super().__init__(block)
        channels: int = self.conv1.out_channels  # type: ignore[assignment]
        self.mse = SegmentDifference(channels, frames)
        self.shift = LearnableShift(channels, frames)

    def middle(self, x: Tensor) -> Tensor:
        """Gate, shift and the 3x3 convolution."""
        return self.conv2(self.shift(self.mse(x)))


class SegmentDifference(nn.Module):
    """Multi-scale gate from the differences of a segment to the next and to the previous one (paper 3.4)."""

    def __init__(self, channels: int, frames: int) -> None:
        super().__init__()
        self.frames, width = frames, channels // REDUCTION
        self.conv1 = nn.Conv2d(channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False)
        self.conv3 = nn.Conv2d(width, channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(channels)
        self.conv3_smallscale2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn3_smallscale2 = nn.BatchNorm2d(width)
        self.conv3_smallscale4 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn3_smallscale4 = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        """`x + x * (gate forward + gate backward) / 2`, each gate in (-1/2, 1/2)."""
        squeezed = self.bn1(self.conv1(x))
        u = squeezed.unflatten(0, (-1, self.frames))
        w = self.conv2(squeezed).unflatten(0, (-1, self.frames))
        forward = F.pad(w[:, 1:] - u[:, :-1], (0, 0, 0, 0, 0, 0, 0, 1)).flatten(0, 1)
        backward = F.pad(w[:, :-1] - u[:, 1:], (0, 0, 0, 0, 0, 0, 1, 0)).flatten(0, 1)
        return torch.addcmul(x, x, self._gate(forward) + self._gate(backward), value=0.5)

    def _gate(self, difference: Tensor) -> Tensor:
        same = self.bn3_smallscale4(self.conv3_smallscale4(difference))
        half = self.bn3_smallscale2(self.conv3_smallscale2(F.avg_pool2d(difference, 2, 2)))
        mixed = (difference + F.interpolate(half, difference.shape[-2:]) + same) / 3
        return self.bn3(self.conv3(mixed)).sigmoid() - 0.5
