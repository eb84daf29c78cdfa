"""How the rows of a user's table are trained and tested: `recipe` and `views` of its file, by name or by value."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from repro.core.errors import ReproError
from repro.core.options import plain
from repro.core.spec import Model, Train, Views, frozen, replace
from repro.papers.default_views import views_of
from repro.papers.recipes.fitted import changed, fitted, for_model
from repro.papers.recipes.named import named
from repro.papers.text import Text

#: what is run where the file names no recipe
USUAL = "dnr.kinetics400"
_UNIFORM_TRAIN, _UNIFORM_TEST = "mmaction2.uniform_train_8", "mmaction2.uniform_test_8"


@dataclass(frozen=True)
class Protocol:
    """What the file says."""

    text: Text
    like: str = USUAL
    """The named recipe; empty: it is given by value."""
    changes: Mapping[str, Any] = field(default_factory=frozen)
    views_like: str = ""
    """A named recipe whose test it is, or CLIPSxCROPS; empty: that of the recipe."""
    views: Mapping[str, Any] = field(default_factory=frozen)

    def of(self, model: Model, videos: int) -> tuple[Train, Views, list[str]]:
        """Recipe and test views of a network on so many training videos, and what did not fit."""
        train, told = self._train(model)
        if "batch" not in self.changes or self.changes["batch"] > videos:
            train, note = fitted(train, videos)
            told += [note] if note else []
        return train, self.test(model), told

    def test(self, model: Model) -> Views:
        """The test views of a network."""
        base = self._base(model)
        count = self.views_like if "x" in self.views_like and "." not in self.views_like else ""
        clips, crops = self.views.get("clips", base.clips), self.views.get("crops", base.crops)
        if "clips" in self.views or "crops" in self.views:
            count = f"{clips}x{crops}"
        rest = {key: value for key, value in self.views.items() if key not in ("clips", "crops", "crop")}
        with self._at("views"):
            made = replace(views_of(model, base, count, self.views.get("crop")), **rest)
        if 0 < made.resize < made.crop:
            raise self.text.fault(f"crop {made.crop} does not fit into a short side of {made.resize}", "views")
        return made

    def told(self) -> list[str]:
        """In words, for a footnote."""
        changes = [f"{key} {_shown(value)}" for key, value in self.changes.items()]
        recipe = " with ".join(filter(None, [self.like or "as given", ", ".join(changes)]))
        views = [self.views_like or ("" if self.views else "as the recipe's")]
        views += [f"{key} {_shown(value)}" for key, value in self.views.items()]
        return [f"Recipe {recipe}; test views {', '.join(filter(None, views))}."]

    def _base(self, model: Model) -> Views:
        if "." in self.views_like:
            return self._named(self.views_like, model, "views")[1]
        if self.like:
            return self._named(self.like, model, "recipe")[1]
        train = self._train(model)[0]
        return Views(sampling=_UNIFORM_TEST, crop=train.crop, resize=max(train.resize, train.crop))

    def _train(self, model: Model) -> tuple[Train, list[str]]:
        told: list[str] = []
        with self._at("recipe"):
            if self.like:
                train, _, whose = self._named(self.like, model, "recipe")
                told += [f"{model.name} is trained as {self.like} trains {whose}"] if whose else []
                train = changed(replace(train, flip_labels=(), videos=0), self.changes)
            else:
                train = _whole({"sampling": _UNIFORM_TRAIN, **self.changes})
            return for_model(train, model), told

    def _named(self, name: str, model: Model, place: str) -> tuple[Train, Views, str]:
        with self._at(place, "like"):
            return named(name, model.name)

    def _at(self, *trail: str) -> AbstractContextManager[None]:
        return self.text.at(*trail, keys=(*self.changes, *self.views))


def read_protocol(text: Text) -> Protocol:
    """What a file says of recipe and views."""
    like, changes = _given(text, "recipe")
    views_like, views = _given(text, "views")
    known = [one.name for one in dataclasses.fields(Views)]
    for key in views:
        if key not in known:
            raise text.fault(f"unknown name {key!r}", "views", key, allowed=", ".join(["like", *known]))
    return Protocol(text, like if "recipe" in text.data else USUAL, changes, views_like, views)


def _given(text: Text, name: str) -> tuple[str, Mapping[str, Any]]:
    """What a value is like, and what it changes: a name, or a table with `like` in it."""
    value = text.data.get(name, "")
    if isinstance(value, str):
        return value, frozen()
    if not isinstance(value, dict):
        raise text.fault(f"{name} is {value!r}", name, allowed="a name, or a table of values with `like`")
    like = value.get("like", "")
    if not isinstance(like, str):
        raise text.fault(f"like is {like!r}", name, "like", allowed="a name")
    return like, frozen({key: plain(one) for key, one in value.items() if key != "like"})


def _whole(given: Mapping[str, Any]) -> Train:
    """A recipe that is given by value alone."""
    missing = [key for key in ("epochs", "batch", "lr") if key not in given]
    if missing:
        raise ReproError(
            f"a recipe without {' and '.join(missing)}", allowed='all of them, or like = "dnr.kinetics400"'
        )
    base = Train(epochs=given["epochs"], batch=given["batch"], lr=given["lr"], sampling=given["sampling"])
    return changed(base, given)


def _shown(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
