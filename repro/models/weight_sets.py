"""Which sets of weights a checkpoint holds, and which one is meant.

Training scripts keep an average of the weights (EMA, SWA, a teacher) beside the raw ones: under a key of its own
(`state_dict_ema`, `model_ema`, `ema.module`), or in the same state dict under a prefix (`ema_model.conv1.weight`, or
mmcv's `ema_backbone_conv1_weight`). Their accuracies differ, so where both are there a choice has to be made.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from repro.core.errors import WeightsError
from repro.models.formats import strip_wrappers

Tensors = dict[str, torch.Tensor]

#: where a checkpoint keeps its state dict; the first that holds tensors counts, unless there are rivals
PLACES = ("state_dict", "model", "model_state", "model_state_dict", "module", "net")
#: how a set is called whose tensors stand at the top of the file
TOP = "."
#: scalars that averaging leaves beside the tensors
AVERAGING_COUNTERS = ("n_averaged", "num_updates", "updates", "decay", "step", "steps", "collected_params")

_AVERAGED = {"ema", "swa", "avg", "average", "averaged", "averages", "shadow", "polyak", "teacher", "target"}
_BOOKKEEPING = re.compile(
    r"optim|sched|scaler|^amp$|criterion|loss|rng|message_hub|^meta$|^args$|config|history|metric", re.I
)
_DEEPEST = 4
_FLAT = re.compile(r"^(ema|swa|avg|averaged|shadow)_([^.]+)$")


@dataclass(frozen=True)
class WeightSet:
    """Tensors that belong together, by the file's own names."""

    key: str
    """Where they stand: keys joined by dots, `.` for the top of the file."""
    tensors: Tensors
    others: tuple[str, ...] = ()
    """Entries beside them that are no tensors."""
    nameless: bool = False
    """A list of tensors, of which nothing tells which is which."""

    @property
    def averaged(self) -> bool:
        """Whether the key is one that averages have."""
        return any(_is_averaged(part) for part in self.key.split("."))


def sets_of(content: Mapping[Any, Any]) -> list[WeightSet]:
    """Every set of weights of a checkpoint's content; state of optimizers and the like is left out."""
    return [part for found in _walk(content, ()) for part in split(found)]


def split(found: WeightSet) -> list[WeightSet]:
    """A set, with averages that stand in it under a prefix as sets of their own and by the names of the raw ones."""
    prefixes: dict[str, Tensors] = {}
    for name, value in found.tensors.items():
        prefix, _ = _averaged_prefix(name)
        if prefix:
            prefixes.setdefault(prefix, {})[name] = value
    rest = dict(found.tensors)
    parts = []
    for prefix, tensors in prefixes.items():
        raw = {name: value for name, value in found.tensors.items() if not _averaged_prefix(name)[0]}
        named = _as_raw(tensors, raw)
        if 2 * len(named) < len(tensors):
            continue  # a layer of this name, not an average of the others
        for name in tensors:
            del rest[name]
        key = prefix if found.key == TOP else f"{found.key}.{prefix}"
        parts.append(WeightSet(key, named))
    return [WeightSet(found.key, rest, found.others, found.nameless), *parts]


def choose(file: str, found: list[WeightSet], key: str | None) -> WeightSet:
    """The set called `key`, or the one that can be meant; `WeightsError` names them where several can."""
    if key is not None:
        return _named(file, found, key)
    by_key = {one.key: one for one in found}
    first = next((by_key[place] for place in PLACES if place in by_key), None) or by_key.get(TOP)
    first = first or (found[0] if len(found) == 1 else None)
    rivals = [one for one in found if one is not first and (first is None or _rival(one, first))]
    if first is not None and not rivals:
        return _with_names(file, first, [one.key for one in found if not one.nameless])
    listed = [first, *rivals] if first else rivals
    keys = [one.key for one in listed if one is not None]
    what = "raw and averaged weights" if any(one.averaged for one in rivals) else "several sets of weights"
    raise WeightsError(
        f"{file!r} holds {what}: {', '.join(keys)}; their accuracies differ, and nothing says which is meant",
        allowed=", ".join(keys),
        fix=f"import-weights with --weights-key {next((one.key for one in rivals if not one.nameless), keys[0])}",
    )


def _named(file: str, found: list[WeightSet], key: str) -> WeightSet:
    exact = [one for one in found if one.key == key]
    ending = [one for one in found if one.key.endswith(f".{key}")]
    words = [one for one in found if key.lower() in _words(one.key)]
    fitting = next((group for group in (exact, ending, words) if group), [])
    keys = ", ".join(one.key for one in found) or "none"
    if len(fitting) != 1:
        many = "no" if not fitting else f"{len(fitting)}"
        raise WeightsError(f"{file!r} holds {many} set(s) of weights called {key!r}", allowed=keys)
    return _with_names(file, fitting[0], [one.key for one in found if not one.nameless])


