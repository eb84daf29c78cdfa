"""PSN: Perceptron Synthesis Network (Tian, Zhai, Gao, AAAI 2021, arXiv 2007.11460), inserted into video networks.

No public code. Read from the paper (equations 1 to 4, Figure 3, "Implementation Detail") and held against its numbers.
After each of the stages conv1 to conv4 stands an action perceptron synthesizer (methods/psn/synthesizer.py): a bag of
spatial kernels, a learned fusion, a bag of temporal kernels, added to the stage's output. Tensors: N clips, T frames,
p channels of a stage, u = p / 4 inside.

The network gets a part `psn` that tells: `losses`, `ir_interactions`, `routes`, `kernel_shapes`, `fusion_parameters`,
`norms`. `freeze` (methods/psn/synthesizer.py) gives the form for inference.

What the paper prints on ResNet-50, 174 classes, 8 frames, and what comes out here
                              printed   here, conv1-4   here, conv1-5
1/16 of the channels, M        24.05       24.05           24.62
fusion layers, M               0.086       0.086           0.348
ir-interactions                 1856        1856            3904
G at 224, 8 frames             36.19       36.19           37.27     multiply-adds and 2 for each normalized value
G at 224, 16 frames            72.38       72.38           74.53
G at 112, 8 frames              9.12        9.49                     printed is near a quarter of 36.19, but the last
                                                                    stage's 3.5 x 3.5 maps are 4 x 4
1/4 of the channels, M         27.55       24.77           27.53
without dilation, M            27.95       24.87           27.92
(1+1+1)D, M                    27.45       24.74           27.39
All costs are those of four synthesizers; the parameters of the last three rows need a fifth after conv5. Which of them
the paper ran cannot be told: `insert_after` gives either.

Known differences
1. A 5x5x7 receptive field has the temporal kernel of 7 in the place of that of 5, 3x3x3 a second kernel of 3: four
   groups always, as the printed cost says. Without pooling, a second identity.
2. The losses are summed over the synthesizers; the paper does not say.
3. Widths that four groups do not divide are rounded down to ones that they do (backbones other than ResNets).
4. With weights of usual size the sigmoid in L_interaction is saturated: its gradient is nearly zero.
5. Fusions: see methods/psn/fusion.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from torch import Tensor, nn

from baselines.options import refuse_unknown, require_choice, require_count
from methods.psn.fusion import FUSIONS, FixedFusion, capacity_loss, interaction_loss, norms, routes, weights
from methods.psn.kernels import bag
from methods.psn.places import add_blocks, read_places, require_scale
from methods.psn.synthesizer import GROUPS, Form, Synthesizer, freeze

__all__ = ["Options", "Psn", "freeze", "insert"]

_OWNER = "method 'psn'"
#: longest spatial and temporal kernel
RECEPTIVE_FIELDS = {"3x3x3": (3, 3), "5x5x5": (5, 5), "5x5x7": (5, 7)}
POOLINGS = ("max", "avg", "none")
DECOMPOSITIONS = ("2+1", "1+1+1")


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of `insert`; the defaults are the paper's network "Ours" with both losses."""

    insert_after: tuple[str, ...] = ("conv1", "conv2", "conv3", "conv4")
    """Stages behind which a synthesizer stands; conv1 is the stem with its pooling."""
    proportion: int = 4
    """Channels of the stage over those inside: 4, 8, 16 for the paper's 1/4, 1/8, 1/16."""
    receptive_field: str = "5x5x5"
    """Largest reach in rows, columns and frames: 3x3x3, 5x5x5 (ablations), 5x5x7 (Tables 4 to 6)."""
    dilated: bool = True
    """Kernels of 5 and 7 read three values with gaps; else all five or seven."""
    pooling: str = "max"
    """The fourth kernel of both bags: `max`, `avg`, or `none` (a second identity)."""
    relu: bool = True
    """ReLU between the spatial and the temporal kernels."""
    decomposition: str = "2+1"
    """Spatial kernels of rows and columns at once (2+1), or a column and then a row (1+1+1)."""
    fusion: str = "optimized"
    """Between the bags: `optimized` (learned), `shuffle`, `dropout`, `grouping` (PSN Table 2)."""
    interaction_weight: float | None = None
    """Weight of L_interaction; None is the paper's alpha, 0.01, with the optimized fusion, and 0 with others."""
    capacity_weight: float | None = None
    """Weight of L_capacity; None is the paper's beta, 0.001, with the optimized fusion, and 0 with others."""
    expand_scale: float = 0.01
    """Factor on the initial weights of the last convolution: 0 starts exactly from the plain network, 0.01 within 2 to
    3 % of what each stage and the classifier of a ResNet-50 give.
    """


_WEIGHTS = {"interaction_weight": 0.01, "capacity_weight": 0.001}


def insert(model: nn.Module, options: Mapping[str, Any] | None = None) -> nn.Module:
    """Put synthesizers behind the stages of a video network, 2D or 3D, in place.

    Raises ValueError for an unknown option or one that does not fit the network.
    """
    settings = read(_OWNER, options or {})
    spatial, temporal = RECEPTIVE_FIELDS[settings.receptive_field]
    form = Form(
        spatial=bag(spatial, settings.dilated, settings.pooling),
        temporal=bag(temporal, settings.dilated, settings.pooling),
        proportion=settings.proportion,
        relu=settings.relu,
        one_by_one=settings.decomposition == "1+1+1",
        fusion=settings.fusion,
        expand_scale=settings.expand_scale,
        keep_means=_weight(settings, "capacity_weight") > 0,
    )
    blocks = add_blocks(model, _OWNER, settings.insert_after, lambda place: Synthesizer(place, form))
    model.add_module("psn", Psn(blocks, settings))  # type: ignore[arg-type]
    return model


