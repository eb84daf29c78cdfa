"""What stands under a short table: its footnotes, the quoted rows in one line, and what came out of all of it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from repro.core.words import many
from repro.evidence.against_print import of_printed_gain
from repro.evidence.verdicts import DOUBT, EQUAL, UNEQUAL, UNEXPLAINED
from repro.papers import published
from repro.papers.table import PROBE, ColumnSpec, RowSpec, TableSpec
from repro.report.table import Cell, Row, Table

_LEAST = 12
#: start of cells that need no data
_ALONE = ("static", "input", "speed")
#: letters in a line
WIDTH = 100

#: sign -> what it says
SIGNS = {
    EQUAL: "same digits",
    UNEQUAL: "differs",
    DOUBT: "two single runs may differ so",
    UNEXPLAINED: "faster than its host, not explained",
    "·": "not run",
}


@dataclass(frozen=True)
class Shown:
    """A cell of the short form, and where it comes from."""

    cell: Cell
    row: Row
    column: ColumnSpec | None
    """Of what is measured here."""
    counted: bool = False

    @property
    def word(self) -> str:
        """Of its verdict; empty where there is none."""
        return self.cell.verdict.word if self.column is not None and self.cell.verdict is not None else ""


@dataclass(frozen=True)
class Line:
    """A line of the short form: (column, dataset) -> what is printed, what is here."""

    label: str
    rows: tuple[Row, ...]
    quoted: bool
    cells: Mapping[tuple[int, str], tuple[Shown | None, Shown | None]]

    def of(self, number: int) -> list[tuple[Shown | None, Shown | None]]:
        """The column on every dataset."""
        return [pair for (own, _), pair in self.cells.items() if own == number]

    def same(self, number: int) -> bool:
        """Whether the column is printed alike on every dataset."""
        return len({printed.cell.text for printed, _ in self.of(number) if printed}) <= 1

    def at(self, number: int, dataset: str, side: str) -> Shown | None:
        """One cell; of several datasets the one that differs from print, else the first."""
        pairs = [self.cells[number, dataset]] if (number, dataset) in self.cells else []
        if not dataset and not pairs:
            pairs = self.of(number)
        found = [shown for pair in pairs if (shown := pair[side == "here"])]
        return min(found, key=lambda one: (one.word != "differs", one.cell.kind == "reason"), default=None)

    def fills(self, number: int, dataset: str, side: str, *, asked: bool) -> bool:
        """Whether the place has more than empty words; what was asked for by name stands with its dots."""
        found = self.at(number, dataset, side)
        if found is None or not found.cell.text:
            return False
        return found.cell.kind != "reason" or found.cell.text in ("failed", "running") or asked


class Words:
    """Footnotes as they come up; those beyond the last stand together in one."""

    def __init__(self, kind: str, most: int, table: str) -> None:
        self._kind, self._most, self._table = kind, most, table
        self._texts: list[str] = []

    def of(self, shown: Shown, spec: RowSpec) -> tuple[int, ...]:
        """Signs of a cell's footnotes."""
        text = _told(shown, spec, full=self._kind == "full")
        if not text or self._kind == "none":
            return ()
        if text not in self._texts:
            self._texts.append(text)
        position = self._texts.index(text) + 1
        return (-position if self._kind == "full" else -min(position, self._most),)

    def notes(self) -> tuple[str, ...]:
        """The texts, in the order of their signs."""
        if self._kind == "full" or len(self._texts) <= self._most:
            return tuple(self._texts)
        rest = len(self._texts) - self._most + 1
        more = f"{rest} more reasons: python -m repro table {self._table} --full"
        return (*self._texts[: self._most - 1], more)


def _told(shown: Shown, spec: RowSpec, *, full: bool) -> str:
    if shown.cell.reason.startswith("failed"):
        return shown.cell.reason if full else cut(shown.cell.reason)
    if shown.word != "differs" or shown.column is None:
        return ""
    key = shown.column.key
    if key not in spec.explained:
        return "differs from print; not explained"
    if full:
        return spec.explained[key]
    return _at_most(spec.briefly[key], WIDTH - 5) if key in spec.briefly else cut(spec.explained[key])


_SENTENCE = re.compile(r"(?<=[\w)%])[.;] (?=\w|`)")


def cut(text: str, width: int = WIDTH - 5) -> str:
    """As much of a text as stands on one line: its first sentence, or the start of it."""
    return _at_most(_SENTENCE.split(" ".join(text.split()))[0].rstrip("."), width)


def _at_most(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1].rsplit(" ", 1)[0].rstrip(",;:") + "…"


def legend(rows: Iterable[Row], several: bool) -> str:
    """The signs that stand in the rows; `several`: a count here is the nearest of several counters'."""
    stand = {text for row in rows for cell in row.cells for text in (cell.text, *cell.spread.split())}
    told = [f"{sign} {says}" for sign, says in SIGNS.items() if sign in stand]
    told += ["[ ] inferred"] * any(text.startswith("[") for text in stand)
    return "; ".join([*told, *["here: the nearest of three counters"] * several])


