"""Where blocks go that stand between the stages of a network, and how they get there.

Places are named as in the papers: conv1 (behind the pooling of the stem), conv2 to conv5 (behind the four stages). A
block added to a stage is its part `synthesizer`, so all other tensors keep their names. 2D networks fold frames into
the batch, maps (N*T, C, H, W); 3D networks have volumes (N, C, T, H, W).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from baselines.options import require_choice
from methods.probe import shapes

#: place -> name of the module behind which it is
PLACES = {"conv1": "maxpool", "conv2": "layer1", "conv3": "layer2", "conv4": "layer3", "conv5": "layer4"}
PART = "synthesizer"


@dataclass(frozen=True)
class Place:
    """What a network has at a place."""

    name: str
    channels: int
    frames: int
    volume: bool
    """Whether maps are (N, C, T, H, W)."""


class Added(nn.Module):
    """A block that adds to its input: `x + branch(x)`, the branch working on folded frames."""

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.place, self.frames, self.volume = place, place.frames, place.volume

    def branch(self, x: Tensor) -> Tensor:
        """(N*T, C, H, W) -> the same shape."""
        raise NotImplementedError

    def frozen(self) -> Added:
        """A block for inference that gives the same with fewer operations."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """Maps or, in 3D networks, volumes."""
        if not self.volume:
            return self._added(x, self.branch(x))
        folded = x.transpose(1, 2).flatten(0, 1)
        return self._added(x, self.branch(folded).unflatten(0, (-1, self.frames)).transpose(1, 2))

    def _added(self, x: Tensor, branch: Tensor) -> Tensor:
        """Without gradients written over the branch: fresh memory for so large a map takes longer than the sum."""
        return x + branch if torch.is_grad_enabled() or torch.jit.is_tracing() else branch.add_(x)


def add_blocks(
    model: nn.Module, owner: str, names: Sequence[str], make: Callable[[Place], Added]
) -> list[tuple[str, Added]]:
    """Put what `make` gives behind each named place of a video network, in place; (place, block) in order."""
    places = find(model, owner, names)
    blocks = [(place.name, make(place)) for place in places]
    for name, block in blocks:
        stage = model.get_submodule(PLACES[name])
        if not list(stage.parameters()) and not isinstance(stage, nn.Sequential):
            stage = nn.Sequential(OrderedDict(pool=stage))
            model.add_module(PLACES[name], stage)
        stage.add_module(PART, block)
        if not isinstance(stage, nn.Sequential):  # which runs all its parts, the new one last
            stage.register_forward_hook(_then_part)
    return blocks


def _then_part(stage: nn.Module, inputs: Any, output: Tensor) -> Tensor:
    return stage.get_submodule(PART)(output)


def find(model: nn.Module, owner: str, names: Sequence[str]) -> list[Place]:
    """The named places of a network, or ValueError with those that it has."""
    if not isinstance(getattr(model, "frames", None), int):
        raise ValueError(f"{owner}: {type(model).__name__} is no video network: it has no `frames`")
    have = _all_places(model)
    for name in names:
        if name not in have:
            raise ValueError(
                f"{owner}: insert_after {name!r} is not possible in this network; allowed: {', '.join(have) or 'none'}"
            )
    taken = [name for name in names if hasattr(model.get_submodule(PLACES[name]), PART)]
    if taken:
        raise ValueError(f"{owner}: there is a block after {taken[0]} already; allowed: a network without one")
    return [have[name] for name in names]


def _all_places(model: nn.Module) -> dict[str, Place]:
    """Run the network on shapes alone and see what leaves each stage. A part that runs twice is no place."""
    stages = {
        name: module
        for name, module in PLACES.items()
        # a backbone without this stage has an identity there, which takes parameterless pooling's place in the stem
        if isinstance(stage := getattr(model, module, None), nn.Module)
        and (module == "maxpool" or not isinstance(stage, nn.Identity))
    }
    frames: int = model.frames  # type: ignore[assignment]
    seen = shapes(model, stages.values())
    places = {name: _place(name, [after for _, after in seen[module]], frames) for name, module in stages.items()}
    return {name: place for name, place in places.items() if place is not None}


def _place(name: str, shapes: list[torch.Size], frames: int) -> Place | None:
    if len(shapes) != 1:
        return None
    shape = shapes[0]
    if len(shape) == 5:
        return Place(name, shape[1], shape[2], volume=True)
    return Place(name, shape[1], frames, volume=False) if len(shape) == 4 and shape[0] == frames else None


def read_places(owner: str, value: object) -> tuple[str, ...]:
    """`insert_after` as a tuple of different places."""
    names = tuple(value) if isinstance(value, list | tuple) else ()
    for name in names:
        require_choice(owner, "insert_after", name, PLACES)
    if names and len(set(names)) == len(names):
        return names
    raise ValueError(f"{owner}: insert_after {value!r} is not possible; allowed: different ones of {', '.join(PLACES)}")


def require_scale(owner: str, value: object) -> None:
    """Raise ValueError unless `value` is a number from 0 to 1."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError(f"{owner}: expand_scale {value!r} is not possible; allowed: a number from 0 to 1")
