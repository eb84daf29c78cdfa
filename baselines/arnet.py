"""AR-Net (Meng et al., ECCV 2020, arXiv 2007.15796): a policy gives each frame a resolution, or skips it.

Authors' code: mengyuest/AR-Net@2a9d72b:ops/models_ada.py, main_base.py (ada_reso_skip). Tensors: N clips, T frames, K
classes. Networks: ResNet-50 on frames of the given size (224), ResNet-34 on three quarters of it (168), ResNet-18 on
half (112), and the policy, MobileNetV2 on three eighths (84) with an LSTM over the frames. Of each frame the policy
takes one of seven actions (`arnet_policy`). The logits are those of the chosen networks, averaged over the frames that
were not skipped. With EfficientNet-B3 the networks are EfficientNet-B3, B1 and B0, as in the paper's second model.

The part `policy` tells what was decided and what it cost: `losses`, `gmacs`, `decisions`, and for every video that is
scored `stats` and `facts` (`repro.cost.dynamic`).

Known differences
1. The authors run every network on every frame and compute what a choice would save from a table. In evaluation ours
   runs each network on the frames that chose it, with the same result; in training, and where only shapes are known, it
   runs all: counters see 54.97 GMACs for 8 frames of 224 (174 classes). No decision costs more than 33.1, which is
   ResNet-50 on every frame; `gmacs` has what a clip's decisions cost.
2. Inside a skip the authors' LSTM still reads the frames into its memory (not into its state), and so does ours,
   although neither counts the policy there.
3. At test we take the likeliest action; the authors' code goes on drawing (`policy="sample"`), for every clip anew.
4. One input is resized inside, bilinear; the authors' loader hands in four, resized to the nearest pixel
   (`resize="nearest"`).
5. The losses are the authors' divided by 1 - w, so that the cross entropy has weight 1. Their temperature falls by
   epoch, exp(-0.045 epoch) from 5; ours is constant. Their three trainings in a row (each network alone, together,
   again with the policy fixed) are one here.
6. Parameters: 62.50 M for 174 classes, 63.0 M are printed (AdaFuse Table 4). The 41.4 GMACs printed there are more
   than 8 frames can cost: they are of 16.
7. `pretrained="imagenet"` is an error: the four networks start from four files. `tiny_resnet` is a small form of our
   own for the probes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate
from torchvision.models import mobilenet_v2

from baselines.arnet_policy import POLICIES, SCALES, Options, Policy
from baselines.options import refuse_unknown, require_choice
from baselines.resnet import backbone as make_backbone
from baselines.video import VideoResNet
from baselines.volume import require_clips

#: of each network and of the policy: part of the input's side, as a fraction of eighths
EIGHTHS = (8, 6, 4, 3)
RESIZES = ("bilinear", "nearest")
#: backbone -> the three networks and their options
NETWORKS: dict[str, tuple[tuple[str, Mapping[str, Any]], ...]] = {
    "resnet50": (("resnet50", {}), ("resnet34", {}), ("resnet18", {})),
    "efficientnet_b3": (("efficientnet_b3", {}), ("efficientnet_b1", {}), ("efficientnet_b0", {})),
    "tiny_resnet": (
        ("tiny_resnet", {"blocks": 2}),
        ("tiny_resnet", {"blocks": 1}),
        ("tiny_resnet", {"blocks": 1, "pool": True}),
    ),
}
#: expansion, channels, blocks, stride of the stages of the small form's MobileNetV2
_TINY = [[1, 16, 1, 1], [6, 24, 1, 2], [6, 32, 1, 1]]
_FEATURES = 1280
_HIDDEN, _TINY_HIDDEN = 512, 64


def arnet(backbone: str, *, num_classes: int, frames: int, dropout: float = 0.5, **options: Any) -> AdaptiveResolution:
    """AR-Net whose largest network is `backbone`. Options: `resize`, and those of `arnet_policy.Options`."""
    owner = "model 'arnet'"
    require_choice(owner, "backbone", backbone, NETWORKS)
    refuse_unknown(owner, options, ("resize", *(field.name for field in fields(Options))))
    resize = options.pop("resize", RESIZES[0])
    require_choice(owner, "resize", resize, RESIZES)
    settings = Options(**options)
    require_choice(owner, "policy", settings.policy, POLICIES)
    require_choice(owner, "efficiency_scale", settings.efficiency_scale, SCALES)
    for name, low, below in (("temperature", 1e-6, 1e6), ("efficiency_weight", 0, 1), ("uniform_weight", 0, 1e6)):
        value = getattr(settings, name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value < below:
            raise ValueError(
                f"{owner}: {name} {value!r} is not possible; allowed: {low:g} up to, not including, {below:g}"
            )
    if isinstance(settings.noise_seed, bool) or not isinstance(settings.noise_seed, int) or settings.noise_seed < 0:
        raise ValueError(f"{owner}: noise_seed {settings.noise_seed!r} is not possible; allowed: a whole number from 0")
    sizes: dict[str, Any] = {"num_classes": num_classes, "frames": frames, "dropout": dropout}
    networks = [VideoResNet(make_backbone(name, more), **sizes) for name, more in NETWORKS[backbone]]
    tiny = backbone == "tiny_resnet"
    small = mobilenet_v2(width_mult=0.25, inverted_residual_setting=_TINY) if tiny else mobilenet_v2()
    policy = Policy(
        small.features,
        _FEATURES,
        hidden=_TINY_HIDDEN if tiny else _HIDDEN,
        networks=len(networks),
        num_classes=num_classes,
        dropout=dropout,
        settings=settings,
    )
    return AdaptiveResolution(networks, policy, resize)


class AdaptiveResolution(nn.Module):
    """`(N, T, 3, H, W) -> (N, K)`."""

    clip_length = 1
    """Consecutive video frames in one of the T segments."""

    def __init__(self, networks: list[VideoResNet], policy: Policy, resize: str) -> None:
        super().__init__()
        self.frames, self.num_classes, self.resize = networks[0].frames, networks[0].num_classes, resize
        self.networks = nn.ModuleList(networks)
        self.policy = policy
        policy.attach(self)

    def forward(self, x: Tensor) -> Tensor:
        """(N, K)."""
        require_clips(x, self.frames)
        decisions, own = self.policy(self.resized(x, -1))
        if not torch.jit.is_tracing():
            self.policy.ledger.decisions = decisions
            self.policy.ledger.size = (int(x.shape[-2]), int(x.shape[-1]))
        scores = [self._scores(index, x, decisions[:, :, index]) for index in range(len(self.networks))]
        chosen = decisions[:, :, : len(scores) + 1].transpose(1, 2)  # (N, networks and policy, T)
        total = (torch.stack([*scores, own], dim=1) * chosen[..., None]).sum((1, 2))
        return total / chosen.sum((1, 2)).clamp(min=1)[:, None]

    def resized(self, x: Tensor, index: int) -> Tensor:
        """Frames (..., 3, H, W) at the size of a network; -1 is the policy."""
        size = self.size_of(index, x.shape[-2:])
        if size == tuple(x.shape[-2:]):
            return x
        flat = x.flatten(0, -4) if x.dim() > 4 else x
        more = {} if self.resize == "nearest" else {"align_corners": False}
        return interpolate(flat, size, mode=self.resize, **more).reshape(*x.shape[:-2], *size)

    def size_of(self, index: int, size: tuple[int, ...]) -> tuple[int, int]:
        """Height and width that a network takes of frames of this size; -1 is the policy."""
        height, width = (max(1, round(side * EIGHTHS[index] / EIGHTHS[0])) for side in size)
        return height, width

    def _scores(self, index: int, x: Tensor, chosen: Tensor) -> Tensor:
        """(N, T, K) of one network; in evaluation zero where a frame did not choose it."""
        network = self.networks[index]
        if self.training or x.is_meta or torch.jit.is_tracing() or torch.compiler.is_compiling():
            return network.frame_logits(self.resized(x, index))  # type: ignore[operator]
        rows = (chosen.flatten() > 0.5).nonzero()[:, 0]  # the one wait for the device
        scores = x.new_zeros(chosen.numel(), self.num_classes)
        if len(rows):
            frames = x.flatten(0, 1).index_select(0, rows)
            maps = network.maps(self.resized(frames, index)[:, None])  # type: ignore[operator]
            scores.index_copy_(0, rows, network.fc(maps.mean((2, 3))).to(scores))  # type: ignore[operator]
        return scores.unflatten(0, chosen.shape)

    def load_backbone(self, state: Mapping[str, Tensor]) -> None:
        """ValueError: one backbone's weights are not enough."""
        raise ValueError(
            "arnet starts from the weights of four networks, not of one; allowed: pretrained none, or weights of an "
            "imported file"
        )