def lines_below(
    table: Table, layout: TableSpec, lines: Sequence[Line], folded: Sequence[Line]
) -> list[tuple[str, str]]:
    """(what, in words), each on one line."""
    found = [("", _folded(folded))] if folded else []
    found += _counts(lines) if published.load(layout.published_csv).rows else []
    found += [("GAINS", "" if layout.file else _gains(layout)), ("GAINS", _own(table, layout))]
    found += [("PROBES", line) for line in table.asked]
    found += [("PAIRED", line) for line in table.paired]
    if table.code:
        found.append(("OWN CODE", table.code))
    if missing := _missing(table, layout):
        found.append(("NOT TESTED", missing))
    rooms = {head: WIDTH - 2 - (max(len(head), _LEAST) + 1 if head else 0) for head, _ in found}
    return [(head, _at_most(text, rooms[head])) for head, text in found if text]


def _folded(lines: Sequence[Line]) -> str:
    words = Counter(shown.word for shown in _here(lines) if shown.word in ("reproduced", "differs"))
    off = f"{words['differs']} differ{'s' * (words['differs'] == 1)}"
    told = [f"{words['reproduced']} of {words.total()} counts equal, {off}"] if words else []
    count = sum(len(line.rows) for line in lines)
    head = f"{many(count, 'row')} quoted from other papers"
    return f"{': '.join([head, *told])}  (--rows quoted)"


def _here(lines: Iterable[Line]) -> list[Shown]:
    return [here for line in lines for _, here in line.cells.values() if here]


def _counts(lines: Sequence[Line]) -> list[tuple[str, str]]:
    shown, specs = _here(lines), []
    for counted, name, plural in ((True, "count", "counts"), (False, "accuracy", "accuracies")):
        words = Counter(one.word for one in shown if one.counted == counted and one.word)
        held = words["reproduced"] + words["differs"]
        if held:
            specs.append(f"{words['reproduced']} of {many(held, f'printed {name}', f'printed {plural}')}")
    differing = [one for one in shown if one.word == "differs"]
    if needs := sum(one.word == "data" for one in shown):
        specs.append(f"{needs} need{'s' * (needs == 1)} the paper's data")
    if not specs:
        return [("REPRODUCED", "no printed number stands beside one of ours here")]
    found = [("REPRODUCED", ", ".join(specs))]
    if differing:
        known = sum("not explained" not in (one.cell.verdict.told if one.cell.verdict else "") for one in differing)
        told = "all explained" if known == len(differing) else f"{known} explained" if known else "not explained"
        found.append(("DIFFERS", f"{len(differing)}, {told}"))
    else:
        found.append(("DIFFERS", "none"))
    return found


def _gains(layout: TableSpec) -> str:
    """Printed differences between a row and the one it is compared with, held against the noise of single runs."""
    printed, found = published.load(layout.published_csv), []
    for row in layout.rows:
        base = layout.row(row.baseline).published_row if row.baseline else None
        if row.published_row in printed.rows and base in printed.rows and "top1" in printed.columns:
            found.append(of_printed_gain(printed, row.published_row or "", base or "", "top1"))
    words = [verdict.word for verdict in found if verdict is not None]
    if words:
        told = many(len(words), "printed gain")
        return f"{words.count('beyond')} of {told} beyond what two single runs may differ by"
    return "none is printed beside its host" if printed.rows else ""


def _own(table: Table, layout: TableSpec) -> str:
    """Of gains on a user's own data: how many are sure."""
    at = [index for index, column in enumerate(layout.columns) if layout.is_own_gain(column)]
    spreads = [row.cells[index].spread for row in table.rows for index in at]
    paired = [spread for spread in spreads if spread.startswith("±")]
    words = [spread.rpartition(" ")[2] for spread in paired]
    told = [f"{words.count(word)} {word}" for word in ("higher", "lower") if word in words]
    left = len(paired) - words.count("higher") - words.count("lower")
    told += [f"{left} undecided"] if left else []
    said = f"± half the 95 % interval over seeds and test videos, Holm over {len(paired)}"
    return f"{', '.join(told)}; {said}" if paired else ""


def _missing(table: Table, layout: TableSpec) -> str:
    """Columns in which nothing of ours stands, by dataset."""
    if not any(cell.kind == "measured" for row in table.rows for cell in row.cells):
        return f"nothing was measured yet: {layout.command('run')}"
    found: dict[str, list[str]] = {}
    for index, column in enumerate(layout.columns):
        cells = [row.cells[index] for row in table.rows]
        if not column.measured or ".std." in column.source or any(cell.kind == "measured" for cell in cells):
            continue
        why = "no data here" if any("is not configured" in cell.reason for cell in cells) else "not run"
        place = "" if column.cell.startswith(_ALONE) else f" on {column.cell.removeprefix(PROBE)}"
        titles = found.setdefault(f"{place}|{why}", [])
        if (title := column.short or column.title) not in titles:
            titles.append(title)
    told: dict[str, list[str]] = {}
    for where, titles in found.items():
        place, _, why = where.partition("|")
        told.setdefault(f"{', '.join(titles[:3])}|{why}", []).append(place)
    parts = [(key.partition("|"), ",".join(places).replace(", on ", ", ")) for key, places in told.items()]
    return "; ".join(f"{titles}{places}: {why}" for (titles, _, why), places in parts)
