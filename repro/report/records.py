"""Records as lines, and two records side by side."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from repro.core.plain_text import one_line
from repro.core.spec import diff
from repro.core.words import many
from repro.records.schema import Record
from repro.report.provenance import headline
from repro.report.text import listing

#: section of a comparison -> what is compared
Differences = dict[str, dict[str, tuple[Any, Any]]]
#: too long, or different in any two runs
_LEFT_OUT = ("modules", "times_s", "ratios", "left_out", "uncounted", "curve")


def line_of(one: Record) -> tuple[str, ...]:
    """What a list says of a record, column by column."""
    device = str(one.environment.get("device_name", one.environment.get("device", "")))
    place = f"{one.paper}/{one.table}"
    said = (one.name, place, one.row, one.cell, str(one.seed), one.status, one.finished[:16], device, headline(one))
    return tuple(map(one_line, said))


def listed(lines: Sequence[tuple[str, ...]]) -> str:
    """One line of text a record, below a heading; columns are as wide as what stands in them."""
    titles = ("record", "table", "row", "cell", "seed", "state", "finished", "device", "result")
    widths = [max(map(len, column)) for column in zip(titles, *lines, strict=True)]
    form = "  ".join(f"{{:<{width}}}" for width in widths[:-1]) + "  {}"
    return "\n".join([*(form.format(*line).rstrip() for line in (titles, *lines)), many(len(lines), "record")])


def differences(a: Record, b: Record) -> Differences:
    """Dotted fields that differ in spec, settings, environment, data and results."""

    def kept(results: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in results.items() if key not in _LEFT_OUT}

    sections = {
        "spec": diff(a.spec, b.spec),
        "seed": diff({"seed": a.seed}, {"seed": b.seed}),
        "settings": diff(a.effective, b.effective),
        "environment": diff(a.environment, b.environment),
        "data": diff(a.dataset or {}, b.dataset or {}),
        "results": diff(kept(a.results), kept(b.results)),
    }
    return {name: found for name, found in sections.items() if found}


def print_differences(found: Differences, console: Console) -> None:
    """One table a section."""
    if not found:
        console.print("no difference in spec, environment or results")
    for section, fields in found.items():
        lines = [[Text(name), *(Text(_short(value)) for value in pair)] for name, pair in fields.items()]
        console.print(listing(("field", "first", "second"), lines, section))


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 200 else f"{text[:197]}..."
