"""A table as CSV: one line a row, one column a column, its spread in a column of its own; reasons stand in full."""

from __future__ import annotations

import csv
import io
import re

from repro.report.table import Table

_NUMBER = re.compile(r"^[+-]?\d+(\.\d+)?$")


def render_csv(table: Table) -> str:
    """Column keys as heading; findings last, in lines whose row is `finding`.

    A text that a spreadsheet would run as a formula gets an apostrophe in front.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    spread = [any(row.cells[index].spread for row in table.rows) for index in range(len(table.columns))]
    heading = ["row", "label", "section"]
    for column, has_spread in zip(table.columns, spread, strict=True):
        heading += [column.key, f"{column.key}_spread"] if has_spread else [column.key]
    writer.writerow(heading)
    for row in table.rows:
        fields = [row.key, row.label, row.section]
        for cell, has_spread in zip(row.cells, spread, strict=True):
            fields += [cell.reason or cell.text, cell.spread] if has_spread else [cell.reason or cell.text]
        writer.writerow([_harmless(field) for field in fields])
    for finding in table.findings:
        writer.writerow(["finding", _harmless(finding), *[""] * (len(heading) - 2)])
    return stream.getvalue()


def _harmless(text: str) -> str:
    text = " ".join(text.split())
    return f"'{text}" if text[:1] in "=+-@" and text and not _NUMBER.match(text) else text
