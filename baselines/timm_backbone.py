"""Any image network of timm that is a plain sequence of parts, in the outline of a ResNet.

What follows what is not told by a list of names: the network is run once on shapes alone, and its parts are taken apart
where each one's output is all that the next one reads. Blocks are sorted by the size of their maps: `layer1` a quarter
of the input and larger, `layer2` an eighth, `layer3` a sixteenth, `layer4` the rest; other parts of a stage (ConvNeXt's
downsampling, EfficientNet's last convolution) keep their own names beside the numbered blocks. What stands before the
first block is `conv1`, `bn1`, `act1`, `maxpool`; what works on the pooled features is the `neck`. All parts and weights
are timm's own. Tensors: frames folded into the batch, (N*T, C, H, W).

Known differences
1. Stochastic depth and dropout, parts of the ImageNet recipes, are off.
2. A video network takes the input size that it is given, not the one that a network of timm was trained at.
"""

from __future__ import annotations

import functools
import math
import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from baselines.backbone import STAGES, is_block, is_layer

STEM = ("conv1", "bn1", "act1", "maxpool")
_SIZE = 224
_FITTING = "networks that are a plain sequence of parts with maps (N, C, H, W), pooled by their mean"


class Outline(nn.Module):
    """The parts of a network of timm under the names of a ResNet's; a video network takes them over and runs them."""

    neck: nn.Module | None

    def __init__(self, name: str) -> None:
        super().__init__()
        import timm

        with torch.random.fork_rng(devices=[]), torch.device("meta"):
            units, width = _units(name, timm.create_model(name, pretrained=False, num_classes=0))
        net: Any = timm.create_model(name, pretrained=False, num_classes=0)
        self.timm_names: dict[str, str] = {}
        """Part of timm's network -> its name here."""
        end = next(i for i, unit in enumerate(units) if _is_pool(unit.module))
        first = next((i for i, unit in enumerate(units[:end]) if is_block(unit.module)), end)
        trees = [unit.path for unit in units if any(map(_is_tree, unit.module.children()))]
        if trees:
            raise unfit(name, f"{trees[0]} holds blocks that are no sequence")
        if first == end:
            raise unfit(name, f"it has no blocks: its parts are {', '.join(unit.path for unit in units[:6])}")
        self._add_stem(net, units[:first])
        self._add_stages(net, units[first:end])
        self._add_neck(net, units[end:])
        classifier = net.default_cfg.get("classifier")
        if isinstance(classifier, str):
            self.timm_names[classifier] = "fc"
        self.num_features: int = width

    def _add_stem(self, net: nn.Module, units: list[Unit]) -> None:
        if {unit.path for unit in units} <= set(STEM):
            places = {unit.path: [unit] for unit in units}
        else:
            second = len(units) > 1 and is_norm(units[1].module)
            places = {"conv1": units[:1], "bn1": units[1:2] if second else [], "maxpool": units[1 + second :]}
        for place in STEM:
            self._add(self, place, net, places.get(place, []))

    def _add(self, owner: nn.Module, place: str, net: nn.Module, units: list[Unit], above: str = "") -> None:
        parts = [net.get_submodule(unit.path) for unit in units]
        owner.add_module(place, parts[0] if len(parts) == 1 else nn.Sequential(*parts) if parts else nn.Identity())
        for index, unit in enumerate(units):
            self.timm_names[unit.path] = f"{above}{place}" + (f".{index}" if len(units) > 1 else "")

    def _add_stages(self, net: nn.Module, units: list[Unit]) -> None:
        for number, stage in enumerate(STAGES, 1):
            own = [unit for unit in units if unit.stage == number]
            made: nn.Module = nn.Sequential() if own else nn.Identity()
            self.add_module(stage, made)
            blocks = 0
            for unit in own:
                place = str(blocks) if is_block(unit.module) else _part_name(unit.path)
                blocks += is_block(unit.module)
                self._add(made, place, net, [unit], f"{stage}.")

    def _add_neck(self, net: nn.Module, units: list[Unit]) -> None:
        """The pooling and what follows it, where that has weights; else the mean of the map is all there is."""
        self.neck = None
        if any(list(unit.module.parameters()) for unit in units):
            self.neck = nn.Sequential(OrderedDict((_last(unit.path), net.get_submodule(unit.path)) for unit in units))
            self.timm_names |= {unit.path: f"neck.{_last(unit.path)}" for unit in units}


@dataclass
class Unit:
    """A part of the sequence: its path in timm's network and the shape of what it gives."""

    path: str
    module: nn.Module
    shape: torch.Size
    stage: int = field(init=False)

    def __post_init__(self) -> None:
        reduction = _SIZE / self.shape[-1] if len(self.shape) == 4 else 32
        self.stage = min(max(math.ceil(math.log2(reduction)) - 1, 1), len(STAGES))


@dataclass
class _Call:
    path: str
    read: Tensor
    read_version: int
    gave: Tensor | None = None
    gave_version: int = -1


def unfit(name: str, why: str) -> ValueError:
    """The error of a backbone that no outline can be made of."""
    return ValueError(f"backbone {name!r} does not fit: {why}; allowed: {_FITTING}")


def is_norm(module: nn.Module) -> bool:
    """Whether this is a normalization of maps, whatever its kind."""
    return isinstance(module, nn.modules.batchnorm._BatchNorm | nn.GroupNorm | nn.LayerNorm)


def _is_pool(module: nn.Module) -> bool:
    return type(module).__name__ == "SelectAdaptivePool2d"


