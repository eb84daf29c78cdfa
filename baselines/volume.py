"""Networks over volumes: what those with 3D convolutions have in common, whatever their layers.

Tensors: N clips, T frames, K classes, D features. Users hand in clips as everywhere here, (N, T, 3, H, W); inside, the
maps are (N, C, T, H, W), permuted once on entry.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, TypedDict

import torch
from torch import Tensor, nn

from baselines.options import refuse_unknown, require_choice, require_count

_FC_STD = 0.01


class Sizes(TypedDict):
    """What every network is called with."""

    num_classes: int
    frames: int
    dropout: float


class VolumeNetwork(nn.Module, ABC):
    """`(N, T, 3, H, W) -> (N, K)`: features of the whole clip, dropout, one linear classifier."""

    clip_length = 1
    """Consecutive video frames in one of the T places."""

    def __init__(
        self, num_features: int, *, num_classes: int, frames: int, dropout: float, frames_multiple_of: int = 1
    ) -> None:
        super().__init__()
        require_count("a video network", "frames", frames)
        require_count("a video network", "num_classes", num_classes)
        if not 0 <= dropout < 1:
            raise ValueError(
                f"a video network: dropout {dropout!r} is not possible; allowed: 0 up to, not including, 1"
            )
        if frames % frames_multiple_of:
            raise ValueError(
                f"frames {frames} are not possible: this network divides time; "
                f"allowed: multiples of {frames_multiple_of}"
            )
        self.frames, self.num_classes, self.num_features = frames, num_classes, num_features
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(num_features, num_classes)
        nn.init.normal_(self.fc.weight, 0.0, _FC_STD)
        nn.init.zeros_(self.fc.bias)

    @abstractmethod
    def features(self, x: Tensor) -> Tensor:
        """(N, 3, T, H, W) -> (N, D); or (N, P, D) where P places in time are scored and the scores averaged."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, K)."""
        self._check(x)
        logits = self.fc(self.dropout(self.features(x.transpose(1, 2))))
        return logits.reshape(x.shape[0], -1, self.num_classes).mean(1)  # of places, where features have several

    def load_backbone(self, state: Mapping[str, Tensor]) -> None:
        """Start from the weights of a 2D network of the same shape, each kernel repeated in time and divided by its
        length (Carreira and Zisserman, CVPR 2017); parts that the 2D network lacks and the classifier stay.
        """
        own = self.state_dict()
        inflated = {name: _inflate(value, own[name]) for name, value in state.items() if name in own}
        fill = {
            name: value
            for name, value in inflated.items()
            if not name.startswith("fc.") and value.shape == own[name].shape
        }
        stem = "conv1.weight"
        if stem not in fill:
            raise ValueError(f"{type(self).__name__} cannot start from 2D weights; allowed: pretrained none")
        self.load_state_dict(fill, strict=False)

    def _check(self, x: Tensor) -> None:
        require_clips(x, self.frames)


def require_clips(x: Tensor, frames: int) -> None:
    """Raise ValueError unless `x` is (N, frames, 3, H, W)."""
    if not torch.jit.is_tracing() and (x.dim() != 5 or tuple(x.shape[1:3]) != (frames, 3)):
        raise ValueError(f"input of shape {tuple(x.shape)} does not fit this network; allowed: (N, {frames}, 3, H, W)")


def _inflate(kernel: Tensor, like: Tensor) -> Tensor:
    if kernel.dim() == 4 and like.dim() == 5:
        length = like.shape[2]
        return kernel.unsqueeze(2).repeat(1, 1, length, 1, 1) / length
    return kernel


def initialize_volumes(module: nn.Module) -> None:
    """Every Conv3d and Conv2d weight from N(0, 2 / (kernel volume * channels out)), biases zero."""
    for part in module.modules():
        if isinstance(part, nn.Conv3d | nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")
            if part.bias is not None:
                nn.init.zeros_(part.bias)


def conv3d(
    channels: int,
    out: int,
    kernel: tuple[int, int, int] = (1, 1, 1),
    stride: tuple[int, int, int] = (1, 1, 1),
    *,
    bias: bool = False,
    groups: int = 1,
) -> nn.Conv3d:
    """A convolution padded by half its kernel on each side."""
    half = (kernel[0] // 2, kernel[1] // 2, kernel[2] // 2)
    return nn.Conv3d(channels, out, kernel, stride, half, groups=groups, bias=bias)


def read_options(model: str, given: Mapping[str, Any], allowed: Mapping[str, Iterable[Any]]) -> dict[str, Any]:
    """`given`, after refusing names and values that are not among `allowed` (name -> values)."""
    refuse_unknown(f"model {model!r}", given, allowed)
    for name, value in given.items():
        require_choice(f"model {model!r}", name, value, allowed[name])
    return dict(given)


def no_2d_backbone() -> nn.Module:
    """What a 2D network gets that asks for the backbone of a 3D one: a ValueError."""
    raise ValueError("this backbone is a whole network of volumes; allowed: the models that list it")
