"""Many tables and records made of those in the checkout: copied, and each copy's experiments made other ones.

As a program (of the bench): `many.py write FORM COUNT` stores so many records in the results folder, `many.py report
FORM COUNT FILE` makes the report of them and prints its CPU seconds, its peak memory in MiB, and whether torch came in.
FORM is `seeds` (the suite's tables, more seeds of each record) or `tables` (copies of all tables).
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from repro import papers
from repro.core import paths
from repro.core.spec import Experiment, replace, to_dict
from repro.papers.table import RowSpec, TableSpec
from repro.records import store
from repro.records.schema import Record
from repro.records.store import load_all


@cache
def originals() -> tuple[list[TableSpec], list[Record]]:
    """All tables of the suite, and the records that come with the checkout."""
    return [papers.find(name) for name in papers.TABLES], load_all(paths.published().parent / "records").records


def many(at_least: int) -> tuple[list[TableSpec], list[Record]]:
    """So many whole copies of the suite's tables that there are `at_least` records."""
    layouts, records = originals()
    made: tuple[list[TableSpec], list[Record]] = ([], [])
    for number in range(-(-at_least // len(records))):
        copied, measured = copy(layouts, records, number)
        made[0].extend(copied)
        made[1].extend(measured)
    return made


def copy(layouts: Sequence[TableSpec], records: Sequence[Record], number: int) -> tuple[list[TableSpec], list[Record]]:
    """The tables under another name, with experiments that differ in a digit of dropout, and their records."""

    def other(experiment: Experiment) -> Experiment:
        model = experiment.model
        return replace(experiment, model=replace(model, dropout=model.dropout + number * 1e-6))

    def row(one: RowSpec) -> RowSpec:
        return replace(one, cells={name: other(experiment) for name, experiment in one.cells.items()})

    tables = [replace(table, name=f"{table.name}.{number}", rows=tuple(map(row, table.rows))) for table in layouts]
    measured = []
    for record in records:
        experiment = other(record.experiment())
        changes = {"id": experiment.id, "spec": to_dict(experiment), "table": f"{record.table}.{number}"}
        measured.append(record.model_copy(update=changes | {"scores": None}))
    return tables, measured


def seeds(at_least: int) -> tuple[list[TableSpec], list[Record]]:
    """The suite's tables, with so many seeds of each record that there are `at_least`."""
    layouts, records = originals()
    times = -(-at_least // len(records))
    more = [{"seed": 1000 * number, "scores": None} for number in range(times)]
    return layouts, [
        one.model_copy(update={**change, "seed": change["seed"] + one.seed}) for one in records for change in more
    ]


def _write(records: Sequence[Record]) -> None:
    os.fsync = lambda handle: None  # type: ignore[assignment, misc]
    for one in records:
        store.write(one)


def _report(layouts: Sequence[TableSpec], target: Path) -> None:
    from repro.records.index import Index
    from repro.report import write_report

    began = time.process_time()
    write_report(target, layouts, Index())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": time.process_time() - began, "mib": peak, "torch": "torch" in sys.modules}))


if __name__ == "__main__":
    form = {"seeds": seeds, "tables": many}[sys.argv[2]]
    if sys.argv[1] == "write":
        _write(form(int(sys.argv[3]))[1])
    else:  # the layouts alone: the records are read from the folder
        count = int(sys.argv[3])
        _report(originals()[0] if sys.argv[2] == "seeds" else many(count)[0], Path(sys.argv[4]))
