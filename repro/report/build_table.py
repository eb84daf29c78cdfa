"""A table's layout, the printed values and the records become one `Table`.

Nothing is measured or evaluated here: values are looked up, rounded, and set beside each other. Where there are several
seeds, their mean and standard deviation are shown. An empty cell always carries its reason.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean

from repro.core.spec import Experiment, diff, to_dict
from repro.evidence.against_print import of_measured, of_printed_gain
from repro.evidence.aggregate import gain, of_now, ratio
from repro.evidence.counts import counts
from repro.evidence.deviations import deviations, of_row, told_by_network, told_numbers
from repro.evidence.metric import look_up
from repro.evidence.own_gains import own_gains
from repro.evidence.sittings import PATH, forbidden, sittings
from repro.evidence.verdicts import LEGEND, Verdict
from repro.evidence.video_scores import VideoScores
from repro.papers import published
from repro.papers.published import PublishedTable
from repro.papers.table import ColumnSpec, RowSpec, TableSpec
from repro.records.index import finishing
from repro.records.schema import Record
from repro.report.cell_format import INTERVAL, marked, spread_of_repeats, spread_of_seeds
from repro.report.provenance import conditions, machines, recipe, versions
from repro.report.table import Cell, Column, Row, Table

SECTIONS = {
    "quoted": "Quoted by the paper from other publications",
    "reproduced": "Run by the paper; measured here",
    "added": "Not in this table of the paper; measured here",
    "elsewhere": "Scores of other programs, read here",
    "own": "Measured here; no paper prints this table",
}

SITTINGS = "median and ends of the sittings, also of networks that differ in the classifier alone: "
ONE_SITTING = "one sitting: in parentheses the quartiles of its repeats, which are not the uncertainty of the ratio"

#: start of a reason -> what stands in the cell; the whole reason is a footnote
_SHORT = {
    "not run": "not run",
    "running": "running",
    "failed": "failed",
    "quoted": "quoted",
    "not published": "not printed",
    "not applicable": "n/a",
    "not defined": "not defined",
    "data not configured": "no data",
    "protocol differs": "differs",
}


def table_view(
    layout: TableSpec,
    records: Iterable[Record],
    *,
    running: Collection[str] = (),
    unconfigured: Collection[str] = (),
    shared: Mapping[str, Sequence[Record]] = {},
    scores: VideoScores | None = None,
) -> Table:
    """The table as it stands.

    `running`: ids of experiments under way; `unconfigured`: datasets that have no place on this machine. `shared`:
    records of the same measurement under other ids (`evidence.sittings`). `scores` tell what each test video says,
    for gains on a user's own data. Smoke records do not count.
    """
    chosen = [record for record in records if not record.smoke]
    view = _View(layout, chosen, frozenset(running), frozenset(unconfigured), shared, scores)
    notes = [(*view.notes_of(column), *view.condition_notes(column)) for column in layout.columns]
    columns = tuple(
        Column(column.key, column.title, column.group, column.unit, own)
        for column, own in zip(layout.columns, notes, strict=True)
    )
    rows = [view.row(row) for row in layout.rows]
    columns = tuple(view.with_verdicts(column, [row.cells[i] for row in rows]) for i, column in enumerate(columns))
    return Table(
        paper=layout.paper,
        name=layout.name,
        title=layout.title,
        caption=layout.caption,
        columns=columns,
        rows=tuple(marked(rows, layout.columns, view.mixed)),
        footnotes=tuple(view.footnotes),
        remarks=layout.footnotes,
        code=versions(layout, chosen),
        measured_on=machines(one for one in chosen if one.status == "done" and one.id in layout.ids),
        deviations=tuple(told_by_network(view.deviations)),
    )


#: start of the note of a column whose values cannot be compared
MIXED = "measured under different conditions, so that no best value is marked. "
_SPREAD = "in parentheses: interquartile range over the repeats; with seeds or sittings: ± standard deviation"
_GAIN = "the row's mean minus that of the row it is compared with, seed by seed, and the 95 % t interval"
_OWN_GAIN = (
    "the row minus the one it is compared with, seed by seed, ± half of its 95 % interval over seeds and test videos "
    "together; higher or lower: sure at 5 % after Holm's correction for all gains of the table; else undecided"
)


@dataclass
class _View:
    layout: TableSpec
    records: list[Record]
    running: frozenset[str]
    unconfigured: frozenset[str]
    shared: Mapping[str, Sequence[Record]]
    scores: VideoScores | None
    footnotes: list[str] = field(default_factory=list)
    mixed: set[str] = field(default_factory=set)
    """Columns whose values were measured under different conditions."""

    def __post_init__(self) -> None:
        self._by_id: dict[str, list[Record]] = defaultdict(list)
        self._by_place: dict[tuple[str, str, str, str], list[Record]] = defaultdict(list)
        for record in of_now(self.records):
            self._by_id[record.id].append(record)
            if record.status == "done":
                self._by_place[record.paper, record.table, record.row, record.cell].append(record)
        self._printed = published.load(self.layout.published_csv)
        self._own = own_gains(self.layout, self.done, self.scores) if self.scores else {}
        self._counted = {(one.row, one.column): one for one in counts(self.layout, self.done)}
        self.deviations = {one: number for number, one in enumerate(deviations(self.layout), start=1)}

    def note(self, text: str) -> int:
        """Position of a footnote; the same text stands once."""
        if text not in self.footnotes:
            self.footnotes.append(text)
        return self.footnotes.index(text)

    def noted(self, *texts: str) -> tuple[int, ...]:
        """The same of several; an empty text is none."""
        return tuple(self.note(text) for text in texts if text)

    def notes_of(self, column: ColumnSpec) -> tuple[int, ...]:
        gain_of = _OWN_GAIN if self.layout.is_own_gain(column) else _GAIN
        return self.noted(
            column.note,
            _SPREAD if column.spread else "",
            f"mean over the seeds, {INTERVAL}" if column.seeds == "interval" else "",
            gain_of if column.source.startswith("gain:") else "",
        )

    def with_verdicts(self, column: Column, cells: Sequence[Cell]) -> Column:
        """The column with the legend of its signs, and with why its values cannot be compared, where they cannot."""
        found = [cell.verdict for cell in cells if cell.verdict is not None]
        texts = [LEGEND] if any(one.sign for one in found) else []
        texts += dict.fromkeys(f"not comparable: {one.told}" for one in found if one.word == "incomparable")
        return replace(column, notes=column.notes + self.noted(*texts))

    def _note_of(self, verdict: Verdict | None) -> tuple[int, ...]:
        """Its arithmetic, where that says more than the sign."""
        telling = verdict is not None and verdict.word in ("within", "data", "differs", "forbidden")
        return self.noted(verdict.full if verdict is not None and telling else "")

    def condition_notes(self, column: ColumnSpec) -> tuple[int, ...]:
        """What the column's values were measured on; differing conditions are listed, and no best is marked then."""
        if not column.measured:
            return ()
        told = self._told(column, conditions)
        if len(told) > 1:
            self.mixed.add(column.key)
            return self.noted(MIXED + _listed(told))
        recipes = self._told(column, recipe)
        return self.noted(*told, *([_listed(recipes)] if len(recipes) > 1 else recipes))

    def _told(self, column: ColumnSpec, tell: Callable[[Record], str]) -> dict[str, list[str]]:
        """What `tell` says of the column's records -> the rows of which it says so."""
        told: dict[str, list[str]] = defaultdict(list)
        for row in self.layout.rows:
            for record in self.done(row.cells.get(column.cell)):
                if row.label not in told[tell(record)]:
                    told[tell(record)].append(row.label)
        told.pop("", None)
        return told

    def row(self, row: RowSpec) -> Row:
        line = self._printed.rows.get(row.published_row or "")
        numbers = told_numbers(self.deviations[one] for one in of_row(row))
        notes = self.noted(
            row.note,
            f"printed values: {line.note}" if line and line.note else "",
            f"deviations {numbers} below" if numbers else "",
        )
        cells = tuple(self.cell(row, column) for column in self.layout.columns)
        return Row(
            row.key, row.label, SECTIONS[row.section], cells, notes, row.section != "quoted", row.baseline, numbers
        )

    def cell(self, row: RowSpec, column: ColumnSpec) -> Cell:
        kind, *parts = column.source.split(":")
        if kind == "record":
            return self._measured(row, column, parts[0], parts[1])
        if kind in ("gain", "ratio"):
            return self._compared(row, column, kind, parts[0], parts[1])
        if column.key in row.reasons:
            return self._empty(row.reasons[column.key])
        if row.published_row is None:
            return self._empty("not published: no paper prints this row")
        table = published.load(parts[0]) if len(parts) == 2 else self._printed
        if kind == "published":
            return self._published(row.published_row, table, parts[-1])
        return self._derived(row, table, kind, parts[-1], column)

    def _published(self, key: str, table: PublishedTable, names: str) -> Cell:
        if key not in table.rows:
            return self._empty(f"not published: {table.stem} does not list this network")
        values = [table.value(key, name) for name in names.split("*")]
        found = [value for value in values if value is not None]
        if not found:
            return self._empty("not published: the paper leaves this value out, or it could not be read")
        numbers = [value.number for value in found if value.number is not None]
        number = math.prod(numbers) if len(numbers) == len(values) else None
        counted = self._counted.get((key, names.partition("*")[0])) if table is self._printed else None
        verdict = counted.verdict if counted else None
        sign = verdict.sign if verdict else ""
        text = " × ".join("N/A" if value is None else value.text for value in values)
        records = (counted.record,) if counted and counted.record else ()
        return Cell("published", text, number, sign, notes=self._note_of(verdict), records=records, verdict=verdict)

    def _derived(self, row: RowSpec, table: PublishedTable, kind: str, name: str, column: ColumnSpec) -> Cell:
        base = self.layout.row(row.baseline).published_row if row.baseline else None
        if base is None or row.published_row is None:
            return self._empty(column.absent)
        if row.published_row not in table.rows or base not in table.rows:
            return self._empty(f"not published: {table.stem} does not list this network")
        compute = table.difference if kind == "difference" else table.ratio
        value = compute(row.published_row, base, name)
        if value is None:
            return self._empty("not published: one of the two values is not printed")
        sign = "+" if kind == "difference" else ""
        verdict = of_printed_gain(table, row.published_row, base, name) if kind == "difference" else None
        return Cell(
            "derived",
            f"{value:{sign}.{column.digits}f}",
            value,
            spread=verdict.sign if verdict else "",
            notes=self._note_of(verdict),
            verdict=verdict,
        )

    def done(self, experiment: Experiment | None) -> list[Record]:
        """One finished record a seed."""
        return finishing(self._by_id.get(experiment.id, [])) if experiment else []

    def _measured(self, row: RowSpec, column: ColumnSpec, cell: str, path: str) -> Cell:
        experiment = row.cells.get(cell)
        done = self.done(experiment)
        if experiment is None or not done:
            return self._without_record(row, column, cell, experiment)
        found = [look_up(record.results, path) for record in done]
        values = [value * column.scale for value in found if isinstance(value, int | float)]
        names = tuple(record.name for record in done)
        if len(values) < len(found):
            return replace(self._empty(row.reasons.get(column.key, column.absent)), records=names)
        mean, spread = fmean(values), spread_of_seeds(values, column) or spread_of_repeats(done[0], column)
        verdict, notes = of_measured(self.layout, row, column, values, done), self._trouble(experiment, done)
        if path == PATH:
            sat = sittings(done[0], (*done[1:], *self.shared.get(experiment.id, ())))
            mean, verdict = sat.ratio, forbidden(experiment, sat.ratio) or verdict
            if len(sat.records) > 1:
                ends = f"{sat.low:.{column.digits}f} to {sat.high:.{column.digits}f}"
                spread = f"({ends}, {len(sat.records)} sittings)"
            notes += self.noted(SITTINGS + sat.told if len(sat.records) > 1 else ONE_SITTING)
        notes += self.noted(row.explained.get(column.key, "")) + self._note_of(verdict)
        told = " ".join(filter(None, (spread, verdict.sign if verdict else "")))
        return Cell("measured", f"{mean:.{column.digits}f}", mean, told, notes=notes, records=names, verdict=verdict)

    def _compared(self, row: RowSpec, column: ColumnSpec, kind: str, cell: str, path: str) -> Cell:
        """The row's number minus, or over, that of its baseline."""
        if row.baseline is None:
            return self._empty(row.reasons.get(column.key, column.absent))
        base = self.layout.row(row.baseline)
        for needed in (row, base):
            if not self.done(needed.cells.get(cell)):
                return self._without_record(needed, column, cell, needed.cells.get(cell))
        here, there = self.done(row.cells[cell]), self.done(base.cells[cell])
        found = gain(here, there, column, path) if kind == "gain" else ratio(here, there, path)
        if found is None:
            return self._empty(row.reasons.get(column.key, column.absent))
        value, interval = found
        own = self._own.get((row.key, column.key)) if kind == "gain" else None
        if own is not None:
            word = "" if own.word == "undecided" else f" {own.word}"
            value, interval = own.value * column.scale, f"±{own.half * column.scale:.{column.digits}f}{word}"
        names = tuple(dict.fromkeys(record.name for record in (*here, *there)))
        sign = "+" if kind == "gain" else ""
        return Cell("measured", f"{value:{sign}.{column.digits}f}", value, interval, records=names)

    def _trouble(self, experiment: Experiment, done: Sequence[Record]) -> tuple[int, ...]:
        """Footnotes on seeds that failed and on videos that were left out."""
        texts = [
            f"seed {record.seed} failed: {record.reason}"
            for record in self._by_id[experiment.id]
            if record.status == "failed" and record.seed not in {other.seed for other in done}
        ]
        for record in done:
            left_out = record.results.get("left_out") or []
            if left_out:
                total = len(left_out) + int(record.results["videos"])
                texts.append(
                    f"{len(left_out)} of {total} videos could not be read and are left out (named in the record)"
                )
        return self.noted(*dict.fromkeys(texts))

    def _without_record(self, row: RowSpec, column: ColumnSpec, cell: str, experiment: Experiment | None) -> Cell:
        if experiment is None:
            reason = row.reasons.get(column.key) or row.reasons.get(cell)
            return self._empty(reason or (row.quoted_reason if row.quoted_network else "not applicable"))
        failed = [record for record in self._by_id.get(experiment.id, []) if record.status == "failed"]
        if failed:
            return replace(self._empty(f"failed: {failed[-1].reason}"), records=(failed[-1].name,))
        if experiment.id in self.running:
            return self._empty("running, or interrupted: a second start of the same command resumes it")
        reason = (
            row.reasons.get(column.key)
            or row.reasons.get(cell)
            or self._other_protocol(row, cell, experiment)
            or self._without_data(experiment)
        )
        return self._empty(reason or f"not run: {self.layout.command('run')}")

    def _without_data(self, experiment: Experiment) -> str:
        needed = getattr(experiment.measure, "datasets", ())
        dataset = next((name for name in needed if name in self.unconfigured), None)
        if dataset is None:
            return ""
        add = f"python -m repro data add {dataset} --root DIR --annotations FILE"
        return f"not run: {dataset} is not configured ({add})"

    def _other_protocol(self, row: RowSpec, cell: str, experiment: Experiment) -> str:
        """The reason when a record of this place exists whose spec is another one."""
        others = self._by_place.get((self.layout.paper, self.layout.name, row.key, cell))
        if not others:
            return ""
        differences = list(diff(others[-1].spec, to_dict(experiment)).items())[:3]
        told = ", ".join(f"{name} {old!r} there, {new!r} here" for name, (old, new) in differences)
        return f"protocol differs: the stored record {others[-1].name} has {told}"

    def _empty(self, reason: str) -> Cell:
        short = next((text for start, text in _SHORT.items() if reason.startswith(start)), "none")
        notes = self.noted("" if reason in {"not run", "not applicable"} else reason)
        return Cell("reason", short, reason=reason, notes=notes)


def _listed(told: Mapping[str, Sequence[str]]) -> str:
    return "; ".join(f"{', '.join(labels)}: {text}" for text, labels in told.items())
