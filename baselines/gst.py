"""GST: Grouped Spatial-Temporal Aggregation (Luo and Yuille, ICCV 2019, arXiv 1909.13130), in every bottleneck.

Authors' code: chenxuluo/GST-video@47d39fc:GST.py, models.py. Tensors: frames folded into the batch, (N*T, C, H, W).
The 3x3 convolution of a bottleneck is split: `conv2`, 3x3 in space, gives three quarters of its channels, `Tconv`,
3x3x3, the last quarter (alpha = 4). Each reads its own half of the input (beta = 2), or both read all of it (beta = 1,
the authors' GST-Large, option `large`).

Known differences
1. The authors' network has 3D convolutions throughout, all but `Tconv` of length 1 in time: 2D convolutions over folded
   frames are equal. `Tconv` is a 2D convolution over three frames side by side, which is equal too.
2. The authors average over windows of 7x7 and so take 224x224 only; we average over the whole map.
3. Their `resnet101()` forgets alpha and beta and fails; ours has the values of ResNet-50.
4. `Tconv` has no weights in an ImageNet network and starts at random, as the authors'.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad

from baselines.options import require_choice
from baselines.resnet import OpenBottleneck
from baselines.video import VideoResNet, build, require_bottlenecks

ALPHA = 4
_TAPS = 3


def gst(
    backbone: str, *, num_classes: int, frames: int, dropout: float = 0.3, large: bool = False, **options: Any
) -> VideoResNet:
    """GST on a backbone of bottlenecks. Options: `large`, `head` (`frame`, `clip`), and the backbone's."""
    require_choice("model 'gst'", "large", large, (False, True))
    net: Gst = build(Gst, backbone, num_classes=num_classes, frames=frames, dropout=dropout, options=options)
    require_bottlenecks("gst", backbone, net)
    for _, stage in net.stages():
        for index, block in enumerate(stage):
            stage[index] = GroupedBottleneck(block, frames, beta=1 if large else 2)
    return net


class Gst(VideoResNet):
    """`(N, T, 3, H, W) -> (N, K)`."""

    def load_backbone(self, state: Mapping[str, Tensor]) -> None:
        """Start from a 2D ResNet; `conv2` takes the first filters and input channels, `Tconv` stays as it is."""
        own = self.state_dict()
        super().load_backbone({name: _first(value, own.get(name)) for name, value in state.items()})


def _first(value: Tensor, like: Tensor | None) -> Tensor:
    """The first filters and input channels of a kernel, as many as `like` has."""
    if like is None or value.dim() != 4 or like.dim() != 4 or value.shape[2:] != like.shape[2:]:
        return value
    return value[: like.shape[0], : like.shape[1]]


class FramesConv3d(nn.Conv3d):
    """A 3x3x3 convolution over folded frames, zeros before the first frame of a clip and after the last."""

    def __init__(self, channels: int, out: int, frames: int, stride: int) -> None:
        super().__init__(channels, out, _TAPS, (1, stride, stride), padding=1, bias=False)
        self.frames = frames

    def forward(self, x: Tensor) -> Tensor:
        """(N*T, C, H, W) -> (N*T, out, H / stride, W / stride)."""
        clips = pad(x.unflatten(0, (-1, self.frames)), (0, 0, 0, 0, 0, 0, 1, 1))
        beside = torch.cat([clips[:, tap : tap + self.frames] for tap in range(_TAPS)], dim=2).flatten(0, 1)
        kernel = self.weight.transpose(1, 2).flatten(1, 2)
        return conv2d(beside, kernel, stride=self.stride[1:], padding=self.padding[1:])


class GroupedBottleneck(OpenBottleneck):
    """A bottleneck with `conv2` and `Tconv` side by side. It takes over the other parts of `block`."""

    def __init__(self, block: nn.Module, frames: int, beta: int) -> None:
        super().__init__(block)
        old: Any = block.conv2
        out, channels = old.out_channels, old.in_channels // beta
        temporal = out // ALPHA
        self.beta = beta
        self.conv2 = nn.Conv2d(channels, out - temporal, 3, old.stride, padding=1, bias=False)
        self.Tconv = FramesConv3d(channels, temporal, frames, old.stride[0])
        for conv in (self.conv2, self.Tconv):
            nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")

    def middle(self, x: Tensor) -> Tensor:
        """Both convolutions side by side."""
        spatial, temporal = (x, x) if self.beta == 1 else x.chunk(2, dim=1)
        return torch.cat([self.conv2(spatial), self.Tconv(temporal)], dim=1)
