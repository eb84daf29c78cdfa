"""DNR: Dynamic Normalization and Relay (Cai, Yao, Chen, NeurIPS 2021), inserted into video networks, 2D and 3D.

Authors' code: caidonkey/dnr@0110580:resnet_dnr.py (TSN only). Paper equations 1-7, section 3.3; supplement B to D.
A normalization layer gets its scale and shift not from learned vectors but from a small LSTM cell that reads the pooled
input: y = (x - mean) / sqrt(var + eps) * h + c, with h, c the cell's output and state. Along T the cell's state goes
from one group of `relay_distance` frames to the next (CT, cross-temporal, a cell for each layer); along depth it goes
from one block of a stage to the next (CL, cross-layer, one cell for the stage). The cell and what may stand in its
place: methods/dnr/relay.py; the layers: methods/dnr/norm.py; where they go: methods/dnr/places.py.

Known differences
1. `relay_distance` is 4 frames, as in the paper (4.2, supplement C); the released code has 2.
2. `channel_interlacing` is on, whatever is inserted; supplement B puts it before each pair of CL and CT, and the tables
   turn it off where one stands alone. The released code lacks it. It is TSM's shift of the residual branch's input (of
   an Inception module's whole input), in evaluation too. A block without a
   shortcut, or whose input is shifted already (TSM), is left as it is.
   On volumes it is not done: their convolutions read neighbouring frames themselves, and the supplement begins by
   unfolding maps along time, which only 2D networks have to.
3. The state of CL is zero at the first block of each stage, as in the code; the text speaks of all layers as one
   system, which the changing channel counts do not allow. For the same reason a stage of Inception modules has a cell,
   from zeros, for each branch and run of equal channels.
4. CL stands at the first normalization of a block and CT at the second, as in Table 1a, 4.2 ("in each block of all
   networks") and the code; section 3.3 has them the other way on basic blocks. In an Inception module these are the
   first and second normalization of each branch that has several, the same 1x1 and 3x3 convolutions as in a bottleneck.
5. `cl_distance` d: "the distance between two neighboring layers added with" CL (3.3), so each d-th block carries CL and
   hands its state to the d-th block after; the blocks between keep their normalization.
6. On 3D networks the paper is silent. A group of CT has `relay_distance` frames of the maps at hand, or all of them
   where a stage has fewer (R(2+1)D halves time three times). Both pathways of SlowFast are changed, "each block of all
   networks", each by its own frames; only normalizations behind whole convolutions, not inside factorized ones.
7. On TDN the short-term stage `resnext_layer1` keeps its batch normalization; the paper does not say.
8. Training statistics of CT are those of each group, and running statistics take G steps a forward, as in the code;
   `num_batches_tracked` stays 0, as there.
9. Group normalization (Table 3) has no public code: each frame's statistics are those of the host, only its affine part
   is replaced.
10. `direction` bi averages scale and shift of both directions ("the relay dynamics", supplement C); each has a cell.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any

from torch import Tensor, nn

from baselines.bninception import InceptionModule
from baselines.options import refuse_unknown, require_choice, require_count
from baselines.tsm import TemporalShift, shift_branch
from methods.dnr.norm import Clip, CrossLayerNorm, CrossTemporalNorm
from methods.dnr.places import PLACES, Site, Stage, find_clips, find_sites, find_stages
from methods.dnr.relay import OWNER, RELAYS, Relay, RelayCell, make_cell

DIRECTIONS = ("uni", "bi")


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of `insert`."""

    cl: str | None = "bn1"
    """The normalization of each block that carries CL, or None for no CL (Table 1a; names in methods/dnr/places.py)."""
    ct: str | None = "bn2"
    """The normalization of each block that carries CT, or None for no CT."""
    stages: tuple[int, ...] | None = None
    """Stages (1 to 4) whose blocks are changed; None is all that the network has."""
    relay_distance: int = 4
    """Frames in one group of CT; it divides the frames of a clip (DNR 4.2: d_r = 4)."""
    cl_distance: int = 1
    """Blocks from one with CL to the next in a stage (Table 1b: 1 or 2)."""
    relay: str = "lstm"
    """What hands on scale and shift, of CL and CT: `lstm`, `se`, `fc`, or `none` (Table 1d)."""
    direction: str = "uni"
    """CT from first to last group, `uni`, or the mean of both directions, `bi` (supplement, Table 1)."""
    reduction: int = 4
    """Channels over the width inside the cell's projections (DNR 4.2: r = 4)."""
    units: int = 1
    """Bottleneck units of the cell's projections, one behind the other: the paper's depth d (Table 1c: 1 or 2)."""
    channel_interlacing: bool | None = None
    """Shift an eighth of the channels each way in time at each changed block's input. None: on maps, not on volumes."""


