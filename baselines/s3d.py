"""S3D and S3D-G (Xie et al., Rethinking Spatiotemporal Feature Learning, ECCV 2018, arXiv 1712.04851).

Code studied: kylemin/S3D@ecd3786:model.py (S3D), antoine77340/S3D_HowTo100M@b8cd0bb:s3dg.py (S3D-G), and the authors'
tensorflow/models research/slim/nets/s3dg.py@169dcbd, read only. Tensors: N clips, T frames (64 in the paper); maps
(N, C, T, H, W). Inception-V1 with kx3x3 kernels as 1x3x3 and 3x1x1, each normalized and rectified.

Networks
  s3d         stem 1x7x7 and 7x1x1, no gates; input RGB in -1..1.
  s3dg        stem 3x7x7, gates after the second convolutions and on each branch of each module; input RGB in 0..1.
  s3dg_s2d    s3dg whose stem reads 2x2x2 pixels as 24 channels through 2x4x4 kernels; T, H, W are even.

Known differences
1. The authors' gates have no bias; those of the public weights (HowTo100M), and ours, have one. The authors' eps is
   1e-3, the public S3D-G's 1e-5.
2. The authors' stem is never separated; the public S3D's is.
3. The heads differ: S3D averages windows of two frames, scores them and averages the scores, so that the two end frames
   count half; S3D-G averages over the whole volume.
4. None of the three has the 71.38 GMACs that are printed for S3D-G (64 frames of 224): 71.9, 64.2, 73.6 here.
5. The public codes have no dropout; ours stands before the classifier (0 turns it off).
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool3d, pad, relu

from baselines.inception3d import FEATURES, SECOND, STEM, ConvNorm3d, PairsInTime, add_mixed, run_mixed
from baselines.options import require_choice
from baselines.volume import Sizes, VolumeNetwork, conv3d, initialize_volumes, read_options

#: S3D's normalization; S3D-G has torch's defaults
EPS, MOMENTUM = 1e-3, 1e-3
Triple = tuple[int, int, int]


class SeparableConvNorm3d(nn.Module):
    """1 x k x k, normalized, ReLU, k x 1 x 1, normalized, ReLU; the same width after both."""

    def __init__(
        self, channels: int, out: int, kernel: int = 3, stride: int = 1, *, eps: float = 1e-5, momentum: float = 0.1
    ) -> None:
        super().__init__()
        self.conv_s = conv3d(channels, out, (1, kernel, kernel), (1, stride, stride))
        self.bn_s = nn.BatchNorm3d(out, eps=eps, momentum=momentum)
        self.conv_t = conv3d(out, out, (kernel, 1, 1), (stride, 1, 1))
        self.bn_t = nn.BatchNorm3d(out, eps=eps, momentum=momentum)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, H, W) -> (N, out, T / stride, H / stride, W / stride)."""
        x = relu(self.bn_s(self.conv_s(x)), inplace=True)
        return relu(self.bn_t(self.conv_t(x)), inplace=True)


class Gate(nn.Module):
    """Each channel scaled by the sigmoid of a linear map of the channels' averages over the volume."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc = nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, H, W), scaled."""
        return x * self.fc(x.mean((2, 3, 4))).sigmoid()[:, :, None, None, None]


