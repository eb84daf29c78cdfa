"""A 2D backbone over the frames of a clip, and the classifier on top of it.

Tensors: N clips, T frames, K classes, D features, C x H x W maps. Inside, frames are folded into the batch as
(N*T, C, H, W), the frames of a clip next to one another.

`head` says where dropout and classifier stand:
  frame  on every frame; the logits are averaged (mit-han-lab/temporal-shift-module@1f6a834:ops/models.py);
  clip   on the features averaged over the clip (open-mmlab/mmaction2@4d6c934 TSNHead; caidonkey/dnr@0110580).
In evaluation the two are equal; in training `frame` drops other features of each frame.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from baselines.backbone import STAGES
from baselines.options import require_choice, require_count
from baselines.resnet import backbone
from baselines.timm_backbone import Outline, renamed

HEADS = ("frame", "clip")
_FC_STD = {"frame": 0.001, "clip": 0.01}


class VideoResNet(nn.Module):
    """TSN, and the base of the others: `(N, T, 3, H, W) -> (N, K)`; the backbone's parts keep their own names."""

    conv1: nn.Module
    bn1: nn.Module
    act1: nn.Module
    maxpool: nn.Module
    layer1: nn.Module
    layer2: nn.Module
    layer3: nn.Module
    layer4: nn.Module
    neck: nn.Module | None
    """What a backbone of timm does to its maps to make features of them, where that is more than their mean."""
    clip_length = 1
    """Consecutive video frames in one of the T segments."""

    def __init__(
        self, body: nn.Module, *, num_classes: int, frames: int, dropout: float = 0.5, head: str = "frame"
    ) -> None:
        super().__init__()
        require_count("a video network", "frames", frames)
        require_count("a video network", "num_classes", num_classes)
        require_choice("a video network", "head", head, HEADS)
        if not 0 <= dropout < 1:
            raise ValueError(
                f"a video network: dropout {dropout!r} is not possible; allowed: 0 up to, not including, 1"
            )
        self.frames, self.num_classes, self.head = frames, num_classes, head
        self.num_features: int = body.num_features  # type: ignore[assignment]
        for name in ("conv1", "bn1", "act1", "maxpool", *STAGES):
            self.add_module(name, body.get_submodule(name))
        self.neck = getattr(body, "neck", None)
        self.timm_names = body.timm_names if isinstance(body, Outline) else {}
        """Part of a network of timm -> its name here; empty where they are the same."""
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(self.num_features, num_classes)
        nn.init.normal_(self.fc.weight, 0.0, _FC_STD[head])
        nn.init.zeros_(self.fc.bias)

    def stages(self) -> Iterator[tuple[str, nn.Sequential]]:
        """The stages of residual blocks that this network has, by name."""
        for name in STAGES:
            stage = self.get_submodule(name)
            if isinstance(stage, nn.Sequential):
                yield name, stage

    def maps(self, x: Tensor) -> Tensor:
        """Last feature maps of each frame: (N, T, 3, H, W) -> (N*T, D, h, w)."""
        x = self.maxpool(self.act1(self.bn1(self.conv1(x.flatten(0, 1)))))
        return self.layer4(self.layer3(self.layer2(self.layer1(x))))

    def features(self, x: Tensor) -> Tensor:
        """(N, T, D), averaged over the map."""
        self._check(x)
        maps = self.maps(x)
        features = maps.mean((2, 3)) if self.neck is None else self.neck(maps).flatten(1)
        return features.unflatten(0, (-1, self.frames))

    def frame_logits(self, x: Tensor) -> Tensor:
        """(N, T, K): the classifier on each frame's features."""
        return self.fc(self.dropout(self.features(x)))

    def forward(self, x: Tensor) -> Tensor:
        """(N, K)."""
        if self.head == "clip":
            return self.fc(self.dropout(self.features(x).mean(1)))
        return self.frame_logits(x).mean(1)

    def load_backbone(self, state: Mapping[str, Tensor]) -> None:
        """Start from the weights of the same 2D backbone, e.g. of ImageNet; the classifier stays as it is."""
        own, state = self.state_dict(), renamed(state, self.timm_names)
        missing = [name for name in state if name not in own and not name.startswith("fc.")]
        if missing:
            raise ValueError(
                f"the backbone has no {missing[0]!r} ({len(missing)} such tensors); allowed: its own names"
            )
        self.load_state_dict({k: v for k, v in state.items() if not k.startswith("fc.")}, strict=False)

    def _check(self, x: Tensor) -> None:
        if torch.jit.is_tracing():
            return
        shape = ("N", self.frames, 3) if self.clip_length == 1 else ("N", self.frames, self.clip_length, 3)
        if x.dim() != len(shape) + 2 or tuple(x.shape[1:-2]) != shape[1:]:
            wanted = ", ".join(map(str, (*shape, "H", "W")))
            raise ValueError(f"input of shape {tuple(x.shape)} does not fit this network; allowed: ({wanted})")


def split_options(options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """(`head`, if it is given; the rest, which are the backbone's)."""
    return (
        {key: value for key, value in options.items() if key == "head"},
        {key: value for key, value in options.items() if key != "head"},
    )


def require_bottlenecks(model: str, name: str, net: VideoResNet) -> None:
    """Raise ValueError if the residual blocks are not bottlenecks of three convolutions."""
    for _, stage in net.stages():
        if not all(hasattr(block, "conv3") for block in stage):
            raise ValueError(
                f"{model} on backbone {name!r} is not published: it is defined on bottleneck blocks; "
                "allowed: resnet50, resnet101, tiny_resnet"
            )


def build(
    cls: type[VideoResNet], name: str, *, num_classes: int, frames: int, dropout: float, options: Mapping[str, Any]
) -> Any:
    """`cls` on the registered backbone `name`; `options` are the head's and the backbone's."""
    head, rest = split_options(options)
    return cls(backbone(name, rest), num_classes=num_classes, frames=frames, dropout=dropout, **head)
