"""Grad-CAM++: which places of a clip speak for a class, from the last maps of a network and the gradient there.

Chattopadhay et al., Grad-CAM++: Generalized Gradient-based Visual Explanations for Deep Convolutional Networks,
WACV 2018, arXiv 1710.11063 (equation numbers are arXiv's). DNR's supplement E shows it for its networks.

With S the score (logit) of the class, Y = exp(S), A_k the k-th channel of the map and g = dS/dA_k:
    alpha = g^2 / (2 g^2 + sum(A_k) g^3)      (19)
    w_k   = sum(alpha * relu(dY/dA_k))        (7)
    L     = relu(sum_k w_k A_k)
dY/dA = exp(S) g: the factor is the same everywhere and goes when L is divided by its maximum, so it is left out, as is
g^2 above and below the line; where g is 0 the weight is 0.

Tensors: N clips, T frames, K classes; maps A (N*T', C, h, w) of 2D networks, (N, C, T', h, w) of 3D networks.

Known differences
1. The paper is on images. In a 2D network each frame is an image: its sums run over the frame, and S is the score of
   the clip. In a 3D network the sums run over time as well; maps of fewer frames than the clip are interpolated.
2. L is divided by its maximum over the clip, so that frames can be compared; nothing is subtracted: 0 is no evidence.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from repro.core.errors import BadOption
from repro.engine.inspect.layers import captured

SCALES = ("clip", "frame")


@dataclass(frozen=True)
class Heat:
    """Where the evidence for a class is."""

    maps: Tensor
    """(N, T, H, W), 0..1."""
    targets: Tensor
    """int64 (N,): the class that each clip was asked about."""
    logits: Tensor
    """(N, K)."""
    size: tuple[int, int, int]
    """(T', h, w) of the network's own map."""


def explain(module: nn.Module, x: Tensor, layer: str, *, target: int | None = None, scale: str = "clip") -> Heat:
    """Grad-CAM++ of the clips `x` (N, T, [L,] 3, H, W), normalized, at a layer that gives a map.

    The class is `target`, else the one with the highest score. `scale` says over what a map's maximum is 1: the `clip`,
    or each `frame`.
    """
    if scale not in SCALES:
        raise BadOption(f"scale {scale!r}", allowed=", ".join(SCALES))
    with captured(module, layer) as maps:
        logits = module(x)
        if target is not None and not 0 <= target < logits.shape[1]:
            raise BadOption(f"class {target} of {logits.shape[1]}", allowed=f"0 to {logits.shape[1] - 1}")
        if len(maps) != 1:
            raise BadOption(f"layer {layer!r} runs {len(maps)} times in one call", allowed="a layer that runs once")
        targets = logits.argmax(1) if target is None else torch.full_like(logits[:, 0], target, dtype=torch.int64)
        score = logits.gather(1, targets[:, None]).sum()
        gradient = torch.autograd.grad(score, maps[0], allow_unused=True)[0] if score.requires_grad else None
    if gradient is None:
        raise BadOption(f"the score does not depend on layer {layer!r}", allowed="a layer on the way to the head")
    heat = by_clip(combine(maps[0].detach(), gradient), len(x))
    full = F.interpolate(heat[:, None], (x.shape[1], *x.shape[-2:]), mode="trilinear", align_corners=False)[:, 0]
    return Heat(scaled(full, scale), targets, logits.detach(), (heat.shape[1], heat.shape[2], heat.shape[3]))


def combine(maps: Tensor, gradient: Tensor) -> Tensor:
    """L of the equations above: maps A and g of (M, C, *places) -> (M, *places), at least 0, not scaled."""
    places = tuple(range(2, maps.dim()))
    below = 2 + gradient * maps.sum(places, keepdim=True)
    alpha = torch.where((gradient != 0) & (below != 0), 1 / below, torch.zeros_like(below))
    weights = (alpha * gradient.relu()).sum(places, keepdim=True)
    return (weights * maps).sum(1).relu()


def by_clip(heat: Tensor, clips: int) -> Tensor:
    """(N*T', h, w) or (N, T', h, w) -> (N, T', h, w)."""
    if heat.dim() == 4:
        return heat
    if len(heat) % clips:
        raise BadOption(f"a layer of {len(heat)} maps for {clips} clips", allowed="maps of every frame of every clip")
    return heat.unflatten(0, (clips, -1))


def scaled(heat: Tensor, scale: str = "clip") -> Tensor:
    """(N, T, H, W) divided by the maximum of each clip or frame; one without any evidence stays 0."""
    most = heat.amax((1, 2, 3) if scale == "clip" else (2, 3), keepdim=True)
    return torch.where(most > 0, heat / most, torch.zeros_like(heat))
