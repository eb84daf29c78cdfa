"""A full table with some of its rows, columns and footnotes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from repro.core.errors import UnknownName
from repro.report.short_form import chosen_rows
from repro.report.short_lines import cut
from repro.report.table import Table


def selected(table: Table, rows: Sequence[str], columns: Sequence[str], notes: str) -> Table:
    """`rows`, `columns`: patterns of keys, or none for all; `quoted`: the quoted rows. `notes`: none, short, full.

    Footnotes keep their order; those of which nothing is left fall away.
    """
    if rows:
        wanted = chosen_rows((row.key for row in table.rows), rows, table.full_name)
        quoted = "quoted" in rows
        kept = tuple(row for row in table.rows if row.key in wanted or (quoted and not row.reproduced))
        table = replace(table, rows=kept)
    if columns:
        table = _columns(table, columns)
    if notes == "full":
        return _pruned(table) if rows or columns else table
    table = replace(table, deviations=(), remarks=table.remarks if notes == "short" else ())
    if notes == "none":
        return _renumbered(replace(table, footnotes=()), {})
    return _pruned(replace(table, footnotes=tuple(map(cut, table.footnotes))))


def _columns(table: Table, patterns: Sequence[str]) -> Table:
    keys = [column.key for column in table.columns]
    for pattern in patterns:
        if not any(fnmatchcase(key, pattern) for key in keys):
            raise UnknownName(f"column of {table.full_name}", pattern, keys)
    at = [i for i, key in enumerate(keys) if any(fnmatchcase(key, pattern) for pattern in patterns)]
    rows = tuple(replace(row, cells=tuple(row.cells[i] for i in at)) for row in table.rows)
    return replace(table, columns=tuple(table.columns[i] for i in at), rows=rows)


def _pruned(table: Table) -> Table:
    """Without the footnotes that nothing refers to."""
    used = {note for column in table.columns for note in column.notes}
    used |= {note for row in table.rows for note in (*row.notes, *(n for cell in row.cells for n in cell.notes))}
    kept = [note for note in range(len(table.footnotes)) if note in used]
    numbers = {note: number for number, note in enumerate(kept)}
    return _renumbered(replace(table, footnotes=tuple(table.footnotes[note] for note in kept)), numbers)


def _renumbered(table: Table, numbers: dict[int, int]) -> Table:
    def of(notes: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(numbers[note] for note in notes if note in numbers)

    columns = tuple(replace(column, notes=of(column.notes)) for column in table.columns)
    rows = tuple(
        replace(row, notes=of(row.notes), cells=tuple(replace(cell, notes=of(cell.notes)) for cell in row.cells))
        for row in table.rows
    )
    return replace(table, columns=columns, rows=rows)