def _with_names(file: str, one: WeightSet, named: list[str]) -> WeightSet:
    if one.nameless:
        allowed = ", ".join(named) or "a state dict"
        raise WeightsError(f"{file!r}: {one.key} is a list of tensors without names", allowed=allowed)
    return one


def _rival(one: WeightSet, first: WeightSet) -> bool:
    """Whether a set could be meant in place of the first: another value of at least half of its tensors."""
    if one.nameless:
        return one.averaged
    ours = {_plain(name): value for name, value in first.tensors.items()}
    shared = {_plain(name): value for name, value in one.tensors.items() if _plain(name) in ours}
    if all(equal(value, ours[name]) for name, value in shared.items()) and len(shared) == len(one.tensors):
        return False
    return one.averaged or 2 * len(shared) >= max(1, len(one.tensors))


def equal(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two tensors hold the same numbers; tensors of another kind than plain ones are told apart by identity."""
    if one is other:
        return True
    if one.shape != other.shape or one.dtype != other.dtype or not (_is_plain(one) and _is_plain(other)):
        return False
    if one.data_ptr() == other.data_ptr() and one.stride() == other.stride():
        return True
    try:
        return torch.equal(one, other)
    except (RuntimeError, NotImplementedError):  # 8-bit floats cannot be compared
        return False


def _is_plain(value: torch.Tensor) -> bool:
    return value.layout == torch.strided and not (value.is_meta or value.is_quantized or value.is_nested)


def _walk(content: Mapping[Any, Any], path: tuple[str, ...]) -> Iterator[WeightSet]:
    tensors, others, inner = {}, [], []
    for key, value in content.items():
        name = str(key)
        if isinstance(value, torch.Tensor):
            tensors[name] = value.detach()
        elif isinstance(value, Mapping) and len(path) < _DEEPEST and not _BOOKKEEPING.search(name):
            below = list(_walk(value, (*path, name)))
            inner += below
            others += [] if below else [name]
        elif isinstance(value, list | tuple) and value and all(isinstance(one, torch.Tensor) for one in value):
            if any(_is_averaged(part) for part in (*path, name)):
                inner.append(WeightSet(".".join((*path, name)), {}, nameless=True))
        elif _BOOKKEEPING.search(name) and (kept := list(_averages_kept_by(value, (*path, name)))):
            inner += kept
        elif name not in AVERAGING_COUNTERS:
            others.append(name)
    if tensors:
        yield WeightSet(".".join(path) or TOP, tensors, tuple(others))
    yield from inner


def _averages_kept_by(value: Any, path: tuple[str, ...]) -> Iterator[WeightSet]:
    """Averages that an optimizer keeps under `ema` or `swa` in its state, or in one of a list of states."""
    if isinstance(value, list | tuple):
        for place, one in enumerate(value):
            yield from _averages_kept_by(one, (*path, str(place))) if isinstance(one, Mapping) else ()
    elif isinstance(value, Mapping):
        yield from _walk({key: found for key, found in value.items() if _words(str(key)) & {"ema", "swa"}}, path)


def _averaged_prefix(name: str) -> tuple[str, str]:
    """(`ema_model`, `conv1.weight`) of `module.ema_model.conv1.weight`, (`ema`, `conv1_weight`) of `ema_conv1_weight`;
    ("", the name) of others.
    """
    plain = strip_wrappers(name)
    flat = _FLAT.match(plain)
    if flat:
        return flat[1], flat[2]
    head, dot, tail = plain.partition(".")
    return (head, tail) if dot and _is_averaged(head) else ("", plain)


def _as_raw(tensors: Tensors, raw: Tensors) -> Tensors:
    """The averaged tensors by the names of their raw ones; those without such a one are left out."""
    known: dict[str, str] = {}
    for name in raw:
        plain = strip_wrappers(name)
        known.setdefault(_squeezed(plain), name)
        known.setdefault(_squeezed(plain.partition(".")[2]), name)
    found = {}
    for name, value in tensors.items():
        own = _squeezed(strip_wrappers(_averaged_prefix(name)[1]))
        if own in known and own:
            found[known[own]] = value
    return found


def _squeezed(name: str) -> str:
    """Without the signs that some averages lose: `backbone.conv1.weight` and `backbone_conv1_weight` are one."""
    return re.sub(r"[._]", "", name)


def _plain(name: str) -> str:
    return _squeezed(strip_wrappers(name))


def _is_averaged(part: str) -> bool:
    return bool(_AVERAGED & _words(part)) or part.lower().endswith("ema")


def _words(text: str) -> set[str]:
    return {word.lower() for word in re.split(r"[^A-Za-z]+|(?<=[a-z])(?=[A-Z])", text) if word}
