"""AdaFuse: Adaptive Temporal Fusion (Meng et al., ICLR 2021), inserted into TSN or TSM on 2D backbones.

Authors' code: mengyuest/AdaFuse@91c3a5d:ops/batenet.py, bn_archs/bn_inception_ada.py. Paper: section 3, eq. 2 to 7.
A policy network reads each block's pooled input of the previous and this frame and decides for each channel of the
first convolution: keep it, reuse that of the previous frame, or skip it (zeros). The gate stands between the first
and second convolutions of a residual block, between expansion and depthwise convolution of EfficientNet's, and after
each Inception module.

The network gets a part `adafuse` that tells what was decided and what it cost: `losses`, `gmacs`, `decisions`, `stats`.

Known differences
1. At test the likeliest action is taken, so that a video always has the same score; the authors' code goes on sampling
   (`policy="sample"`). The paper does not say.
2. Sampled evaluation has its noise from the block's name and `noise_seed`, the same in every clip, so that it does not
   depend on the batch; the authors' is new for each clip (`noise_seed=None`: torch's global generator).
3. As in the authors' code and not in the paper: a batch normalization between the policy's layers, and layers shared by
   blocks of equal widths (`shared_policy`).
4. On TSM, as in the authors' code, the downsampling convolutions read the shifted input too, in all stages.
5. The authors count the last frame's cost with the decisions of the one before (`last_frame_fault`); we do not.
6. The paper's efficiency loss sums the blocks' multiply-adds; the code's is the whole network's, in G per frame, most
   often without the first convolutions (`efficiency="upb"`, weight 0.125). Gradients of the two forms of `real` agree.
7. EfficientNet is not in the authors' code; hidden quota and sharing that give the printed parameters are those of
   ResNet-50. Blocks without an expansion have no gate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from baselines.options import refuse_unknown, require_choice, require_count
from baselines.resnet import OpenBottleneck
from baselines.video import VideoResNet
from methods.adafuse_blocks import gated, shift_downsample
from methods.adafuse_cost import FORMS, GIGA, RULES, Base, Neighbours, count_base, saved_before, skipped_after
from methods.adafuse_gate import POLICIES, Gate, Ledger, Rule
from methods.adafuse_policy import ACTIONS, Layers, layer_sizes, to_codes

_OWNER = "method 'adafuse'"
_FITTING = "tsn or tsm on ResNets and BN-Inception, tsn on EfficientNet"
STAGES = (1, 2, 3, 4)
ACTION_SETS = (ACTIONS, ("skip", "keep"), ("reuse", "keep"))
DEFAULT_QUOTA = 196608
SCALES = ("gmacs", "share")


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of `insert`."""

    hidden: int | None = None
    """Hidden units of each policy (AdaFuse Table 7); None takes them from `hidden_quota`."""
    hidden_quota: int | None = None
    """Hidden units times channels decided; 196608 is the authors' for ResNet-50 and the default without `hidden`."""
    shared_policy: bool = True
    """Blocks of equal widths share their policy's two layers; the normalization between is each block's own."""
    stages: tuple[int, ...] | None = None
    """Stages (1 to 4) whose blocks are gated; None is all. (4,) on TSM is the paper's TSM+Last."""
    actions: tuple[str, ...] = ACTIONS
    """What a channel can do: skip, reuse, keep; or skip, keep (Table 6, Ada. Skip); or reuse, keep (Ada. Reuse)."""
    policy: str = "argmax"
    """At evaluation: `argmax`, or `sample`. Training always samples."""
    noise_seed: int | None = 0
    """Seed of evaluation's noise; None draws it from torch's global generator."""
    temperature: float = 0.67
    """Of the Gumbel-Softmax (AdaFuse 3)."""
    efficiency: str = "real"
    """Efficiency loss: `real` is eq. 5, `upb` its second term alone, as in most of the authors' scripts."""
    efficiency_weight: float = 0.1
    """Weight of that loss (AdaFuse 4: lambda = 0.1); the authors' scripts have 0.125, 0.075, 0.05. 0: no such loss."""
    efficiency_scale: str = "gmacs"
    """Its unit: `gmacs` per frame, or the `share` of the network's own, for networks of another size."""
    last_frame_fault: bool = False
    """Count the last frame as the authors' code does: with the decisions of the frame before it."""


