"""The one form of a table that all renderers read: plain texts, already rounded, chosen and marked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from repro.evidence.verdicts import Verdict, Word, tally

#: printed by a paper; measured here; arithmetic of printed values; why there is no value
Kind = Literal["published", "measured", "derived", "reason"]


@dataclass(frozen=True)
class Cell:
    """One place of the table. It holds a value, or the reason why it holds none."""

    kind: Kind
    text: str
    """What is shown: the rounded number, the printed text, or the short form of the reason."""
    value: float | None = None
    """The number in the column's unit, not rounded."""
    spread: str = ""
    """Shown small behind the value."""
    reason: str = ""
    """Why the cell is empty, in full."""
    best: bool = False
    second: bool = False
    notes: tuple[int, ...] = ()
    """Positions in the table's footnotes."""
    records: tuple[str, ...] = ()
    """Names of the records behind the value or the failure."""
    place: str = ""
    """In a short form: address of the full table's cell."""
    verdict: Verdict | None = None
    """What the value says of the printed one; None where there is none."""

    @property
    def full(self) -> str:
        """Value and spread, or the reason in full, in one line."""
        return self.reason or " ".join(part for part in (self.text, self.spread) if part)


@dataclass(frozen=True)
class Column:
    """Heading of one column."""

    key: str
    title: str
    group: str = ""
    unit: str = ""
    notes: tuple[int, ...] = ()

    @property
    def heading(self) -> str:
        """Title with unit."""
        return f"{self.title} ({self.unit})" if self.unit else self.title


@dataclass(frozen=True)
class Row:
    """One network."""

    key: str
    label: str
    section: str
    cells: tuple[Cell, ...]
    notes: tuple[int, ...] = ()
    reproduced: bool = True
    """Whether its cells compete for best and second."""
    baseline: str | None = None
    """Key of the row of the same network without the method."""
    deviations: str = ""
    """Numbers of the table's deviations that are of this row."""


@dataclass(frozen=True)
class Table:
    """Everything that a reader sees, in order."""

    paper: str
    name: str
    title: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    footnotes: tuple[str, ...] = ()
    """Referred to by columns, rows and cells."""
    remarks: tuple[str, ...] = ()
    """On the whole table."""
    findings: tuple[str, ...] = ()
    """What the table asks of probes, each question with its answer."""
    asked: tuple[str, ...] = ()
    """The same in a line."""
    code: str = ""
    """Which version of a user's own file its rows are of."""
    paired: tuple[str, ...] = ()
    """Rows from elsewhere beside the best one of this suite, video by video."""
    legend: str = ""
    """Of the signs, over a short form."""
    told: tuple[tuple[str, str], ...] = ()
    """What came out, in a few lines (what, in words): under a short form, over a full one."""
    further: tuple[tuple[str, str], ...] = ()
    """A short form's last lines: (what else there is, the command)."""
    short: bool = False
    measured_on: str = ""
    """Machines and months of what stands in it."""
    deviations: tuple[str, ...] = ()
    """Where networks and methods here are not those of their papers: network by network a heading with the source, then
    its deviations, numbered."""

    @property
    def full_name(self) -> str:
        """paper/name."""
        return f"{self.paper}/{self.name}"

    @property
    def above(self) -> tuple[str, ...]:
        """Of a full table, the verdicts: what came out, and what several rows together show."""
        return () if self.short else (*_sentences(self.told), *self.findings)

    @property
    def below(self) -> tuple[str, ...]:
        """What stands under the footnotes: remarks and deviations; of a short form what came out before them."""
        first = (*_sentences((*self.told, *self.further)), *self.findings) if self.short else ()
        return (*first, *self.remarks, *self.deviations)

    def noted(self) -> Iterator[tuple[str, str]]:
        """Sign and text of each footnote."""
        for position, note in enumerate(self.footnotes):
            yield mark(-1 - position if self.short else position), note

    def cells(self) -> Iterator[tuple[Row, Column, Cell]]:
        """Every cell with its row and column, row by row."""
        for row in self.rows:
            for column, cell in zip(self.columns, row.cells, strict=True):
                yield row, column, cell

    @property
    def verdicts(self) -> dict[Word, int]:
        """How many cells have each verdict; `repro.evidence.verdicts.WORDS` spells them out."""
        return tally(cell.verdict for _, _, cell in self.cells())

    def groups(self) -> list[tuple[str, int, int]]:
        """(title, first column, past the last column) of neighbours that share a group."""
        spans, start = [], 0
        for title, members in groupby(self.columns, key=lambda column: column.group):
            count = len(list(members))
            spans.append((title, start, start + count))
            start += count
        return spans

    def parts(self, most: int) -> list[list[tuple[str, int, int]]]:
        """Groups in order, as many in a part as have `most` columns together."""
        found: list[list[tuple[str, int, int]]] = [[]]
        for group in self.groups():
            if found[-1] and group[2] - found[-1][0][1] > most:
                found.append([])
            found[-1].append(group)
        return found if found[0] else []

    def sections(self) -> Iterator[tuple[str, list[Row]]]:
        """(title, rows) of neighbours that share a section."""
        for title, rows in groupby(self.rows, key=lambda row: row.section):
            yield title, list(rows)


def _sentences(lines: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    return tuple(f"{head}: {text}" if head else text for head, text in lines)


def runs(rows: Sequence[Row], columns: Sequence[int]) -> list[list[Row]]:
    """Neighbouring rows that have nothing but the same reasons in these columns, together; every other row alone.

    Where a table is cut into parts, such rows can share one line.
    """

    def sameness(row: Row) -> tuple[object, ...]:
        cells = [row.cells[index] for index in columns]
        if any(cell.kind != "reason" or cell.records for cell in cells):
            return (row.key,)
        return tuple((cell.text, cell.notes) for cell in cells)

    return [list(alike) for _, alike in groupby(rows, key=sameness)]


def mark(note: int) -> str:
    """Sign of a footnote by its position: a, b, ..., z, aa, ab, ...; a short form's, from -1 down, are numbers."""
    if note < 0:
        return str(-note)
    letters = ""
    number = note + 1
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("a") + rest) + letters
    return letters


def marks(notes: tuple[int, ...]) -> str:
    """Signs of several footnotes: `a,c`."""
    return ",".join(mark(note) for note in notes)
