"""Numbers out of records, and how they are shown: looked up, spread over seeds or repeats, compared, ranked."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from statistics import stdev

from repro.evidence.aggregate import interval_of
from repro.evidence.metric import look_up
from repro.papers.table import ColumnSpec
from repro.records.schema import Record
from repro.report.table import Row

#: what stands behind a mean in a column with `seeds="interval"`
INTERVAL = "with its 95 % interval (Student's t), cut at 0 and 100, and the number of seeds"


def spread_of_seeds(values: Sequence[float], column: ColumnSpec) -> str:
    """Standard deviation, or interval of the mean, and number of several seeds' values; nothing for one."""
    if len(values) < 2:
        return ""
    if column.seeds == "interval":
        low, high = interval_of(values)
        return f"({low:.{column.digits}f} to {high:.{column.digits}f}, n={len(values)})"
    return f"±{stdev(values):.{column.digits}f} (n={len(values)})"


def spread_of_repeats(record: Record, column: ColumnSpec) -> str:
    """The interquartile range that the record keeps at the column's `spread`, a width or its two ends."""
    spread = look_up(record.results, column.spread) if column.spread else None
    if isinstance(spread, int | float):
        return f"({spread * column.scale:.{column.digits}f})"
    if isinstance(spread, list) and len(spread) == 2:
        low, high = (f"{end * column.scale:.{column.digits}f}" for end in spread)
        return f"({low}–{high})"
    return ""


def marked(rows: Sequence[Row], columns: Sequence[ColumnSpec], mixed: Collection[str]) -> list[Row]:
    """Best and second of each column over the rows that compete; equal as shown means equal."""
    cells = [list(row.cells) for row in rows]
    for index, column in enumerate(columns):
        if column.better is None or column.key in mixed:
            continue
        shown = {
            number: round(row.cells[index].value or 0.0, column.digits)
            for number, row in enumerate(rows)
            if row.reproduced and row.cells[index].value is not None
        }
        ranks = sorted(set(shown.values()), reverse=column.better == "higher")
        if len(ranks) < 2:
            continue
        for place, value in shown.items():
            cells[place][index] = replace(cells[place][index], best=value == ranks[0], second=value == ranks[1])
    return [replace(row, cells=tuple(own)) for row, own in zip(rows, cells, strict=True)]
