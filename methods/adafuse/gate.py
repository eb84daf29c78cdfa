"""AdaFuse's gate: fuses a block's first features with those of the previous frame (AdaFuse eq. 3).

Tensors: N clips, T frames, C channels; maps (N*T, C, H, W). y~[t] = keep[t] y[t] + reuse[t] y[t-1], where y[t-1] is
what the first convolution gave for the frame before, not what was fused there; before the first frame it is zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from methods.adafuse.cost import Neighbours
from methods.adafuse.policy import Layers, choose, fresh_gumbel, from_codes, gumbel, layer_sizes, sample

POLICIES = ("argmax", "sample")
_ALL = slice(None)


@dataclass(frozen=True)
class Decided:
    """What one gate decided in a forward."""

    decisions: Tensor
    """One-hot (N, T, C, A); with a gradient in training."""
    size: tuple[int, int]
    """Of the gated map."""


@dataclass
class Ledger:
    """What every gate decided in the last forward, by block. Copies of a network start with an empty one."""

    entries: dict[str, Decided] = field(default_factory=dict)
    input_size: tuple[int, int] | None = None

    def __deepcopy__(self, memo: dict[int, Any]) -> Ledger:
        return Ledger()

    def __getstate__(self) -> dict[str, Any]:
        return {"entries": {}, "input_size": None}


@dataclass(frozen=True, kw_only=True)
class Rule:
    """How gates come to their decisions."""

    policy: str = "argmax"
    temperature: float = 0.67
    noise_seed: int | None = 0


class First(Protocol):
    """A block up to its gate."""

    def __call__(self, x: Tensor, rows: Tensor | None = None) -> Tensor:
        """(N*T, c, H', W') -> (N*T, C, H, W), or the channels `rows` of it alone."""


class Carried(Protocol):
    """What a stream remembers of one gate from frame to frame."""

    def step(self, gate: Gate, pooled: Tensor, x: Tensor, first: First) -> Tensor:
        """The fused map of the next frame."""


class BareGate(nn.Module):
    """The fusion and what its decisions are made from: a subclass gives their `logits`, or its own `decisions`.

    `block` is the name of the block that it stands in. With `reuse` among the actions it has a history.
    """

    def __init__(
        self,
        block: str,
        channels: int,
        decided: int,
        *,
        actions: Sequence[str],
        frames: int,
        around: Neighbours,
        rule: Rule,
        ledger: Ledger,
    ) -> None:
        super().__init__()
        self.block, self.channels, self.decided = block, channels, decided
        self.actions, self.frames = tuple(actions), frames
        self.history = "reuse" in self.actions
        self.around, self.rule, self.ledger = around, rule, ledger
        self.noise: Tensor | None = None
        """Noise to sample with, (T, C, A) or (N, T, C, A), in place of drawn noise."""
        self.forced: Tensor | None = None
        """Decisions to take, codes (T, C) or (N, T, C), in place of the gate's own."""
        self._drawn: tuple[Any, Tensor] | None = None
        """The block's own noise as it was drawn last, and for which seed, device and type."""

    def forward(self, pooled: Tensor, x: Tensor, first: First) -> Tensor:
        """`first(x)` fused over time, from the pooled input (N*T, c) of the block."""
        decisions = self.decisions(pooled)
        return self.fused(first(x), decisions)

    def fused(self, y: Tensor, decisions: Tensor) -> Tensor:
        """The maps (N*T, C, H, W) by one-hot decisions (N, T, C, A), which are noted."""
        if not (torch.jit.is_tracing() or y.is_meta):
            self.ledger.entries[self.block] = Decided(decisions, (y.shape[2], y.shape[3]))
        return fuse(y, decisions.to(y.dtype), self.history)

    def decisions(self, pooled: Tensor) -> Tensor:
        """One-hot decisions (N, T, C, A)."""
        return self.pick(self.logits(pooled))

    def logits(self, pooled: Tensor) -> Tensor:
        """(N, T, C, A) from the pooled input (N*T, c)."""
        raise NotImplementedError

    def pick(self, logits: Tensor, frames: slice = _ALL) -> Tensor:
        """One-hot decisions from logits (N, T, C, A), or from those of some frames of a clip."""
        if self.forced is not None:
            return from_codes(self.forced[..., frames, :], self.actions, logits)
        if not self.training and self.noise is None and self.rule.policy == "argmax":
            return choose(logits)
        return sample(logits, self.noise_for(logits, frames), self.rule.temperature)

    def noise_for(self, logits: Tensor, frames: slice = _ALL) -> Tensor:
        """The noise given; or new noise in training and without a seed; or the block's own, the same in each clip."""
        if self.noise is not None:
            return self.noise[..., frames, :, :].to(logits)
        if self.training or self.rule.noise_seed is None or logits.is_meta:
            return fresh_gumbel(logits)
        key = (self.rule.noise_seed, logits.device, logits.dtype)
        if self._drawn is None or self._drawn[0] != key:
            shape = (self.frames, self.decided, len(self.actions))
            self._drawn = key, torch.from_numpy(gumbel(self.block, shape, self.rule.noise_seed)).to(logits)
        return self._drawn[1][frames]

    def extra_repr(self) -> str:
        """Block, channels and actions."""
        return f"{self.block}, {self.channels} -> {self.decided} x {'/'.join(self.actions)}, frames={self.frames}"


