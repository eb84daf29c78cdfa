"""C3D and P3D as ResNet-50: baselines of the GST paper (Luo and Yuille, ICCV 2019), quoted in PSN's Table 6.

No public reference: chenxuluo/GST-video@47d39fc imports both and publishes neither. This is the reading of the paper
under which the printed parameters come out (46.5 M and 27.6 M for 174 classes). Tensors: N clips, T frames; maps
(N, C, T, H, W), time kept to the end. ResNet-50 v1.5, stem 1x7x7, pooling 1x3x3; each 3x3 kernel becomes

  c3d_resnet50    3x3x3
  p3d_resnet50    1x3x3, then 3x1x1, no normalization between

and the classifier scores each frame, the scores are averaged, as in GST.

Known differences
1. Unknown to anyone but the authors; a normalization between P3D's two kernels would add 7,552 parameters.
2. On `tiny_resnet`, for 32x32 probes, three stages of two blocks of 16 to 64 channels; it is nobody's.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn.functional import relu

from baselines.options import require_choice
from baselines.resnet3d import BLOCKS, Bottleneck3d
from baselines.volume import Sizes, VolumeNetwork, conv3d, initialize_volumes, read_options

WIDTHS, TINY_WIDTHS = (64, 128, 256, 512), (16, 32, 64)
BACKBONES = ("resnet50", "tiny_resnet")
KINDS = ("c3d_resnet50", "p3d_resnet50")


class ResNet50Volume(VolumeNetwork):
    """`(N, T, 3, H, W) -> (N, K)`."""

    def __init__(self, kind: str, backbone: str, *, num_classes: int, frames: int, dropout: float) -> None:
        widths = TINY_WIDTHS if backbone == "tiny_resnet" else WIDTHS
        super().__init__(widths[-1] * Bottleneck3d.expansion, num_classes=num_classes, frames=frames, dropout=dropout)
        self.conv1, self.bn1 = conv3d(3, widths[0], (1, 7, 7), (1, 2, 2)), nn.BatchNorm3d(widths[0])
        self.maxpool = nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1))
        channels = widths[0]
        for index, (width, count) in enumerate(zip(widths, BLOCKS[backbone], strict=True)):
            stage = nn.Sequential()
            for number in range(count):
                stride = 2 if index and number == 0 else 1
                block = Bottleneck3d(channels, width, kernel=1, stride=stride, non_local=None)
                block.conv2 = _middle(kind, width, stride)
                stage.append(block)
                channels = width * Bottleneck3d.expansion
            self.add_module(f"layer{index + 1}", stage)
        self._stages = [f"layer{index + 1}" for index in range(len(widths))]
        initialize_volumes(self)

    def features(self, x: Tensor) -> Tensor:
        """(N, 3, T, H, W) -> (N, T, 2048)."""
        x = self.maxpool(relu(self.bn1(self.conv1(x)), inplace=True))
        for name in self._stages:
            x = self.get_submodule(name)(x)
        return x.mean((3, 4)).transpose(1, 2)


def _middle(kind: str, width: int, stride: int) -> Any:
    if kind == "c3d_resnet50":
        return conv3d(width, width, (3, 3, 3), (1, stride, stride))
    return nn.Sequential(conv3d(width, width, (1, 3, 3), (1, stride, stride)), conv3d(width, width, (3, 1, 1)))


def _build(kind: str, backbone: str, options: dict[str, Any], sizes: Sizes) -> VolumeNetwork:
    require_choice(f"model {kind!r}", "backbone", backbone, BACKBONES)
    read_options(kind, options, {})
    return ResNet50Volume(kind, backbone, **sizes)


def c3d_resnet50(
    backbone: str, *, num_classes: int, frames: int, dropout: float = 0.3, **options: Any
) -> VolumeNetwork:
    """ResNet-50 with 3x3x3 kernels; it has no options."""
    return _build(KINDS[0], backbone, options, {"num_classes": num_classes, "frames": frames, "dropout": dropout})


def p3d_resnet50(
    backbone: str, *, num_classes: int, frames: int, dropout: float = 0.3, **options: Any
) -> VolumeNetwork:
    """ResNet-50 with 1x3x3 and 3x1x1 kernels; it has no options."""
    return _build(KINDS[1], backbone, options, {"num_classes": num_classes, "frames": frames, "dropout": dropout})
