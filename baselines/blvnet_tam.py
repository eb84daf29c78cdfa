"""bLVNet-TAM (Fan et al., More Is Less, NeurIPS 2019, arXiv 1912.00869): Big-Little ResNet with temporal aggregation.

Authors' code: IBM/bLVNet-TAM@feadcd3:core/models/blvnet_tam.py, blvnet_tam_backbone.py (alpha 2, beta 4).
Tensors: N clips, T frames in pairs; frames folded into the batch, (N*T, C, H, W). Of each pair the second frame goes
through a deep branch at half the resolution (big), the first one through a shallow, narrow branch (little); both are
added to one map, which replaces both frames. Before that, the module TAM mixes each frame with its two neighbours:
y[t] = ReLU(prev x[t-1] + curr x[t] + next x[t+1]), three weights a channel. The last stage works on one map a pair,
(N*T/2, C, H, W), and so does the classifier. "f24x2" in the paper is T = 48.

Known differences
1. TAM is one pass of `baselines/temporal.py`; the authors' three 1x1 depthwise convolutions are equal but for rounding.
2. DNR's Table 6 prints 93.4 GMACs for 48 frames; that is the cost at 256x256 (93.467, 400 classes), at 224x224 it is
   71.565.
3. ImageNet weights are those of Big-Little Net (IBM/BigLittleNet), which timm does not have: `pretrained="imagenet"`
   is an error.
4. `tiny_resnet` stands for a small form of our own, for the probes; it is nobody's.
5. DNR needs each frame to pass a normalization once, AdaFuse the blocks of a plain ResNet: both refuse this network.
   PSN goes behind the stem and stages 1 to 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from baselines.options import refuse_unknown, require_choice, require_count
from baselines.resnet import initialize_convolutions
from baselines.temporal import filter_over_time
from baselines.video import VideoResNet, split_options

LITTLE_WIDTH = 2
"""alpha: by how much the little branch is narrower."""
LITTLE_DEPTH = 4
"""beta: by how much it is shallower."""
_MID = 4
_STRIDES = (2, 2, 1)


@dataclass(frozen=True)
class Shape:
    """Sizes of a network: channels of the stem, of the four stages, and blocks of each."""

    stem: int
    widths: tuple[int, int, int, int]
    blocks: tuple[int, int, int, int]


SHAPES = {
    "blresnet50": Shape(64, (256, 512, 1024, 2048), (3, 4, 6, 3)),
    "blresnet101": Shape(64, (256, 512, 1024, 2048), (4, 8, 18, 3)),
    "tiny_resnet": Shape(16, (32, 64, 128, 256), (2, 2, 2, 1)),
}


def blvnet_tam(backbone: str, *, num_classes: int, frames: int, dropout: float = 0.5, **options: Any) -> BigLittleVideo:
    """bLVNet-TAM on a Big-Little ResNet. Options: `head` (`frame`, `clip`)."""
    owner = "model 'blvnet_tam'"
    require_choice(owner, "backbone", backbone, SHAPES)
    head, rest = split_options(options)
    refuse_unknown(owner, rest, ("head",))
    require_count(owner, "frames", frames)
    if frames % 2:
        raise ValueError(f"{owner}: frames {frames} is not possible, it takes pairs; allowed: even numbers")
    body = BigLittle(SHAPES[backbone], frames)
    return BigLittleVideo(body, num_classes=num_classes, frames=frames, dropout=dropout, **head)


def blresnet() -> nn.Module:
    """What another network gets that asks for this backbone: a ValueError."""
    raise ValueError("this backbone reads frames in pairs; allowed: model blvnet_tam")


class BigLittleVideo(VideoResNet):
    """`(N, T, 3, H, W) -> (N, K)`."""

    def __init__(self, body: BigLittle, **settings: Any) -> None:
        super().__init__(body, **settings)
        self.stem = body.stem

    def maps(self, x: Tensor) -> Tensor:
        """Last feature maps of each pair: (N, T, 3, H, W) -> (N*T/2, D, h, w)."""
        x = self.maxpool(self.stem(self.act1(self.bn1(self.conv1(x.flatten(0, 1))))))
        _, big = _pairs(self.layer3(self.layer2(self.layer1(x))))
        return self.layer4(big)

    def features(self, x: Tensor) -> Tensor:
        """(N, T/2, D), averaged over the map."""
        self._check(x)
        return self.maps(x).mean((2, 3)).unflatten(0, (-1, self.frames // 2))

    def load_backbone(self, state: Mapping[str, Tensor]) -> None:
        """ValueError: a ResNet's weights do not fit."""
        raise ValueError(
            "blvnet_tam starts from Big-Little Net's ImageNet weights, not from a ResNet's; allowed: pretrained none, "
            "or weights of an imported file"
        )