def insert(model: nn.Module, options: Mapping[str, Any] | None = None) -> nn.Module:
    """Put AdaFuse into a video network whose clips have `frames` frames, in place.

    Raises ValueError for an unknown option or one that does not fit the network.
    """
    settings = _read(options or {})
    if not isinstance(model, VideoResNet) or model.clip_length != 1:
        raise ValueError(f"{_OWNER} does not fit a {type(model).__name__}; allowed: {_FITTING}")
    blocks = _blocks(model)
    for name, _, _, block in blocks:
        if isinstance(block, OpenBottleneck):  # other blocks of the same network may be plain
            raise ValueError(f"{_OWNER} does not fit the {type(block).__name__} {name}; allowed: {_FITTING}")
    adafuse = AdaFuse(model, settings)
    for index, (name, stage, place, block) in enumerate(blocks):
        after = blocks[index + 1][3] if index + 1 < len(blocks) else None
        if settings.stages is not None and int(name[len("layer")]) not in settings.stages:
            shift_downsample(block)
            continue
        new = gated(block, after, partial(adafuse.new_gate, name))
        if new is not None:
            stage.add_module(place, new)
    if not adafuse.gates:
        raise ValueError(
            f"{_OWNER}: no block of stages {settings.stages or STAGES} has room for a gate; allowed: {_FITTING}"
        )
    model.add_module("adafuse", adafuse)
    model.get_submodule("conv1").register_forward_pre_hook(adafuse.note_size)
    return model