def _last(path: str) -> str:
    return path.rpartition(".")[2]


def _part_name(path: str) -> str:
    """A name beside numbered blocks: the last word of a path, with the number below it."""
    *_, word = re.findall(r"[a-zA-Z_]\w*(?:\.\d+)*$", path)
    return word.replace(".", "_")


def _units(name: str, net: nn.Module) -> tuple[list[Unit], int]:
    """The sequence of parts up to the features, and how many features there are; `net` is on the meta device."""
    calls: list[_Call] = []
    handles = [
        handle
        for path, module in net.named_modules()
        for handle in (
            module.register_forward_pre_hook(functools.partial(_note_input, calls, path)),
            module.register_forward_hook(functools.partial(_note_output, calls, path)),
        )
    ]
    try:
        with torch.no_grad():
            out = net.eval()(torch.empty(1, 3, _SIZE, _SIZE))
    except (RuntimeError, ValueError, AssertionError, TypeError) as error:
        raise unfit(name, f"it does not run on {_SIZE}x{_SIZE} pixels ({str(error).splitlines()[0][:80]})") from error
    for handle in handles:
        handle.remove()
    if not isinstance(out, Tensor) or out.dim() != 2:
        raise unfit(name, "it gives no vector of features")
    units = _split(name, net, calls, "")
    pools = [unit.module for unit in units if _is_pool(unit.module)]
    if not pools:
        raise unfit(name, "its maps are not pooled at the end")
    if (kind := getattr(pools[0], "pool_type", "avg")) != "avg":
        raise unfit(name, f"its maps are pooled by {kind!r}")
    maps = units[next(i for i, unit in enumerate(units) if unit.module is pools[0]) - 1].shape
    if len(maps) != 4 or getattr(pools[0], "input_fmt", "NCHW") != "NCHW" or maps[-1] != maps[-2]:
        raise unfit(name, f"its last maps are {tuple(maps)}")
    return units, out.shape[1]


def _note_input(calls: list[_Call], path: str, module: nn.Module, inputs: tuple[Any, ...]) -> None:
    if inputs and isinstance(inputs[0], Tensor):
        calls.append(_Call(path, inputs[0], inputs[0]._version))


def _note_output(calls: list[_Call], path: str, module: nn.Module, inputs: Any, output: Any) -> None:
    call = next((call for call in reversed(calls) if call.path == path), None)
    if call and isinstance(output, Tensor):
        call.gave, call.gave_version = output, output._version


def _split(name: str, net: nn.Module, calls: list[_Call], path: str) -> list[Unit]:
    """The parts in order of a module that is a chain of parts; itself where it is none, or is a block."""
    whole = next(call for call in calls if call.path == path)
    inside = [call for call in calls if call.path != path and _parent(net, call.path) == path]
    module = net.get_submodule(path)
    if path and (not _is_container(net, module, inside) or not _is_chain(whole, inside)):
        assert whole.gave is not None
        return [Unit(path, module, whole.gave.shape)]
    if not path and not _is_chain(whole, inside):
        broken = next(i for i in range(len(inside) + 1) if not _is_chain(whole, inside, i))
        at = inside[min(broken, len(inside) - 1)].path if inside else "it"
        raise unfit(name, f"{at} does not read the output of the part before it alone")
    return [unit for call in inside for unit in _split(name, net, calls, call.path)]


def _parent(net: nn.Module, path: str) -> str:
    """The module that calls this one: the one around it, but for lists."""
    parent = path.rpartition(".")[0]
    return _parent(net, parent) if isinstance(net.get_submodule(parent), nn.ModuleList) else parent


def _is_container(net: nn.Module, module: nn.Module, inside: list[_Call]) -> bool:
    """Whether a chain is to be taken apart: the head, around the pooling, and what blocks are in; a block is none."""
    parts = [net.get_submodule(call.path) for call in inside]
    if not parts or (any(is_layer(part) or is_norm(part) for part in parts) and not any(map(_is_pool, parts))):
        return False
    if _is_pool(module):
        return False
    return type(module) is nn.Sequential or any(_is_pool(part) or _holds_block(part) for part in parts)


def _holds_block(module: nn.Module) -> bool:
    return any(is_block(part) for part in module.modules())


def _is_tree(part: nn.Module) -> bool:
    """Whether a part of a block is, or holds, a block itself, of two convolutions of more than one pixel."""
    wide = [inner for inner in part.modules() if isinstance(inner, nn.Conv2d) and max(inner.kernel_size) > 1]
    return len(wide) > 1 and not isinstance(part, nn.ModuleList | nn.Sequential)


def _is_chain(whole: _Call, inside: list[_Call], only: int | None = None) -> bool:
    """Whether each call reads what the one before gave, unchanged since; `only` looks at one of these links."""
    before = [(whole.read, whole.read_version), *((call.gave, call.gave_version) for call in inside)]
    after = [*((call.read, call.read_version) for call in inside), (whole.gave, whole.gave_version)]
    links = [gave[0] is read[0] and gave[1] == read[1] for gave, read in zip(before, after, strict=True)]
    return bool(inside) and (all(links) if only is None else links[only])


def renamed(state: Mapping[str, Tensor], names: Mapping[str, str]) -> dict[str, Tensor]:
    """Tensors under timm's names as they are called here; of two names for a part the longer one counts."""
    ordered = sorted(names, key=len, reverse=True)
    found = {}
    for name, value in state.items():
        part = next((part for part in ordered if name.startswith(f"{part}.")), None)
        found[name if part is None else names[part] + name[len(part) :]] = value
    return found
