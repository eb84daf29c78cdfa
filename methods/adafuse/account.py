"""What the gates of a network decided in the last forward, and what that cost: AdaFuse and the baselines beside it.

Each network with gates has such a part; it follows the protocol of data-dependent costs: `stats` of every clip, `facts`
of the network. Tensors: N clips, T frames, C channels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from baselines.options import refuse_unknown, require_choice
from baselines.resnet import STAGES as STAGE_NAMES
from baselines.resnet import OpenBottleneck
from baselines.video import VideoResNet
from methods.adafuse.blocks import gated, shift_downsample
from methods.adafuse.cost import FORMS, GIGA, RULES, Base, Neighbours, count_base, saved_before, skipped_after
from methods.adafuse.gate import BareGate, Decided, Ledger
from methods.adafuse.policy import ACTIONS, require_actions, to_codes

FITTING = "tsn or tsm on ResNets, BN-Inception, MobileNets, EfficientNets and RegNets"
STAGES = (1, 2, 3, 4)

NewGate = Callable[[str, int, int, Neighbours], BareGate]
"""(block, channels that enter it, channels that are decided, the convolutions around) -> the gate."""


class Account(nn.Module):
    """The gates of a network together. `owner` is the method that put them there, as errors call it."""

    def __init__(
        self, model: nn.Module, *, owner: str, actions: Sequence[str] = ACTIONS, last_frame_fault: bool = False
    ) -> None:
        super().__init__()
        self.owner, self.actions, self.last_frame_fault = owner, tuple(actions), last_frame_fault
        self.ledger = Ledger()
        self._network = (model,)  # tuples keep modules of the network out of this one's
        self._gates: tuple[BareGate, ...] = ()
        self._bases: dict[tuple[int, int], Base] = {}
        self._channels: dict[Any, tuple[Tensor, Tensor, Tensor]] = {}

    @property
    def gates(self) -> dict[str, Any]:
        """The gates by block, in the order of the network."""
        return {gate.block: gate for gate in self._gates}

    @property
    def common(self) -> dict[str, Any]:
        """What every gate of this network has alike."""
        return {"actions": self.actions, "frames": self._frames(), "ledger": self.ledger}

    def put_into(self, model: nn.Module, new_gate: NewGate, stages: tuple[int, ...] | None, name: str) -> None:
        """Gate the blocks of these stages (None: of all); this account becomes the network's part `name`.

        Raises ValueError for a network without room for gates.
        """
        if not isinstance(model, VideoResNet) or model.clip_length != 1:
            raise ValueError(f"{self.owner} does not fit a {type(model).__name__}; allowed: {FITTING}")
        blocks = list(_blocks(model))
        for place, _, block in blocks:
            if isinstance(block, OpenBottleneck):  # other blocks of the same network may be plain
                raise ValueError(f"{self.owner} does not fit the {type(block).__name__} {place}; allowed: {FITTING}")
        for index, (place, stage, block) in enumerate(blocks):
            after = blocks[index + 1][2] if index + 1 < len(blocks) else None
            if stages is not None and int(place[len("layer")]) not in stages:
                shift_downsample(block)
                continue
            new = gated(block, after, partial(self._note, new_gate, place))
            if new is not None:
                stage.add_module(place.partition(".")[2], new)
        if not self._gates:
            raise ValueError(
                f"{self.owner}: no block of stages {stages or STAGES} has room for a gate: two convolutions with a "
                f"normalization between; allowed: {FITTING}"
            )
        model.add_module(name, self)
        model.get_submodule("conv1").register_forward_pre_hook(self.note_size)

    def _note(self, new_gate: NewGate, block: str, channels: int, decided: int, around: Neighbours) -> BareGate:
        gate = new_gate(block, channels, decided, around)
        self._gates += (gate,)
        return gate

    def note_size(self, conv: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        """Hook of the first convolution: remembers the size of the frames."""
        if not inputs[0].is_meta:
            self.ledger.input_size = (int(inputs[0].shape[-2]), int(inputs[0].shape[-1]))

    def force(self, codes: Mapping[str, Tensor] | None) -> None:
        """Decisions by block, codes (T, C) or (N, T, C) of 0 skip, 1 reuse, 2 keep, in place of the gates' own."""
        for block, given in (codes or {}).items():
            if block in self.gates:
                require_actions(self.owner, given, self.gates[block].actions)
        self._hand_out("forced", codes)

    def _hand_out(self, attribute: str, by_block: Mapping[str, Tensor] | None) -> None:
        refuse_unknown(self.owner, by_block or {}, self.gates)
        for block, gate in self.gates.items():
            setattr(gate, attribute, None if by_block is None else by_block.get(block))

    def decisions(self) -> dict[str, Tensor]:
        """Codes (N, T, C) by block in the last forward: 0 skip, 1 reuse, 2 keep."""
        return {block: to_codes(entry.decisions.detach(), self.actions) for block, entry in self._entries()}

    def shares(self) -> Tensor:
        """(N, 3): the share of skip, reuse and keep among all decisions for each clip."""
        codes = torch.cat([c.flatten(1) for c in self.decisions().values()], dim=1)
        return torch.stack([(codes == code).double().mean(1) for code in range(len(ACTIONS))], dim=1)

    def base(self, size: tuple[int, int] | None = None) -> Base:
        """Multiply-adds of one frame when all is kept, for frames of `size`, or those of the last forward."""
        size = size or self._last_size()
        if size not in self._bases:
            self._bases[size] = count_base(self._network[0], size, self._policies())
        return self._bases[size]

    def _policies(self) -> list[nn.Module]:
        """The modules whose cost is the policy's."""
        return list(self._gates)

    def saved(self, form: str = "real", *, last_frame_fault: bool | None = None) -> Tensor:
        """(N,) multiply-adds of a mean frame that the last forward's decisions save (eq. 5)."""
        require_choice(self.owner, "form", form, FORMS)
        fault = self.last_frame_fault if last_frame_fault is None else last_frame_fault
        parts = []
        for block, entry in self._entries():
            around = self.gates[block].around
            decisions = entry.decisions.to(torch.promote_types(entry.decisions.dtype, torch.float32))
            parts.append(around.second(skipped_after(decisions, self.actions), entry.size))
            if form == "real":
                idle = saved_before(decisions, self.actions, last_frame_fault=fault)
                parts.append(around.first(idle, entry.size))
        return torch.stack(parts).sum(0)

    def gmacs(self, form: str = "real", *, rule: str = "authors", last_frame_fault: bool | None = None) -> Tensor:
        """(N,) GMACs of each clip of the last forward, with the policies; `rule` counts what nobody can save."""
        require_choice(self.owner, "rule", rule, RULES)
        saved = self.saved(form, last_frame_fault=last_frame_fault)
        return (self.base().total(rule) - saved) * (self._frames() / GIGA)

    @torch.no_grad()
    def stats(self) -> dict[str, Tensor]:
        """Figures (N,) of each clip of the last forward: GMACs by eq. 5 and shares of the actions.

        `gmacs` and `gmacs_upb` count by the authors' rule, `gmacs_macs` is the whole of eq. 5 by the rule `macs`, with
        the policy network and without it.
        `skip`, `reuse`, `keep` are shares of all decisions; with `_constant` the share of channels that do the same in
        all frames of the clip; each for all blocks and, as `BLOCK.skip`, for one.
        """
        entries, base, giga = self._entries(), self.base(), self._frames() / GIGA
        decisions = torch.cat([entry.decisions for _, entry in entries], dim=2).double()  # of all blocks' channels
        blocks, first, second = self._per_channel(tuple(entry.size for _, entry in entries), decisions.device)
        after = skipped_after(decisions, self.actions).mean(1) @ second
        both = after + saved_before(decisions, self.actions, last_frame_fault=self.last_frame_fault).mean(1) @ first
        macs = (base.total("macs") - both) * giga
        found = {
            "gmacs": (base.total("authors") - both) * giga,
            "gmacs_upb": (base.total("authors") - after) * giga,
            "gmacs_macs": macs,
            "gmacs_macs_without_policy": macs - base.policy["macs"] * giga,
        }
        taken = to_codes(decisions, self.actions)[..., None] == torch.arange(len(ACTIONS), device=decisions.device)
        shares = torch.stack([taken.double().mean(1), taken.all(1).double()], dim=-1).flatten(2)  # (N, C, 2 A)
        names = [name for action in ACTIONS for name in (action, f"{action}_constant")]
        for (block, _), of_block in zip(entries, (blocks @ shares).unbind(1), strict=True):
            found |= {f"{block}.{name}": share for name, share in zip(names, of_block.unbind(1), strict=True)}
        return found | dict(zip(names, shares.mean(1).unbind(1), strict=True))

    def _per_channel(self, sizes: tuple[tuple[int, int], ...], device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
        """Of all blocks' channels: each block's mean (B, C), and what `Neighbours.per_channel` counts, each (C,)."""
        key = (sizes, device)
        if key not in self._channels:
            counts = [gate.decided for gate in self._gates]
            costs = [g.around.per_channel(g.decided, size) for g, size in zip(self._gates, sizes, strict=True)]
            means = torch.block_diag(*(torch.full((1, count), 1 / count, dtype=torch.float64) for count in counts))
            first, second = (
                torch.tensor([v for one in some for v in one], dtype=torch.float64) for some in zip(*costs, strict=True)
            )
            self._channels[key] = means.to(device), first.to(device), second.to(device)
        return self._channels[key]

    def counts(self) -> dict[str, float]:
        """GMACs of one clip of 224x224 when everything is kept, by the authors' rule, with and without the policies."""
        told = self._bases_of(self.base((224, 224)))
        return {f"{name}_224": told[name] for name in ("gmacs_base", "gmacs_base_without_policy")}

    def facts(self) -> dict[str, float]:
        """GMACs of one clip of the last forward's size when everything is kept, by both rules."""
        return self._bases_of(self.base())

    def _bases_of(self, base: Base) -> dict[str, float]:
        frames = self._frames()
        return {
            "gmacs_base": base.total("authors") * frames / GIGA,
            "gmacs_base_without_policy": base.network["authors"] * frames / GIGA,
            "gmacs_macs_base": base.total("macs") * frames / GIGA,
            "gmacs_macs_base_without_policy": base.network["macs"] * frames / GIGA,
        }

    def _entries(self) -> list[tuple[str, Decided]]:
        if not self.ledger.entries:
            raise ValueError(f"{self.owner}: nothing was decided yet; run the network on a clip first")
        return [(gate.block, self.ledger.entries[gate.block]) for gate in self._gates]

    def _last_size(self) -> tuple[int, int]:
        if self.ledger.input_size is None:
            raise ValueError(f"{self.owner}: the size of the frames is not known; run the network on a clip first")
        return self.ledger.input_size

    def _frames(self) -> int:
        return self._network[0].frames  # type: ignore[return-value]


def _blocks(model: nn.Module) -> Iterator[tuple[str, nn.Module, nn.Module]]:
    """(layerL.B, its stage, the block) in the order of the network."""
    for name in STAGE_NAMES:
        stage = getattr(model, name, None)
        if isinstance(stage, nn.Sequential):
            for place, block in stage.named_children():
                yield f"{name}.{place}", stage, block


def check_stages(owner: str, stages: object) -> None:
    """Raise ValueError unless these are numbers of stages, each once, or None."""
    if stages is None:
        return
    if not isinstance(stages, tuple) or not stages or len(set(stages)) < len(stages):
        raise ValueError(f"{owner}: stages {stages!r} is not possible; allowed: None, or numbers from 1 to 4")
    for number in stages:
        require_choice(owner, "stages", number, STAGES)
