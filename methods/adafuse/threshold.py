"""Threshold: of each frame's channels the weakest are skipped, a baseline of AdaFuse (Meng et al., ICLR 2021).

Authors' code: mengyuest/AdaFuse@91c3a5d:ops/batenet.py (--gate_threshold, --relative_keep_threshold). In each block
the int(keep * C) channels of largest mean |y| over the map pass to the second convolution, the others are zero. No
frame reads another; there is no policy network. Tensors: N clips, T frames, maps y (N*T, C, H, W), decisions
(N, T, C, 2).

Known differences
1. The kept share is not printed. .76 costs ResNet-18 11.28 GMACs a clip, the printed 11.3 (.75: 11.20, .77: 11.43).
2. The cost is counted as the authors count it, with the first convolution of a skipped channel saved. It cannot be: the
   norm that decides is known after it. What can be saved is the second convolution: `gmacs("upb")`, and `gmacs_upb`
   among the figures of each clip.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn

from baselines.options import refuse_unknown
from methods.adafuse.account import Account, check_stages
from methods.adafuse.cost import Neighbours
from methods.adafuse.gate import BareGate, First, Rule
from methods.adafuse.policy import from_codes

_OWNER = "method 'threshold'"
_ACTIONS = ("skip", "keep")


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of `insert`."""

    keep: float = 0.76
    """Share of the channels that is kept, above 0 and up to 1; in a block int(keep * C), at least one."""
    stages: tuple[int, ...] | None = None
    """Stages (1 to 4) whose blocks are gated; None is all."""


def insert(model: nn.Module, options: Mapping[str, Any] | None = None) -> nn.Module:
    """Put thresholds into a video network, in place; its part `threshold` is their `Account`.

    Raises ValueError for an unknown option or one that does not fit the network.
    """
    given = options or {}
    refuse_unknown(_OWNER, given, (field.name for field in fields(Options)))
    settings = Options(**{key: tuple(value) if isinstance(value, list) else value for key, value in given.items()})
    keep = settings.keep
    if isinstance(keep, bool) or not isinstance(keep, int | float) or not 0 < keep <= 1:
        raise ValueError(f"{_OWNER}: keep {keep!r} is not possible; allowed: above 0, up to 1")
    check_stages(_OWNER, settings.stages)
    account = Account(model, owner=_OWNER, actions=_ACTIONS)

    def new_gate(block: str, channels: int, decided: int, around: Neighbours) -> ThresholdGate:
        return ThresholdGate(block, channels, decided, keep=keep, around=around, rule=Rule(), **account.common)

    account.put_into(model, new_gate, settings.stages, "threshold")
    return model


class ThresholdGate(BareGate):
    """Keeps the strongest channels of each frame."""

    def __init__(self, block: str, channels: int, decided: int, *, keep: float, **common: Any) -> None:
        super().__init__(block, channels, decided, **common)
        self.kept = max(1, int(keep * decided))

    def forward(self, pooled: Tensor, x: Tensor, first: First) -> Tensor:
        """The maps (N*T, C, H, W) with the weakest channels of each frame zero."""
        y = first(x)
        return self.fused(y, self.strongest(y.detach()))

    def strongest(self, y: Tensor) -> Tensor:
        """One-hot decisions (N, T, C, 2) by the mean of |y| over the map."""
        norms = y.abs().mean((2, 3))
        keep = torch.zeros_like(norms).scatter_(1, norms.topk(self.kept, dim=1).indices, 1.0)
        decisions = torch.stack([1 - keep, keep], dim=-1).unflatten(0, (-1, self.frames))
        return decisions if self.forced is None else from_codes(self.forced, self.actions, decisions)