class Psn(nn.Module):
    """What a network with synthesizers tells about them. It has no tensors of its own."""

    def __init__(self, blocks: Sequence[tuple[str, Synthesizer]], settings: Options) -> None:
        super().__init__()
        self.settings = settings
        self.blocks = tuple(blocks)  # a tuple: the synthesizers are parts of their stages

    def losses(self) -> dict[str, Tensor]:
        """The losses of the last training forward, weighted, to be added to the cross entropy (equations 2 and 3)."""
        found: dict[str, Tensor] = {}
        interaction, capacity = (_weight(self.settings, name) for name in _WEIGHTS)
        if interaction:
            terms = [interaction_loss(block.fusion.matrix(), GROUPS) for _, block in self.blocks]
            found["interaction"] = interaction * sum(terms[1:], start=terms[0])
        if capacity:
            means = [block.last.value for _, block in self.blocks]
            kept = [value for value in means if value is not None]
            if len(kept) < len(means):
                raise ValueError(f"{_OWNER}: no training forward was run yet; allowed: losses() after one")
            terms = [capacity_loss(value, GROUPS) for value in kept]
            found["capacity"] = capacity * sum(terms[1:], start=terms[0])
        return found

    def routes(self, threshold: float = 0.0) -> dict[str, Tensor]:
        """Place -> (G, G), channels that lead from spatial kernel j to temporal kernel i, in their actual weights."""
        return {place: routes(block.fusion, GROUPS, threshold) for place, block in self.blocks}

    def ir_interactions(self, threshold: float = 0.0) -> int:
        """The paper's measure of richness, as it counts: all channels of a pair of kernels with a route between them,
        equal positions included; nothing where no two different kernels meet (then it is grouping).

        By its definition, channels that do flow and i != j, the sum would be 1392 instead of 1856, 348 with shuffling
        or dropout; `routes` has these.
        """
        total = 0
        for _, block in self.blocks:
            found = routes(block.fusion, GROUPS, threshold)
            if isinstance(block.fusion, FixedFusion):
                found = (found > 0) * block.form.group_width(block.place.channels)
            if found.sum() > found.diagonal().sum():
                total += int(found.sum())
        return total

    def kernel_shapes(self, threshold: float = 0.0) -> list[str]:
        """The different spatial-temporal kernels that have a route, such as `S-C-3 T-M-3`."""
        shapes: set[str] = set()
        for _, block in self.blocks:
            found = routes(block.fusion, GROUPS, threshold)
            for i, temporal in enumerate(block.form.temporal):
                for j, spatial in enumerate(block.form.spatial):
                    if found[i, j]:
                        shapes.add(f"S-{spatial.label} T-{temporal.label}")
        return sorted(shapes)

    def dropped(self, threshold: float = 0.0) -> float:
        """The share of spatial channels that reach no temporal kernel (the paper's dropout rate)."""
        matrices = [weights(block.fusion) for _, block in self.blocks]
        lost = sum(int((matrix.abs().amax(0) <= threshold).sum()) for matrix in matrices)
        return lost / sum(len(matrix) for matrix in matrices)

    def fusion_parameters(self) -> int:
        """Learned values of the fusion layers."""
        return sum(p.numel() for _, block in self.blocks for p in block.fusion.parameters())

    def counts(self) -> dict[str, float]:
        """What the paper's Tables 1 and 2 count."""
        return {
            "ir_interactions": self.ir_interactions(),
            "kernel_shapes": len(self.kernel_shapes()),
            "fusion_parameters": self.fusion_parameters(),
            "dropped": self.dropped(),
        }

    def norms(self) -> dict[str, Tensor]:
        """Place -> (G, G), ||T_ij||_1: rows are temporal kernels, columns spatial ones (the paper's Figure 5)."""
        return {place: norms(block.fusion.matrix().detach(), GROUPS) for place, block in self.blocks}

    def labels(self) -> tuple[list[str], list[str]]:
        """Names of the temporal and of the spatial kernels, in the order of `norms`."""
        form = self.blocks[0][1].form
        return [f"T-{k.label}" for k in form.temporal], [f"S-{k.label}" for k in form.spatial]


def _weight(settings: Options, name: str) -> float:
    value: float | None = getattr(settings, name)
    if value is not None:
        return value
    return _WEIGHTS[name] if settings.fusion == "optimized" else 0.0


def read(owner: str, options: Mapping[str, Any]) -> Options:
    """The options, after refusing what is not possible."""
    refuse_unknown(owner, options, (field.name for field in fields(Options)))
    given = dict(options)
    if "insert_after" in given:
        given["insert_after"] = read_places(owner, given["insert_after"])
    settings = Options(**given)
    require_count(owner, "proportion", settings.proportion)
    require_choice(owner, "receptive_field", settings.receptive_field, RECEPTIVE_FIELDS)
    require_choice(owner, "pooling", settings.pooling, POOLINGS)
    require_choice(owner, "decomposition", settings.decomposition, DECOMPOSITIONS)
    require_choice(owner, "fusion", settings.fusion, FUSIONS)
    for name in ("dilated", "relu"):
        require_choice(owner, name, getattr(settings, name), (True, False))
    for name in _WEIGHTS:
        _check_weight(owner, name, settings)
    require_scale(owner, settings.expand_scale)
    return settings


def _check_weight(owner: str, name: str, settings: Options) -> None:
    value = getattr(settings, name)
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise ValueError(f"{owner}: {name} {value!r} is not possible; allowed: None, or a number of at least 0")
    if value and settings.fusion != "optimized":
        raise ValueError(
            f"{owner}: {name} {value!r} has nothing to work on with fusion {settings.fusion!r}; "
            "allowed: 0, or fusion optimized"
        )
