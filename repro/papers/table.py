"""The form in which a paper's module says what a table holds: rows of experiments, and columns that read results.

A column's `source` is one of
    published:COLUMN            as printed, from the table's own CSV; `A*B` shows `A x B`, whose value is the product
    published:STEM:COLUMN       as printed, from `results/published/STEM.csv` under the same row key
    difference:[STEM:]COLUMN    printed value minus that of the row's `baseline`
    slowdown:[STEM:]COLUMN      printed speed of the row's `baseline` divided by the row's own
    record:CELL:PATH            a number in the results of the row's cell; PATH is dotted, e.g. `sizes.224.gmacs`;
                                `*` is the only key of its place
    gain:CELL:PATH              that number minus the one of the row's `baseline`; over seeds, with its 95 % interval
    ratio:CELL:PATH             that number divided by the one of the row's `baseline`
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from repro.core.errors import BadOption, UnknownName
from repro.core.spec import Accuracy, Experiment
from repro.papers.question import Question

#: a row that the paper takes from another one, one that it ran itself and that is measured here, one that only we run,
#: scores of another program, or a row of a table that no paper prints
Section = Literal["quoted", "reproduced", "added", "elsewhere", "own"]

#: start of the name of a cell on the user's own data: nothing of it stands beside print
OWN_DATA = "own-"
#: start of the name of a probe, and of its cells
PROBE = "probe-"
_ENDS, _SEEDS = (None, "higher", "lower"), ("deviation", "interval")
#: sources that read records
_MEASURED = ("record", "gain", "ratio")
_PARTS = {"published": (1, 2), "difference": (1, 2), "slowdown": (1, 2), **dict.fromkeys(_MEASURED, (2, 2))}


@dataclass(frozen=True, kw_only=True)
class ColumnSpec:
    """One column: where its values come from and how they are shown."""

    key: str
    title: str
    short: str = ""
    """Title in the short form, where it is another one."""
    source: str
    """See the module's text."""
    group: str = ""
    """Title over neighbouring columns. A group is either printed or measured, and says so."""
    unit: str = ""
    digits: int = 2
    """Decimal places; a printed value keeps its own."""
    scale: float = 1.0
    """Factor from the stored number to the shown unit: 1e-6 for parameters in millions."""
    better: Literal["higher", "lower"] | None = None
    """Which end is best: bold, the second underlined, over all rows that are not quoted."""
    spread: str = ""
    """PATH in the same results of the interquartile range (a width, or its two ends), shown behind the value."""
    seeds: Literal["deviation", "interval"] = "deviation"
    """What stands behind the mean of several seeds: their standard deviation, or the 95 % interval of the mean."""
    absent: str = "not applicable"
    """What an empty place in a finished record means."""
    note: str = ""
    """Footnote of the column."""

    def __post_init__(self) -> None:
        kind, *parts = self.source.split(":")
        low, high = _PARTS.get(kind, (1, 0))
        if not low <= len(parts) <= high or not all(parts):
            raise BadOption(f"column {self.key!r}: source {self.source!r}", allowed="see repro.papers.table")
        if not 0 <= self.digits <= 12 or not math.isfinite(self.scale):
            raise BadOption(f"column {self.key!r}: digits {self.digits}, scale {self.scale}", allowed="0 to 12, finite")
        for name, value, allowed in (("better", self.better, _ENDS), ("seeds", self.seeds, _SEEDS)):
            if value not in allowed:
                raise BadOption(f"column {self.key!r}: {name} {value!r}", allowed=", ".join(filter(None, allowed)))

    @property
    def measured(self) -> bool:
        """Whether the value comes out of a record."""
        return self.source.partition(":")[0] in _MEASURED

    @property
    def cell(self) -> str:
        """The row's cell that a measured column reads."""
        return self.source.split(":")[1] if self.measured else ""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What a printed count of a row is of, where it is not the row's network at the first input of its cell."""

    source: str = ""
    """CELL:PATH of the number in the cell's results."""
    times: int = 1
    """Clips that the printed value is of."""
    plus: str = ""
    """Row whose printed value is added to ours."""
    needs: str = ""
    """What of the data it depends on; it is not counted then."""
    says: str = ""
    """How it is read."""


@dataclass(frozen=True, kw_only=True)
class RowSpec:
    """One row: what the paper prints under `published_row`, and the experiments that are run here."""

    key: str
    label: str = ""
    """Of a row that is printed, the one that stands in the CSV."""
    published_row: str | None = None
    """Key in the CSV; None for a row that no paper prints, such as a user's own method."""
    section: Section = "reproduced"
    cells: Mapping[str, Experiment] = field(default_factory=dict)
    """Cell name (static, speed, probe-order, ...) -> what is run."""
    reasons: Mapping[str, str] = field(default_factory=dict)
    """Cell name or column key -> why it is empty as long as no record fills it."""
    explained: Mapping[str, str] = field(default_factory=dict)
    """Column key -> footnote of the value that stands there; of a printed count, why ours is another."""
    readings: Mapping[str, Reading] = field(default_factory=dict)
    """Column of the CSV -> what its count is of; see `repro.evidence.counts`."""
    briefly: Mapping[str, str] = field(default_factory=dict)
    """Column key -> `explained` in a few words, for the short form."""
    inferred: frozenset[str] = frozenset()
    """Columns whose printed value is inferred: the paper does not print it in this row."""
    baseline: str | None = None
    """Key of the row that this one is compared with: the same network without the method."""
    host: bool = False
    """Of a quoted row: what is run is this suite's own host, by the table's recipe, and not the quoted network."""
    quoted_reason: str = "not run: the paper quotes this row from another publication"
    """Why the measured columns of a quoted row are empty."""
    note: str = ""
    """Footnote of the row."""
    accuracy: Mapping[str, float] = field(default_factory=dict)
    """Dataset -> top-1 in percent as a user's own table says it, of weights that are not trained here."""

    @property
    def dataset(self) -> str:
        """The only dataset of the paper's that its cells are on; empty where there is none, or are several."""
        names = {
            experiment.measure.dataset
            for cell, experiment in self.cells.items()
            if isinstance(experiment.measure, Accuracy) and not cell.startswith(OWN_DATA)
        }
        names = {name for name in names if not name.startswith(PROBE)}
        return names.pop() if len(names) == 1 else ""

    @property
    def imported(self) -> bool:
        """Whether it is scores of another program: never run, and no host of methods."""
        return self.section == "elsewhere"

    @property
    def quoted_network(self) -> bool:
        """Whether it is another publication's network, measured but no host of methods."""
        return self.section == "quoted" and not self.host