class AdaFuse(nn.Module):
    """The gates of a network together: what they decided in the last forward, and what it cost.

    Holds the layers that policies share, as `shared.<inputs>_<outputs>`.
    """

    def __init__(self, model: nn.Module, settings: Options) -> None:
        super().__init__()
        self.settings = settings
        self.rule = Rule(policy=settings.policy, temperature=settings.temperature, noise_seed=settings.noise_seed)
        self.ledger = Ledger()
        self.shared = nn.ModuleDict()
        self._network = (model,)  # tuples keep modules of the network out of this one's
        self._gates: tuple[Gate, ...] = ()
        self._bases: dict[tuple[int, int], Base] = {}

    @property
    def gates(self) -> dict[str, Gate]:
        """The gates by block, in the order of the network."""
        return {gate.block: gate for gate in self._gates}

    def new_gate(self, block: str, channels: int, decided: int, around: Neighbours) -> Gate:
        """A gate for a block; it makes, or takes, the layers that it shares."""
        chosen = self.settings
        hidden = chosen.hidden or (chosen.hidden_quota or DEFAULT_QUOTA) // decided
        if hidden < 1:
            raise ValueError(
                f"{_OWNER}: hidden_quota {chosen.hidden_quota} leaves no unit for the {decided} channels of {block}; "
                f"allowed: at least {decided}"
            )
        layers = self._layers(*layer_sizes(channels, decided, hidden, chosen.actions)) if chosen.shared_policy else None
        frames: int = self._network[0].frames  # type: ignore[assignment]
        gate = Gate(
            block,
            channels,
            decided,
            hidden=hidden,
            actions=chosen.actions,
            frames=frames,
            shared=layers,
            around=around,
            rule=self.rule,
            ledger=self.ledger,
        )
        self._gates += (gate,)
        return gate

    def _layers(self, inputs: int, hidden: int, outputs: int) -> Layers:
        key = f"{inputs}_{outputs}"
        if key not in self.shared:
            self.shared[key] = Layers(inputs, hidden, outputs)
        return self.shared[key]  # type: ignore[return-value]

    def note_size(self, conv: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        """Hook of the first convolution: remembers the size of the frames."""
        if not inputs[0].is_meta:
            self.ledger.input_size = (int(inputs[0].shape[-2]), int(inputs[0].shape[-1]))

    def set_noise(self, noise: Mapping[str, Tensor] | None) -> None:
        """Noise by block, (T, C, A) or (N, T, C, A), to sample with in training and evaluation; None: as by options."""
        self._hand_out("noise", noise)

    def force(self, codes: Mapping[str, Tensor] | None) -> None:
        """Decisions by block, codes (T, C) or (N, T, C) of 0 skip, 1 reuse, 2 keep, in place of the policies'."""
        self._hand_out("forced", codes)

    def _hand_out(self, attribute: str, by_block: Mapping[str, Tensor] | None) -> None:
        refuse_unknown(_OWNER, by_block or {}, self.gates)
        for block, gate in self.gates.items():
            setattr(gate, attribute, None if by_block is None else by_block.get(block))

    def decisions(self) -> dict[str, Tensor]:
        """Codes (N, T, C) by block in the last forward: 0 skip, 1 reuse, 2 keep."""
        return {block: to_codes(entry.decisions.detach(), self.settings.actions) for block, entry in self._entries()}

    def shares(self) -> Tensor:
        """(N, 3): the share of skip, reuse and keep among all decisions for each clip."""
        codes = torch.cat([c.flatten(1) for c in self.decisions().values()], dim=1)
        return torch.stack([(codes == code).double().mean(1) for code in range(len(ACTIONS))], dim=1)

    def base(self, size: tuple[int, int] | None = None) -> Base:
        """Multiply-adds of one frame when all is kept, for frames of `size`, or those of the last forward."""
        size = size or self._last_size()
        if size not in self._bases:
            self._bases[size] = count_base(self._network[0], size, [*self._gates, self.shared])
        return self._bases[size]

    def saved(self, form: str = "real", *, last_frame_fault: bool | None = None) -> Tensor:
        """(N,) multiply-adds of a mean frame that the last forward's decisions save (eq. 5)."""
        require_choice(_OWNER, "form", form, FORMS)
        fault = self.settings.last_frame_fault if last_frame_fault is None else last_frame_fault
        actions, parts = self.settings.actions, []
        for block, entry in self._entries():
            around = self.gates[block].around
            decisions = entry.decisions.to(torch.promote_types(entry.decisions.dtype, torch.float32))
            parts.append(around.second(skipped_after(decisions, actions), entry.size))
            if form == "real":
                idle = saved_before(decisions, actions, last_frame_fault=fault)
                parts.append(around.first(idle, entry.size))
        return torch.stack(parts).sum(0)

    def gmacs(self, form: str = "real", *, rule: str = "authors", last_frame_fault: bool | None = None) -> Tensor:
        """(N,) GMACs of each clip of the last forward, with the policies; `rule` counts what nobody can save."""
        require_choice(_OWNER, "rule", rule, RULES)
        saved = self.saved(form, last_frame_fault=last_frame_fault)
        return (self.base().total(rule) - saved) * (self._frames() / GIGA)

    def losses(self) -> dict[str, Tensor]:
        """The efficiency loss of the last forward, weighted, to be added to the cross entropy (eq. 6)."""
        if self.settings.efficiency_weight == 0:
            return {}
        cost = self.gmacs(self.settings.efficiency).mean() / self._frames()
        if self.settings.efficiency_scale == "share":
            cost = cost * (GIGA / self.base().total("authors"))
        return {"efficiency": self.settings.efficiency_weight * cost}

    @torch.no_grad()
    def stats(self) -> dict[str, Tensor]:
        """Figures of each clip of the last forward, (N,): GMACs by eq. 5 (both forms) and shares of the actions."""
        shares = self.shares()
        figures = {"gmacs": self.gmacs("real"), "gmacs_upb": self.gmacs("upb")}
        return figures | {action: shares[:, code] for code, action in enumerate(ACTIONS)}

    def _entries(self) -> list[tuple[str, Any]]:
        if not self.ledger.entries:
            raise ValueError(f"{_OWNER}: nothing was decided yet; run the network on a clip first")
        return [(gate.block, self.ledger.entries[gate.block]) for gate in self._gates]

    def _last_size(self) -> tuple[int, int]:
        if self.ledger.input_size is None:
            raise ValueError(f"{_OWNER}: the size of the frames is not known; run the network on a clip first")
        return self.ledger.input_size

    def _frames(self) -> int:
        return self._network[0].frames  # type: ignore[return-value]


def _blocks(model: nn.Module) -> list[tuple[str, nn.Module, str, nn.Module]]:
    """(layerL.B, its stage, B, the block) in the order of the network."""
    found: list[tuple[str, nn.Module, str, nn.Module]] = []
    for number in STAGES:
        stage = getattr(model, f"layer{number}", None)
        if isinstance(stage, nn.Sequential):
            found += [(f"layer{number}.{place}", stage, place, block) for place, block in stage.named_children()]
    return found


def _read(options: Mapping[str, Any]) -> Options:
    refuse_unknown(_OWNER, options, (field.name for field in fields(Options)))
    given: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in options.items()}
    settings = Options(**given)
    if settings.hidden is not None and settings.hidden_quota is not None:
        raise ValueError(f"{_OWNER}: hidden and hidden_quota are both given; allowed: one of them")
    for name in ("hidden", "hidden_quota"):
        if getattr(settings, name) is not None:
            require_count(_OWNER, name, getattr(settings, name))
    _check_stages(settings.stages)
    require_choice(_OWNER, "actions", settings.actions, ACTION_SETS)
    require_choice(_OWNER, "shared_policy", settings.shared_policy, (True, False))
    require_choice(_OWNER, "last_frame_fault", settings.last_frame_fault, (True, False))
    require_choice(_OWNER, "policy", settings.policy, POLICIES)
    require_choice(_OWNER, "efficiency", settings.efficiency, FORMS)
    require_choice(_OWNER, "efficiency_scale", settings.efficiency_scale, SCALES)
    if settings.noise_seed is not None and (
        isinstance(settings.noise_seed, bool) or not isinstance(settings.noise_seed, int)
    ):
        raise ValueError(
            f"{_OWNER}: noise_seed {settings.noise_seed!r} is not possible; allowed: a whole number, or None"
        )
    _check_number("temperature", settings.temperature, above=0.0)
    _check_number("efficiency_weight", settings.efficiency_weight)
    return settings


def _check_number(name: str, value: object, above: float | None = None) -> None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or value < 0 or (above is not None and value <= above):  # type: ignore[operator]
        allowed = "a number of at least 0" if above is None else f"a number above {above:g}"
        raise ValueError(f"{_OWNER}: {name} {value!r} is not possible; allowed: {allowed}")


def _check_stages(stages: object) -> None:
    if stages is None:
        return
    if not isinstance(stages, tuple) or not stages or len(set(stages)) < len(stages):
        raise ValueError(f"{_OWNER}: stages {stages!r} is not possible; allowed: None, or numbers from 1 to 4")
    for number in stages:
        require_choice(_OWNER, "stages", number, STAGES)
