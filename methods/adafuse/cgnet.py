"""CGNet: Channel Gating Neural Networks (Hua et al., NeurIPS 2019, arXiv 1805.12549), a baseline of AdaFuse.

Code studied: mengyuest/AdaFuse@91c3a5d:ops/cgnet.py, ops/cg_utils.py, main_gate.py, opts.py, after
cornell-zhang/dnn-gating. In each residual block the first convolution is done in two steps: on the first 1/p of its
input channels, the partial sum y_p; and, where a gate opens, on all. The gate is one for each value of the output:

    d = [sigmoid(a (norm(y_p) - threshold)) > 1/2],    y = d y_all + (1 - d) y_p

with a normalization without affine parameters and a learned threshold per channel; the gradient passes d as if it were
the sigmoid. `losses` draws the thresholds to a target, which closes gates. Tensors: maps (N*T, C, H, W).

The network gets a part `cgnet` that tells what the gates cost: `gmacs`, `stats`, `facts`, `losses`.

Known differences
1. The authors keep the partition as a parameter that is never trained, as large as the weights (4.7 M in ResNet-18);
   we take a slice of the weights.
2. Computing both sums costs more than either; what is counted, as the authors count it, is what an executor needs that
   computes the rest only where gates are open: 1/p of the convolution, and the open share of the rest.
3. GMACs: the authors' constant for ResNet-18 is 1.8188 G a frame; we count the network (1.8188).
4. Grouped partitions, shuffled channels and a second gated convolution (options of that code, off in AdaFuse) are not
   built.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

from baselines.options import refuse_unknown, require_choice, require_count
from baselines.resnet import STAGES as STAGE_NAMES
from baselines.resnet import OpenBottleneck
from baselines.video import VideoResNet
from methods.adafuse.cost import GIGA, RULES, Base, Conv, count_base
from methods.adafuse.gate import Ledger

_OWNER = "method 'cgnet'"


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of `insert`; the defaults are those of the code."""

    partitions: int = 4
    """p: the partial sum reads 1/p of the input channels."""
    threshold: float = 0.0
    """Where thresholds start."""
    target: float = 1.0
    """Where `losses` draws them."""
    threshold_weight: float = 1e-4
    """Of the sum of (threshold - target)^2 beside the cross entropy."""
    slope: float = 2.0
    """a: of the sigmoid."""


def insert(model: nn.Module, options: Mapping[str, Any] | None = None) -> nn.Module:
    """Gate the first convolution of each residual block of a network over ResNets, in place.

    Raises ValueError for an unknown option or one that does not fit the network.
    """
    given = options or {}
    refuse_unknown(_OWNER, given, (field.name for field in fields(Options)))
    settings = Options(**given)
    require_count(_OWNER, "partitions", settings.partitions)
    for name in ("threshold", "target", "threshold_weight", "slope"):
        value = getattr(settings, name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"{_OWNER}: {name} {value!r} is not possible; allowed: a number")
    if not isinstance(model, VideoResNet) or model.clip_length != 1:
        raise ValueError(f"{_OWNER} does not fit a {type(model).__name__}; allowed: tsn on ResNets")
    cgnet = ChannelGating(model, settings)
    for name in STAGE_NAMES:
        for place, block in getattr(model, name).named_children():
            if isinstance(block, OpenBottleneck) or type(getattr(block, "conv1", None)) is not nn.Conv2d:
                raise ValueError(
                    f"{_OWNER} does not fit the {type(block).__name__} {name}.{place}; allowed: tsn on ResNets"
                )
            block.conv1 = cgnet.new_conv(f"{name}.{place}", block.conv1)
    model.add_module("cgnet", cgnet)
    model.get_submodule("conv1").register_forward_pre_hook(cgnet.note_size)
    return model


class GatedConv2d(nn.Conv2d):
    """A convolution whose values are completed only where its gate opens. It takes over the weight of `conv`."""

    def __init__(self, conv: nn.Conv2d, settings: Options, block: str) -> None:
        nn.Module.__init__(self)
        for name in ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups"):
            setattr(self, name, getattr(conv, name))
        self.transposed, self.output_padding, self.padding_mode = False, (0, 0), conv.padding_mode
        self.weight, self.bias = conv.weight, conv.bias
        self.block, self.settings = block, settings
        self.first = self.in_channels // settings.partitions
        self.norm = nn.BatchNorm2d(self.out_channels, affine=False)
        self.threshold = nn.Parameter(torch.full((1, self.out_channels, 1, 1), float(settings.threshold)))
        self.opened: Tensor | None = None
        """(N*T,) share of open gates in the last forward."""
        self.size = (0, 0)
        """Of the map in the last forward."""

    def forward(self, x: Tensor) -> Tensor:
        """(N*T, c, H', W') -> (N*T, C, H, W)."""
        how = (self.stride, self.padding, self.dilation)
        partial = conv2d(x[:, : self.first], self.weight[:, : self.first], self.bias, *how)
        soft = torch.sigmoid(self.settings.slope * (self.norm(partial) - self.threshold))
        hard = (soft > 0.5).to(soft.dtype)
        if not (torch.jit.is_tracing() or x.is_meta):
            self.opened, self.size = hard.detach().flatten(1).mean(1), (partial.shape[2], partial.shape[3])
        gate = hard - soft.detach() + soft if torch.is_grad_enabled() else hard
        whole = conv2d(x, self.weight, self.bias, *how)
        return partial + gate * (whole - partial)

    def saved(self) -> float:
        """Multiply-adds of one frame that closed gates would save, all of them."""
        return Conv.of(self).macs(self.size) * (1 - self.first / self.in_channels)


