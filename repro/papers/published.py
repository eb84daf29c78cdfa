"""What the papers print: `<paper>_<table>.csv`, one file a table, read and checked.

Columns, as everywhere in these files: `row` (unique key), `top1`/`top5` and columns ending in `_pct` in percent,
`delta_*` in percentage points, `gflops` of ONE view as printed (the papers print multiply-accumulates under that name),
`views` = clips x crops, `params_m` in millions, `videos_per_s` as printed, `note` on what was unclear. An empty cell is
a value that the paper leaves out or that could not be read; the note says which. Two columns are not printed: `label`,
the row's name here, and `network`, of a row that the paper quotes: which one it is (`networks.toml`). A column of
another name is another paper's own: numbers if its first value is one, else text.

The files of the three papers lie in `results/published`, those of another package's table beside its module.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from repro import registry
from repro.core import paths
from repro.core.csv_text import records_of, text_of
from repro.core.errors import RecordError, UnknownName

#: columns of text; the next three hold numbers of their kind, and a column of another name numbers or text
TEXT = frozenset(
    "row model method backbone pretrain frames dataset setting relay norm location relay_direction quantity unit "
    "design fusion max_receptive_field irregular multi_scale skip reuse adaptive ir_interactions dropout_rate "
    "reproduced_by_paper device note".split()
)
WHOLE = frozenset(
    "views batch_size_per_gpu reduction_ratio depth relay_distance hidden_units input_size kernel_shapes".split()
)
POSITIVE = frozenset("gflops videos_per_s".split())
NOT_NEGATIVE = frozenset("params_m lambda value".split())
#: columns that this suite adds to what is printed
ABOUT = ("label", "network")

#: what numbers a column may hold: a test and its wording
Rule = tuple[Callable[[float], bool], str]
_COLUMN = re.compile(r"^[a-z][a-z0-9_]*$")
_NAME = re.compile(r"^(?P<paper>[a-z0-9]+)_(?P<table>[a-z0-9_]+)$")
_KEY = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.+-]*$")
_NUMBER = re.compile(r"^-?\d+(\.\d+)?$")


@dataclass(frozen=True)
class Value:
    """A printed value: its text, and its number where the column holds numbers."""

    text: str
    number: float | None

    @property
    def digits(self) -> int:
        """Decimal places as printed."""
        return len(self.text.partition(".")[2])


@dataclass(frozen=True)
class PublishedRow:
    """One printed row; a value that is not printed is not in `values`."""

    key: str
    values: Mapping[str, Value]
    note: str
    label: str = ""
    network: str = ""


@dataclass(frozen=True)
class Fault:
    """What of a file could not be taken as it stands; a table of the papers has none."""

    place: str
    told: str
    allowed: str
    severity: Literal["error", "note"] = "error"


@dataclass(frozen=True)
class PublishedTable:
    """One file."""

    stem: str
    columns: tuple[str, ...]
    rows: Mapping[str, PublishedRow]
    faults: tuple[Fault, ...] = ()

    def value(self, row: str, column: str) -> Value | None:
        """A printed value, or None where the paper prints none. Unknown rows and columns are errors."""
        if column not in self.columns:
            raise UnknownName(f"column of {self.stem}.csv", column, self.columns)
        if row not in self.rows:
            raise UnknownName(f"row of {self.stem}.csv", row, self.rows)
        return self.rows[row].values.get(column)

    def number(self, row: str | None, column: str) -> Value | None:
        """A printed number; None where none is printed, also of a row or column that the table does not have."""
        line = self.rows.get(row or "")
        found = line.values.get(column) if line else None
        return found if found is not None and found.number is not None else None

    def text(self, row: str | None, column: str) -> str:
        """What is printed; empty where nothing is, also of a row or column that the table does not have."""
        line = self.rows.get(row or "")
        return line.values[column].text if line and column in line.values else ""

    def dataset(self, row: str | None) -> str:
        """The dataset of a row; empty where the table does not say."""
        return self.text(row, "dataset")

    def difference(self, row: str, base: str, column: str) -> float | None:
        """Printed value of `row` minus that of `base`; None where either is not printed."""
        pair = self._numbers(row, base, column)
        return pair[0] - pair[1] if pair else None

    def ratio(self, row: str, base: str, column: str) -> float | None:
        """Printed value of `base` divided by that of `row`: for speeds, how many times slower `row` is."""
        pair = self._numbers(row, base, column)
        return pair[1] / pair[0] if pair else None

    def _numbers(self, row: str, base: str, column: str) -> tuple[float, float] | None:
        here, there = self.value(row, column), self.value(base, column)
        if here is None or there is None or here.number is None or there.number is None:
            return None
        return here.number, there.number


def folders() -> list[Path]:
    """Where printed values lie: `results/published`, then beside the modules of others' tables."""
    others = [entry.file.parent for entry in registry.tables.in_order() if entry.file]
    return list(dict.fromkeys([paths.published(), *others]))


def find(name: str) -> Path | None:
    """The file of this name, `dnr_table6.toml`, in the first folder that has it."""
    return next((folder / name for folder in folders() if (folder / name).is_file()), None)


