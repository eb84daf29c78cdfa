"""Which kernels a trained fusion joins: the heatmaps of PSN's Figure 5, and their numbers.

Block T_ij of a synthesizer's fusion matrix leads from spatial kernel j to temporal kernel i; what is shown is its l1
norm, ||T_ij||_1, for each network (a row: a dataset it was trained on) and each stage (a column). A block has c x c
weights, more in deeper stages: norms are compared within a stage, by shares of their sum. Random weights have a quarter
of it for each kernel; by chance one of their blocks deviates by 0.756 / c of the mean, which stands beside the numbers.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from repro.core.environment import command, environment
from repro.core.errors import BadOption
from repro.core.spec import to_dict
from repro.engine.inspect import heatmaps
from repro.models.pretrained import Trained
from repro.records.figures import Facts, Network

#: deviation of |x| over its mean, x normal
_HALF_NORMAL = math.sqrt(math.pi / 2 - 1)


@dataclass(frozen=True)
class Stage:
    """One fusion matrix: (G, G) norms, rows temporal kernels, columns spatial ones."""

    place: str
    norms: np.ndarray
    width: int
    """Channels of a group: a block has width x width weights."""

    @property
    def chance(self) -> float:
        """Deviation of a block's norm over its mean, for independent normal weights."""
        return _HALF_NORMAL / self.width

    def shares(self, axis: int) -> np.ndarray:
        """Of the sum of all norms, the part of each temporal (axis 1) or spatial (axis 0) kernel."""
        total = float(self.norms.sum())
        return self.norms.sum(axis) / total if total > 0 else np.zeros(len(self.norms))


@dataclass(frozen=True)
class Fused:
    """The fusion matrices of one network."""

    label: str
    network: Trained
    temporal: tuple[str, ...]
    spatial: tuple[str, ...]
    stages: tuple[Stage, ...]
    moved: tuple[float, ...] = ()
    """For each stage the median change of a block's norm by training, over its norm before; empty where not known."""


def read(network: Trained, start: Trained | None = None) -> Fused:
    """The norms of a network with synthesizers, beside those of `start`, the same before training; `BadOption` for a
    network without synthesizers.
    """
    part = getattr(network.module, "psn", None)
    if part is None:
        raise BadOption(f"{network.label} has no synthesizers", allowed="weights of a network with method psn")
    temporal, spatial = part.labels()
    widths = {place: block.form.group_width(block.place.channels) for place, block in part.blocks}
    stages = tuple(Stage(place, norms.cpu().double().numpy(), widths[place]) for place, norms in part.norms().items())
    moved = tuple(map(_moved, stages, read(start).stages)) if start is not None else ()
    return Fused(label_of(network), network, tuple(temporal), tuple(spatial), stages, moved)


def _moved(stage: Stage, before: Stage) -> float:
    return float(np.median(np.abs(stage.norms / before.norms - 1)))


def label_of(network: Trained) -> str:
    """Dataset, if the file tells, and the losses, or the fusion where it is not learned."""
    options = network.model.method_options
    fusion = str(options.get("fusion", "optimized"))
    losses = [f"L_{name}" for name in ("interaction", "capacity") if options.get(f"{name}_weight", 1) != 0]
    told = fusion if fusion != "optimized" else " and ".join(losses) or "no loss of its own"
    return f"{network.dataset or network.label}: PSN, {told}"


def kernels_figure(networks: Sequence[Fused]) -> tuple[bytes, Facts]:
    """PNG and facts: a row of heatmaps for each network."""
    _require_same_kernels(networks)
    first = networks[0]
    rows = [
        heatmaps.Row(one.label, tuple(heatmaps.Panel(stage.place, stage.norms) for stage in one.stages))
        for one in networks
    ]
    png = heatmaps.draw(rows, first.temporal, first.spatial)
    return png, _facts(networks)


