"""A table as one reads it: printed and here beside each other with one sign, and all else in a few lines below.

Which columns it has says the table's file: see `short_columns`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from repro.core.errors import UnknownName
from repro.core.spec import Accuracy, Static
from repro.evidence import counts
from repro.evidence.noise import TEST_VIDEOS, doubt
from repro.evidence.verdicts import DOUBT
from repro.papers import columns as named
from repro.papers import published
from repro.papers.published import Value
from repro.papers.table import RowSpec, TableSpec
from repro.report.short_columns import RATES, Columns, Item
from repro.report.short_lines import WIDTH, Line, Shown, Words, cut, legend, lines_below
from repro.report.table import Cell, Column, Row, Table

#: footnotes at most
NOTES = 5
#: start of a reason -> what stands in the cell; every other empty cell is blank
_EMPTY = {"failed": "failed", "running": "running", "not run": "·", "protocol differs": "·", "data not": "·"}
DATASETS = {
    "kinetics400": "Kinetics-400", "kinetics200": "Kinetics-200", "minikinetics": "Mini-Kinetics",
    "sthv1": "Something-Something V1", "sthv2": "Something-Something V2", "jester": "Jester", "diving48": "Diving48",
}  # fmt: skip


@dataclass(frozen=True)
class _Network:
    """A line of the short form: one row, or one of each dataset."""

    label: str
    rows: tuple[Row, ...]


def short_form(
    table: Table, layout: TableSpec, *, rows: Sequence[str] = (), columns: Sequence[str] = (), notes: str = "short"
) -> Table:
    """The table in its short form.

    `rows`: patterns of keys; `quoted` opens the rows that the paper quotes. `columns`: items as in the table's file,
    in place of its own. `notes`: short (five lines at most), full, or none: the table and its signs alone.
    """
    return _Maker(table, layout).made(rows, columns, notes)


def chosen_rows(known: Iterable[str], rows: Sequence[str], table: str) -> set[str]:
    """The keys that patterns name; `quoted` names none by itself."""
    keys = list(known)
    for pattern in rows:
        if pattern != "quoted" and not any(fnmatchcase(key, pattern) for key in keys):
            raise UnknownName(f"row of {table}", pattern, [*keys, "quoted"], fix=f"python -m repro show {table}")
    return {key for key in keys if any(fnmatchcase(key, pattern) for pattern in rows)}


class _Maker:
    def __init__(self, table: Table, layout: TableSpec) -> None:
        self.table, self.layout = table, layout
        self.printed = published.load(layout.published_csv)
        self.specs = {row.key: row for row in layout.rows}

    def made(self, rows: Sequence[str], columns: Sequence[str], notes: str) -> Table:
        items = Columns(self.table, self.layout).items(columns)
        wanted = chosen_rows(self.specs, rows, self.layout.full_name)
        opened = bool(wanted) or "quoted" in rows or not any(row.reproduced for row in self.table.rows)
        members = [row for row in self.table.rows if not wanted or row.key in wanted]
        networks = self._networks(members, any((one.csv or one.key) == "backbone" for one in items))
        lines = [self._line(network, items) for network in networks]
        shown = [line for line in lines if opened or not line.quoted]
        kept = self._kept(shown, items, asked=bool(columns))
        words = Words(notes, NOTES, self.layout.file or self.layout.full_name)
        made = [self._row(line, kept, words) for line in shown]
        folded = [line for line in lines if line not in shown]
        heads = [replace(self._column(place, kept, items), key=f"{n}") for n, place in enumerate(kept)]
        made = self._ranked(made, kept, items) if len(made) > 1 else made
        counted = [items[n] for n, _, side in kept if side == "here" and items[n].csv in counts.COLUMNS]
        several = any(len(item.here) > 1 for item in counted)
        told = lines_below(self.table, self.layout, lines, folded)
        return replace(
            self.table,
            title=cut(self.table.title, WIDTH - len(self.table.full_name) - 3),
            caption=("printed = the paper; " if self.printed.rows else "")
            + "here = this suite"
            + (f" ({self.table.measured_on})" if self.table.measured_on else ""),
            legend=legend(made, several),
            columns=tuple(heads),
            rows=tuple(made),
            footnotes=words.notes(),
            told=tuple(told) if notes != "none" else (),
            further=self._further(shown or lines, items) if notes != "none" else (),
            short=True,
            remarks=self.table.remarks if notes == "full" else (),
            findings=self.table.findings if notes == "full" else (),
            deviations=self.table.deviations if notes == "full" else (),
        )

    # rows and cells

    def _networks(self, rows: Sequence[Row], backbones: bool) -> list[_Network]:
        """The lines; rows of one network on several datasets are one, where the table sets datasets side by side."""
        if not self.layout.across:
            return [_Network(row.label, (row,)) for row in rows]
        found: dict[str, list[Row]] = {}
        for row in rows:
            found.setdefault(row.key.removesuffix(f"_{self._dataset(row)}"), []).append(row)
        return [_Network(self._label(own[0], backbones), tuple(own)) for own in found.values()]

    def _label(self, row: Row, backbones: bool) -> str:
        """Without the dataset, and without the backbone where that has a column."""
        label = row.label.partition(": ")[2] or row.label
        printed = self.printed.text(self.specs[row.key].published_row, "backbone") if backbones else ""
        start, _, last = label.rpartition(" ")
        return start if printed and start and last.startswith(self._word("backbone", printed)) else label

    def _dataset(self, row: Row) -> str:
        return self.printed.dataset(self.specs[row.key].published_row)

    def _line(self, network: _Network, items: Sequence[Item]) -> Line:
        cells: dict[tuple[int, str], tuple[Shown | None, Shown | None]] = {}
        for row in network.rows:
            dataset = self._dataset(row) if self.layout.across else ""
            for number, item in enumerate(items):
                cells[number, dataset] = (self._printed(item, row), self._here(item, row))
        return Line(network.label, network.rows, not network.rows[0].reproduced, cells)

    def _printed(self, item: Item, row: Row) -> Shown | None:
        spec = self.specs[row.key]
        if item.printed is not None:
            cell = row.cells[item.printed]
            sign = DOUBT if cell.verdict is not None and cell.verdict.sign == DOUBT else ""
            text = self._word(item.key, cell.text) if cell.kind != "reason" else ""
            text = f"[{text}]" if text and item.key in spec.inferred else text
            cell = replace(cell, text=text, spread=sign, notes=(), best=False, second=False, place=item.key)
            return Shown(cell, row, None)
        if not item.csv or spec.published_row not in self.printed.rows:
            return None
        value = self.printed.value(spec.published_row or "", item.csv)
        text = self._word(item.csv, value.text) if value else ""
        return Shown(Cell("published", text, value.number if value else None), row, None)

    def _word(self, key: str, text: str) -> str:
        """A printed word in short: `R50` for `resnet50`."""
        return str(named.registry().data.get(key, {}).get("words", {}).get(text, text))

    def _here(self, item: Item, row: Row) -> Shown | None:
        """The value of this suite: of a count the one that its verdict is of, else the one on the paper's data."""
        if (counted := self._count(item, row)) is not None:
            return counted
        if not item.here:
            return None
        spec = self.specs[row.key]
        limited = item.unless is not None and row.cells[item.unless].kind == "measured"
        found = [i for i in item.here if not (limited and self._counted(spec, i))]
        value = self.printed.number(spec.published_row, item.csv)
        measured = [i for i in found if row.cells[i].kind == "measured"]
        if not measured:
            return Shown(self._none(row, found), row, None)
        best = min(measured, key=lambda index: self._farness(spec, row.cells[index], index, value))
        column, cell = self.layout.columns[best], row.cells[best]
        verdict = cell.verdict
        sign = verdict.sign if verdict else cell.spread if self.layout.is_own_gain(column) else ""
        text = self._digits(cell, value)
        shown = replace(
            cell, text=text, spread=sign, notes=(), verdict=verdict, best=False, second=False, place=column.key
        )
        return Shown(shown, row, column, counted=self._counted(spec, best))

    def _count(self, item: Item, row: Row) -> Shown | None:
        """Of a printed count with a verdict, ours; nothing where it depends on data."""
        if item.printed is None or item.csv not in counts.COLUMNS:
            return None
        verdict, column = row.cells[item.printed].verdict, self.layout.columns[item.printed]
        if verdict is None:
            return None
        if verdict.value is None:
            return Shown(Cell("reason", "", reason=verdict.told, verdict=verdict), row, column, counted=True)
        value = self.printed.number(self.specs[row.key].published_row, item.csv)
        text = f"{verdict.value:.{value.digits + 1 if value else 2}f}"
        ours = [i for i in item.here if row.cells[i].value is not None]
        near = min(ours, key=lambda i: abs((row.cells[i].value or 0.0) - (verdict.value or 0.0)), default=item.printed)
        place = self.layout.columns[near].key
        cell = Cell("measured", text, verdict.value, verdict.sign, verdict=verdict, place=place)
        return Shown(cell, row, column, counted=True)

    def _none(self, row: Row, indices: Sequence[int]) -> Cell:
        """An empty place: a word where something went wrong or is under way, a dot where a run would fill it."""
        reasons = [row.cells[i] for i in indices]
        for start, text in _EMPTY.items():
            for cell in reasons:
                if cell.reason.startswith(start) and "the paper quotes" not in cell.reason:
                    sign, place = "!" * (text == "failed"), self.layout.columns[indices[0]].key
                    return replace(cell, text=text, spread=sign, notes=(), place=place)
        return Cell("reason", "", reason=reasons[0].reason if reasons else "not applicable")

    def _counted(self, spec: RowSpec, index: int) -> bool:
        """Whether the column's number is of the network alone, whatever the data."""
        experiment = spec.cells.get(self.layout.columns[index].cell)
        return experiment is not None and isinstance(experiment.measure, Static)

    def _farness(self, spec: RowSpec, cell: Cell, index: int, value: Value | None) -> tuple[int, int, float]:
        experiment = spec.cells.get(self.layout.columns[index].cell)
        on_data = experiment is not None and isinstance(experiment.measure, Accuracy)
        off = abs((cell.value or 0.0) - (value.number or 0.0)) if value else 0.0
        return (0 if on_data else 1, 0 if cell.verdict and cell.verdict.word == "reproduced" else 1, off)

    def _digits(self, cell: Cell, value: Value | None) -> str:
        """As shown in full, with at most one digit more than is printed."""
        digits = len(cell.text.partition(".")[2])
        if value is None or cell.value is None or digits <= value.digits + 1:
            return cell.text
        return f"{cell.value:.{value.digits + 1}f}"

    # the table

    def _kept(self, lines: Sequence[Line], items: Sequence[Item], *, asked: bool) -> list[tuple[int, str, str]]:
        """Places of the columns that stand: (item, dataset or none, printed or here)."""
        datasets = [one for one in self.layout.across if any((0, one) in line.cells for line in lines)] or [""]
        once = {n for n in range(len(items)) if len(datasets) > 1 and all(line.same(n) for line in lines)}
        places = [(n, "", side) for n in range(len(items)) if n in once for side in ("printed", "here")]
        places += [
            (n, of, side) for of in datasets for n in range(len(items)) if n not in once for side in ("printed", "here")
        ]
        return [place for place in places if any(line.fills(*place, asked=asked) for line in lines)]

    def _column(
        self, place: tuple[int, str, str], kept: Sequence[tuple[int, str, str]], items: Sequence[Item]
    ) -> Column:
        number, dataset, side = place
        item = items[number]
        pair = {"printed", "here"} == {one for n, of, one in kept if (n, of) == (number, dataset)}
        if dataset:
            title = item.title if side == "printed" else "here"
            return Column("", title, DATASETS.get(dataset, dataset))
        if pair:
            return Column("", side, item.title)
        return Column("", item.title, side if self.printed.rows else "")

    def _row(self, line: Line, kept: Sequence[tuple[int, str, str]], words: Words) -> Row:
        cells = []
        for place in kept:
            found = line.at(*place)
            if found is None:
                cells.append(Cell("reason", "", reason="not applicable"))
                continue
            spec = self.specs[found.row.key]
            anchor = f"{self.layout.full_name}/{found.row.key}/{found.cell.place}" if found.cell.place else ""
            cells.append(replace(found.cell, notes=words.of(found, spec), place=anchor))
        first = line.rows[0]
        return Row(first.key, line.label, "", tuple(cells), (), first.reproduced, first.baseline)

    def _ranked(self, rows: list[Row], kept: Sequence[tuple[int, str, str]], items: Sequence[Item]) -> list[Row]:
        """Best and second of the printed accuracies, where they differ by more than two single runs may."""
        cells = [list(row.cells) for row in rows]
        for index, (number, dataset, side) in enumerate(kept):
            if side != "printed" or items[number].csv not in RATES or items[number].printed is None:
                continue
            of = dataset or next((name for row in rows if (name := self._dataset(row))), "")
            if of not in TEST_VIDEOS:
                continue
            values = {n: row.cells[index].value or 0.0 for n, row in enumerate(rows) if row.reproduced}
            ranks = sorted((value for value in values.values() if value), reverse=True)
            for place in (0, 1):
                if len(ranks) > place + 1 and doubt((ranks[place], ranks[place + 1]), of).decided:
                    for n in (n for n, value in values.items() if value == ranks[place]):
                        cells[n][index] = replace(cells[n][index], best=place == 0, second=place == 1)
                else:
                    break
        return [replace(row, cells=tuple(own)) for row, own in zip(rows, cells, strict=True)]

    def _further(self, lines: Sequence[Line], items: Sequence[Item]) -> tuple[tuple[str, str], ...]:
        cells = [(items[n].key, one) for line in lines for (n, _), (_, one) in line.cells.items() if one and one.column]
        first = [found for found in cells if found[1].word == "differs"] or cells
        own = [found for found in first if found[1].row.reproduced] or first
        row, column = (own[0][1].row.key, own[0][0]) if own else (self.layout.rows[0].key, self.layout.columns[0].key)
        layout = self.layout
        missing = layout.command("show") if layout.file or layout.words else layout.command("plan")
        return (
            ("why a number", layout.command("explain", place=f"/{row}/{column}")),
            ("everything", layout.command("table", "--full")),
            ("what is missing", missing),
        )
