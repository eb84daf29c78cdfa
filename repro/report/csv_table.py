"""A table as CSV: a line a row, a column a column, spreads and verdicts in columns of their own, reasons in full."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence

from repro.report.table import Cell, Table

_NUMBER = re.compile(r"^[+-]?\d+(\.\d+)?$")


def render_csv(table: Table) -> str:
    """Column keys as heading; findings and deviations last, in lines whose row is `finding` or `deviation`.

    A text that a spreadsheet would run as a formula gets an apostrophe in front.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    parts = [_parts([row.cells[index] for row in table.rows]) for index in range(len(table.columns))]
    heading = ["row", "label", "section", "deviations"]
    for column, extra in zip(table.columns, parts, strict=True):
        heading += [column.key, *(f"{column.key}_{name}" for name in extra)]
    writer.writerow(heading)
    for row in table.rows:
        fields = [row.key, row.label, row.section, row.deviations]
        for cell, extra in zip(row.cells, parts, strict=True):
            told = {"spread": cell.spread, "verdict": cell.verdict.full if cell.verdict else ""}
            fields += [cell.reason or cell.text, *(told[name] for name in extra)]
        writer.writerow([_harmless(field) for field in fields])
    for name, lines in (("finding", table.findings), ("deviation", table.deviations)):
        for line in lines:
            writer.writerow([name, _harmless(line), *[""] * (len(heading) - 2)])
    return stream.getvalue()


def _parts(cells: Sequence[Cell]) -> list[str]:
    """What a column has beside its values."""
    spread, verdict = any(cell.spread for cell in cells), any(cell.verdict for cell in cells)
    return ["spread"] * spread + ["verdict"] * verdict


def _harmless(text: str) -> str:
    text = " ".join(text.split())
    return f"'{text}" if text[:1] in "=+-@" and len(text) > 1 and not _NUMBER.match(text) else text
