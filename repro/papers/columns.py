"""The columns that tables show: names out of one registry, `columns.toml`, with what a table says of them.

An item of a table's group is `NAME`, `NAME@CELL`, or `NAME@` of the group's own `cell`; another key may stand in front,
`KEY=NAME@CELL`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from repro.core.errors import BadOption, UnknownName
from repro.papers import published
from repro.papers.table import ColumnSpec
from repro.papers.text import Text, fits, read, said, shared


@cache
def registry() -> Text:
    """Every named column."""
    path = published.find("columns.toml")
    assert path is not None, "columns.toml ships with the package"
    return read(path, "COLUMNS")


def columns(text: Text) -> tuple[ColumnSpec, ...]:
    """Those that a table's file names, group by group."""
    found = []
    for number, group in enumerate(text.data.get("groups", ())):
        title = said(text, group.get("title", ""), "groups", number, "title")
        for item in group.get("columns", "").split():
            with text.at("groups", number, "columns"):
                found.append(_column(item + group.get("cell", "") * item.endswith("@"), title, text))
    return tuple(found)


def require_named(found: Sequence[ColumnSpec], text: Text) -> None:
    """Whatever the file says of a column must be of one that there is."""
    keys = [column.key for column in found]
    for name in text.data.get("columns", {}):
        for pattern in name.split():
            if not any(fits(key, pattern) for key in keys):
                raise text.fault(f"no column {pattern!r}", "columns", name, allowed=", ".join(keys))


def in_group(title: str, items: Iterable[str], text: Text) -> list[ColumnSpec]:
    """Those of a group that the file does not name, with what it says of them."""
    return [_column(item, title, text) for item in items]


def _column(item: str, group: str, text: Text) -> ColumnSpec:
    """The registry's, under the paper's changes of it, under the table's."""
    wanted, _, item = item.rpartition("=")
    name, at, cell = item.partition("@")
    known, own = registry().data, text.data.get("columns", {})
    if name + at not in known and name not in own:
        raise UnknownName("column", name + at, [*known, *own], fix=f"[columns.{name}] with a title and a source")
    facts = {key: _filled(value, cell) for key, value in known.get(name + at, {}).items()}
    key = wanted or facts.pop("key", name).rstrip("_")
    for changes in filter(None, (shared(text), text)):
        for pattern, changed in changes.data.get("columns", {}).items():
            if any(fits(key, one) for one in pattern.split()):
                if "title" in changed:
                    facts.pop("short", None)
                facts |= {field: _said(changes, value, pattern, field) for field, value in changed.items()}
    facts.pop("words", None)
    missing = {"title", "source"} - set(facts)
    if missing:
        raise BadOption(f"column {key!r} has no {' and no '.join(sorted(missing))}")
    return ColumnSpec(**{**facts, "key": key, "group": group})


def _said(text: Text, value: Any, *trail: str) -> Any:
    return said(text, value, "columns", *trail) if isinstance(value, str) else value


def _filled(value: Any, cell: str) -> Any:
    """`{cell}` and `{short}` of a registered column, for a cell."""
    if not isinstance(value, str):
        return value
    short = cell.removeprefix("probe-").removeprefix("speed").removeprefix("-").replace("-", "_")
    return value.replace("{cell}", cell).replace("{short}", short)
