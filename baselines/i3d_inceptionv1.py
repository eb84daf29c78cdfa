"""I3D on Inception-V1 (Carreira and Zisserman, Quo Vadis, Action Recognition?, CVPR 2017, arXiv 1705.07750).

Code studied: piergiaj/pytorch-i3d@05783d1:pytorch_i3d.py (weights converted from the authors' TensorFlow). Tensors:
N clips, T frames (64 in the paper); maps (N, C, T, H, W). Input RGB in -1..1. Every kernel and pooling is padded with
zeros as TensorFlow's SAME does: by what its input size asks for, the smaller half in front.

Known differences
1. The public head takes windows of 2x7x7 and keeps an axis of time in its scores, which users average; we take the
   whole map (the same at 224; at 256 the public code fails to reduce it) and average.
2. The public code hands the dropout's keep probability on as its drop probability; at one half they are the same.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn.functional import max_pool3d, pad, relu

from baselines.inception3d import FEATURES, SECOND, STEM, PairsInTime, add_mixed, run_mixed
from baselines.options import require_choice
from baselines.volume import Sizes, VolumeNetwork, initialize_volumes, read_options

EPS, MOMENTUM = 1e-3, 0.01
Triple = tuple[int, int, int]


class SamePad(nn.Module):
    """The zeros around a volume that make the output of a window ceil(size / stride) long.

    A module, since they depend on the size: tracing for the fastest form passes it over as one call.
    """

    def __init__(self, kernel: Triple, stride: Triple) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, H, W) with its zeros."""
        amounts: list[int] = []
        for size, width, step in zip(reversed(x.shape[2:]), reversed(self.kernel), reversed(self.stride), strict=True):
            total = max(width - (size % step or step), 0)
            amounts += [total // 2, total - total // 2]
        return pad(x, amounts)


class SameConvNorm3d(nn.Module):
    """Padded convolution, normalization, ReLU."""

    def __init__(self, channels: int, out: int, kernel: int = 1, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv3d(channels, out, kernel, stride, bias=False)
        self.bn = nn.BatchNorm3d(out, eps=EPS, momentum=MOMENTUM)
        self.pad = SamePad((kernel,) * 3, (stride,) * 3)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, H, W) -> (N, out, T / stride, H / stride, W / stride), rounded up."""
        return relu(self.bn(self.conv(self.pad(x))), inplace=True)


class SameMaxPool3d(nn.Module):
    """Padded pooling by the maximum."""

    def __init__(self, kernel: Triple, stride: Triple) -> None:
        super().__init__()
        self.pad = SamePad(kernel, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, H, W) -> each size divided by its stride, rounded up."""
        return max_pool3d(self.pad(x), self.pad.kernel, self.pad.stride)


class InceptionI3D(VolumeNetwork):
    """`(N, T, 3, H, W) -> (N, K)`."""

    def __init__(self, *, num_classes: int, frames: int, dropout: float) -> None:
        super().__init__(FEATURES, num_classes=num_classes, frames=frames, dropout=dropout)
        self.conv1 = SameConvNorm3d(3, STEM, 7, 2)
        self.conv2 = SameConvNorm3d(STEM, STEM)
        self.conv3 = SameConvNorm3d(STEM, SECOND, 3)
        add_mixed(self, SameConvNorm3d, _wide, lambda: SameMaxPool3d((3, 3, 3), (1, 1, 1)))
        self.spatial_pool = SameMaxPool3d((1, 3, 3), (1, 2, 2))
        self.pool4 = SameMaxPool3d((3, 3, 3), (2, 2, 2))
        self.pool5 = SameMaxPool3d((2, 2, 2), (2, 2, 2))
        self.pairs = PairsInTime()
        initialize_volumes(self)

    def features(self, x: Tensor) -> Tensor:
        """(N, 3, T, H, W) -> (N, T / 8 - 1, 1024)."""
        x = self.spatial_pool(self.conv1(x))
        x = self.spatial_pool(self.conv3(self.conv2(x)))
        x = self.pool4(run_mixed(self, x, "3"))
        x = self.pool5(run_mixed(self, x, "4"))
        return self.pairs(run_mixed(self, x, "5"))


def _wide(channels: int, out: int) -> nn.Module:
    return SameConvNorm3d(channels, out, 3)


def i3d_inceptionv1(
    backbone: str, *, num_classes: int, frames: int, dropout: float = 0.5, **options: Any
) -> VolumeNetwork:
    """I3D on Inception-V1; it has no options."""
    require_choice("model 'i3d_inceptionv1'", "backbone", backbone, ("inceptionv1",))
    read_options("i3d_inceptionv1", options, {})
    sizes: Sizes = {"num_classes": num_classes, "frames": frames, "dropout": dropout}
    return InceptionI3D(**sizes)
