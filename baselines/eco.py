"""ECO, ECO Lite and the ensemble of four (Zolfaghari et al., ECCV 2018, arXiv 1804.09066).

Code studied: mzolfaghari/ECO-pytorch@b175e7c:models.py and tf_model_zoo/{ECO,ECOfull}/*.yaml (legacy torch; its
`torch.add(a, 1, b)` is a + b). Tensors: N clips, T frames; 2D maps (N*T, C, H, W), volumes (N, C, T, H, W).

Lite: BN-Inception on each frame up to the third branch of module 3c (96 channels of 28x28); these maps stacked in time
go through a 3D ResNet-18 from its second stage on, with normalization before activation and convolution (`volume`).
Full: BN-Inception goes on to its end; its average over the frames joins the volume's features.
Weights expect BGR pixels 0..255 minus (104, 117, 128). T is a multiple of 4.

Known differences
1. The authors average over windows of (T/4, 7, 7) and 7x7, for 224x224 only; we average over all, which is the same.
2. In Full the frames' features and the volume's are dropped out one by one, as there.
3. The ensemble of the tables ("92 frames") is four Lite networks of 16, 20, 24 and 32 frames whose scores are averaged.
   Authors sample each network's frames from the video; ours takes them evenly from the 92 that are given.
4. BN-Inception's normalizations move with momentum 0.1 here.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from baselines.bninception import BNInception, ConvNorm, InceptionModule, modules
from baselines.options import require_choice
from baselines.volume import Sizes, VolumeNetwork, conv3d, initialize_volumes, read_options, require_clips

JOINT = 96
WIDTHS = (128, 256, 512)
ENSEMBLE = (16, 20, 24, 32)
_MOMENTUM = 0.1


class PreActivationBlock(nn.Module):
    """bn1, ReLU, conv1, bn2, ReLU, conv2, plus the raw input, or plus a convolution of the activated one."""

    downsample: nn.Module | None

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        strided = channels != width
        stride = (2, 2, 2) if strided else (1, 1, 1)
        self.bn1 = nn.BatchNorm3d(channels)
        self.conv1 = conv3d(channels, width, (3, 3, 3), stride, bias=True)
        self.bn2 = nn.BatchNorm3d(width)
        self.conv2 = conv3d(width, width, (3, 3, 3), bias=True)
        self.downsample = conv3d(channels, width, (3, 3, 3), stride, bias=True) if strided else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, H, W) -> the same, or (N, width, T / 2, H / 2, W / 2)."""
        active = relu(self.bn1(x), inplace=True)
        y = self.conv2(relu(self.bn2(self.conv1(active)), inplace=True))
        return y + (x if self.downsample is None else self.downsample(active))


