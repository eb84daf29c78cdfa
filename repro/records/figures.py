"""Stored figures: a PNG, and beside it a JSON that says what it shows and how it was made. The report shows them.

Like `records.store`, this module touches the results folder: a figure is kept for the report but holds no number of a
table, so it is no record. The JSON is written last and names the PNG's sha256: a figure is whole or absent.

    <results>/figures/<name>.png
                      <name>.json
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

import pydantic

from repro.core import paths
from repro.core.errors import RecordError
from repro.core.files import parse_json, write_atomic
from repro.records.document import content_of
from repro.records.schema import faults
from repro.records.store import Problem

VERSION = 1


class Clip(pydantic.BaseModel, extra="forbid"):
    """The video that is shown."""

    name: str
    sha256: str


class Network(pydantic.BaseModel, extra="forbid"):
    """A network that is shown."""

    label: str
    model: dict[str, Any]
    """Its spec."""
    weights_sha256: str | None
    """None: random weights."""


class Facts(pydantic.BaseModel, extra="forbid"):
    """What the JSON of a figure holds."""

    version: int = VERSION
    kind: str
    title: str
    alt: str
    """What is to be seen, for those who cannot."""
    caption: str
    networks: list[Network]
    clip: Clip | None = None
    command: list[str]
    environment: dict[str, Any]
    details: dict[str, Any]
    """What the kind of figure tells in numbers."""


class Figure(NamedTuple):
    """A stored figure, read back."""

    name: str
    facts: Facts
    png: bytes


class Stored(NamedTuple):
    """All usable figures, sorted by name, and the files that are not usable."""

    figures: list[Figure]
    problems: list[Problem]


def write(name: str, png: bytes, facts: Facts, folder: Path | None = None) -> Path:
    """Store a figure and return the path of its PNG. One of the same name is replaced: it can be made again."""
    folder = paths.figures() if folder is None else Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    document = {**facts.model_dump(mode="json"), "png_sha256": hashlib.sha256(png).hexdigest()}
    write_atomic(folder / f"{name}.png", png)
    write_atomic(folder / f"{name}.json", (json.dumps(document, indent=1, allow_nan=False) + "\n").encode())
    return folder / f"{name}.png"


def load(path: Path) -> Figure:
    """The figure of a JSON file; `RecordError` says what is wrong with it."""
    try:
        document = parse_json(content_of(path))
        png = content_of(path.with_suffix(".png"))
    except RecordError:
        raise
    except ValueError as error:
        raise RecordError(f"{path}: not readable: {error}") from error
    if not isinstance(document, dict) or document.pop("png_sha256", None) != hashlib.sha256(png).hexdigest():
        raise RecordError(f"{path}: does not fit the PNG beside it")
    if document.get("version") != VERSION:
        raise RecordError(f"{path}: version {document.get('version')!r}; this program reads {VERSION}")
    try:
        return Figure(path.stem, Facts.model_validate(document), png)
    except pydantic.ValidationError as error:
        raise RecordError(f"{path}: {faults(error)}") from error


def load_all(folder: Path | None = None) -> Stored:
    """All figures of a folder; what cannot be used is told in `problems`."""
    folder = paths.figures() if folder is None else Path(folder)
    figures, problems = [], []
    for path in sorted(folder.glob("[!.]*.json")):
        try:
            figures.append(load(path))
        except RecordError as error:
            problems.append(Problem(f"{folder.name}/{path.name}", error.what.removeprefix(f"{path}: ")))
    return Stored(figures, problems)