class BigLittle(nn.Module):
    """The parts of the network; `BigLittleVideo` takes them over and runs them."""

    def __init__(self, shape: Shape, frames: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, shape.stem, 7, stride=2, padding=3, bias=False)
        self.bn1, self.act1 = nn.BatchNorm2d(shape.stem), nn.ReLU(inplace=True)
        self.stem = Stem(shape.stem, frames)
        self.maxpool = nn.Identity()
        channels = shape.stem
        for index, stride in enumerate(_STRIDES):
            out = shape.widths[index]
            self.add_module(f"layer{index + 1}", Merge(channels, out, shape.blocks[index], stride, frames))
            channels = out
        self.layer4 = nn.Sequential()
        for index in range(shape.blocks[-1]):
            block = AggregatingBottleneck(channels, shape.widths[-1], 2 if index == 0 else 1, frames // 2)
            self.layer4.append(block)
            channels = shape.widths[-1]
        self.num_features = channels
        initialize_convolutions(self)
        for part in self.modules():
            if isinstance(part, Bottleneck):
                nn.init.zeros_(part.bn3.weight)


class Aggregation(nn.Module):
    """TAM: each channel of a frame with those of the frame before and after, zeros outside the clip, then ReLU."""

    def __init__(self, channels: int, frames: int) -> None:
        super().__init__()
        self.frames = frames
        self.prev, self.next, self.curr = (
            nn.Conv2d(channels, channels, 1, groups=channels, bias=False) for _ in range(3)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N*T, C, H, W), mixed over time."""
        taps = torch.stack([part.weight.flatten() for part in (self.prev, self.curr, self.next)])
        return filter_over_time(x, taps[:, None, None].expand(-1, x.shape[0] // self.frames, self.frames, -1)).relu()


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 with a shortcut, which averages 3x3 pixels where strided. `last_relu` False: no ReLU at the end."""

    downsample: nn.Module | None

    def __init__(self, channels: int, out: int, stride: int = 1, last_relu: bool = True) -> None:
        super().__init__()
        mid = out // _MID
        self.conv1, self.bn1 = nn.Conv2d(channels, mid, 1, bias=False), nn.BatchNorm2d(mid)
        self.conv2, self.bn2 = nn.Conv2d(mid, mid, 3, stride, 1, bias=False), nn.BatchNorm2d(mid)
        self.conv3, self.bn3 = nn.Conv2d(mid, out, 1, bias=False), nn.BatchNorm2d(out)
        parts: list[nn.Module] = [nn.AvgPool2d(3, stride, 1)] if stride > 1 else []
        if channels != out:
            parts += [nn.Conv2d(channels, out, 1, bias=False), nn.BatchNorm2d(out)]
        self.downsample = nn.Sequential(*parts) if parts else None
        self.last_relu = last_relu

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, out, H / stride, W / stride)."""
        return self.residual(x, x)

    def residual(self, x: Tensor, shortcut: Tensor) -> Tensor:
        """The branch on `x`, and `shortcut` as it is, or downsampled."""
        y = self.bn1(self.conv1(x)).relu()
        y = self.bn3(self.conv3(self.bn2(self.conv2(y)).relu()))
        y = y + (shortcut if self.downsample is None else self.downsample(shortcut))
        return y.relu() if self.last_relu else y


class AggregatingBottleneck(Bottleneck):
    """A bottleneck that reads TAM's output; its shortcut does so where it downsamples, else it is the raw input."""

    def __init__(self, channels: int, out: int, stride: int, frames: int) -> None:
        super().__init__(channels, out, stride)
        self.tam = Aggregation(channels, frames)

    def forward(self, x: Tensor) -> Tensor:
        """(N*T, C, H, W) -> (N*T, out, H / stride, W / stride)."""
        mixed = self.tam(x)
        return self.residual(mixed, x if self.downsample is None else mixed)