class VolumePart(nn.Module):
    """The 3D network on top of the frames' maps."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = conv3d(JOINT, WIDTHS[0], (3, 3, 3), bias=True)
        self.layer1 = nn.Sequential(PreActivationBlock(WIDTHS[0], WIDTHS[0]))
        self.layer2 = nn.Sequential(PreActivationBlock(*WIDTHS[:2]), PreActivationBlock(WIDTHS[1], WIDTHS[1]))
        self.layer3 = nn.Sequential(PreActivationBlock(*WIDTHS[1:]), PreActivationBlock(WIDTHS[2], WIDTHS[2]))
        self.bn = nn.BatchNorm3d(WIDTHS[2])

    def forward(self, x: Tensor) -> Tensor:
        """(N, 96, T, 28, 28) -> (N, 512)."""
        x = self.layer3(self.layer2(self.layer1(self.conv(x))))
        return relu(self.bn(x), inplace=True).mean((2, 3, 4))


class JointModule(nn.Module):
    """What Lite has of module 3c."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv_double_3x3_reduce = ConvNorm(channels, 64)
        self.conv_double_3x3_1 = ConvNorm(64, JOINT, 3)

    def first_double(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, 96, H, W)."""
        return self.conv_double_3x3_1(self.conv_double_3x3_reduce(x))


class Eco(VolumeNetwork):
    """`(N, T, 3, H, W) -> (N, K)`."""

    layer3: nn.Module | None
    layer4: nn.Module | None

    def __init__(self, *, full: bool, num_classes: int, frames: int, dropout: float) -> None:
        body = BNInception()
        width = WIDTHS[-1] + (body.num_features if full else 0)
        super().__init__(width, num_classes=num_classes, frames=frames, dropout=dropout, frames_multiple_of=4)
        self.conv1, self.bn1, self.act1, self.maxpool = body.conv1, body.bn1, body.act1, body.maxpool
        self.layer1 = body.layer1
        self.layer2, channels = modules(("3a", "3b"), 192)
        self.layer2.append(InceptionModule("3c", channels) if full else JointModule(channels))
        self.layer3, self.layer4 = (body.layer3, body.layer4) if full else (None, None)
        self.volume = VolumePart()
        for part in self.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.momentum = _MOMENTUM
        initialize_volumes(self)

    def features(self, x: Tensor) -> Tensor:
        """(N, 3, T, H, W) -> (N, D), dropped out: frames (Full only), then volume."""
        x = x.transpose(1, 2).flatten(0, 1)
        x = self.layer1(self.maxpool(self.act1(self.bn1(self.conv1(x)))))
        x = self.layer2[1](self.layer2[0](x))
        joint: Any = self.layer2[2]
        double = joint.first_double(x)
        volume = double.unflatten(0, (-1, self.frames)).transpose(1, 2)
        found = [self.dropout(self.volume(volume))]
        if self.layer3 is not None and self.layer4 is not None:
            frames = self.layer4(self.layer3(joint(x, double))).mean((2, 3))
            found.insert(0, self.dropout(frames).unflatten(0, (-1, self.frames)).mean(1))
        return torch.cat(found, dim=1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, K)."""
        self._check(x)
        return self.fc(self.features(x.transpose(1, 2)))


class EcoEnsemble(nn.Module):
    """Four Lite networks of 16, 20, 24 and 32 frames on the same clip of 92, scores averaged."""

    clip_length = 1
    map_layer = None
    """No map is of the whole clip: each member has its own frames."""

    def __init__(self, *, num_classes: int, frames: int, dropout: float) -> None:
        super().__init__()
        require_choice("model 'eco_en_lite'", "frames", frames, (sum(ENSEMBLE),))
        self.frames, self.num_classes = frames, num_classes
        self.members = nn.ModuleList(
            Eco(full=False, num_classes=num_classes, frames=count, dropout=dropout) for count in ENSEMBLE
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, 92, 3, H, W) -> (N, K)."""
        require_clips(x, self.frames)
        logits = [
            member(torch.stack([x[:, (2 * index + 1) * self.frames // (2 * count)] for index in range(count)], dim=1))
            for member, count in zip(self.members, ENSEMBLE, strict=True)
        ]
        return torch.stack(logits).mean(0)


def eco(backbone: str, *, num_classes: int, frames: int, dropout: float = 0.5, **options: Any) -> VolumeNetwork:
    """ECO (full) on BN-Inception."""
    return _eco("eco", backbone, options, {"num_classes": num_classes, "frames": frames, "dropout": dropout})


def eco_lite(backbone: str, *, num_classes: int, frames: int, dropout: float = 0.5, **options: Any) -> VolumeNetwork:
    """ECO Lite on BN-Inception."""
    return _eco("eco_lite", backbone, options, {"num_classes": num_classes, "frames": frames, "dropout": dropout})


def _eco(model: str, backbone: str, options: dict[str, Any], sizes: Sizes) -> VolumeNetwork:
    require_choice(f"model {model!r}", "backbone", backbone, ("bninception",))
    read_options(model, options, {})
    return Eco(full=model == "eco", **sizes)


def eco_en_lite(backbone: str, *, num_classes: int, frames: int, dropout: float = 0.5, **options: Any) -> nn.Module:
    """The ensemble of four ECO Lite."""
    require_choice("model 'eco_en_lite'", "backbone", backbone, ("bninception",))
    read_options("eco_en_lite", options, {})
    return EcoEnsemble(num_classes=num_classes, frames=frames, dropout=dropout)
