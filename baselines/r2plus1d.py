"""R(2+1)D-34 (Tran et al., A Closer Look at Spatiotemporal Convolutions, CVPR 2018, arXiv 1711.11248).

Code studied: open-mmlab/mmaction2@4d6c934:mmaction/models/backbones/resnet2plus1d.py and _base_/models/r2plus1d_r34.py;
moabitcoin/ig65m-pytorch (the weights of facebookresearch/VMZ in torchvision's VideoResNet).
Tensors: N clips, T frames; maps (N, C, T, H, W). Each 3x3x3 kernel is a 1x3x3 and a 3x1x1 one with
M = floor(27 C C' / (9 C + 3 C')) channels between (equal parameters, section 3.5), normalized and rectified there.
Time is halved by the last three stages. On `tiny_resnet`, for 32x32 probes, three stages of two blocks, 16 to 64
channels.

Option
  form       mmaction2 (default, DNR's Table 5) or vmz (original; 152 GMACs for 32 frames of 112 x 112 in PSN's tables).

Known differences of the forms
1. Stem: mmaction2 83 channels between, then a pooling of stride 2; vmz 45 and no pooling, so its maps are twice as
   large and it is meant for 112 x 112.
2. Shortcuts: mmaction2 factorizes these 1x1x1 kernels too; vmz has plain ones.
3. Normalization: mmaction2 eps 1e-3 outside, 1e-5 inside the pairs, momentum 0.1; vmz eps 1e-3, momentum 0.9
   throughout.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn.functional import relu

from baselines.resnet3d import BLOCKS
from baselines.volume import Sizes, VolumeNetwork, conv3d, initialize_volumes, read_options

FORMS = ("mmaction2", "vmz")
WIDTHS = (64, 128, 256, 512)
STRIDES = (1, 2, 2, 2)
TINY_WIDTHS = (16, 32, 64)
_VMZ_STEM = 45


def middle_channels(channels: int, out: int, kernel: tuple[int, int, int]) -> int:
    """Channels between the two kernels: as many parameters as the whole kernel would have, for 3 frames."""
    time, area = 3, kernel[1] * kernel[2]
    return time * channels * out * area // (channels * area + time * out)


class FactorizedConv3d(nn.Module):
    """`conv_s` 1 x k x k, `bn_s`, ReLU, `conv_t` k x 1 x 1."""

    def __init__(
        self,
        channels: int,
        out: int,
        kernel: tuple[int, int, int],
        stride: int | tuple[int, int, int] = 1,
        *,
        middle: int | None = None,
        bias: bool = False,
    ) -> None:
        super().__init__()
        time, *space = (stride,) * 3 if isinstance(stride, int) else stride
        between = middle or middle_channels(channels, out, kernel)
        self.conv_s = conv3d(channels, between, (1, kernel[1], kernel[2]), (1, space[0], space[1]), bias=bias)
        self.bn_s = nn.BatchNorm3d(between)
        self.conv_t = conv3d(between, out, (kernel[0], 1, 1), (time, 1, 1), bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, H, W) -> (N, out, T', H', W'), not normalized."""
        return self.conv_t(relu(self.bn_s(self.conv_s(x)), inplace=True))


class FactorizedBlock(nn.Module):
    """Basic residual block of two factorized convolutions."""

    downsample: nn.Module | None

    def __init__(self, channels: int, width: int, stride: int, form: str) -> None:
        super().__init__()
        self.conv1 = FactorizedConv3d(channels, width, (3, 3, 3), stride)
        self.bn1 = nn.BatchNorm3d(width)
        self.conv2 = FactorizedConv3d(width, width, (3, 3, 3))
        self.bn2 = nn.BatchNorm3d(width)
        self.downsample = None
        if stride != 1 or channels != width:
            plain = conv3d(channels, width, stride=(stride, stride, stride))
            shortcut = plain if form == "vmz" else FactorizedConv3d(channels, width, (1, 1, 1), stride)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm3d(width))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, H, W) -> (N, width, T / stride, H / stride, W / stride)."""
        y = relu(self.bn1(self.conv1(x)), inplace=True)
        y = self.bn2(self.conv2(y))
        return relu(y + (x if self.downsample is None else self.downsample(x)), inplace=True)


class R2Plus1D(VolumeNetwork):
    """`(N, T, 3, H, W) -> (N, K)`."""

    layer1: nn.Module
    layer2: nn.Module
    layer3: nn.Module
    layer4: nn.Module

    def __init__(self, backbone: str, form: str, *, num_classes: int, frames: int, dropout: float) -> None:
        widths = TINY_WIDTHS if backbone == "tiny_resnet" else WIDTHS
        super().__init__(widths[-1], num_classes=num_classes, frames=frames, dropout=dropout)
        vmz = form == "vmz"
        self.conv1 = FactorizedConv3d(3, widths[0], (3, 7, 7), (1, 2, 2), middle=_VMZ_STEM if vmz else None)
        self.bn1 = nn.BatchNorm3d(widths[0])
        self.maxpool = nn.Identity() if vmz else nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1))
        channels = widths[0]
        for index, (width, blocks) in enumerate(zip(widths, BLOCKS[backbone], strict=True)):
            stride = STRIDES[index]
            first = FactorizedBlock(channels, width, stride, form)
            rest = (FactorizedBlock(width, width, 1, form) for _ in range(blocks - 1))
            self.add_module(f"layer{index + 1}", nn.Sequential(first, *rest))
            channels = width
        if len(widths) < len(STRIDES):
            self.layer4 = nn.Identity()
        _set_norms(self, form)
        initialize_volumes(self)

    def features(self, x: Tensor) -> Tensor:
        """(N, 3, T, H, W) -> (N, D)."""
        x = self.maxpool(relu(self.bn1(self.conv1(x)), inplace=True))
        return self.layer4(self.layer3(self.layer2(self.layer1(x)))).mean((2, 3, 4))


def _set_norms(net: nn.Module, form: str) -> None:
    for name, part in net.named_modules():
        if isinstance(part, nn.BatchNorm3d):
            inside = name.endswith("bn_s")
            part.eps = 1e-5 if form == "mmaction2" and inside else 1e-3
            part.momentum = 0.1 if form == "mmaction2" else 0.9


def r2plus1d(backbone: str, *, num_classes: int, frames: int, dropout: float = 0.5, **options: Any) -> VolumeNetwork:
    """R(2+1)D on the shape of a ResNet of basic blocks. Option: `form` (mmaction2, vmz)."""
    form = read_options("r2plus1d", options, {"form": FORMS}).get("form", FORMS[0])
    sizes: Sizes = {"num_classes": num_classes, "frames": frames, "dropout": dropout}
    return R2Plus1D(backbone, form, **sizes)
