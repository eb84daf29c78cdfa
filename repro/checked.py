"""Frozen dataclasses that refuse a value of another kind than their fields declare. No torch."""

from __future__ import annotations

import math
import types
import typing
from functools import cache
from typing import Any, Literal

from repro.errors import BadOption

#: least and greatest value of fields, whatever spec they stand in
_BOUNDS: dict[str, tuple[float, float]] = {
    **dict.fromkeys(("frames", "num_classes", "clips", "crops", "crop", "epochs", "batch", "size"), (1, math.inf)),
    **dict.fromkeys(("resize", "warmup_epochs", "clip_norm", "weight_decay", "lr"), (0, math.inf)),
    **dict.fromkeys(("videos", "clips_per_device"), (0, math.inf)),
    **dict.fromkeys(("dropout", "flip", "momentum", "warmup_ratio"), (0, 1)),
    "repeats": (1, math.inf),
}


class Checked:
    """A spec whose fields hold what they are declared to hold; anything else is refused when it is made."""

    def __post_init__(self) -> None:
        for name, kind in _hints(type(self)).items():  # type: ignore[arg-type]
            value = getattr(self, name)
            if not _fits(value, kind):
                raise BadOption(_refusal(self, name), allowed=_told(kind))
            low, high = _BOUNDS.get(name, (-math.inf, math.inf))
            if isinstance(value, int | float) and not low <= value <= high:
                bounds = f"{low:g} to {high:g}" if high < math.inf else f"at least {low:g}"
                raise BadOption(_refusal(self, name), allowed=bounds)


def _refusal(spec: object, name: str) -> str:
    return f"{name} {getattr(spec, name)!r} is not possible in {type(spec).__name__}"


@cache
def _hints(cls: Any) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _fits(value: Any, kind: Any) -> bool:
    """Whether a value is of a declared type; a whole number serves as a float, and a bool never as a number."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal:
        return value in inner
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, one) for one in inner)
    if origin is tuple:
        if not isinstance(value, tuple):
            return False
        kinds = (inner[0],) * len(value) if inner[-1] is Ellipsis else inner
        return len(value) == len(kinds) and all(map(_fits, value, kinds))
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, origin or kind)


def _told(kind: Any) -> str:
    """A declared type in words."""
    if typing.get_origin(kind) is Literal:
        return ", ".join(map(str, typing.get_args(kind)))
    words = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
    return words.get(kind) or str(kind).replace("typing.", "").replace("repro.spec.", "")
