"""AdaFuse: Adaptive Temporal Fusion (Meng et al., ICLR 2021), inserted into TSN or TSM on 2D backbones.

Authors' code: mengyuest/AdaFuse@91c3a5d:ops/batenet.py, bn_archs/bn_inception_ada.py. Paper: section 3, eq. 2 to 7.
A policy network reads each block's pooled input of the previous and this frame and decides for each channel of the
first convolution: keep it, reuse that of the previous frame, or skip it (zeros). The gate stands between the first
and second convolutions of a residual block, between expansion and depthwise convolution of EfficientNet's, and after
each Inception module.

The network gets a part `adafuse` that tells what was decided and what it cost: `losses`, and all of
`adafuse_account.Account`.

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
from typing import Any

from torch import Tensor, nn

from baselines.options import refuse_unknown, require_choice, require_count
from methods.adafuse.account import Account, check_stages
from methods.adafuse.cost import FORMS, GIGA, Neighbours
from methods.adafuse.gate import POLICIES, Gate, Rule
from methods.adafuse.policy import ACTIONS, Layers, layer_sizes

_OWNER = "method 'adafuse'"
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
    adafuse = AdaFuse(model, settings)
    adafuse.put_into(model, adafuse.new_gate, settings.stages, "adafuse")
    return model


class AdaFuse(Account):
    """The account of a network whose gates have policies.

    Holds the layers that policies share, as `shared.<inputs>_<outputs>`.
    """

    def __init__(self, model: nn.Module, settings: Options) -> None:
        super().__init__(model, owner=_OWNER, actions=settings.actions, last_frame_fault=settings.last_frame_fault)
        self.settings = settings
        self.rule = Rule(policy=settings.policy, temperature=settings.temperature, noise_seed=settings.noise_seed)
        self.shared = nn.ModuleDict()

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
        return Gate(
            block, channels, decided, hidden=hidden, shared=layers, around=around, rule=self.rule, **self.common
        )

    def _layers(self, inputs: int, hidden: int, outputs: int) -> Layers:
        key = f"{inputs}_{outputs}"
        if key not in self.shared:
            self.shared[key] = Layers(inputs, hidden, outputs)
        return self.shared[key]  # type: ignore[return-value]

    def _policies(self) -> list[nn.Module]:
        return [*self._gates, self.shared]

    def set_noise(self, noise: Mapping[str, Tensor] | None) -> None:
        """Noise by block, (T, C, A) or (N, T, C, A), to sample with in training and evaluation; None: as by options."""
        self._hand_out("noise", noise)

    def losses(self) -> dict[str, Tensor]:
        """The efficiency loss of the last forward, weighted, to be added to the cross entropy (eq. 6)."""
        if self.settings.efficiency_weight == 0:
            return {}
        cost = self.gmacs(self.settings.efficiency).mean() / self._frames()
        if self.settings.efficiency_scale == "share":
            cost = cost * (GIGA / self.base().total("authors"))
        return {"efficiency": self.settings.efficiency_weight * cost}


def _read(options: Mapping[str, Any]) -> Options:
    refuse_unknown(_OWNER, options, (field.name for field in fields(Options)))
    given: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in options.items()}
    settings = Options(**given)
    if settings.hidden is not None and settings.hidden_quota is not None:
        raise ValueError(f"{_OWNER}: hidden and hidden_quota are both given; allowed: one of them")
    for name in ("hidden", "hidden_quota"):
        if getattr(settings, name) is not None:
            require_count(_OWNER, name, getattr(settings, name))
    check_stages(_OWNER, settings.stages)
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
