"""X3D-S, -M, -L, -XL (Feichtenhofer, X3D: Expanding Architectures, CVPR 2020, arXiv 2004.04730).

Code studied: facebookresearch/SlowFast@287ec00:video_model_builder.py (X3D) and configs/Kinetics/X3D_*.yaml;
open-mmlab/mmaction2@4d6c934:mmaction/models/backbones/x3d.py. Tensors: N clips, T frames; maps (N, C, T, H, W). No
stride in time. Published for S 13 frames of 160 (test 182), M 16 of 224 (256), L and XL 16 of 312 (356).

Stem: 1x3x3 of stride 2 (`conv1_s`), depthwise 5x1x1 (`conv1`), `bn1`, ReLU. Blocks: 1x1x1 to 2.25 times the width,
depthwise 3x3x3, squeeze and excitation in every second block, Swish, 1x1x1. Head: `conv5`, `bn5`, ReLU, average,
`fc1` to 2048, ReLU, dropout, `fc`.

Known differences
1. No public configuration of XL exists: PySlowFast's X3D_L with width factor 2.9 and channels rounded to multiples of 8
   (32, 72, 136, 280) gives the 48.4 GMACs at 356 and 11.0 M parameters (without normalizations) that the paper prints;
   its own rounding (to 1) does not.
2. PySlowFast averages over windows of the training crop, we over the whole map.
3. The last normalization of a block starts at one (PySlowFast: zero).
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn.functional import relu, silu

from baselines.options import require_choice
from baselines.squeeze_excitation import SqueezeExcitation
from baselines.volume import Sizes, VolumeNetwork, conv3d, initialize_volumes, read_options

#: name -> channels of the stem, of the four stages; blocks of the four stages
SHAPES: dict[str, tuple[int, tuple[int, ...], tuple[int, ...]]] = {
    "x3d_s": (24, (24, 48, 96, 192), (3, 5, 11, 7)),
    "x3d_m": (24, (24, 48, 96, 192), (3, 5, 11, 7)),
    "x3d_l": (24, (24, 48, 96, 192), (5, 10, 25, 15)),
    "x3d_xl": (32, (32, 72, 136, 280), (5, 10, 25, 15)),
}
BOTTLENECK = 2.25
HEAD = 2048
SQUEEZE = 16


def squeezed_channels(channels: int) -> int:
    """A sixteenth, rounded to a multiple of 8, not below 8 nor below nine tenths of it."""
    wished = channels / SQUEEZE
    rounded = max(8, int(wished + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * wished else rounded


class X3DBlock(nn.Module):
    """Inverted bottleneck with a depthwise 3x3x3 in the middle."""

    downsample: nn.Module | None
    se: nn.Module | None

    def __init__(self, channels: int, width: int, *, stride: int, squeeze: bool) -> None:
        super().__init__()
        inner = int(BOTTLENECK * width)
        strides = (1, stride, stride)
        self.conv1 = conv3d(channels, inner)
        self.bn1 = nn.BatchNorm3d(inner)
        self.conv2 = conv3d(inner, inner, (3, 3, 3), strides, groups=inner)
        self.bn2 = nn.BatchNorm3d(inner)
        self.se = SqueezeExcitation(inner, squeezed_channels(inner)) if squeeze else None
        self.conv3 = conv3d(inner, width)
        self.bn3 = nn.BatchNorm3d(width)
        self.downsample = None
        if stride != 1 or channels != width:
            self.downsample = nn.Sequential(conv3d(channels, width, stride=strides), nn.BatchNorm3d(width))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, H, W) -> (N, width, T, H / stride, W / stride)."""
        y = relu(self.bn1(self.conv1(x)), inplace=True)
        y = self.bn2(self.conv2(y))
        y = silu(y if self.se is None else self.se(y), inplace=True)
        y = self.bn3(self.conv3(y))
        return relu(y + (x if self.downsample is None else self.downsample(x)), inplace=True)


class X3D(VolumeNetwork):
    """`(N, T, 3, H, W) -> (N, K)`."""

    def __init__(self, name: str, *, num_classes: int, frames: int, dropout: float) -> None:
        super().__init__(HEAD, num_classes=num_classes, frames=frames, dropout=dropout)
        channels, widths, blocks = SHAPES[name]
        self.conv1_s = conv3d(3, channels, (1, 3, 3), (1, 2, 2))
        self.conv1 = conv3d(channels, channels, (5, 1, 1), groups=channels)
        self.bn1 = nn.BatchNorm3d(channels)
        for index, (width, count) in enumerate(zip(widths, blocks, strict=True)):
            stage = nn.Sequential()
            for block in range(count):
                stage.append(X3DBlock(channels, width, stride=2 if block == 0 else 1, squeeze=block % 2 == 0))
                channels = width
            self.add_module(f"layer{index + 1}", stage)
        inner = int(BOTTLENECK * channels)
        self.conv5 = conv3d(channels, inner)
        self.bn5 = nn.BatchNorm3d(inner)
        self.fc1 = nn.Linear(inner, HEAD, bias=False)
        initialize_volumes(self)

    def features(self, x: Tensor) -> Tensor:
        """(N, 3, T, H, W) -> (N, 2048)."""
        x = relu(self.bn1(self.conv1(self.conv1_s(x))), inplace=True)
        for name in ("layer1", "layer2", "layer3", "layer4"):
            x = self.get_submodule(name)(x)
        x = relu(self.bn5(self.conv5(x)), inplace=True).mean((2, 3, 4))
        return relu(self.fc1(x), inplace=True)


def x3d(backbone: str, *, num_classes: int, frames: int, dropout: float = 0.5, **options: Any) -> VolumeNetwork:
    """The X3D that `backbone` names: x3d_s, x3d_m, x3d_l, x3d_xl."""
    require_choice("an X3D", "backbone", backbone, SHAPES)
    read_options(backbone, options, {})
    sizes: Sizes = {"num_classes": num_classes, "frames": frames, "dropout": dropout}
    return X3D(backbone, **sizes)
