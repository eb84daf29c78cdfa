"""CorrNet-101 (Wang et al., Video Modeling with Correlation Networks, CVPR 2020, arXiv 1906.03349).

Code studied: tefantasy/CorrNet@e533ef7:corr_net/models/correlation_net, a third party's; the authors published none.
Tensors: N clips, T frames; maps (N, C, T, H, W). R(2+1)D bottlenecks; once or twice a stage a correlation block stands
in place of one. It compares each frame with the one before (the first with itself): for 7x7 shifts, two apart, and 32
groups of channels, the mean over the group of weight x earlier x shifted. The weights are one plane a frame, so the
state dict depends on the clip's length.

Known differences
1. The paper prints 224 GMACs for 32 frames; this code has 371.6 at 224 (249.4 if the (2+1)D kernels kept their width in
   the middle). Neither is the paper's: call it CorrNet-like.
2. Multiplications of the correlation, 1.1 G at that size, are no convolution and no counter sees them.
3. The code has no dropout; ours stands before the classifier (0 turns it off).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, relu

from baselines.options import require_choice
from baselines.r2plus1d import FactorizedConv3d
from baselines.volume import Sizes, VolumeNetwork, conv3d, initialize_volumes, read_options

EXPANSION = 4
STEM = 32
WIDTHS = (64, 128, 256, 512)
STRIDES = ((1, 2, 2), (1, 2, 2), (2, 2, 2), (2, 2, 2))
#: blocks of a stage, correlation blocks among them; which of them these are
BLOCKS: tuple[tuple[int, tuple[int, ...]], ...] = ((4, (3,)), (5, (4,)), (25, (12, 24)), (3, ()))
KERNEL, DILATION, GROUPS = 7, 2, 32


class CorrelationBlock(nn.Module):
    """C to C/4 channels, correlation, back to C, added."""

    def __init__(self, channels: int, frames: int) -> None:
        super().__init__()
        inner = channels // 4
        self.conv1, self.bn1 = conv3d(channels, inner), nn.BatchNorm3d(inner)
        self.correlation = Correlation(inner, frames)
        self.conv2, self.bn2 = conv3d(GROUPS * KERNEL**2, channels), nn.BatchNorm3d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, H, W) -> the same."""
        y = self.correlation(relu(self.bn1(self.conv1(x)), inplace=True))
        return relu(x + self.bn2(self.conv2(y)), inplace=True)


class Correlation(nn.Module):
    """(N, C, T, H, W) -> (N, 49 * 32, T, H, W): shift first (rows, then columns), then group."""

    def __init__(self, channels: int, frames: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels, frames, KERNEL, KERNEL))
        nn.init.kaiming_normal_(self.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """Responses of each frame with the one before."""
        height, width = x.shape[-2:]
        earlier = torch.cat((x[:, :, :1], x[:, :, :-1]), dim=2)
        reach = (KERNEL - 1) * DILATION // 2
        now = pad(x, (reach,) * 4)
        responses = []
        for row in range(KERNEL):
            for column in range(KERNEL):
                top, left = row * DILATION, column * DILATION
                shifted = now[..., top : top + height, left : left + width]
                product = self.weight[:, :, row, column, None, None] * earlier * shifted
                responses.append(product.unflatten(1, (GROUPS, -1)).mean(2))
        return torch.cat(responses, dim=1)


class FactorizedBottleneck(nn.Module):
    """1x1x1, (2+1)D 3x3x3 with biases, 1x1x1."""

    downsample: nn.Module | None

    def __init__(self, channels: int, width: int, stride: tuple[int, int, int] = (1, 1, 1)) -> None:
        super().__init__()
        out = width * EXPANSION
        self.conv1, self.bn1 = conv3d(channels, width), nn.BatchNorm3d(width)
        self.conv2 = FactorizedConv3d(width, width, (3, 3, 3), stride, bias=True)
        self.bn2 = nn.BatchNorm3d(width)
        self.conv3, self.bn3 = conv3d(width, out), nn.BatchNorm3d(out)
        self.downsample = None
        if max(stride) > 1:
            self.downsample = nn.Sequential(conv3d(channels, out, stride=stride), nn.BatchNorm3d(out))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, H, W) -> (N, 4 width, T', H', W')."""
        y = relu(self.bn1(self.conv1(x)), inplace=True)
        y = relu(self.bn2(self.conv2(y)), inplace=True)
        y = self.bn3(self.conv3(y))
        return relu(y + (x if self.downsample is None else self.downsample(x)), inplace=True)


class CorrNet(VolumeNetwork):
    """`(N, T, 3, H, W) -> (N, K)`."""

    def __init__(self, *, num_classes: int, frames: int, dropout: float) -> None:
        super().__init__(
            WIDTHS[-1] * EXPANSION, num_classes=num_classes, frames=frames, dropout=dropout, frames_multiple_of=4
        )
        self.conv1, self.bn1 = conv3d(3, STEM, (1, 7, 7), (1, 2, 2), bias=True), nn.BatchNorm3d(STEM)
        channels, length = STEM, frames
        for index, (width, stride, (count, places)) in enumerate(zip(WIDTHS, STRIDES, BLOCKS, strict=True)):
            length //= stride[0]
            stage = nn.Sequential(FactorizedBottleneck(channels, width, stride))
            channels = width * EXPANSION
            for block in range(1, count):
                compares = block in places
                stage.append(CorrelationBlock(channels, length) if compares else FactorizedBottleneck(channels, width))
            self.add_module(f"layer{index + 1}", stage)
        initialize_volumes(self)

    def features(self, x: Tensor) -> Tensor:
        """(N, 3, T, H, W) -> (N, 2048)."""
        x = relu(self.bn1(self.conv1(x)), inplace=True)
        for name in ("layer1", "layer2", "layer3", "layer4"):
            x = self.get_submodule(name)(x)
        return x.mean((2, 3, 4))


def corrnet101(backbone: str, *, num_classes: int, frames: int, dropout: float = 0.5, **options: Any) -> VolumeNetwork:
    """CorrNet-101; it has no options."""
    require_choice("model 'corrnet101'", "backbone", backbone, ("corrnet101",))
    read_options("corrnet101", options, {})
    sizes: Sizes = {"num_classes": num_classes, "frames": frames, "dropout": dropout}
    return CorrNet(**sizes)
