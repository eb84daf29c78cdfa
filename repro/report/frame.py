"""Tables, records and findings as pandas frames: numbers as numbers, one level for printed and for here, notes apart.

pandas is imported when a frame is asked for, and by nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from repro.evidence.check_rules import Finding
from repro.papers import published
from repro.papers.table import TableSpec
from repro.records.schema import Record
from repro.report.csv_table import notes_of
from repro.report.table import Table

if TYPE_CHECKING:
    import pandas as pd

PRINTED, HERE, VERDICT, ROW = "printed", "here", "verdict", "row"


def table_frame(table: Table, layout: TableSpec) -> pd.DataFrame:
    """A line a row, by its key. Columns in two levels: `row` (label, section), `printed`, `here`, and `verdict`, where
    a number has one. A printed product (`33 x 30`) is two columns. Nothing printed or measured is NaN.

    Under `here` stands, by the name of a printed count, the one of ours that is nearest to it.
    """
    import pandas as pd

    columns: dict[tuple[str, str], list[Any]] = {
        (ROW, "label"): [row.label for row in table.rows],
        (ROW, "section"): [row.section for row in table.rows],
    }
    for index, spec in enumerate(layout.columns):
        cells = [row.cells[index] for row in table.rows]
        words = [cell.verdict.word if cell.verdict else None for cell in cells]
        nearest = [cell.verdict.value if cell.verdict else None for cell in cells]
        kind, *parts = spec.source.split(":")
        if kind == "published" and "*" in parts[-1]:
            for name in parts[-1].split("*"):
                columns[PRINTED, name] = _floats(_printed(layout, parts, name))
        else:
            texts = [cell.text if cell.kind != "reason" else None for cell in cells]
            numbers = [cell.value for cell in cells]
            side = HERE if spec.measured else PRINTED
            columns[side, spec.key] = _floats(numbers) if spec.measured or _any(numbers) else texts
        if not spec.measured and _any(nearest):
            columns[HERE, spec.key] = _floats(nearest)
        if _any(words):
            columns[VERDICT, spec.key] = words
    sides = [ROW, PRINTED, HERE, VERDICT]
    ordered = sorted(columns, key=lambda key: sides.index(key[0]))
    frame = pd.DataFrame({key: columns[key] for key in ordered}, index=[row.key for row in table.rows])
    frame.columns = pd.MultiIndex.from_tuples(ordered, names=["from", "column"])
    return frame.rename_axis("row")


def _printed(layout: TableSpec, parts: list[str], column: str) -> list[float | None]:
    found = published.load(layout.published_csv if len(parts) == 1 else parts[0])
    values = [found.number(row.published_row, column) for row in layout.rows]
    return [value.number if value else None for value in values]


def _floats(values: Iterable[float | None]) -> list[float]:
    return [math.nan if value is None else float(value) for value in values]


def _any(values: Iterable[Any]) -> bool:
    return any(value is not None for value in values)


def notes_frame(table: Table) -> pd.DataFrame:
    """What is said of a table: `row`, `column` (empty: of all), `kind` (spread, verdict, reason, note, ...), `text`."""
    import pandas as pd

    return pd.DataFrame([one for one in notes_of(table) if one[3]], columns=["row", "column", "kind", "text"])


def records_frame(records: Iterable[Record]) -> pd.DataFrame:
    """A line a record: its place, its network, what it is measured on, and each single number of its results, nested
    ones by dotted names (`sizes.224.gmacs`, in GMACs; times in seconds; rates in percent).
    """
    import pandas as pd

    return pd.DataFrame([_facts(record) for record in records])


def _facts(record: Record) -> dict[str, Any]:
    model, measure = record.spec["model"], record.spec["measure"]
    return {
        **{name: getattr(record, name) for name in "paper table row cell kind seed status reason".split()},
        **{name: model.get(name) for name in ("name", "backbone", "method", "frames")},
        "dataset": measure.get("dataset"),
        "device": record.environment.get("device_name") or record.environment.get("cpu"),
        "threads": record.environment.get("threads"),
        "finished": record.finished,
        "wall_s": record.wall_s,
        "record": record.name,
        **_numbers(record.results),
    }


def _numbers(results: Mapping[str, Any], before: str = "") -> dict[str, float]:
    found: dict[str, float] = {}
    for name, value in results.items():
        if isinstance(value, Mapping):
            found |= _numbers(value, f"{before}{name}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found[before + name] = value
    return found


def findings_frame(findings: Iterable[Finding]) -> pd.DataFrame:
    """A line a finding of the linter: `rule`, `severity`, `cells`, `arithmetic`, `means`."""
    import pandas as pd

    names = ["rule", "severity", "cells", "arithmetic", "means"]
    return pd.DataFrame([{**asdict(one), "cells": ", ".join(one.cells)} for one in findings], columns=names)