class Stem(nn.Module):
    """TAM, then the two branches of strided convolutions, their sum and a 1x1 convolution, copied to both frames."""

    def __init__(self, channels: int, frames: int) -> None:
        super().__init__()
        little = channels // LITTLE_WIDTH
        self.tam = Aggregation(channels, frames)
        self.b_conv0, self.bn_b0 = nn.Conv2d(channels, channels, 3, 2, 1, bias=False), nn.BatchNorm2d(channels)
        self.l_conv0, self.bn_l0 = nn.Conv2d(channels, little, 3, 1, 1, bias=False), nn.BatchNorm2d(little)
        self.l_conv1, self.bn_l1 = nn.Conv2d(little, little, 3, 2, 1, bias=False), nn.BatchNorm2d(little)
        self.l_conv2, self.bn_l2 = nn.Conv2d(little, channels, 1, bias=False), nn.BatchNorm2d(channels)
        self.bl_init, self.bn_bl_init = nn.Conv2d(channels, channels, 1, bias=False), nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N*T, C, H, W) -> (N*T, C, H / 2, W / 2)."""
        first, second = _pairs(self.tam(x))
        big = self.bn_b0(self.b_conv0(second))
        little = self.bn_l1(self.l_conv1(self.bn_l0(self.l_conv0(first)).relu())).relu()
        x = (big + self.bn_l2(self.l_conv2(little))).relu()
        return _to_both(self.bn_bl_init(self.bl_init(x)).relu())


class Merge(nn.Module):
    """A stage: TAM, the deep branch at half the resolution, the shallow one, their sum through one more bottleneck."""

    def __init__(self, channels: int, out: int, blocks: int, stride: int, frames: int) -> None:
        super().__init__()
        narrow, deep = out // LITTLE_WIDTH, blocks - 1
        self.tam = Aggregation(channels, frames)
        self.big, self.little = nn.Sequential(), nn.Sequential()
        for index in range(deep):
            inner = index == 0 or index < deep - 1
            self.big.append(Bottleneck(out if index else channels, out, 1 if index else 2, last_relu=inner))
        for index in range(max(1, blocks // LITTLE_DEPTH - 1)):
            self.little.append(Bottleneck(narrow if index else channels, narrow))
        self.little_e = nn.Sequential(nn.Conv2d(narrow, out, 1, bias=False), nn.BatchNorm2d(out))
        self.fusion = nn.Sequential(Bottleneck(out, out, stride))

    def forward(self, x: Tensor) -> Tensor:
        """(N*T, C, H, W) -> (N*T, out, H / stride, W / stride), both frames of a pair alike."""
        first, second = _pairs(self.tam(x))
        little = self.little_e(self.little(first))
        big = interpolate(self.big(second), little.shape[-2:])
        return _to_both(self.fusion((big + little).relu()))


def _pairs(x: Tensor) -> tuple[Tensor, Tensor]:
    """(N*T, C, H, W) -> the first and the second frames of the pairs, each (N*T/2, C, H, W)."""
    first, second = x.unflatten(0, (-1, 2)).unbind(1)
    return first, second


def _to_both(x: Tensor) -> Tensor:
    """(N*T/2, C, H, W) -> (N*T, C, H, W)."""
    return x.repeat_interleave(2, dim=0)
