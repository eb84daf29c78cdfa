"""Where a network or method here is not that of its paper, with the source: what its file lists as "Known differences".

The file is the only place where a deviation is written down: its docstring names the paper, the authors' file and
commit, and numbers the differences. Here they are read, without importing the file (that would import torch), so that
tables can number them as footnotes.
"""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import groupby
from pathlib import Path

from repro import registry
from repro.papers.table import RowSpec, TableSpec
from repro.registry import Entry

_DOCSTRING = re.compile(r'\A(?:\s*#[^\n]*\n)*\s*[rR]?"""(.*?)"""', re.DOTALL)
_HEADING = re.compile(r"^Known differences[^:\n]*$", re.MULTILINE)
_POINT = re.compile(r"^\d+\. ", re.MULTILINE)
_PAPER = re.compile(r"\(([^()]*\b(?:19|20)\d\d\b[^()]*)\)")
_CODE = re.compile(r"[\w.-]+/[\w.-]+@[0-9a-f]{7,40}:[\w./-]*\w")


@dataclass(frozen=True)
class Deviation:
    """One numbered difference."""

    name: str = field(compare=False)
    """Registered name of the network or method; of several in one file, the first that the table has."""
    says: str
    source: str
    """Paper, and the authors' file and commit where their code is public."""


def deviations(layout: TableSpec) -> list[Deviation]:
    """Those of all networks and methods that the table's cells have, in the order of its rows."""
    found = [one for row in layout.rows for one in of_row(row)]
    return list(dict.fromkeys(found))


def of_row(row: RowSpec) -> list[Deviation]:
    """Those of the row's networks, then of its methods."""
    models = [experiment.model for experiment in row.cells.values()]
    networks = dict.fromkeys(model.name for model in models)
    methods = dict.fromkeys(model.method for model in models if model.method)
    listed = [one for name in networks for one in _named("model", name)]
    return listed + [one for name in methods for one in _named("method", name)]


def parse(name: str, docstring: str) -> list[Deviation]:
    """The numbered points of a docstring, with its paper and its authors' code as their source."""
    found = _HEADING.search(docstring)
    paragraph = docstring[found.end() :].lstrip("\n").partition("\n\n")[0] if found else ""
    points = (" ".join(point.split()).rstrip(".") for point in _POINT.split(paragraph)[1:])
    return [Deviation(name, point, _says(docstring)) for point in points]


def _says(docstring: str) -> str:
    """Paper and code that it names before its differences."""
    head = _HEADING.split(docstring)[0]
    paper, code = _PAPER.search(head), _CODE.search(head)
    says = "; ".join(part for part in (paper[1] if paper else "", code[0] if code else "") if part)
    return " ".join(says.split())


@cache
def _named(kind: str, name: str) -> tuple[Deviation, ...]:
    known = registry.models if kind == "model" else registry.methods
    return tuple(parse(name, _docstring(known[name]))) if name in known else ()


def _docstring(entry: Entry) -> str:
    """Of the module that the entry comes from; a module that is loaded already, such as a user's, tells it itself."""
    if not isinstance(entry.target, str):
        module = sys.modules.get(getattr(entry.target, "__module__", ""))
        return (module.__doc__ or "") if module else ""
    spec = importlib.util.find_spec(entry.target.partition(":")[0])
    if spec is None or spec.origin is None:
        return ""
    found = _DOCSTRING.match(Path(spec.origin).read_text(encoding="utf-8"))
    return found[1] if found else ""


def told_by_network(numbered: Mapping[Deviation, int]) -> Iterator[str]:
    """A line a network or method with its source, then one a deviation."""
    for (name, source), own in groupby(numbered.items(), key=lambda item: (item[0].name, item[0].source)):
        yield f"Deviations of {name}{f' ({source})' if source else ''}:"
        yield from (f"Deviation {number}: {one.says}" for one, number in own)


def told_numbers(numbers: Iterable[int]) -> str:
    """`1 to 3, 7`; a number that comes twice counts once."""
    runs: list[list[int]] = []
    for number in sorted(set(numbers)):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs)


@dataclass(frozen=True)
class Source:
    """Where a network or method comes from."""

    name: str
    file: str
    """Its file here, as a path below the project or the name of a module."""
    says: str
    """Paper, and the authors' file and commit; empty where the file tells neither."""


def sources(row: RowSpec) -> list[Source]:
    """Of the row's networks, then of its methods."""
    models = [experiment.model for experiment in row.cells.values()]
    wanted = [(registry.models, model.name) for model in models]
    wanted += [(registry.methods, model.method) for model in models if model.method]
    return [_source(known[name]) for known, name in dict.fromkeys(wanted) if name in known]


def _source(entry: Entry) -> Source:
    module = entry.target if isinstance(entry.target, str) else getattr(entry.target, "__module__", "")
    file = module.partition(":")[0].replace(".", "/") + ".py"
    return Source(entry.name, file, _says(_docstring(entry)))