class ChannelGating(nn.Module):
    """All gates of a network: what they cost for each clip of the last forward, and the loss on their thresholds."""

    def __init__(self, model: nn.Module, settings: Options) -> None:
        super().__init__()
        self.settings, self.ledger = settings, Ledger()
        self._network = (model,)  # tuples keep modules of the network out of this one's
        self._convs: tuple[GatedConv2d, ...] = ()
        self._bases: dict[tuple[int, int], Base] = {}

    def new_conv(self, block: str, conv: nn.Conv2d) -> GatedConv2d:
        """The gated form of a block's first convolution."""
        if conv.in_channels < self.settings.partitions or conv.groups != 1:
            raise ValueError(
                f"{_OWNER}: partitions {self.settings.partitions} is not possible in {block}; allowed: up to its "
                f"{conv.in_channels} channels"
            )
        self._convs += (GatedConv2d(conv, self.settings, block),)
        return self._convs[-1]

    def note_size(self, conv: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        """Hook of the first convolution: remembers the size of the frames."""
        if not inputs[0].is_meta:
            self.ledger.input_size = (int(inputs[0].shape[-2]), int(inputs[0].shape[-1]))

    def base(self, size: tuple[int, int] | None = None) -> Base:
        """Multiply-adds of one frame of this size, or of the last forward's, when all gates are open."""
        size = size or self.ledger.input_size
        if size is None:
            raise ValueError(f"{_OWNER}: nothing was gated yet; run the network on a clip first")
        if size not in self._bases:
            gates = [conv.norm for conv in self._convs]
            self._bases[size] = count_base(self._network[0], size, gates)
        return self._bases[size]

    def gmacs(self, *, rule: str = "authors") -> Tensor:
        """(N,) GMACs of each clip of the last forward; the authors do not count the gates' normalization."""
        require_choice(_OWNER, "rule", rule, RULES)
        closed = torch.stack([(1 - self._opened(conv).double()) * conv.saved() for conv in self._convs]).sum(0)
        return (self.base().network[rule] - closed) * (self._network[0].frames / GIGA)  # type: ignore[operator]

    @torch.no_grad()
    def stats(self) -> dict[str, Tensor]:
        """Figures (N,) of each clip of the last forward: GMACs by both rules, share of open gates, also by block."""
        blocks = {f"{conv.block}.open": self._opened(conv).double() for conv in self._convs}
        costs = {"gmacs": self.gmacs(), "gmacs_macs": self.gmacs(rule="macs")}
        return {**costs, "open": torch.stack(list(blocks.values())).mean(0), **blocks}

    def counts(self) -> dict[str, float]:
        """GMACs of one clip of 224x224 when all gates are open, by the authors' rule, which leaves the gates out."""
        base = self.base((224, 224)).network["authors"]
        return {"gmacs_base_224": base * self._network[0].frames / GIGA}  # type: ignore[operator]

    def facts(self) -> dict[str, float]:
        """GMACs of one clip when all gates are open, by both rules."""
        factor = self._network[0].frames / GIGA  # type: ignore[operator]
        base = self.base().network
        return {"gmacs_base": base["authors"] * factor, "gmacs_macs_base": base["macs"] * factor}

    def losses(self) -> dict[str, Tensor]:
        """The thresholds' squared distance from their target, weighted."""
        chosen = self.settings
        if chosen.threshold_weight == 0:
            return {}
        distance = sum((conv.threshold - chosen.target).square().sum() for conv in self._convs)
        return {"threshold": chosen.threshold_weight * distance}  # type: ignore[dict-item]

    def _opened(self, conv: GatedConv2d) -> Tensor:
        if conv.opened is None:
            raise ValueError(f"{_OWNER}: nothing was gated yet; run the network on a clip first")
        return conv.opened.unflatten(0, (-1, self._network[0].frames)).mean(1)  # type: ignore[arg-type]
