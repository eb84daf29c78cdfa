"""What a figure of a table may read, and what it is once drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from repro.papers.table import TableSpec
from repro.records.schema import Record
from repro.report.table import Row, Table


@dataclass(frozen=True)
class Source:
    """What a figure of one table may read."""

    layout: TableSpec
    table: Table
    found: Mapping[str, Sequence[Record]]
    """Content id of an experiment -> its finished records, one a seed."""

    @property
    def anchor(self) -> str:
        """Beginning of the ids in the drawings of this table."""
        return f"fig-{self.table.paper}-{self.table.name}"

    def done(self, row: str, cell: str) -> Sequence[Record]:
        """The finished records of one cell, one a seed."""
        experiment = self.layout.row(row).cells.get(cell)
        return self.found.get(experiment.id, ()) if experiment else ()

    def cells(self, kind: str) -> list[str]:
        """Names of the cells of this kind (static, speed, accuracy) that have records, in order."""
        named = {cell: None for row in self.layout.rows for cell in row.cells}
        return [
            cell
            for cell in named
            if any(record.kind == kind for row in self.layout.rows for record in self.done(row.key, cell))
        ]


@dataclass(frozen=True)
class Drawing:
    """A figure as the report shows it."""

    title: str
    note: str
    """What a reader must know: what is printed, what is measured, on what."""
    svg: Markup
    folded: bool = False
    """Whether the report shows it only when asked."""


Maker = Callable[[Source], Iterable[Drawing]]


def style(row: Row) -> str:
    """Class of a row in every drawing: quoted, host, or method."""
    if not row.reproduced:
        return "quoted"
    return "method" if row.baseline else "host"
