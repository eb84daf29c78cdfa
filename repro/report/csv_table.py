"""A table as CSV: a line a row, a column a column.

Either numbers alone, with what is said of them in a file beside, or all in one: spreads and verdicts in columns of
their own, reasons in full, findings and deviations in lines below.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence

from repro.core.plain_text import as_cell
from repro.report.table import Cell, Table

_NUMBER = re.compile(r"^[+-]?\d+(\.\d+)?$")


def render_csv(table: Table) -> str:
    """Column keys as heading; findings and deviations last, in lines whose row is `finding` or `deviation`.

    A text that a spreadsheet would run as a formula gets an apostrophe in front.
    """
    parts = [_parts([row.cells[index] for row in table.rows]) for index in range(len(table.columns))]
    heading = ["row", "label", "section", "deviations"]
    for column, extra in zip(table.columns, parts, strict=True):
        heading += [column.key, *(f"{column.key}_{name}" for name in extra)]
    made = [heading]
    for row in table.rows:
        fields = [row.key, row.label, row.section, row.deviations]
        for cell, extra in zip(row.cells, parts, strict=True):
            told = {"spread": cell.spread, "verdict": cell.verdict.full if cell.verdict else ""}
            fields += [cell.reason or cell.text, *(told[name] for name in extra)]
        made.append(fields)
    for name, lines in (("finding", table.findings), ("deviation", table.deviations)):
        made += [[name, line, *[""] * (len(heading) - 2)] for line in lines]
    return delimited_lines(made)


def render_numbers(table: Table) -> str:
    """Numbers as they are shown, products multiplied out; printed words; nothing where there is no value."""
    titles = ["row", "label", "section", *(column.key for column in table.columns)]
    lines = ([row.key, row.label, row.section, *map(_number, row.cells)] for row in table.rows)
    return delimited_lines([titles, *lines])


def render_notes(table: Table) -> str:
    """A line a note: of which row and column, what kind (spread, verdict, reason, note, finding, ...), and the text."""
    return delimited_lines([("row", "column", "kind", "text"), *(one for one in notes_of(table) if one[3])])


def notes_of(table: Table) -> Iterator[tuple[str, str, str, str]]:
    """Row, column, kind and text of all that is said of a table; a text may be empty."""
    for column in table.columns:
        yield from (("", column.key, "note", table.footnotes[note]) for note in column.notes)
    for row in table.rows:
        yield from ((row.key, "", "note", table.footnotes[note]) for note in row.notes)
        yield row.key, "", "deviations", row.deviations
        for column, cell in zip(table.columns, row.cells, strict=True):
            yield row.key, column.key, "spread", cell.spread
            yield row.key, column.key, "verdict", cell.verdict.full if cell.verdict else ""
            yield row.key, column.key, "reason", cell.reason
            own = [table.footnotes[note] for note in cell.notes]
            yield from ((row.key, column.key, "note", text) for text in own if text != cell.reason)
    for kind, lines in (("finding", table.findings), ("remark", table.remarks), ("deviation", table.deviations)):
        yield from (("", "", kind, line) for line in lines)


def _number(cell: Cell) -> str:
    if cell.kind == "reason":
        return ""
    return cell.text if cell.value is None or _NUMBER.match(cell.text) else f"{cell.value:.10g}"


def _parts(cells: Sequence[Cell]) -> list[str]:
    """What a column has beside its values."""
    spread, verdict = any(cell.spread for cell in cells), any(cell.verdict for cell in cells)
    return ["spread"] * spread + ["verdict"] * verdict


def delimited_lines(lines: Iterable[Iterable[object]]) -> str:
    """CSV of these fields, each a text on one line that no spreadsheet runs."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerows([as_cell(" ".join(str(field).split())) for field in line] for line in lines)
    return stream.getvalue()
