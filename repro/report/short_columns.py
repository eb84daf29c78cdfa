"""Which columns a short form has, and what stands beside what: read from the table's file.

`short` is a list of column keys in the order of the paper. Behind a key may stand what is set beside it,
`KEY=HERE,HERE!UNLESS`: columns of this suite, of which the value nearest to print is shown (patterns with `*` are
allowed), and a column that, where it has a value, says that a count cannot be set beside print. Without `=`, what
stands beside a printed column are the columns of the same count, and the same metric on the row's dataset. A key
may also be a column of the CSV that the full table does not show.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from repro.core.errors import UnknownName
from repro.papers import columns as named
from repro.papers import published
from repro.papers.table import OWN_DATA, PROBE, ColumnSpec, TableSpec
from repro.report.table import Table

RATES = ("top1", "top5")
#: printed column -> what is in the source of a column that counts the same
_COUNTED = {"gflops": "sizes.", "params_m": "params"}
#: columns of its own that a table shows whose file names none
_OWN = 6


@dataclass(frozen=True)
class Item:
    """One printed column with what stands beside it, or one of this suite's own."""

    key: str
    title: str
    printed: int | None = None
    """Position of the printed column."""
    csv: str = ""
    """Column of the CSV that holds its number."""
    here: tuple[int, ...] = ()
    unless: int | None = None


def counterparts(table: Table, layout: TableSpec, column: str) -> tuple[int, ...]:
    """Positions of this suite's columns that are set beside a printed one; of one of its own, that one."""
    items = [text for text in layout.short if text.partition("=")[0] == column]
    return Columns(table, layout).item(items[0] if items else column).here


class Columns:
    """The columns of one table by name."""

    def __init__(self, table: Table, layout: TableSpec) -> None:
        self.table, self.layout = table, layout
        self.printed = published.load(layout.published_csv)
        self.at = {column.key: index for index, column in enumerate(layout.columns)}

    def _all(self) -> list[str]:
        """Of a table whose file says nothing: what is printed, then what stands beside nothing, as far as it goes."""
        paired = {index for item in self.layout.columns for index in self._beside(item)}
        filled = {i for row in self.table.rows for i, cell in enumerate(row.cells) if cell.kind == "measured"}
        own = [c.key for i, c in enumerate(self.layout.columns) if c.measured and i in filled - paired]
        return [c.key for c in self.layout.columns if not c.measured] + own[:_OWN]

    def items(self, wanted: Sequence[str]) -> list[Item]:
        """The columns asked for; one of this suite that stands beside a printed one does not stand by itself too."""
        items = [self.item(one) for text in wanted or self.layout.short or self._all() for one in self._expanded(text)]
        paired = {index for one in items if one.printed is not None or one.csv for index in one.here}
        return [one for one in items if one.printed is not None or one.csv or not paired.issuperset(one.here)]

    def _expanded(self, text: str) -> list[str]:
        """The keys that a pattern names."""
        if "*" not in text or "=" in text:
            return [text]
        return [self.layout.columns[index].key for index in self._matching(text)]

    def item(self, text: str) -> Item:
        """A column asked for by its text in the file."""
        key, given, rest = text.partition("=")
        names, _, unless = rest.partition("!")
        here = tuple(i for name in names.split(",") if name for i in self._matching(name))
        other = self._matching(unless)[0] if unless and unless in self.at else None
        if key not in self.at:
            if key not in self.printed.columns:
                known = [*self.at, *self.printed.columns]
                raise UnknownName(f"column of {self.layout.full_name}", key, known)
            facts = named.registry().data.get(key, {})
            title = str(facts.get("short") or facts.get("title", key.replace("_", " ")))
            return Item(key, title, None, key, here, other)
        column = self.layout.columns[self.at[key]]
        if column.measured:
            return Item(key, column.short or column.title, None, "", (self.at[key], *here), other)
        csv = column.source.split(":")[-1].split("*")[0] if column.source.startswith("published") else ""
        return Item(
            key, column.short or column.title, self.at[key], csv, here if given else self._beside(column), other
        )

    def _matching(self, pattern: str) -> list[int]:
        found = [index for key, index in self.at.items() if fnmatchcase(key, pattern)]
        if not found:
            raise UnknownName(f"column of {self.layout.full_name}", pattern, self.at)
        return found

    def _beside(self, column: ColumnSpec) -> tuple[int, ...]:
        """Columns of this suite that say what the printed one says."""
        kind, *parts = column.source.split(":")
        if column.measured or len(parts) > 1:
            return ()
        name = parts[-1].split("*")[0]
        found = []
        for index, other in enumerate(self.layout.columns):
            counted = other.measured and other.source.split(":")[2].startswith(_COUNTED.get(name, " "))
            same = kind == "published" and counted
            rate = kind == "published" and name in RATES and other.source == f"record:{other.cell}:{name}"
            if same or (rate and not other.cell.startswith((PROBE, OWN_DATA))):
                found.append(index)
        return tuple(found)
