"""AR-Net's policy: what is done with each frame, what that costs, and the losses that hold the cost down.

Tensors: N clips, T frames, K classes, A = 7 actions a frame: score it by one of three networks at its resolution, by
the policy itself, or skip 1, 2 or 4 frames from it on. Decisions are one-hot (N, T, A). Costs are multiply-adds of
convolutions and matrix products, G is 1e9.

Two rules of cost:
  macs     the chosen networks, and the policy on every frame but those inside a skip;
  authors  the same by the authors' table: a skip of s frames has 1/s of the policy at each of its frames (so a skip
           that the clip's end cuts off counts in part), and the step of the LSTM counts 2 * 1280^2.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import gumbel_softmax, one_hot
from torch.utils.flop_counter import FlopCounterMode

from baselines.options import require_choice

SKIPS = (1, 2, 4)
RULES = ("macs", "authors")
POLICIES = ("argmax", "sample")
SCALES = ("gmacs", "share")
GIGA = 1e9
#: name of the cost when nothing is saved -> rule
_BASES = {"gmacs_base": "authors", "gmacs_macs_base": "macs"}
_OWNER = "model 'arnet'"
_STD = 0.001


@dataclass(frozen=True, kw_only=True)
class Options:
    """How decisions are taken and what the losses weigh."""

    policy: str = "argmax"
    """In evaluation: the likeliest action, or one drawn by its probability (`sample`). Training always draws."""
    noise_seed: int = 0
    """Of what `sample` draws with, the same in every clip."""
    temperature: float = 0.6309
    """Of the Gumbel-Softmax in training; the authors' falls from 5 and is this when they fine-tune."""
    efficiency_weight: float = 0.05
    """w: the authors train by (1 - w) cross entropy + w (efficiency + uniform)."""
    uniform_weight: float = 3.0
    """Of the uniform loss beside the efficiency loss."""
    efficiency_scale: str = "gmacs"
    """Unit of the efficiency loss: `gmacs` a frame, or the `share` of the largest network's, for small networks."""


@dataclass
class Ledger:
    """The last forward. Copies of a network start with an empty one."""

    decisions: Tensor | None = None
    size: tuple[int, int] | None = None

    def __deepcopy__(self, memo: dict[int, Any]) -> Ledger:
        return Ledger()

    def __getstate__(self) -> dict[str, Any]:
        return {"decisions": None, "size": None}


@dataclass(frozen=True)
class Costs:
    """Multiply-adds of one frame."""

    networks: tuple[float, ...]
    policy: float
    """The policy's network, LSTM step and classifiers."""
    policy_network: float
    lstm_by_authors: float = field(default=2.0 * 1280**2)

    def of(self, decisions: Tensor, rule: str) -> Tensor:
        """(N,) of each clip."""
        action = torch.zeros(decisions.shape[-1], dtype=decisions.dtype, device=decisions.device)
        action[: len(self.networks)] = torch.tensor(self.networks)
        chosen = (decisions * action).sum((1, 2))
        if rule == "authors":
            looked = torch.ones_like(action)
            looked[-len(SKIPS) :] = 1 / torch.tensor(SKIPS)
            return chosen + (decisions * looked).sum((1, 2)) * (self.policy_network + self.lstm_by_authors)
        return chosen + looked_at(decisions).sum(1) * self.policy


def looked_at(decisions: Tensor) -> Tensor:
    """(N, T): 1 where the policy looks at a frame, 0 inside a skip."""
    remain = torch.zeros_like(decisions[:, 0, 0])
    looks = []
    for here in decisions.detach().unbind(1):
        looks.append((remain < 0.5).to(remain.dtype))
        remain = after_skip(remain, here)
    return torch.stack(looks, dim=1)


