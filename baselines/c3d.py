"""C3D (Tran et al., Learning Spatiotemporal Features with 3D Convolutional Networks, ICCV 2015, arXiv 1412.0767).

Code studied: open-mmlab/mmaction2@4d6c934:mmaction/models/backbones/c3d.py and c3d_sports1m_pretrained.py.
Tensors: N clips, T frames; maps (N, C, T, H, W). Eight convolutions of 3x3x3 with bias and ReLU, no normalization, then
two layers of 4096. Its first fully connected layer reads 512 x 1 x 4 x 4 values, so clips are 16 frames of 112 x 112.

Known differences
1. mmaction2 subtracts (104, 117, 128), Caffe's means of blue, green and red, from red, green and blue.
2. The paper prints no classifier for Kinetics; it is mmaction2's.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from baselines.options import require_choice
from baselines.volume import Sizes, VolumeNetwork, conv3d, initialize_volumes, read_options

FRAMES, SIZE = 16, 112
WIDE = 4096
#: convolutions between two poolings, with their channels
STAGES: tuple[tuple[tuple[str, int], ...], ...] = (
    (("conv1a", 64),),
    (("conv2a", 128),),
    (("conv3a", 256), ("conv3b", 256)),
    (("conv4a", 512), ("conv4b", 512)),
    (("conv5a", 512), ("conv5b", 512)),
)
_FLAT = 512 * 4 * 4


class C3D(VolumeNetwork):
    """`(N, 16, 3, 112, 112) -> (N, K)`."""

    def __init__(self, *, num_classes: int, frames: int, dropout: float) -> None:
        super().__init__(WIDE, num_classes=num_classes, frames=frames, dropout=dropout)
        require_choice("model 'c3d'", "frames", frames, (FRAMES,))
        channels = 3
        for stage in STAGES:
            for name, out in stage:
                self.add_module(name, conv3d(channels, out, (3, 3, 3), bias=True))
                channels = out
        self.pool1 = nn.MaxPool3d((1, 2, 2))
        self.pool2, self.pool3, self.pool4 = nn.MaxPool3d(2), nn.MaxPool3d(2), nn.MaxPool3d(2)
        self.pool5 = nn.MaxPool3d(2, padding=(0, 1, 1))
        self.fc6, self.fc7 = nn.Linear(_FLAT, WIDE), nn.Linear(WIDE, WIDE)
        initialize_volumes(self)

    def features(self, x: Tensor) -> Tensor:
        """(N, 3, 16, 112, 112) -> (N, 4096)."""
        if not torch.jit.is_tracing() and (size := tuple(x.shape[-2:])) != (SIZE, SIZE):
            raise ValueError(f"model 'c3d': crops of {size[0]} x {size[1]} do not fit; allowed: {SIZE} x {SIZE}")
        for number, stage in enumerate(STAGES, 1):
            for name, _ in stage:
                x = relu(self.get_submodule(name)(x), inplace=True)
            x = self.get_submodule(f"pool{number}")(x)
        x = self.dropout(relu(self.fc6(x.flatten(1)), inplace=True))
        return relu(self.fc7(x), inplace=True)


def c3d(backbone: str, *, num_classes: int, frames: int, dropout: float = 0.5, **options: Any) -> VolumeNetwork:
    """C3D; it has no options."""
    require_choice("model 'c3d'", "backbone", backbone, ("c3d",))
    read_options("c3d", options, {})
    sizes: Sizes = {"num_classes": num_classes, "frames": frames, "dropout": dropout}
    return C3D(**sizes)