class Gate(BareGate):
    """A gate steered by a policy: linear, batch normalization, ReLU, linear; one value for each channel and action.

    The policy reads [previous frame, this frame], zeros before the first; without a history this frame alone. `shared`
    layers belong to somebody else and do not appear among this module's parameters.
    """

    fc0: nn.Linear
    fc1: nn.Linear

    def __init__(
        self, block: str, channels: int, decided: int, *, hidden: int, shared: Layers | None, **common: Any
    ) -> None:
        super().__init__(block, channels, decided, **common)
        if shared is None:
            own = Layers(*layer_sizes(channels, decided, hidden, self.actions))
            self.fc0, self.fc1 = own.fc0, own.fc1
        self.bn = nn.BatchNorm1d(hidden)
        self._shared = () if shared is None else (shared,)  # a tuple keeps it out of the parameters
        self.scored: nn.Module | None = None
        """What a form for inference computes in place of the layers: joined features (M, 2c) -> (M, C*A); with `joins`
        also of pooled ones (N*T, c).
        """
        self.carried: Carried | None = None
        """Set while a stream of single frames runs."""

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        """Moves and casts reach the shared layers too: in a folded copy nobody else has them."""
        for layers in self._shared:
            layers._apply(fn, recurse)
        return super()._apply(fn, recurse)

    def forward(self, pooled: Tensor, x: Tensor, first: First) -> Tensor:
        """`first(x)` fused over time, from the pooled input (N*T, c) of the block."""
        if self.carried is not None:
            return self.carried.step(self, pooled, x, first)
        return super().forward(pooled, x, first)

    def logits(self, pooled: Tensor) -> Tensor:
        """(N, T, C, A), in the precision of the policy's own weights whatever autocast says."""
        pooled = pooled.to(self.dtype)
        if not pooled.is_meta and torch.is_autocast_enabled(pooled.device.type):
            with torch.autocast(pooled.device.type, enabled=False):
                return self.score(pooled)
        return self.score(pooled)

    def score(self, pooled: Tensor) -> Tensor:
        """Logits: (N*T, c) -> (N, T, C, A)."""
        if self.history and not getattr(self.scored, "joins", False):
            clips = pooled.unflatten(0, (-1, self.frames))
            before = pad(clips[:, :-1], (0, 0, 1, 0))
            pooled = torch.cat([before, clips], dim=2).flatten(0, 1)
        return self.decide(pooled).unflatten(0, (-1, self.frames))

    def decide(self, joined: Tensor) -> Tensor:
        """Logits (M, C, A) of M frames, from [previous, this] pooled features (M, 2c), or (M, c) without history."""
        if self.scored is not None:
            logits = self.scored(joined)
        else:
            logits = self.layers.fc1(torch.relu(self.bn(self.layers.fc0(joined))))
        return logits.unflatten(1, (self.decided, len(self.actions)))

    @property
    def layers(self) -> Layers | Gate:
        """Whose the two linear layers are."""
        return self._shared[0] if self._shared else self

    @property
    def dtype(self) -> torch.dtype:
        """Type of the weights."""
        return self.bn.weight.dtype


def fuse(y: Tensor, decisions: Tensor, history: bool) -> Tensor:
    """(N*T, C, H, W) and one-hot (N, T, C, A) -> the fused maps; without `history` nothing is reused."""
    clips = y.unflatten(0, (-1, decisions.shape[1]))
    fused = clips * decisions[..., -1, None, None]
    if history and torch.onnx.is_in_onnx_export():  # the exporter loses in silence what is written into a part
        return (fused + pad(clips[:, :-1], (0, 0, 0, 0, 0, 0, 1, 0)) * decisions[..., -2, None, None]).flatten(0, 1)
    if history:
        fused[:, 1:].addcmul_(clips[:, :-1], decisions[:, 1:, :, -2, None, None])
    return fused.flatten(0, 1)