def after_skip(remain: Tensor, decided: Tensor) -> Tensor:
    """Frames (N,) that are still to be skipped after one with these decisions (N, A)."""
    chosen = decided.detach()[:, -len(SKIPS) :].round().unbind(1)
    lengths = torch.stack([one * length for one, length in zip(chosen, SKIPS, strict=True)]).sum(0)
    return (torch.where(remain < 0.5, lengths, remain) - 1).clamp(min=0)


class Policy(nn.Module):
    """A small network's features of each frame, an LSTM over them, an action and class scores from its state."""

    def __init__(
        self, features: nn.Module, channels: int, *, hidden: int, networks: int, num_classes: int, dropout: float,
        settings: Options,
    ) -> None:  # fmt: skip
        super().__init__()
        self.settings, self.ledger = settings, Ledger()
        self.features = features
        self.dropout = nn.Dropout(dropout)
        self.rnn = nn.LSTMCell(channels, hidden)
        self.actions = networks + 1 + len(SKIPS)
        self.choice, self.fc = nn.Linear(hidden, self.actions), nn.Linear(hidden, num_classes)
        for layer in (self.choice, self.fc):
            nn.init.normal_(layer.weight, 0.0, _STD)
            nn.init.zeros_(layer.bias)
        self.names = (*(f"network {i}" for i in range(networks)), "policy", *(f"skip {length}" for length in SKIPS))
        self.noise: Tensor | None = None
        self.forced: Tensor | None = None
        self._costs: dict[tuple[int, int], Costs] = {}

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(N, T, 3, h, w) -> decisions (N, T, A), class scores (N, T, K)."""
        seen = self.dropout(self.features(x.flatten(0, 1)).mean((2, 3))).unflatten(0, x.shape[:2])
        state = memory = seen.new_zeros(x.shape[0], self.rnn.hidden_size)
        remain = seen.new_zeros(x.shape[0])
        decisions: list[Tensor] = []
        scores: list[Tensor] = []
        for t in range(x.shape[1]):
            new, memory = self.rnn(seen[:, t], (state, memory))
            scores.append(self.fc(new))
            here = self._choose(self.choice(new).log_softmax(1), t)
            if decisions:  # inside a skip the old state and decision stay; the memory goes on
                inside = (remain > 0.5)[:, None]
                new, here = torch.where(inside, state, new), torch.where(inside, decisions[-1], here)
            state = new
            decisions.append(here)
            remain = after_skip(remain, here)
        return torch.stack(decisions, dim=1), torch.stack(scores, dim=1)

    def _choose(self, log_p: Tensor, t: int) -> Tensor:
        """One-hot (N, A) of frame t; in training with the gradient of the Gumbel-Softmax."""
        if self.forced is not None:
            return one_hot(self.forced[:, t], self.actions).to(log_p)
        if self.training:
            return gumbel_softmax(log_p, self.settings.temperature, hard=True)
        noise = self._noise()
        if noise is not None:
            log_p = log_p + noise.to(log_p)[..., t, :]
        return one_hot(log_p.argmax(1), self.actions).to(log_p)

    def _noise(self) -> Tensor | None:
        if self.noise is not None or self.settings.policy == "argmax":
            return self.noise
        generator = np.random.Generator(np.random.PCG64(self.settings.noise_seed))
        uniform = generator.uniform(1e-12, 1.0, (self.frames, self.actions))
        return torch.from_numpy(-np.log(-np.log(uniform)))

    def attach(self, network: Any) -> None:
        """Tell which network this policy steers; a tuple keeps it out of this module's parts."""
        self._network, self.frames = (network,), int(network.frames)

    def set_noise(self, noise: Tensor | None) -> None:
        """Noise (T, A) or (N, T, A) that evaluation adds to the log probabilities; None: as by options."""
        self.noise = noise

    def force(self, codes: Mapping[str, Tensor] | None) -> None:
        """Decisions in place of the policy's, as `decisions` gives them; None: the policy's own."""
        self.forced = None if codes is None else codes["frames"]

    def decisions(self) -> dict[str, Tensor]:
        """`frames`: the number of the action, (N, T), in the last forward; the order is that of `names`."""
        return {"frames": self._last().argmax(-1)}

    def gmacs(self, rule: str = "macs") -> Tensor:
        """(N,) GMACs of each clip of the last forward; `RULES` says how they are counted."""
        require_choice(_OWNER, "rule", rule, RULES)
        return self.costs().of(self._last().double(), rule) / GIGA

    def costs(self) -> Costs:
        """Multiply-adds of one frame of the size of the last forward."""
        self._last()
        size = self.ledger.size
        assert size is not None
        if size not in self._costs:
            network = self._network[0]
            frames = network.frames
            networks = tuple(
                _count(part, (1, frames, 3, *network.size_of(index, size))) / frames
                for index, part in enumerate(network.networks)
            )
            small = network.size_of(-1, size)
            alone = _count(self.features, (1, 3, *small))
            self._costs[size] = Costs(networks, _count(self, (1, 1, 3, *small)), alone)
        return self._costs[size]

    @torch.no_grad()
    def stats(self) -> dict[str, Tensor]:
        """Figures of each clip of the last forward, (N,), named as AdaFuse's: GMACs, and the share of each action.

        `gmacs` counts by the authors' rule, `gmacs_macs` by the rule `macs`, with the policy's own and without it.
        """
        shares = self._last().double().mean(1)
        named = {name: shares[:, index] for index, name in enumerate(self.names)}
        macs = self.gmacs()
        alone = macs - looked_at(self._last().double()).sum(1) * self.costs().policy / GIGA
        return {"gmacs": self.gmacs("authors"), "gmacs_macs": macs, "gmacs_macs_without_policy": alone, **named}

    def facts(self) -> dict[str, float]:
        """GMACs of one clip of the last forward's size when nothing is saved: the largest network on every frame."""
        costs, largest = self.costs(), max(self.costs().networks)
        dearest = torch.zeros_like(self._last()[:1], dtype=torch.float64)
        dearest[..., costs.networks.index(largest)] = 1
        found = {name: float(costs.of(dearest, rule)) / GIGA for name, rule in _BASES.items()}
        alone = {f"{name}_without_policy": dearest.shape[1] * largest / GIGA for name in _BASES}
        return found | alone

    def losses(self) -> dict[str, Tensor]:
        """To be added to the cross entropy: the mean frame's networks in GMACs, and how uneven the actions are."""
        weight = self.settings.efficiency_weight
        if weight == 0:
            return {}
        networks: Sequence[float] = self.costs().networks
        unit = GIGA if self.settings.efficiency_scale == "gmacs" else max(networks)
        usage = self._last().mean((0, 1))
        cost = sum(usage[index] * (macs / unit) for index, macs in enumerate(networks))
        uneven = torch.linalg.vector_norm(usage - usage.mean())
        factor = weight / (1 - weight)
        return {"efficiency": factor * cost, "uniform": factor * self.settings.uniform_weight * uneven}

    def _last(self) -> Tensor:
        if self.ledger.decisions is None:
            raise ValueError(f"{_OWNER}: nothing was decided yet; run the network on a clip first")
        return self.ledger.decisions


def _count(module: nn.Module, shape: tuple[int, ...]) -> float:
    """Multiply-adds of a call, on the meta device: no memory, no arithmetic."""
    memo: dict[int, Any] = {id(p): nn.Parameter(p.to("meta"), p.requires_grad) for p in module.parameters()}
    memo |= {id(b): b.to("meta") for b in module.buffers()}
    memo |= {id(part): None for part in getattr(module, "_network", ())}
    probe: Any = copy.deepcopy(module, memo).eval()
    if isinstance(probe, Policy):
        probe.noise = probe.forced = None
    dtype = next(module.parameters()).dtype
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        probe(torch.empty(shape, device="meta", dtype=dtype))
    return counter.get_total_flops() / 2
