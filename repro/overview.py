"""What a table holds and how far it is: the `show` and `status` verbs. Reads records' existence only."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from repro import record
from repro.launch import State, cores
from repro.papers.layout import TableSpec
from repro.progress import clock
from repro.run import jobs_of, records_root, runnable, state_of
from repro.spec import Accuracy


def render_overview(table: TableSpec, console: Console) -> None:
    """Title, rows with the state of each cell, reasons, and what the missing cells would cost."""
    root = records_root(False)
    console.print(f"[bold]{table.paper}/{table.name}[/]  {table.title}")
    console.print(table.caption, markup=False)
    grid = Table(box=None, pad_edge=False)
    for heading in ("row", "network", "cells"):
        grid.add_column(heading, overflow="fold")
    for row in table.rows:
        states = []
        for cell, experiment in row.cells.items():
            path = record.path_of(root, table.paper, table.name, row.key, experiment.id, 0)
            states.append(f"{cell}: {record.state(path) if runnable(experiment) else 'not configured'}")
        grid.add_row(row.key, row.label, ", ".join(states) or row.quoted_reason)
    console.print(grid)
    for reason in sorted({reason for row in table.rows for reason in row.reasons.values()}):
        console.print(f"- {reason}", markup=False)
    for name in sorted(_absent(table)):
        console.print(f"- {name} is not configured: python -m repro data add {name} --csv FILE.csv", markup=False)
    jobs = jobs_of(table)
    waiting = [job for job in jobs if state_of(job, root) != "done"]
    seconds = State(total=len(waiting), waiting=waiting).eta(cores())
    console.print(
        f"{len(jobs) - len(waiting)} of {len(jobs)} cells measured; the rest would take about {clock(seconds)} minutes "
        f"on {cores()} cores: python -m repro run {table.paper}/{table.name}"
    )


def _absent(table: TableSpec) -> set[str]:
    """Datasets that cells need and that have no place here."""
    experiments = [experiment for row in table.rows for experiment in row.cells.values() if not runnable(experiment)]
    return {e.measure.dataset for e in experiments if isinstance(e.measure, Accuracy)}


def render_status(table: TableSpec, root: Path, console: Console, *, smoke: bool) -> None:
    """One line a row: done, failed and missing cells; failures with their reason."""
    for row in table.rows:
        jobs = [job for job in jobs_of(table, rows=[row.key], smoke=smoke)]
        if not jobs:
            continue
        by_state: dict[str, list[str]] = {"done": [], "failed": [], "missing": []}
        for job in jobs:
            by_state[state_of(job, root)].append(job.cell)
        parts = [f"{state}: {' '.join(cells)}" for state, cells in by_state.items() if cells]
        console.print(f"{row.key:<18}" + "   ".join(parts), markup=False)
        for job in jobs:
            if job.cell in by_state["failed"]:
                made = record.find(job.experiment.id, job.seed, root)
                console.print(f"    {job.cell}: {made.reason if made else 'unreadable record'}", markup=False)
