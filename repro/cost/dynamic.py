"""What a network's decisions cost, clip by clip: the protocol of parts that compute more for one clip than for another.

A part of the network (one of its children, as `losses` of training) that decides something for each clip has

    stats() -> {name: Tensor (N,)}   figures of each clip of the last forward, `gmacs` among them: what the clip cost
    facts() -> {name: number}        what is the same for all clips of that size: the cost when nothing is saved, ...

`facts` may be missing. Names are stable from one forward to the next; costs are in GMACs of one clip (one view), shares
run from 0 to 1. A name may hold dots: `layer1.0.skip` is the share of skipped channels in one block.

`engine.evaluate` asks for both while it scores. The figures of every video and view stand in the score file beside the
logits, their mean and spread over the videos under `cost` in the record's results.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn


def parts(net: nn.Module) -> list[Any]:
    """The parts that tell what was decided for each clip."""
    return [part for part in net.children() if callable(getattr(part, "stats", None))]


def names(net: nn.Module, x: Tensor) -> tuple[str, ...]:
    """Names of the figures that the network tells; it is run once, in evaluation, on the views `x`."""
    if not parts(net):
        return ()
    with torch.inference_mode():
        net.eval()(x)
        return tuple(_told(net))


def figures(net: nn.Module, wanted: Sequence[str]) -> Tensor:
    """(N, len(wanted)) float32: the figures of the clips of the last forward, in the order of their names."""
    told = _told(net)
    if set(told) != set(wanted):
        changed = sorted(set(told) ^ set(wanted))[0]
        raise RuntimeError(f"a part of the network tells {changed!r} for some clips and not for others")
    return torch.stack([told[name].float() for name in wanted], dim=1)


def facts(net: nn.Module) -> dict[str, float]:
    """What is the same for every clip of the size of the last forward."""
    known = [part.facts() for part in parts(net) if callable(getattr(part, "facts", None))]
    return {name: float(value) for told in known for name, value in told.items()}


def _told(net: nn.Module) -> dict[str, Tensor]:
    told: dict[str, Tensor] = {}
    for part in parts(net):
        found: Mapping[str, Tensor] = part.stats()
        twice = sorted(set(told) & set(found))
        if twice:
            raise RuntimeError(f"two parts of the network tell {twice[0]!r}")
        told |= found
    return told


def summary(stats: np.ndarray, stat_names: Sequence[str], known: Mapping[str, float]) -> dict[str, Any]:
    """For the record: mean, spread (standard deviation) and range over the videos of (N, V, S) figures.

    A video's figure is the mean over its views, so that costs stay those of one view.
    """
    videos = np.asarray(stats, np.float64).mean(axis=1)
    spread = videos.std(axis=0, ddof=1) if len(videos) > 1 else np.zeros(videos.shape[1])

    def named(values: np.ndarray) -> dict[str, float]:
        return {name: float(value) for name, value in zip(stat_names, values, strict=True) if math.isfinite(value)}

    return {
        "unit": "GMACs of one view; shares from 0 to 1; over the videos",
        "mean": named(videos.mean(axis=0)),
        "std": named(spread),
        "lowest": named(videos.min(axis=0)),
        "highest": named(videos.max(axis=0)),
        "facts": dict(known),
    }
