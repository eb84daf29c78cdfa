"""TEA: Temporal Excitation and Aggregation (Li et al., CVPR 2020, arXiv 2004.01398), in the blocks of Res2Net-50 26w4s.

Authors' code: Phoenix1327/tea-action-recognition@f59e2f8:ops/tea50_8f.py, ops/models.py.
Tensors: maps (N*T, C, H, W), frames folded into the batch. A block is conv1, motion excitation (ME, paper 3.1),
multiple temporal aggregation (MTA, 3.2), conv3, shortcut. MTA splits the channels in four; each part passes a learnable
shift over time and, but for the last part, a 3x3 convolution; each reads its predecessor's output too, except in the
first block of a stage. Widths are Res2Net's: floor(26 / 64 planes) a part, 26 in the first stage of ResNet-50.

Known differences
1. The published files lack a comma and cannot be imported; their consensus is an autograd function that torch refuses
   since 1.5, and the mean over frames replaces it. No weights are published.
2. The authors keep one copy of the network for 8 frames and one for 16; they differ in that number alone.
3. The shift over time is `baselines/temporal.py` in place of a convolution over (N*H*W, C, T); equal but for rounding.
4. The last frame has no next one: as in the code, its excitation is sigmoid(BN(0)) - 1/2, not zero.
5. `resnet50` names the depth: ImageNet weights are those of Res2Net-50 26w4s, a ResNet-50 does not fit. ResNet-101
   and `tiny_resnet` are converted by the same rule; the paper has ResNet-50 only.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from baselines.options import require_choice
from baselines.resnet import initialize_convolutions
from baselines.temporal import LearnableShift
from baselines.video import VideoResNet, build, require_bottlenecks

BASE_WIDTH, PLANES = 26, 64
PARTS = 4
REDUCTION = 16


def tea(backbone: str, *, num_classes: int, frames: int, dropout: float = 0.5, **options: Any) -> VideoResNet:
    """TEA with the depth of a backbone of bottlenecks. Options: `head` (`frame`, `clip`), and the backbone's."""
    require_choice("model 'tea'", "norm", options.get("norm", "bn"), ("bn",))
    net: VideoResNet = build(
        VideoResNet, backbone, num_classes=num_classes, frames=frames, dropout=dropout, options=options
    )
    require_bottlenecks("tea", backbone, net)
    for _, stage in net.stages():
        for index, block in enumerate(stage):
            stage[index] = AggregationBlock(block, frames)
            initialize_convolutions(stage[index])
    return net


class MotionExcitation(nn.Module):
    """`x + x * a`, a in (-1/2, 1/2) a frame and channel: from the next frame's squeezed map minus this one's."""

    def __init__(self, channels: int, frames: int) -> None:
        super().__init__()
        self.frames, width = frames, channels // REDUCTION
        self.conv1 = nn.Conv2d(channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False)
        self.conv3 = nn.Conv2d(width, channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N*T, C, H, W) -> the same."""
        here = self.bn1(self.conv1(x))
        clips, moved = (v.unflatten(0, (-1, self.frames)) for v in (here, self.conv2(here)))
        difference = pad(moved[:, 1:] - clips[:, :-1], (0, 0, 0, 0, 0, 0, 0, 1)).flatten(0, 1)
        gate = self.bn3(self.conv3(difference.mean((2, 3), keepdim=True))).sigmoid() - 0.5
        return torch.addcmul(x, x, gate)


class AggregationBlock(nn.Module):
    """A residual block with ME and MTA, of the widths and stride of the bottleneck `block`, whose shortcut it keeps."""

    def __init__(self, block: Any, frames: int) -> None:
        super().__init__()
        width = block.conv2.out_channels * BASE_WIDTH // PLANES
        out, stride = block.conv3.out_channels, block.conv2.stride
        self.first = block.downsample is not None
        self.conv1 = nn.Conv2d(block.conv1.in_channels, PARTS * width, 1, bias=False)
        self.bn1, self.act1 = nn.BatchNorm2d(PARTS * width), nn.ReLU(inplace=True)
        self.me = MotionExcitation(PARTS * width, frames)
        self.shifts = nn.ModuleList(LearnableShift(width, frames, None) for _ in range(PARTS - 1))
        self.shifts.append(LearnableShift(width, frames, 2))
        self.convs = nn.ModuleList(nn.Conv2d(width, width, 3, stride, 1, bias=False) for _ in range(PARTS - 1))
        self.bns = nn.ModuleList(nn.BatchNorm2d(width) for _ in range(PARTS - 1))
        self.act2 = nn.ReLU(inplace=True)
        self.pool = nn.AvgPool2d(3, stride, 1) if self.first else nn.Identity()
        self.conv3 = nn.Conv2d(PARTS * width, out, 1, bias=False)
        self.bn3, self.act3 = nn.BatchNorm2d(out), nn.ReLU(inplace=True)
        self.downsample: nn.Module | None = block.downsample

    def forward(self, x: Tensor) -> Tensor:
        """Residual block of (N*T, C, H, W)."""
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.aggregate(self.me(self.act1(self.bn1(self.conv1(x)))))
        x = self.bn3(self.conv3(x))
        x += shortcut
        return self.act3(x)

    def aggregate(self, x: Tensor) -> Tensor:
        """MTA: (N*T, 4w, H, W) -> (N*T, 4w, H / stride, W / stride)."""
        parts = x.chunk(PARTS, dim=1)
        out: list[Tensor] = []
        for part, shift, conv, norm in zip(parts, self.shifts, self.convs, self.bns, strict=False):
            joined = part if self.first or not out else out[-1] + part
            out.append(self.act2(norm(conv(shift(joined)))))
        return torch.cat([*out, self.pool(self.shifts[-1](parts[-1]))], dim=1)
