"""Random policy: AdaFuse's fusion with actions drawn by lot, the baseline `Random` of it (Meng et al., ICLR 2021).

Authors' code: mengyuest/AdaFuse@91c3a5d:ops/batenet.py (--gate_random_hard_policy, --gate_stoc_ratio). For each frame
and channel of each gated block an action is drawn, independent of all else; there is no policy network, and nothing is
learned but the network itself. Tensors as in `adafuse_gate`: maps (N*T, C, H, W), decisions (N, T, C, 3).

Known differences
1. The ratios are not printed. Skip, reuse, keep of .25, .25, .5 cost ResNet-18 10.35 GMACs a clip on average (10.4 are
   printed); the code's default of thirds costs 9.2.
2. In evaluation a block draws the same actions for every clip, from its name and `noise_seed`, so that a video's score
   does not depend on those beside it; the authors' draws are new for each clip (`noise_seed=None`).
3. GMACs are counted for the frame's own decisions also in the last frame (`last_frame_fault` as in `adafuse`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn

from baselines.options import refuse_unknown, require_choice
from methods.adafuse.account import Account, check_stages
from methods.adafuse.cost import Neighbours
from methods.adafuse.gate import BareGate, Rule
from methods.adafuse.policy import ACTIONS, choose, from_codes

_OWNER = "method 'random_policy'"


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of `insert`."""

    ratios: tuple[float, ...] = (0.25, 0.25, 0.5)
    """Probabilities of skip, reuse, keep."""
    stages: tuple[int, ...] | None = None
    """Stages (1 to 4) whose blocks are gated; None is all."""
    noise_seed: int | None = 0
    """Seed of evaluation's draws; None draws from torch's global generator. Training always does."""
    last_frame_fault: bool = False
    """Count the last frame as the authors' code does."""


def insert(model: nn.Module, options: Mapping[str, Any] | None = None) -> nn.Module:
    """Put random gates into a video network, in place; its part `random_policy` is their `Account`.

    Raises ValueError for an unknown option or one that does not fit the network.
    """
    settings = _read(options or {})
    account = Account(model, owner=_OWNER, last_frame_fault=settings.last_frame_fault)
    rule = Rule(policy="sample", noise_seed=settings.noise_seed)

    def new_gate(block: str, channels: int, decided: int, around: Neighbours) -> RandomGate:
        return RandomGate(block, channels, decided, ratios=settings.ratios, around=around, rule=rule, **account.common)

    account.put_into(model, new_gate, settings.stages, "random_policy")
    return model


class RandomGate(BareGate):
    """A gate whose decisions no input changes."""

    def __init__(self, block: str, channels: int, decided: int, *, ratios: tuple[float, ...], **common: Any) -> None:
        super().__init__(block, channels, decided, **common)
        self.ratios = ratios

    def logits(self, pooled: Tensor) -> Tensor:
        """(N, T, C, 3): the logarithms of the ratios everywhere."""
        numbers = (math.log(ratio) if ratio else -math.inf for ratio in self.ratios)
        values = torch.stack([torch.full((), number, device=pooled.device) for number in numbers])
        return values.expand(pooled.shape[0] // self.frames, self.frames, self.decided, len(ACTIONS))

    def pick(self, logits: Tensor, frames: slice = slice(None)) -> Tensor:
        """One action each by Gumbel noise, which makes the likeliest sum a draw by the ratios."""
        if self.forced is not None:
            return from_codes(self.forced[..., frames, :], self.actions, logits)
        return choose(logits + self.noise_for(logits, frames))


def _read(options: Mapping[str, Any]) -> Options:
    refuse_unknown(_OWNER, options, (field.name for field in fields(Options)))
    given: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in options.items()}
    settings = Options(**given)
    ratios = settings.ratios
    numbers = isinstance(ratios, tuple) and all(isinstance(r, int | float) and not isinstance(r, bool) for r in ratios)
    if not numbers or len(ratios) != len(ACTIONS) or min(ratios) < 0 or not math.isclose(sum(ratios), 1, abs_tol=1e-6):
        raise ValueError(
            f"{_OWNER}: ratios {ratios!r} are not possible; allowed: three numbers from 0 that add up to 1, of "
            f"{', '.join(ACTIONS)}"
        )
    check_stages(_OWNER, settings.stages)
    require_choice(_OWNER, "last_frame_fault", settings.last_frame_fault, (True, False))
    seed = settings.noise_seed
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int)):
        raise ValueError(f"{_OWNER}: noise_seed {seed!r} is not possible; allowed: a whole number, or None")
    return settings