@dataclass(frozen=True, kw_only=True)
class FigureSpec:
    """A scatter plot of two columns: a point for each row that has both values, a line from baseline to method."""

    title: str
    x: str
    """Column key."""
    y: str
    note: str = ""
    """What a reader must know: which of the two is printed, which measured."""
    cheap: Literal["lower", "higher"] = "lower"
    """Which end of x is better: lower for GMACs, higher for views/s. The Pareto front is drawn towards it."""

    def __post_init__(self) -> None:
        if self.cheap not in ("lower", "higher"):
            raise BadOption(f"figure {self.title!r}: cheap {self.cheap!r}", allowed="lower, higher")


@dataclass(frozen=True, kw_only=True)
class TableSpec:
    """One table of a paper."""

    paper: str
    name: str
    """As on the command line: table6, supp2."""
    title: str
    caption: str = ""
    published_csv: str = ""
    """File in `results/published`, without its ending; empty for a table that no paper prints."""
    rows: tuple[RowSpec, ...]
    columns: tuple[ColumnSpec, ...]
    footnotes: tuple[str, ...] = ()
    short: tuple[str, ...] = ()
    """Columns of the short form, in order: a report reads them; empty: all that are printed."""
    across: tuple[str, ...] = ()
    """Datasets that the short form sets side by side, where the paper has a column of each and a row is of one."""
    figures: tuple[FigureSpec, ...] = ()
    questions: tuple[Question, ...] = ()
    """What the table asks of its rows, declared before it is run; see `repro.evidence.questions`."""
    seeds: Mapping[str, int] = field(default_factory=dict)
    """Cell name -> how many seeds `run` trains where it is not told otherwise; a cell that is not named has one, and so
    has each of a quoted row.
    """

    file: str = ""
    """Of a user's own table: where it is read from."""
    words: tuple[str, ...] = ()
    """Arguments that made the table what it is: methods, modules and data of the user's."""

    def __post_init__(self) -> None:
        for kind, keys in (("row", [r.key for r in self.rows]), ("column", [c.key for c in self.columns])):
            twice = sorted({key for key in keys if keys.count(key) > 1})
            if twice:
                raise BadOption(f"table {self.paper}/{self.name}: {kind} {twice[0]!r} stands twice")
        columns = {column.key for column in self.columns}
        for figure in self.figures:
            if not {figure.x, figure.y} <= columns:
                raise BadOption(f"figure {figure.title!r}: no such column", allowed=", ".join(sorted(columns)))
        known = {row.key for row in self.rows}
        for row in self.rows:
            if row.baseline is not None and row.baseline not in known:
                raise BadOption(
                    f"row {row.key!r}: baseline {row.baseline!r} is no row", allowed=", ".join(sorted(known))
                )

    def is_own_gain(self, column: ColumnSpec) -> bool:
        """Whether a column is of gains in top-1 on a user's own data."""
        own = bool(self.file) or column.cell.startswith(OWN_DATA)
        return own and column.source.startswith("gain:") and column.source.endswith(":top1")

    def command(self, verb: str, more: str = "", *, place: str = "") -> str:
        """A command line on this table as it was asked for, e.g. `python -m repro run mine.toml --failed`."""
        words = [f"{self.file or self.full_name}{place}", *more.split(), *self.words]
        return f"python -m repro {verb} {shlex.join(words)}"

    @property
    def full_name(self) -> str:
        """paper/name."""
        return f"{self.paper}/{self.name}"

    @property
    def experiments(self) -> list[Experiment]:
        """Those of all cells, row by row."""
        return [experiment for row in self.rows for experiment in row.cells.values()]

    @cached_property
    def ids(self) -> frozenset[str]:
        """Content ids of all experiments."""
        return frozenset(experiment.id for experiment in self.experiments)

    @property
    def datasets(self) -> set[str]:
        """All that its accuracies are trained or tested on."""
        measures = [experiment.measure for experiment in self.experiments]
        return {name for measure in measures if isinstance(measure, Accuracy) for name in measure.datasets}

    def row(self, key: str) -> RowSpec:
        """The row of this key."""
        for row in self.rows:
            if row.key == key:
                return row
        raise UnknownName("row", key, [row.key for row in self.rows], fix=self.command("show"))
