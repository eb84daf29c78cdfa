"""The maps inside a network: which modules give one, of what size, and how to take one out of a forward call.

A map is a tensor (N*T', C, h, w) or (N, C, T', h, w) with more than one place in space. A network whose last map is not
the one to show says so in an attribute `map_layer`, which is None where no map is of the whole clip.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from repro.core.errors import BadOption, UnknownName


def map_layers(module: nn.Module, x: Tensor) -> dict[str, tuple[int, ...]]:
    """Name -> shape of the map of every module that gives one for the input `x`, in the order in which they finish."""
    found: dict[str, tuple[int, ...]] = {}

    def note(name: str) -> Any:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
            if is_map(output):
                found.pop(name, None)
                found[name] = tuple(output.shape)

        return hook

    hooks = [part.register_forward_hook(note(name)) for name, part in module.named_modules() if name]
    try:
        with torch.no_grad(), _evaluating(module):
            module(x)
    finally:
        for hook in hooks:
            hook.remove()
    if not found:
        raise BadOption(f"{type(module).__name__} has no feature map", allowed="a network with maps before its head")
    return found


def is_map(value: Any) -> bool:
    """Whether this is a map of more than one place in space."""
    if not isinstance(value, Tensor) or not value.is_floating_point() or value.dim() not in (4, 5):
        return False
    return value.shape[-1] * value.shape[-2] > 1


def choose(module: nn.Module, layers: dict[str, tuple[int, ...]], name: str | None = None) -> str:
    """The layer to look at: the one asked for, else the network's own `map_layer`, else the last that gives a map."""
    own = getattr(module, "map_layer", [*layers][-1])
    if own is None:
        raise BadOption(f"{type(module).__name__} has no map of the whole clip", allowed="a network with one stream")
    name = name or own
    if name in layers:
        return name
    if name in dict(module.named_modules()):
        raise BadOption(f"layer {name!r} gives no map over space", allowed=told(layers), fix=f"--layer {[*layers][-1]}")
    raise UnknownName("layer", name, layers, fix=f"--layer {[*layers][-1]}")


def told(layers: dict[str, tuple[int, ...]]) -> str:
    """The outermost layers with the size of their maps, as text."""
    least = min(name.count(".") for name in layers)
    outer = {name: shape for name, shape in layers.items() if name.count(".") == least}
    return ", ".join(f"{name} ({shape[-2]}x{shape[-1]})" for name, shape in outer.items())


@contextmanager
def captured(module: nn.Module, layer: str) -> Iterator[list[Tensor]]:
    """Within, a forward call leaves the layer's map in the list: a tensor that gradients can be taken for.

    What follows in place, such as an activation, counts as a part of the layer. The graph begins at the map: nothing
    before it is kept, and the network's parameters get no gradients. The network is in evaluation meanwhile.
    """
    maps: list[Tensor] = []

    def hook(_module: nn.Module, _inputs: Any, output: Tensor) -> Tensor:
        maps.append(output.detach().requires_grad_().clone())
        return maps[-1]

    learning = [parameter for parameter in module.parameters() if parameter.requires_grad]
    handle = module.get_submodule(layer).register_forward_hook(hook)
    try:
        for parameter in learning:
            parameter.requires_grad_(False)
        with torch.enable_grad(), _evaluating(module):
            yield maps
    finally:
        handle.remove()
        for parameter in learning:
            parameter.requires_grad_(True)


@contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    training = {part: part.training for part in module.modules()}
    module.eval()
    try:
        yield
    finally:
        for part, was in training.items():
            part.training = was