def stems() -> list[str]:
    """Names of the CSV files, sorted."""
    found = {path.stem for folder in folders() for path in folder.glob("[!.]*.csv")}
    return sorted(stem for stem in found if _NAME.match(stem))


@cache
def load(stem: str) -> PublishedTable:
    """The checked content of `<stem>.csv`; of no name, a table without rows: no paper prints it."""
    if not stem:
        return PublishedTable("", ("row", "note"), {})
    path = find(f"{stem}.csv")
    if path is None:
        raise UnknownName("published table", stem, stems())
    return read(path)


def load_all() -> dict[str, PublishedTable]:
    """Every file, by its name without ending."""
    return {stem: load(stem) for stem in stems()}


def read(path: Path) -> PublishedTable:
    """Parse and check one file; `RecordError` names file, line and column."""
    if not _NAME.match(path.stem):
        raise RecordError(f"{path.name}: the name should be <paper>_<table>.csv in small letters")
    lines = records_of(text_of(path, RecordError, allowed="a CSV file"), path.name, RecordError)
    if not lines:
        raise RecordError(f"{path.name}: empty")
    columns = tuple(lines[0][1])
    _check_columns(path.name, columns)
    rules = {name: rule_of(name) or _own_rule(columns.index(name), lines) for name in columns if name not in TEXT}
    rows: dict[str, PublishedRow] = {}
    for line, fields in lines[1:]:
        if len(fields) != len(columns):
            raise RecordError(f"{path.name} line {line}: {len(fields)} fields for {len(columns)} columns")
        row = _row(path.name, line, dict(zip(columns, fields, strict=True)), rules)
        if row.key in rows:
            raise RecordError(f"{path.name} line {line}, column row: {row.key!r} stands twice")
        rows[row.key] = row
    if not rows:
        raise RecordError(f"{path.name}: no rows")
    return PublishedTable(path.stem, tuple(name for name in columns if name not in ABOUT), rows)


def _check_columns(name: str, columns: tuple[str, ...]) -> None:
    for number, column in enumerate(columns, start=1):
        known = {*TEXT, *WHOLE, *POSITIVE, *NOT_NEGATIVE, *ABOUT, "top1", "top5"}
        sure = column in known or rule_of(column) is not None
        near = [] if sure else sorted(difflib.get_close_matches(column, known, cutoff=0.8))
        if near or not _COLUMN.match(column):
            told = f"; did you mean {' or '.join(near)}?" if near else ""
            raise RecordError(
                f"{name} line 1, column {number}: unknown column {column!r}{told}",
                allowed="small letters, digits and _, and no name that is nearly one of this suite's",
            )
        if columns.index(column) != number - 1:
            raise RecordError(f"{name} line 1, column {number}: {column!r} stands twice")
    for needed in ("row", "note"):
        if needed not in columns:
            raise RecordError(f"{name} line 1: column {needed!r} is missing")


def _own_rule(index: int, lines: Sequence[tuple[int, Sequence[str]]]) -> Rule | None:
    """Of a column that another paper has: numbers if its first value is one, else text."""
    values = [fields[index] for _, fields in lines[1:] if index < len(fields) and fields[index]]
    return ((lambda x: True), "a number, as above it") if values and _NUMBER.match(values[0]) else None


def rule_of(column: str) -> Rule | None:
    """What numbers a column may hold: a test and its wording; None for a column of text, or of another name."""
    if column in {"top1", "top5"} or column.endswith("_pct"):
        return (lambda x: 0 <= x <= 100), "a percentage from 0 to 100"
    if column.startswith("delta_"):
        return (lambda x: -100 <= x <= 100), "percentage points from -100 to 100"
    if column in WHOLE:
        return (lambda x: x >= 0 and x == int(x)), "a whole number"
    if column in POSITIVE:
        return (lambda x: x > 0), "a positive number"
    if column in NOT_NEGATIVE:
        return (lambda x: x >= 0), "a number of at least 0"
    return None


def _row(name: str, line: int, fields: dict[str, str], rules: Mapping[str, Rule | None]) -> PublishedRow:
    def fault(column: str, allowed: str) -> RecordError:
        return RecordError(f"{name} line {line}, column {column}: {fields[column]!r}", allowed=allowed)

    if not _KEY.match(fields["row"]):
        raise fault("row", "letters, digits and _ . + -")
    values = {}
    for column, text in fields.items():
        if text != text.strip() or any(ord(letter) < 32 for letter in text):
            raise fault(column, "text without surrounding spaces or control characters")
        if column in {"row", "note", *ABOUT} or not text:
            continue
        rule = rules.get(column)
        number = None
        if rule is not None:
            if not _NUMBER.match(text) or not rule[0](float(text)):
                raise fault(column, rule[1])
            number = float(text)
        values[column] = Value(text, number)
    best = {column: values[column].number or 0.0 for column in ("top1", "top5") if column in values}
    if len(best) == 2 and best["top1"] > best["top5"]:
        raise fault("top1", f"at most top5, {fields['top5']}")
    about = {column: fields.get(column, "") for column in ABOUT}
    return PublishedRow(fields["row"], values, fields["note"], **about)