def lines(networks: Sequence[Fused]) -> list[str]:
    """The numbers as text: every norm, and the shares of the kernels."""
    told = []
    for one in networks:
        told.append(one.label)
        for stage in one.stages:
            told.append(f"  {stage.place}: l1 norm of each block ({stage.width} x {stage.width} weights)")
            told.append("    " + " " * 6 + "".join(f"{name:>10}" for name in one.spatial) + "     share")
            for name, row, share in zip(one.temporal, stage.norms, stage.shares(1), strict=True):
                told.append(f"    {name:<6}" + "".join(f"{value:10.3f}" for value in row) + f"  {share:7.1%}")
            told.append(f"    {'share':<6}" + "".join(f"{share:10.1%}" for share in stage.shares(0)))
            told.append(f"    by chance a block of random weights deviates by {stage.chance:.0%} from the mean")
        told += [f"  {sentence}" for sentence in _of_training(one)]
    return told


def _of_training(one: Fused) -> list[str]:
    """How far training moved the norms, where that is known."""
    if not one.moved:
        return []
    listed = ", ".join(f"{stage.place} {moved:.1%}" for stage, moved in zip(one.stages, one.moved, strict=True))
    return [f"training changed the norm of a block by (median) {listed}"]


def figure_name(facts: Facts) -> str:
    """A file name; other weights or labels get another one."""
    key = json.dumps([[n.label, n.weights_sha256] for n in facts.networks], sort_keys=True)
    return f"kernels-psn-{hashlib.sha256(key.encode()).hexdigest()[:8]}"


def _require_same_kernels(networks: Sequence[Fused]) -> None:
    if not networks:
        raise BadOption("no network to draw", allowed="one or more files of weights")
    first = networks[0]
    for one in networks[1:]:
        if (one.temporal, one.spatial) != (first.temporal, first.spatial):
            raise BadOption(
                f"the networks have other kernels: {first.label} {', '.join((*first.temporal, *first.spatial))}; "
                f"{one.label} {', '.join((*one.temporal, *one.spatial))}",
                allowed="networks with the same bags of kernels, or one command each",
            )


def _facts(networks: Sequence[Fused]) -> Facts:
    sets = ", ".join(sorted({one.network.dataset for one in networks if one.network.dataset}))
    alt = " ".join(_in_words(one) for one in networks)
    return Facts(
        kind="kernels",
        title="Fusion of spatial and temporal kernels in PSN",
        alt=f"A row of heatmaps for each network, a heatmap for each stage. {alt}",
        caption="l1 norm of each block of the fusion matrices, temporal kernel (row) by spatial kernel (column): "
        "identity I, convolution C, max pooling M, average A, with their reach (the paper's Figure 5). Colours are by "
        "the largest block of each stage; blocks of different stages have different numbers of weights."
        + (f" Trained on {sets}." if sets else "")
        + "".join(f" {one.label}: {sentence}." for one in networks for sentence in _of_training(one)),
        networks=[
            Network(label=one.label, model=to_dict(one.network.model), weights_sha256=one.network.sha256)
            for one in networks
        ],
        command=command(),
        environment=environment("cpu"),
        details={"networks": [_details(one) for one in networks]},
    )


def _details(one: Fused) -> dict[str, Any]:
    def rounded(values: np.ndarray) -> list[Any]:
        listed: list[Any] = np.round(values, 5).tolist()
        return listed

    stages: Mapping[str, Any] = {
        stage.place: {
            "norms": rounded(stage.norms),
            "share_temporal": rounded(stage.shares(1)),
            "share_spatial": rounded(stage.shares(0)),
            "chance": round(stage.chance, 5),
        }
        for stage in one.stages
    }
    moved = {stage.place: round(value, 5) for stage, value in zip(one.stages, one.moved, strict=False)}
    kernels = {"temporal": list(one.temporal), "spatial": list(one.spatial)}
    return {"label": one.label, **kernels, "stages": stages, "moved_by_training": moved}


def _in_words(one: Fused) -> str:
    told = []
    for stage in one.stages:
        row, column = np.unravel_index(int(np.argmax(stage.norms)), stage.norms.shape)
        told.append(f"{stage.place} {one.spatial[column]} to {one.temporal[row]}")
    return f"{one.label}: largest in {', '.join(told)}."
