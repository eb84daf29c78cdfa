"""How a network is trained and tested on a dataset, as one source gives it: a paper, its authors' code, mmaction2.

A protocol is a recipe (`Train`), test views (`Views`) and the two facts of the model that belong to a recipe, each with
the place where it stands. What a source leaves open is named in `unstated`: its value in the spec is then this suite's
choice, never the source's word.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from repro.core.errors import UnknownName
from repro.core.spec import Train, Views, frozen

NOT_STATED = "not stated"


@dataclass(frozen=True)
class Stated:
    """One value as a source gives it."""

    text: str
    """As shown; `NOT_STATED` where the source is silent."""
    where: str = ""
    """Section of a paper, or file and commit of a repository."""


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """Training and test of a network as `where` gives them."""

    where: str
    """Paper and section, or repository, commit and file: the place of every value that `places` does not name."""
    train: Train | None = None
    test: Views | None = None
    dropout: float | None = None
    """Probability before the classifier."""
    pretrained: str | None = None
    """Initial weights: none, imagenet, kinetics400."""
    places: Mapping[str, str] = field(default_factory=frozen)
    """Field (`train.lr`) -> where it stands, if elsewhere."""
    said: Mapping[str, str] = field(default_factory=frozen)
    """Field -> what the source says where that is not quite what the spec can hold."""
    unstated: tuple[str, ...] = ()
    """Fields (`train.lr`), or all of a part (`test`), on which the source is silent."""

    def __post_init__(self) -> None:
        for name in (*self.places, *self.said, *self.unstated):
            if name not in FIELDS and name not in _PARTS:
                raise UnknownName("field of a protocol", name, [*FIELDS, *_PARTS])

    def stated(self) -> dict[str, Stated]:
        """Every field of `FIELDS` -> what this source says of it."""
        return {name: self._stated(name) for name in FIELDS}

    def _stated(self, name: str) -> Stated:
        where = self.places.get(name, self.where)
        if name in self.said:
            return Stated(self.said[name], where)
        part, _, attribute = name.partition(".")
        owner = getattr(self, part) if part in _PARTS else self
        value = getattr(owner, attribute or name, None) if owner is not None else None
        if value is None or name in _SELDOM_TOLD or name in self.unstated or part in self.unstated:
            return Stated(NOT_STATED)
        return Stated(self._shown(name, value), where)

    def _shown(self, name: str, value: Any) -> str:
        if name.endswith(".resize") and value == 0:
            return "own size"
        idle = self.train is not None and (
            (name == "train.warmup_ratio" and self.train.warmup_epochs == 0)
            or (name == "train.milestones" and self.train.schedule != "step")
            or (name == "train.flip_labels" and self.train.flip == 0)
        )
        return "none" if idle else shown(value)


_PARTS = ("train", "test")
#: fields that tell how much of a dataset this suite takes: no protocol of others
_OURS = ("videos", "clips_per_device")
#: fields on which a source counts as silent unless it `said` something: no paper tells them
_SELDOM_TOLD = ("train.last_batch",)


def _names(spec: type) -> Iterator[str]:
    return (field.name for field in dataclasses.fields(spec) if field.name not in _OURS)


#: every field of a protocol, in the order of a comparison
FIELDS: tuple[str, ...] = (
    "pretrained",
    "dropout",
    *(f"train.{name}" for name in _names(Train)),
    *(f"test.{name}" for name in _names(Views)),
)


def shown(value: Any) -> str:
    """A value of a spec in few signs: a pair of labels becomes `2-4`, a tuple its parts, an empty one `none`."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        parts = ["-".join(map(str, one)) if isinstance(one, tuple) else f"{one:g}" for one in value]
        return " ".join(parts) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)
