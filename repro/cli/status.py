"""What a table holds and how far it is: the `show` and `status` verbs. Reads records' existence only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cached_property

from rich.console import Console
from rich.table import Table

from repro.cli.progress import time_of
from repro.core import lease, paths
from repro.core.errors import ReproError
from repro.core.spec import Accuracy, Experiment
from repro.core.words import many
from repro.data.datasets import is_configured
from repro.papers.table import RowSpec, TableSpec
from repro.records.index import Index
from repro.runner import slurm
from repro.runner.jobs import Job, expected_seconds, jobs_of, record_of, runnable, select, state_of
from repro.runner.local import State, cores


def render_overview(table: TableSpec, index: Index, console: Console, asked: str) -> None:
    """Title, rows with the state of each cell, reasons, and what the missing cells would cost.

    `asked`: the table as it is asked for on the command line.
    """
    console.print(f"[bold]{table.paper}/{table.name}[/]  {table.title}")
    console.print(table.caption, markup=False)
    grid = Table(box=None, pad_edge=False)
    for heading in ("row", "network", "cells"):
        grid.add_column(heading, overflow="fold")
    jobs = jobs_of(table)
    states = [(job, state_of(job, index)) for job in jobs]
    for row in table.rows:
        told: list[tuple[str, str]] = [(job.cell, state) for job, state in states if job.row == row.key]
        told += [(cell, "waiting for data") for cell, one in row.cells.items() if not runnable(one)]
        grid.add_row(row.key, row.label, _grouped(told) or _without_cells(row))
    console.print(grid)
    for reason in sorted({reason for row in table.rows for reason in row.reasons.values()}):
        console.print(f"- {reason}", markup=False)
    waiting = select(jobs, "undone", index)
    guesses = expected_seconds(waiting, Index(paths.records()))
    left = State(total=len(waiting), waiting=waiting, guesses=guesses).eta(cores())
    rest = f"; the rest would take {time_of(*left)} on {many(cores(), 'core')}" if waiting else ""
    again = f": python -m repro run {asked}" if waiting else ""
    console.print(f"{_measured(states)}{rest}{again}")
    _tell_absent(table, console)


def _measured(states: Sequence[tuple[Job, str]]) -> str:
    """How many cells have their record, and how many of those were measured on this machine."""
    done, own = [job for job, state in states if state == "done"], Index(paths.own())
    here = sum(state_of(job, own) == "done" for job in done)
    told = f", {here or 'none'} of them on this machine" if here < len(done) else ""
    return f"{len(done)} of {many(len(states), 'cell')} measured{told}"


def _grouped(cells: Sequence[tuple[str, str]]) -> str:
    """Cells by their state; of several seeds with how many."""
    parts = []
    for wanted in ("done", "running", "queued", "failed", "missing", "waiting for data"):
        counted = Counter(cell for cell, state in cells if state == wanted)
        told = [cell if count == 1 else f"{cell} ({count} seeds)" for cell, count in counted.items()]
        parts += [f"{wanted}: {' '.join(told)}"] if told else []
    return "   ".join(parts)


def _tell_absent(table: TableSpec, console: Console) -> None:
    """How many cells wait for which data."""
    waiting = Counter(name for row in table.rows for one in row.cells.values() for name in _lacks(one))
    for name, count in sorted(waiting.items()):
        fix = f"python -m repro data add {name} --root DIR --annotations FILE"
        console.print(f"{many(count, 'more cell')} wait{'s' * (count == 1)} for data: {name} ({fix})", markup=False)


def _without_cells(row: RowSpec) -> str:
    """Why nothing of a row is run."""
    if row.imported:
        return row.note
    return row.quoted_reason if row.quoted_network else next(iter(row.reasons.values()), "not applicable")


def _lacks(experiment: Experiment) -> list[str]:
    """Datasets that it needs and that have no place here."""
    names = experiment.measure.datasets if isinstance(experiment.measure, Accuracy) else ()
    return [name for name in dict.fromkeys(names) if not is_configured(name)]


def render_status(table: TableSpec, index: Index, console: Console, *, smoke: bool) -> None:
    """One line a row: done, running, queued, failed and missing cells, with the reason or the place."""
    queue = _Queue()
    for row in table.rows:
        jobs = jobs_of(table, rows=[row.key], smoke=smoke)
        if not jobs:
            continue
        states = [(job, *_progress(job, index, queue)) for job in jobs]
        console.print(f"{row.key:<17} {_grouped([(job.cell, state) for job, state, _ in states])}", markup=False)
        for job, _, note in states:
            if note:
                console.print(f"    {job.name.removeprefix(f'{row.key} ')}: {note}", markup=False)
    if not smoke:
        console.print(_measured([(job, state_of(job, index)) for job in jobs_of(table)]))
        _tell_absent(table, console)


class _Queue:
    """What SLURM has of this user; asked once, and only when some cell was given to it."""

    @cached_property
    def live(self) -> dict[str, str] | None:
        """Number of a job -> its state; None when SLURM cannot be asked from here."""
        try:
            return slurm.live_jobs()
        except ReproError:
            return None

    def note(self, ticket: slurm.Ticket) -> tuple[bool, str]:
        """Whether the job is still to come or running, and what there is to say."""
        if self.live is None:
            return False, f"was given to SLURM as job {ticket.job}, which cannot be asked from here"
        if ticket.job in self.live:
            return True, f"SLURM job {ticket.job}: {self.live[ticket.job]}"
        return False, f"SLURM job {ticket.job} ended without a record: {ticket.log}"


def _progress(job: Job, index: Index, queue: _Queue) -> tuple[str, str]:
    """A cell's state, and what there is to say of it."""
    found = record_of(job, index)
    state = found.status if found else "missing"
    if state == "done":
        return state, ""
    holder, ticket = lease.holder(job.experiment.id, job.seed), slurm.ticket_of(job)
    if holder is not None:
        return "running", f"{holder.text} since {holder.since}"
    if ticket is not None:
        live, note = queue.note(ticket)
        if live or state == "missing":
            return "queued" if live else state, note
    return state, (found.reason or "") if found else ""
