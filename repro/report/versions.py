"""Which version of a user's own code a table shows: an edited file is another method, with records of its own."""

from __future__ import annotations

from collections.abc import Iterable

from repro.core.spec import Model
from repro.core.words import many
from repro.papers.table import TableSpec
from repro.records.schema import Record
from repro.registry import backbones, methods, models

#: digits of a file's sha256 that are shown
_DIGITS = 12


def versions(layout: TableSpec, records: Iterable[Record]) -> str:
    """One line: file and sha256 behind the rows of a user's own networks and methods, and how many other versions of
    it have records in these rows; empty for a table of the suite's own.
    """
    shown: dict[str, str] = {}
    rows: dict[str, set[str]] = {}
    for row in layout.rows:
        own = [cell.model for cell in row.cells.values() if cell.model.code and cell.model.name in models]
        for code, model in ((one.code, one) for one in own):  # scores from elsewhere are of no network here
            shown.setdefault(code, _file(model))
            rows.setdefault(code, set()).add(row.key)
    told = []
    for code, name in shown.items():
        found = {one.spec["model"].get("code", "") for one in records if one.row in rows[code] and _is_of(one, layout)}
        others = found - {"", *shown}
        older = f" ({many(len(others), 'other version')} of it measured here)" if others else ""
        told.append(f"{name}, sha256 {code[:_DIGITS]}{older}")
    return "; ".join(told)


def _is_of(record: Record, layout: TableSpec) -> bool:
    return (record.paper, record.table) == (layout.paper, layout.name)


def _file(model: Model) -> str:
    """The name of the file that a network or its method is of."""
    entries = [models[model.name], backbones[model.backbone], *([methods[model.method]] if model.method else [])]
    return " + ".join(dict.fromkeys(entry.file.name for entry in entries if entry.file)) or "own code"
