"""Where DNR's layers go: the normalizations of a network's blocks, by stage, and what their inputs are made of.

A stage is `layer1` to `layer4` of a network, and of the part `fast` of one with two pathways (SlowFast). A place names
normalizations of a block:
  residual blocks      bn1, bn2, bn3 (bottlenecks): the block's own, of a factorized convolution the one behind it;
                       where they have other names (networks of timm), the first, second, third one of the branch;
  Inception modules    bn1, bn2, bn3: the first, second, third one of each branch that has more than one, or the
                       name of one convolution, e.g. conv_double_3x3_1.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch import nn

from baselines.backbone import blocks_of, branch_of
from baselines.bninception import InceptionModule
from baselines.options import require_choice
from methods.dnr.norm import Clip, Host
from methods.dnr.relay import OWNER
from methods.probe import Shapes, shapes

NORMS = ("bn1", "bn2", "bn3")
STAGES = (1, 2, 3, 4)
_BRANCHES = ("conv_3x3_reduce", "conv_3x3", "conv_double_3x3_reduce", "conv_double_3x3_1", "conv_double_3x3_2")
#: place -> the parts of an Inception module that it names
INCEPTION = {
    "bn1": ("conv_3x3_reduce", "conv_double_3x3_reduce"),
    "bn2": ("conv_3x3", "conv_double_3x3_1"),
    "bn3": ("conv_double_3x3_2",),
    **{name: (name,) for name in _BRANCHES},
}
PLACES = (*NORMS, *_BRANCHES)


@dataclass(frozen=True)
class Stage:
    """Blocks in turn."""

    parent: nn.Module
    name: str
    path: str
    """Its name in the network."""
    module: nn.Sequential

    @property
    def blocks(self) -> list[nn.Module]:
        """The blocks; other parts of a stage are not numbered."""
        return blocks_of(self.module)


@dataclass(frozen=True)
class Site:
    """One normalization to replace: `part` of a block, such as `bn1` or `conv_3x3.bn`."""

    stage: str
    block: int
    """Position in the stage."""
    part: str
    owner: nn.Module
    """The module whose attribute it is."""
    norm: Host

    @property
    def block_path(self) -> str:
        """The block's name in the network."""
        return f"{self.stage}.{self.block}"

    @property
    def path(self) -> str:
        """Its own name in the network."""
        return f"{self.block_path}.{self.part}"

    @property
    def label(self) -> str:
        """`bn1`, or the convolution of an Inception module."""
        return self.part.partition(".")[0]

    @property
    def channels(self) -> int:
        """Channels of its input."""
        return self.norm.num_channels if isinstance(self.norm, nn.GroupNorm) else self.norm.num_features

    def replace(self, layer: nn.Module) -> None:
        """Put `layer` there, before the activation that some normalizations of timm bring."""
        act = getattr(self.norm, "act", None)
        if isinstance(act, nn.Module) and not isinstance(act, nn.Identity):
            layer = nn.Sequential(OrderedDict(norm=layer, act=act))
        self.owner.add_module(self.part.rpartition(".")[2], layer)


def find_stages(model: nn.Module, wanted: Sequence[int] | None) -> list[Stage]:
    """The stages to change; ValueError if one is asked for that the network has not, or if it has none."""
    if not isinstance(getattr(model, "frames", None), int):
        raise ValueError(f"{OWNER}: {type(model).__name__} is no video network: it has no `frames`")
    found = {number: list(_numbered(model, number)) for number in STAGES}
    have = {number: stages for number, stages in found.items() if stages}
    if not have:
        raise ValueError(
            f"{OWNER} does not fit a {type(model).__name__}, which has no stages layer1 to layer4 of blocks; allowed: "
            "networks on ResNets or BN-Inception, R(2+1)D, SlowFast, I3D on ResNets"
        )
    for number in wanted or ():
        require_choice(OWNER, "stages", number, have)
    return [stage for number, stages in have.items() if wanted is None or number in wanted for stage in stages]


def _numbered(model: nn.Module, number: int) -> Iterator[Stage]:
    name = f"layer{number}"
    for prefix in ("", "fast"):
        parent = getattr(model, prefix, None) if prefix else model
        stage = getattr(parent, name, None)
        if isinstance(parent, nn.Module) and isinstance(stage, nn.Sequential) and blocks_of(stage):
            yield Stage(parent, name, f"{prefix}.{name}".lstrip("."), stage)


def find_sites(stage: Stage, place: str, every: int = 1) -> list[Site]:
    """The normalizations that `place` names in each `every`-th block of a stage."""
    return [
        Site(stage.path, index, part, owner, norm)
        for index, block in list(enumerate(stage.blocks))[::every]
        for part, owner, norm in _norms(block, place)
    ]


def _norms(block: nn.Module, place: str) -> Iterator[tuple[str, nn.Module, Host]]:
    """Name, owner and normalization of what `place` names in a block."""
    inception = isinstance(block, InceptionModule)
    parts = [f"{conv}.bn" for conv in INCEPTION[place]] if inception else [_own_name(block, place)]
    for part in parts:
        owner = block.get_submodule(part.rpartition(".")[0])
        norm = getattr(owner, part.rpartition(".")[2], None)
        if not isinstance(norm, Host):
            have = INCEPTION if inception else [n for n in NORMS if _is_host(block, _own_name(block, n))]
            kind, what = type(block).__name__, "nothing" if norm is None else type(norm).__name__
            if not have:
                others = {type(block.get_submodule(name)).__name__ for name in branch_of(block).norms}
                raise ValueError(
                    f"{OWNER} does not fit blocks of a {kind}, which have no batch or group normalization"
                    f"{''.join(f' but {other}' for other in sorted(others))}; allowed: blocks that have, as those of "
                    "ResNets and MobileNets, Inception modules"
                )
            raise ValueError(
                f"{OWNER} replaces a normalization, but {part} of a {kind} is {what}; allowed: {', '.join(have)}"
            )
        yield part, owner, norm


def _is_host(block: nn.Module, path: str) -> bool:
    return any(isinstance(part, Host) for name, part in block.named_modules() if name == path)


def _own_name(block: nn.Module, place: str) -> str:
    """What a residual block calls its first, second or third normalization."""
    if place not in NORMS or hasattr(block, place):
        return place
    norms, number = branch_of(block).norms, NORMS.index(place)
    return norms[number] if number < len(norms) else place


def find_clips(model: nn.Module, sites: Sequence[Site]) -> dict[str, Clip]:
    """Path of a site -> frames and kind of its input, found by running the network on shapes alone."""
    frames: int = model.frames  # type: ignore[assignment]
    seen = shapes(model, [site.path for site in sites])
    return {site.path: _clip(site, seen[site.path], frames) for site in sites}


def _clip(site: Site, calls: list[Shapes], frames: int) -> Clip:
    if len(calls) == 1:
        shape = calls[0][0]
        if len(shape) == 4 and shape[0] == frames:
            return Clip(frames)
        if len(shape) == 5 and shape[0] == 1 and not isinstance(site.norm, nn.GroupNorm):
            return Clip(shape[2], volume=True)
    told = ", ".join(str(tuple(shape)) for shape, _ in calls) or "nothing"
    raise ValueError(
        f"{OWNER}: {site.path} has to see each of the {frames} frames of a clip once, and sees {told}; allowed: maps "
        "(N*T, C, H, W), or volumes (N, C, T, H, W) under batch normalization"
    )
