"""Residual blocks over volumes, which SlowFast and I3D share: conv1, bn1, conv2, bn2, conv3, bn3, downsample.{0,1}.

He et al., Deep Residual Learning for Image Recognition, CVPR 2016, with time in the first convolution of a bottleneck
(T x 1 x 1) or in both of a basic block (T x 3 x 3). Code studied: facebookresearch/SlowFast@287ec00 (resnet_helper.py),
open-mmlab/mmaction2@4d6c934 (resnet3d.py). Tensors: (N, C, T, H, W). Space is strided on the 3x3 kernel of a stage's
first block, time nowhere.

Known differences
1. A non-local block stands inside the residual block, after its last ReLU, as in mmaction2; PySlowFast keeps it beside
   the blocks. The two compute the same.
2. The last normalization of a block starts at one (PySlowFast: zero, by ZERO_INIT_FINAL_BN in its configurations).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn
from torch.nn.functional import relu

from baselines.nonlocal_block import NonLocal, NonLocalForm
from baselines.volume import conv3d

#: blocks of each stage; `tiny_resnet` is nobody's, three small stages for clips of 32x32
BLOCKS = {
    "resnet18": (2, 2, 2, 2),
    "resnet34": (3, 4, 6, 3),
    "resnet50": (3, 4, 6, 3),
    "resnet101": (3, 4, 23, 3),
    "tiny_resnet": (2, 2, 2),
}
BASIC = ("resnet18", "resnet34", "tiny_resnet")


class Bottleneck3d(nn.Module):
    """T x 1 x 1, 1 x 3 x 3, 1 x 1 x 1, each normalized; four times `width` channels out."""

    expansion = 4
    non_local: nn.Module | None
    downsample: nn.Module | None

    def __init__(self, channels: int, width: int, *, kernel: int, stride: int, non_local: NonLocalForm | None) -> None:
        super().__init__()
        out = width * self.expansion
        self.conv1 = conv3d(channels, width, (kernel, 1, 1))
        self.bn1 = nn.BatchNorm3d(width)
        self.conv2 = conv3d(width, width, (1, 3, 3), (1, stride, stride))
        self.bn2 = nn.BatchNorm3d(width)
        self.conv3 = conv3d(width, out)
        self.bn3 = nn.BatchNorm3d(out)
        self.downsample = _shortcut(channels, out, stride)
        self.non_local = NonLocal(out, non_local) if non_local else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, H, W) -> (N, 4 width, T, H / stride, W / stride)."""
        y = relu(self.bn1(self.conv1(x)), inplace=True)
        y = relu(self.bn2(self.conv2(y)), inplace=True)
        y = self.bn3(self.conv3(y))
        y = relu(y + (x if self.downsample is None else self.downsample(x)), inplace=True)
        return y if self.non_local is None else self.non_local(y)


class BasicBlock3d(nn.Module):
    """Two T x 3 x 3 convolutions, each normalized."""

    expansion = 1
    downsample: nn.Module | None

    def __init__(self, channels: int, width: int, *, kernel: int, stride: int, non_local: NonLocalForm | None) -> None:
        super().__init__()
        if non_local is not None:
            raise ValueError("a basic block carries no non-local block; allowed: resnet50, resnet101")
        self.conv1 = conv3d(channels, width, (kernel, 3, 3), (1, stride, stride))
        self.bn1 = nn.BatchNorm3d(width)
        self.conv2 = conv3d(width, width, (kernel, 3, 3))
        self.bn2 = nn.BatchNorm3d(width)
        self.downsample = _shortcut(channels, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, H, W) -> (N, width, T, H / stride, W / stride)."""
        y = relu(self.bn1(self.conv1(x)), inplace=True)
        y = self.bn2(self.conv2(y))
        return relu(y + (x if self.downsample is None else self.downsample(x)), inplace=True)


def _shortcut(channels: int, out: int, stride: int) -> nn.Module | None:
    if channels == out and stride == 1:
        return None
    return nn.Sequential(conv3d(channels, out, (1, 1, 1), (1, stride, stride)), nn.BatchNorm3d(out))


def block_of(backbone: str) -> type[Bottleneck3d] | type[BasicBlock3d]:
    """The block that this depth of ResNet is made of."""
    return BasicBlock3d if backbone in BASIC else Bottleneck3d


def stage(
    block: type[Bottleneck3d] | type[BasicBlock3d],
    channels: int,
    width: int,
    kernels: Sequence[int],
    stride: int,
    non_local: Mapping[int, NonLocalForm] | None = None,
) -> nn.Sequential:
    """Blocks of one width; `kernels` has the temporal kernel of each, `non_local` the blocks that carry one."""
    after = non_local or {}
    blocks: list[nn.Module] = []
    for index, kernel in enumerate(kernels):
        where = {"kernel": kernel, "stride": stride if index == 0 else 1}
        blocks.append(block(channels, width, **where, non_local=after.get(index)))
        channels = width * block.expansion
    return nn.Sequential(*blocks)