class EndPaddedMaxPool3d(nn.Module):
    """Pooling by the maximum with zeros where kernel and stride differ, the smaller half in front; sizes round up."""

    def __init__(self, kernel: Triple, stride: Triple) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride
        self.amounts: list[int] = []
        for width, step in zip(reversed(kernel), reversed(stride), strict=True):
            self.amounts += [(width - step) // 2, (width - step + 1) // 2]

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, H, W) -> each size divided by its stride, rounded up."""
        return max_pool3d(pad(x, self.amounts), self.kernel, self.stride, ceil_mode=True)


class S3D(VolumeNetwork):
    """`(N, T, 3, H, W) -> (N, K)`, without gates."""

    def __init__(self, *, num_classes: int, frames: int, dropout: float) -> None:
        super().__init__(FEATURES, num_classes=num_classes, frames=frames, dropout=dropout)
        point = partial(ConvNorm3d, eps=EPS, momentum=MOMENTUM)
        wide = partial(SeparableConvNorm3d, eps=EPS, momentum=MOMENTUM)
        self.conv1 = wide(3, STEM, 7, 2)
        self.conv2 = point(STEM, STEM)
        self.conv3 = wide(STEM, SECOND)
        add_mixed(self, point, wide, _same_size_pool)
        self.spatial_pool = nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1))
        self.pool4 = nn.MaxPool3d(3, 2, 1)
        self.pool5 = nn.MaxPool3d(2)
        self.pairs = PairsInTime()
        initialize_volumes(self)

    def features(self, x: Tensor) -> Tensor:
        """(N, 3, T, H, W) -> (N, T / 8 - 1, 1024)."""
        x = self.spatial_pool(self.conv1(x))
        x = self.spatial_pool(self.conv3(self.conv2(x)))
        x = self.pool4(run_mixed(self, x, "3"))
        x = self.pool5(run_mixed(self, x, "4"))
        return self.pairs(run_mixed(self, x, "5"))


class S3DG(VolumeNetwork):
    """`(N, T, 3, H, W) -> (N, K)`, gated."""

    def __init__(self, space_to_depth: bool, *, num_classes: int, frames: int, dropout: float) -> None:
        multiple = 2 if space_to_depth else 1
        super().__init__(FEATURES, num_classes=num_classes, frames=frames, dropout=dropout, frames_multiple_of=multiple)
        self.space_to_depth = space_to_depth
        if space_to_depth:
            self.conv1 = ConvNorm3d(24, STEM, (2, 4, 4), 1, (1, 2, 2))
        else:
            self.conv1 = ConvNorm3d(3, STEM, (3, 7, 7), 2, (1, 3, 3))
        self.conv2 = ConvNorm3d(STEM, STEM)
        self.conv3 = SeparableConvNorm3d(STEM, SECOND)
        self.gate = Gate(SECOND)
        add_mixed(self, ConvNorm3d, SeparableConvNorm3d, _same_size_pool, Gate)
        self.spatial_pool = EndPaddedMaxPool3d((1, 3, 3), (1, 2, 2))
        self.pool4 = EndPaddedMaxPool3d((3, 3, 3), (2, 2, 2))
        self.pool5 = EndPaddedMaxPool3d((2, 2, 2), (2, 2, 2))
        initialize_volumes(self)

    def features(self, x: Tensor) -> Tensor:
        """(N, 3, T, H, W) -> (N, 1024)."""
        x = self.spatial_pool(self._stem(x))
        x = self.spatial_pool(self.gate(self.conv3(self.conv2(x))))
        x = self.pool4(run_mixed(self, x, "3"))
        x = self.pool5(run_mixed(self, x, "4"))
        return run_mixed(self, x, "5").mean((2, 3, 4))

    def _stem(self, x: Tensor) -> Tensor:
        if not self.space_to_depth:
            return self.conv1(x)
        # one place more than needed on each axis, the first of which stands for what is outside
        return self.conv1(pixels_to_channels(x))[:, :, 1:, 1:, 1:]


def pixels_to_channels(x: Tensor) -> Tensor:
    """(N, C, T, H, W) -> (N, 8 C, T / 2, H / 2, W / 2): place in the 2x2x2 cube first, then channel."""
    if not torch.jit.is_tracing() and any(size % 2 for size in x.shape[2:]):
        raise ValueError(
            f"input of {tuple(x.shape[2:])} frames, rows, columns does not split in two; allowed: even sizes"
        )
    x = x.unflatten(4, (-1, 2)).unflatten(3, (-1, 2)).unflatten(2, (-1, 2))  # N C T 2 H 2 W 2
    return torch.permute(x, (0, 3, 5, 7, 1, 2, 4, 6)).flatten(1, 4)


def _same_size_pool() -> nn.Module:
    return nn.MaxPool3d(3, 1, 1)


def _sizes(model: str, backbone: str, options: dict[str, Any], sizes: Sizes) -> Sizes:
    require_choice(f"model {model!r}", "backbone", backbone, ("inceptionv1",))
    read_options(model, options, {})
    return sizes


def s3d(backbone: str, *, num_classes: int, frames: int, dropout: float = 0.5, **options: Any) -> VolumeNetwork:
    """S3D without gates; it has no options."""
    return S3D(**_sizes("s3d", backbone, options, {"num_classes": num_classes, "frames": frames, "dropout": dropout}))


def s3dg(backbone: str, *, num_classes: int, frames: int, dropout: float = 0.5, **options: Any) -> VolumeNetwork:
    """S3D-G; it has no options."""
    sizes: Sizes = {"num_classes": num_classes, "frames": frames, "dropout": dropout}
    return S3DG(False, **_sizes("s3dg", backbone, options, sizes))


def s3dg_s2d(backbone: str, *, num_classes: int, frames: int, dropout: float = 0.5, **options: Any) -> VolumeNetwork:
    """S3D-G with the space-to-depth stem; it has no options."""
    sizes: Sizes = {"num_classes": num_classes, "frames": frames, "dropout": dropout}
    return S3DG(True, **_sizes("s3dg_s2d", backbone, options, sizes))
