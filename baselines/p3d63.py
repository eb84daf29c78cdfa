"""P3D-63, "ResNet-50" of the Pseudo-3D networks (Qiu et al., ICCV 2017, arXiv 1711.10305).

Code studied: qijiezhao/pseudo-3d-pytorch@09bba23:p3d_model.py. Tensors: N clips, 16 frames (of 160 x 160 in the paper);
maps (N, C, T, H, W), in the last stage (N, C, H, W). The 3x3x3 kernel of a bottleneck is S, 1x3x3, and T, 3x1x1, each
normalized and rectified, in three ways that follow one another over the blocks: A: T(S(x)); B: S(x) + T(x);
C: S(x) + T(S(x)). Time is halved by every pooling and is 1 in the last stage, which is 2D.

Known differences
1. Strides sit on the first 1x1x1 of a stage, as in the public code and in Caffe's ResNet.
2. The public code averages windows of 5x5, which is the whole map at 160; we average the whole map. With more than 16
   frames it would mix clips and time; we refuse.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn.functional import relu

from baselines.options import require_choice
from baselines.volume import Sizes, VolumeNetwork, conv3d, initialize_volumes, read_options

FRAMES = 16
EXPANSION = 4
BLOCKS = (3, 4, 6, 3)
WIDTHS = (64, 128, 256, 512)
WAYS = "ABC"


class PseudoBlock(nn.Module):
    """Bottleneck with conv1, conv2 (S), conv3 (T), conv4 and bn1 to bn4."""

    downsample: nn.Module | None

    def __init__(self, channels: int, width: int, *, way: str, stride: int) -> None:
        super().__init__()
        out, strides = width * EXPANSION, (1, stride, stride)
        self.way = way
        self.conv1, self.bn1 = conv3d(channels, width, stride=strides), nn.BatchNorm3d(width)
        self.conv2, self.bn2 = conv3d(width, width, (1, 3, 3)), nn.BatchNorm3d(width)
        self.conv3, self.bn3 = conv3d(width, width, (3, 1, 1)), nn.BatchNorm3d(width)
        self.conv4, self.bn4 = conv3d(width, out), nn.BatchNorm3d(out)
        self.downsample = None
        if channels != out:
            self.downsample = nn.Sequential(conv3d(channels, out, stride=strides), nn.BatchNorm3d(out))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, H, W) -> (N, 4 width, T, H / stride, W / stride)."""
        y = relu(self.bn1(self.conv1(x)), inplace=True)
        space = relu(self.bn2(self.conv2(y)), inplace=True)
        time = relu(self.bn3(self.conv3(y if self.way == "B" else space)), inplace=True)
        y = self.bn4(self.conv4(time if self.way == "A" else space + time))
        return relu(y + (x if self.downsample is None else self.downsample(x)), inplace=True)


class FlatBlock(nn.Module):
    """2D bottleneck of the last stage, strided on its first convolution."""

    downsample: nn.Module | None

    def __init__(self, channels: int, width: int, *, stride: int) -> None:
        super().__init__()
        out = width * EXPANSION
        self.conv1, self.bn1 = nn.Conv2d(channels, width, 1, stride, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, out, 1, bias=False), nn.BatchNorm2d(out)
        self.downsample = None
        if channels != out:
            self.downsample = nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, 4 width, H / stride, W / stride)."""
        y = relu(self.bn1(self.conv1(x)), inplace=True)
        y = relu(self.bn2(self.conv2(y)), inplace=True)
        y = self.bn3(self.conv3(y))
        return relu(y + (x if self.downsample is None else self.downsample(x)), inplace=True)


class P3D63(VolumeNetwork):
    """`(N, 16, 3, H, W) -> (N, K)`."""

    layer4: nn.Module

    def __init__(self, *, num_classes: int, frames: int, dropout: float) -> None:
        super().__init__(WIDTHS[-1] * EXPANSION, num_classes=num_classes, frames=frames, dropout=dropout)
        require_choice("model 'p3d63'", "frames", frames, (FRAMES,))
        self.conv1, self.bn1 = conv3d(3, WIDTHS[0], (1, 7, 7), (1, 2, 2)), nn.BatchNorm3d(WIDTHS[0])
        self.maxpool = nn.MaxPool3d((2, 3, 3), 2, (0, 1, 1))
        self.time_pool = nn.MaxPool3d((2, 1, 1))
        channels, before = WIDTHS[0], 0
        for index, (width, count) in enumerate(zip(WIDTHS, BLOCKS, strict=True)):
            stage = nn.Sequential()
            for block in range(count):
                stride = 2 if index and block == 0 else 1
                if index < 3:
                    way = WAYS[(before + block) % len(WAYS)]
                    stage.append(PseudoBlock(channels, width, way=way, stride=stride))
                else:
                    stage.append(FlatBlock(channels, width, stride=stride))
                channels = width * EXPANSION
            before += count
            self.add_module(f"layer{index + 1}", stage)
        initialize_volumes(self)

    def features(self, x: Tensor) -> Tensor:
        """(N, 3, 16, H, W) -> (N, 2048)."""
        x = self.maxpool(relu(self.bn1(self.conv1(x)), inplace=True))
        for name in ("layer1", "layer2", "layer3"):
            x = self.time_pool(self.get_submodule(name)(x))
        return self.layer4(x.squeeze(2)).mean((2, 3))


def p3d63(backbone: str, *, num_classes: int, frames: int, dropout: float = 0.5, **options: Any) -> VolumeNetwork:
    """P3D-63; it has no options."""
    require_choice("model 'p3d63'", "backbone", backbone, ("resnet50",))
    read_options("p3d63", options, {})
    sizes: Sizes = {"num_classes": num_classes, "frames": frames, "dropout": dropout}
    return P3D63(**sizes)