def insert(model: nn.Module, options: Mapping[str, Any] | None = None) -> nn.Module:
    """Put DNR into a video network, in place: its stages are `layer1` to `layer4`, its clips have `frames` frames.

    Raises ValueError for an unknown option or one that does not fit the network, which then is as it was.
    """
    settings = _read(options or {})
    stages = find_stages(model, settings.stages)
    crossing, temporal = (_sites(stages, *where) for where in ((settings.cl, settings.cl_distance), (settings.ct, 1)))
    sites = [site for found in (*crossing, *temporal) for site in found]
    _check_sites(settings, sites)
    clips = find_clips(model, sites)
    if settings.cl:
        _check_cl_distance(settings.cl_distance, max(len(stage.blocks) for stage in stages))
    _check_relay_distance(settings.relay_distance, {clips[site.path].frames for found in temporal for site in found})
    volumes = any(clip.volume for clip in clips.values())
    if settings.channel_interlacing and volumes:
        raise ValueError(f"{OWNER}: channel_interlacing is not possible on volumes (N, C, T, H, W); allowed: False")
    for stage, across, along in zip(stages, crossing, temporal, strict=True):
        if across:
            _insert_cl(stage, across, clips, settings)
        for site in along:
            site.replace(_cross_temporal(site, clips[site.path], settings))
    if settings.channel_interlacing is not False and not volumes:
        for path in dict.fromkeys(site.block_path for site in sites):
            _interlace(model.get_submodule(path), model.frames)  # type: ignore[arg-type]
    return model


class RelayStage(nn.Sequential):
    """Blocks in turn, and the cells that their CL layers share: `cl_cell`, or one for each branch and width."""

    def forward(self, x: Tensor) -> Tensor:
        """Maps or volumes through the blocks, and what else the stage has."""
        for part in self:
            x = x if isinstance(part, RelayCell) else part(x)
        return x


def _sites(stages: list[Stage], place: str | None, every: int) -> list[list[Site]]:
    """The sites of each stage."""
    return [find_sites(stage, place, every) if place else [] for stage in stages]


def _cross_temporal(site: Site, clip: Clip, settings: Options) -> CrossTemporalNorm:
    cells = [
        make_cell(settings.relay, site.channels, settings.reduction, settings.units)
        for _ in range(1 + DIRECTIONS.index(settings.direction))
    ]
    return CrossTemporalNorm(site.norm, clip, min(settings.relay_distance, clip.frames), *cells)


def _insert_cl(stage: Stage, sites: list[Site], clips: Mapping[str, Clip], settings: Options) -> None:
    """CL at the sites of a stage, and the stage that holds its cells."""
    new = RelayStage(OrderedDict(stage.module.named_children()))
    chains = list(_chains(sites))
    for chain in chains:
        cell = make_cell(settings.relay, chain[0].channels, settings.reduction, settings.units)
        relay = Relay(cell)
        for site in chain:
            ends = {"first": site is chain[0], "last": site is chain[-1]}
            site.replace(CrossLayerNorm(site.norm, clips[site.path], relay, **ends))
        new.add_module("cl_cell" if len(chains) == 1 else f"cl_cell_{chain[0].label}_{chain[0].block}", cell)
    stage.parent.add_module(stage.name, new)


