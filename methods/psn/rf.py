"""RF-S, RF-L, RF-L-Inception, RF-L-Inception-T: what PSN is compared with (PSN Table 1, Figure 4).

Their details stand in a supplement that is not public. Blocks between stages, as PSN's, that add to their input; chosen
so that the printed numbers of parameters come out. Tensors: frames folded into the batch, (N*T, C, H, W).
  RF-S             a sixth of the channels: 1x3x3, normalization and ReLU, 3x1x1
  RF-L             an eighth: two such units, which reach 5x5x5
  RF-L-Inception   PSN's synthesizer with grouping in place of the fusion layer
  RF-L-Inception-T a quarter: the temporal bag alone

Known differences: parameters in M of ResNet-50, 174 classes
                      printed    here, conv1-4    here, conv1-5
  RF-S                27.57      24.78            27.57
  RF-L                27.35      24.73            27.35
  RF-L-Inception      27.56      24.69            27.18
  RF-L-Inception-T    27.28      24.59            26.78
The printed figure of RF-L-Inception is above that of PSN, 27.55, although it has no fusion layer; no form was found
that gives it or RF-L-Inception-T's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from torch import Tensor, nn

from baselines.options import refuse_unknown, require_count
from methods.psn import insert as psn
from methods.psn.kernels import Kernel, bag, in_groups, spatial_kernel, temporal_kernel
from methods.psn.places import Added, Place, add_blocks, read_places, require_scale
from methods.psn.synthesizer import GROUPS, affine, compressed, expansion, initialize, normalized

_CONV = Kernel("conv", 3, 3)


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of these four."""

    insert_after: tuple[str, ...] = ("conv1", "conv2", "conv3", "conv4")
    """Stages behind which a block stands; conv1 is the stem with its pooling."""
    proportion: int | None = None
    """Channels of the stage over those inside; None: 6 of rf_s, 8 of rf_l, 4 of the others."""
    expand_scale: float = 0.01
    """Factor on the initial weights of the last convolution."""


def rf_s(model: nn.Module, options: Mapping[str, Any] | None = None) -> nn.Module:
    """RF-S, in place. Options: `insert_after`, `proportion` (6), `expand_scale`."""
    return _insert(model, "method 'rf_s'", options, 6, lambda *given: SingleScale(*given, units=1))


def rf_l(model: nn.Module, options: Mapping[str, Any] | None = None) -> nn.Module:
    """RF-L, in place. Options: `insert_after`, `proportion` (8), `expand_scale`."""
    return _insert(model, "method 'rf_l'", options, 8, lambda *given: SingleScale(*given, units=2))


def rf_l_inception(model: nn.Module, options: Mapping[str, Any] | None = None) -> nn.Module:
    """RF-L-Inception, in place. Options: `insert_after`, `proportion` (4), `expand_scale`."""
    given = _read("method 'rf_l_inception'", options, 4)
    names = ("insert_after", "proportion", "expand_scale")
    return psn.insert(model, {**dict(zip(names, given, strict=True)), "fusion": "grouping"})


def rf_l_inception_t(model: nn.Module, options: Mapping[str, Any] | None = None) -> nn.Module:
    """RF-L-Inception-T, in place. Options: `insert_after`, `proportion` (4), `expand_scale`."""
    return _insert(model, "method 'rf_l_inception_t'", options, 4, TemporalScales)


def _insert(model: nn.Module, owner: str, options: Mapping[str, Any] | None, proportion: int, block: Any) -> nn.Module:
    places, proportion, scale = _read(owner, options, proportion)
    add_blocks(model, owner, places, lambda place: block(place, proportion, scale))
    return model


def _read(owner: str, options: Mapping[str, Any] | None, proportion: int) -> tuple[tuple[str, ...], int, float]:
    refuse_unknown(owner, options or {}, (field.name for field in fields(Options)))
    given = Options(**(options or {}))
    proportion = proportion if given.proportion is None else given.proportion
    require_count(owner, "proportion", proportion)
    require_scale(owner, given.expand_scale)
    return read_places(owner, given.insert_after), proportion, given.expand_scale


class Unit(nn.Module):
    """1x3x3, normalization, ReLU, 3x1x1, all on the same channels."""

    def __init__(self, channels: int, frames: int) -> None:
        super().__init__()
        self.spatial = spatial_kernel(_CONV, channels)
        self.bn: nn.Module = nn.BatchNorm2d(channels)
        self.act = nn.ReLU(inplace=True)
        self.temporal = temporal_kernel(_CONV, channels, frames)

    def forward(self, x: Tensor) -> Tensor:
        """(N*T, C, H, W) -> the same shape."""
        return self.temporal(self.act(self.bn(self.spatial(x))))


class SingleScale(Added):
    """RF-S with one unit, RF-L with two."""

    def __init__(self, place: Place, proportion: int, scale: float, *, units: int) -> None:
        super().__init__(place)
        width = compressed(place.channels, proportion)
        self.compress = nn.Conv2d(place.channels, width, 1, bias=False)
        self.units = nn.Sequential(*(Unit(width, self.frames) for _ in range(units)))
        self.expand = expansion(width, place.channels, scale)
        initialize(self)

    def branch(self, x: Tensor) -> Tensor:
        """What is added to the input."""
        return self.expand(self.units(self.compress(x)))

    def frozen(self) -> Added:
        """The normalizations go into the convolutions before them."""
        for unit in self.units:
            assert isinstance(unit, Unit)
            scale, shift = affine(unit.bn)
            unit.spatial = normalized(unit.spatial, scale, shift, scale == scale)
            unit.bn = nn.Identity()
        return self


class TemporalScales(Added):
    """RF-L-Inception-T."""

    def __init__(self, place: Place, proportion: int, scale: float) -> None:
        super().__init__(place)
        width = compressed(place.channels, proportion, GROUPS)
        self.compress = nn.Conv2d(place.channels, width, 1, bias=False)
        kernels = bag(5, dilated=True, pooling="max")
        self.temporal = nn.ModuleList(temporal_kernel(kernel, width // GROUPS, self.frames) for kernel in kernels)
        self.expand = expansion(width, place.channels, scale)
        initialize(self)

    def branch(self, x: Tensor) -> Tensor:
        """What is added to the input."""
        return self.expand(in_groups(self.temporal, self.compress(x)))

    def frozen(self) -> Added:
        """Nothing here can be folded with less to compute."""
        return self
