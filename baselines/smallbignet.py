"""SmallBigNet (Li et al., CVPR 2020, arXiv 2006.14582): each convolution of a bottleneck also reads a larger view.

Authors' code: xhl-video/SmallBigNet@9e6d9ea:models/SmallBig.py, models/blocks.py. Tensors: N clips, T frames; frames
folded into the batch, (N*T, C, H, W). A convolution and its own normalization see the input (small view); the same
convolution and another normalization see its maximum over 3x3x3 neighbours (big view); both are added. The big view of
the last convolution is the maximum over all frames and 3x3 pixels, one map a clip. The normalizations of the big views
start at zero, so that the network starts as a ResNet.

Known differences
1. The authors' convolutions are 3D ones of length 1 in time: 2D convolutions over folded frames are equal. A maximum
   over 3x3x3 values is one over 3x3 pixels, then one over three frames; equal but for gradients where values tie.
2. The authors' network has no dropout; here it is given (0 turns it off), on the features of the clip.
3. Stages 2 to 4 have big views, as in the authors' code. With them in all four (`stages`), the network counts 55.8
   GMACs at 224x224, against 52.0, 62.7 with `extra`, and 57 printed in DNR's Table 6; no form was found that gives 57.
4. A clip must have the number of frames that the network was made for: the authors' last pool has that length too.
5. DNR's layers replace the normalizations of the small view alone.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d

from baselines.options import require_choice
from baselines.resnet import STAGES, OpenBottleneck
from baselines.video import VideoResNet, build, require_bottlenecks

REDUCTION = 4


def smallbignet(
    backbone: str,
    *,
    num_classes: int,
    frames: int,
    dropout: float = 0.0,
    extra: bool = False,
    stages: tuple[int, ...] = (2, 3, 4),
    **options: Any,
) -> VideoResNet:
    """SmallBigNet on a backbone of bottlenecks.

    Options: `extra`, the variant whose blocks first add their input gated by its maximum; `stages` with big views;
    `head` (`clip`, `frame`), and the backbone's.
    """
    owner = "model 'smallbignet'"
    require_choice(owner, "extra", extra, (False, True))
    require_choice(owner, "norm", options.get("norm", "bn"), ("bn",))
    if not isinstance(stages, list | tuple):
        raise ValueError(f"{owner}: stages {stages!r} is not possible; allowed: several of 1 to {len(STAGES)}")
    for number in stages:
        require_choice(owner, "stages", number, range(1, len(STAGES) + 1))
    net: VideoResNet = build(
        VideoResNet,
        backbone,
        num_classes=num_classes,
        frames=frames,
        dropout=dropout,
        options={"head": "clip", **options},
    )
    require_bottlenecks("smallbignet", backbone, net)
    net.fc.reset_parameters()
    for name, stage in net.stages():
        if STAGES.index(name) + 1 in stages:
            for index, block in enumerate(stage):
                stage[index] = SmallBigBottleneck(block, frames, extra)
    return net


def neighbourhood_maximum(x: Tensor, frames: int) -> Tensor:
    """Maximum over 3x3 pixels of the frame before, the frame and the one after: (N*T, C, H, W), shape unchanged."""
    pooled = max_pool2d(x, 3, stride=1, padding=1).unflatten(0, (-1, frames))
    before = torch.cat([pooled[:, :1], pooled[:, :-1]], dim=1)
    after = torch.cat([pooled[:, 1:], pooled[:, -1:]], dim=1)
    return torch.maximum(torch.maximum(pooled, before), after).flatten(0, 1)


class SmallBigBottleneck(OpenBottleneck):
    """A bottleneck with two views at each convolution. It takes over the parts of `block`."""

    def __init__(self, block: nn.Module, frames: int, extra: bool) -> None:
        super().__init__(block)
        self.frames = frames
        for index, norm in enumerate((self.bn1, self.bn2, self.bn3), 1):
            self.add_module(f"big_bn{index}", _zero_norm(norm.weight.numel()))  # type: ignore[operator, union-attr]
        channels: int = self.conv1.in_channels  # type: ignore[assignment]
        self.context = Context(channels, frames) if extra else None

    def forward(self, x: Tensor) -> Tensor:
        """Residual block of (N*T, C, H, W)."""
        if self.context is not None:
            x = x + self.context(x)
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.act1(self.bn1(self.conv1(x)) + self._big(1, neighbourhood_maximum(x, self.frames)))
        x = self.act2(self.bn2(self.conv2(x)) + self._big(2, neighbourhood_maximum(x, self.frames)))
        of_clip = max_pool2d(x, 3, stride=1, padding=1).unflatten(0, (-1, self.frames)).amax(1)
        y = self.bn3(self.conv3(x)).unflatten(0, (-1, self.frames)) + self._big(3, of_clip)[:, None]
        return self.act3(y.flatten(0, 1) + shortcut)

    def _big(self, index: int, view: Tensor) -> Tensor:
        """The convolution of that number and its big view's normalization."""
        return self.get_submodule(f"big_bn{index}")(self.get_submodule(f"conv{index}")(view))


class Context(nn.Module):
    """What `extra` adds: half of a bottleneck, gated by the same half on the clip's maximum. Zero at the start."""

    def __init__(self, channels: int, frames: int) -> None:
        super().__init__()
        self.frames = frames
        self.reduce = nn.Conv2d(channels, channels // REDUCTION, 1, bias=False)
        self.expand = nn.Conv2d(channels // REDUCTION, channels, 1, bias=False)
        self.bn = _zero_norm(channels)
        for conv in (self.reduce, self.expand):
            nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """(N*T, C, H, W) -> the same shape."""
        strongest = x.unflatten(0, (-1, self.frames)).amax((1, 3, 4), keepdim=True).flatten(0, 1)  # (N, C, 1, 1)
        gate = self.reduce(strongest).sigmoid()
        y = self.reduce(x).unflatten(0, (-1, self.frames)) * gate[:, None]
        return self.bn(self.expand(y.flatten(0, 1)))


def _zero_norm(channels: int) -> nn.BatchNorm2d:
    norm = nn.BatchNorm2d(channels)
    nn.init.zeros_(norm.weight)
    return norm