def _chains(sites: list[Site]) -> Iterator[list[Site]]:
    """Sites of one label that follow one another with equal channels."""
    for label in dict.fromkeys(site.label for site in sites):
        own = [site for site in sites if site.label == label]
        starts = [0, *(i + 1 for i, (a, b) in enumerate(pairwise(own)) if a.channels != b.channels), len(own)]
        yield from (own[start:end] for start, end in pairwise(starts))


def _interlace(block: nn.Module, frames: int) -> None:
    """Shift the input of a block's first convolution, unless it is shifted already."""
    if isinstance(block, InceptionModule):
        if isinstance(block.before, nn.Identity):
            block.before = TemporalShift(frames)
    else:
        shift_branch(block, frames)


def _read(options: Mapping[str, Any]) -> Options:
    refuse_unknown(OWNER, options, (field.name for field in fields(Options)))
    given = dict(options)
    if isinstance(given.get("stages"), list):
        given["stages"] = tuple(given["stages"])
    settings = Options(**given)
    for name in ("cl", "ct"):
        require_choice(OWNER, name, getattr(settings, name), (None, *PLACES))
    if settings.cl is None and settings.ct is None:
        raise ValueError(f"{OWNER}: cl and ct are both None, nothing to insert; allowed: {', '.join(PLACES)}")
    if settings.cl == settings.ct:
        raise ValueError(f"{OWNER}: cl and ct are both {settings.cl!r}; allowed: two different layers, or one None")
    if settings.stages is not None and (not isinstance(settings.stages, tuple) or not settings.stages):
        raise ValueError(f"{OWNER}: stages {settings.stages!r} is no list; allowed: None, or numbers from 1 to 4")
    for name in ("relay_distance", "cl_distance", "reduction", "units"):
        require_count(OWNER, name, getattr(settings, name))
    require_choice(OWNER, "relay", settings.relay, RELAYS)
    require_choice(OWNER, "direction", settings.direction, DIRECTIONS)
    require_choice(OWNER, "channel_interlacing", settings.channel_interlacing, (None, True, False))
    _check_relay(settings)
    return settings


def _check_relay(settings: Options) -> None:
    if settings.units > 1 and settings.relay != "lstm":
        raise ValueError(f"{OWNER}: units {settings.units} with relay {settings.relay!r}; allowed: 1, or relay lstm")
    if settings.direction == "bi" and (settings.ct is None or settings.relay == "none"):
        without = "ct None" if settings.ct is None else "relay 'none'"
        raise ValueError(f"{OWNER}: direction 'bi' is of CT's relay; with {without} there is none; allowed: uni")


def _check_sites(settings: Options, sites: list[Site]) -> None:
    seen: set[str] = set()
    for site in sites:
        if site.path in seen:
            raise ValueError(f"{OWNER}: cl and ct are both at {site.path}; allowed: different normalizations")
        seen.add(site.path)
        if settings.relay != "fc" and site.channels % settings.reduction:
            raise ValueError(
                f"{OWNER}: reduction {settings.reduction} does not divide {site.channels} channels of {site.path}; "
                f"allowed: divisors of {math.gcd(*(site.channels for site in sites))}"
            )


def _check_cl_distance(distance: int, blocks: int) -> None:
    """It leaves a second block with CL in the longest stage."""
    if distance > 1 and distance >= blocks:
        fitting = ", ".join(map(str, range(1, max(blocks, 2))))
        raise ValueError(
            f"{OWNER}: cl_distance {distance} leaves no two blocks with CL in stages of at most {blocks}; "
            f"allowed: {fitting}"
        )


def _check_relay_distance(distance: int, lengths: set[int]) -> None:
    """It divides the frames of each stage, or a stage has fewer."""
    fitting = [d for d in range(1, max(lengths, default=0) + 1) if all(t % min(d, t) == 0 for t in lengths)]
    if lengths and distance not in fitting:
        raise ValueError(
            f"{OWNER}: relay_distance {distance} does not divide {' and '.join(map(str, sorted(lengths)))} frames; "
            f"allowed: {', '.join(map(str, fitting))}"
        )
