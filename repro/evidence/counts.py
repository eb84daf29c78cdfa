"""One verdict for each count that a paper prints: parameters, GFLOPs, and what else a table's file names as a reading.

GFLOPs are held against the nearest of three counters, at the first input of the row's cell: `input`, or `static` where
there is none. Parameters are those of the same network. A table's `readings` say what else a printed count is of. What
depends on the data is judged by nobody who has not the data: it is named, with what it depends on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from repro.core.words import many
from repro.evidence import verdicts
from repro.evidence.aggregate import Done
from repro.evidence.metric import look_up
from repro.evidence.verdicts import Verdict
from repro.papers import published
from repro.papers.published import PublishedTable, Value
from repro.papers.table import PROBE, Reading, RowSpec, TableSpec
from repro.records.schema import Record

#: printed columns that are counts in every table
COLUMNS = ("gflops", "params_m")
#: key in a record -> name of the counter
COUNTERS = {"gmacs": "torch.utils.flop_counter", "fvcore": "fvcore", "ptflops": "ptflops"}


@dataclass(frozen=True)
class Counted:
    """A printed count and its verdict."""

    table: str
    row: str
    column: str
    """In the table's CSV."""
    printed: Value
    verdict: Verdict
    record: str = ""
    """Name of the record that counted."""


def counts(layout: TableSpec, done: Done) -> list[Counted]:
    """The printed counts of a table, row by row; one whose cell is not measured yet is left out."""
    printed = published.load(layout.published_csv)
    found = []
    for row in layout.rows:
        if row.published_row is not None:
            columns = dict.fromkeys((*COLUMNS, *row.readings))
            found += [one for name in columns if (one := _counted(layout, row, name, printed, done))]
    return found


def _counted(layout: TableSpec, row: RowSpec, column: str, printed: PublishedTable, done: Done) -> Counted | None:
    value = printed.number(row.published_row, column)
    if value is None:
        return None
    reading = row.readings.get(column, Reading())
    why, here = row.explained.get(column, ""), (layout.full_name, row.key, column, value)
    if reading.needs:
        told = " ".join(text for text in (reading.needs, why, _on_probes(row, done)) if text)
        return Counted(*here, Verdict("data", f"{value.text} printed; {told}"))
    if not row.cells:
        return Counted(*here, Verdict("data", f"{value.text} printed; {row.quoted_reason.removeprefix('not run: ')}"))
    cell, path = _source(row, column, reading)
    records = done(row.cells.get(cell))
    if not records:
        return None
    found, at = _numbers(records[-1], path, reading)
    if not found:
        return None
    if reading.plus:
        base = printed.value(reading.plus, column)
        assert base is not None and base.number is not None
        found = {name: number + base.number for name, number in found.items()}
    at = ", ".join(text for text in (at, reading.says) if text)
    return Counted(*here, verdicts.of_count(found, value, at, why), records[-1].name)


def _source(row: RowSpec, column: str, reading: Reading) -> tuple[str, str]:
    """Cell and path of the count."""
    if reading.source:
        cell, _, path = reading.source.partition(":")
        return cell, path
    if column == "gflops":
        return ("input" if "input" in row.cells else "static"), "sizes"
    return "static", "params"


def _numbers(record: Record, path: str, reading: Reading) -> tuple[dict[str, float], str]:
    """Counter -> number in the printed unit, and what it is of."""
    model, measure = record.spec["model"], record.spec["measure"]
    if path == "sizes":
        size, clips = str(measure["sizes"][0]), reading.times
        frames = many(model["frames"], "frame")
        at = f"{frames} of {size}x{size}" + (f", {clips} clips" if clips > 1 else "")
        counted = record.results["sizes"][size]
        return {name: counted[key] * clips for key, name in COUNTERS.items() if counted.get(key) is not None}, at
    number = look_up(record.results, path)
    millions = "param" in path
    at = f"{model['num_classes']} classes" if path == "params" else ""
    if number is None:
        return {}, at
    return {"numel" if millions else "inspection": number * (1e-6 if millions else 1)}, at


def _on_probes(row: RowSpec, done: Done) -> str:
    """What the small form of the row spends on small datasets, as a share of its cost when nothing is saved."""
    told = []
    for cell, experiment in row.cells.items():
        shares = [share for record in done(experiment) if (share := _share(record.results)) is not None]
        if shares and getattr(experiment.measure, "dataset", "").startswith(PROBE):
            told.append(f"{100 * fmean(shares):.1f} % on {cell} ({many(len(shares), 'seed')})")
    return f"Of its cost with nothing saved our small network spends {', '.join(told)}." if told else ""


def _share(results: Mapping[str, Any]) -> float | None:
    spent, whole = (look_up(results, f"cost.{path}") for path in ("mean.gmacs", "facts.gmacs_base"))
    return float(spent) / float(whole) if spent is not None and whole else None
