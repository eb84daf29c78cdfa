"""A table's cells as jobs: what is done is skipped, what fails becomes a record that says why.

The only module that knows all stages. Importing it imports no torch: `execute` does, in the worker that runs the job.
"""

from __future__ import annotations

import contextlib
import shutil
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, cast

from repro import paths, record, stopping
from repro.errors import ReproError, UnknownName
from repro.outcome import compose, failure
from repro.papers.layout import RowSpec, TableSpec
from repro.spec import Accuracy, Experiment, Speed, Static, experiment_from_dict, to_dict

Progress = Callable[[dict[str, Any]], None]

#: seconds a job of a kind takes until one of its kind has been seen; only the ETA uses it
EXPECTED_SECONDS = {"static": 6.0, "speed": 15.0, "accuracy": 90.0}

_WAITING = "waiting for another run"


@dataclass(frozen=True)
class Job:
    """One cell of one row at one seed."""

    paper: str
    table: str
    row: str
    cell: str
    experiment: Experiment
    seed: int = 0
    smoke: bool = False

    @property
    def kind(self) -> Literal["static", "speed", "accuracy"]:
        """static, speed or accuracy."""
        return self.experiment.measure.kind  # type: ignore[return-value]

    @property
    def name(self) -> str:
        """How progress and messages call it."""
        return f"{self.row} {self.cell}" + (f" seed {self.seed}" if self.seed else "")

    def to_message(self) -> dict[str, Any]:
        """Plain data for another process; `from_message` is the inverse."""
        plain = {field.name: getattr(self, field.name) for field in fields(self)}
        return {**plain, "experiment": to_dict(self.experiment)}

    @staticmethod
    def from_message(message: dict[str, Any]) -> Job:
        """The job that `to_message` described."""
        return Job(**{**message, "experiment": experiment_from_dict(message["experiment"])})


def records_root(smoke: bool) -> Path:
    """Smoke records never lie beside results."""
    return record.default_root(smoke)


def jobs_of(
    table: TableSpec,
    *,
    rows: Iterable[str] = (),
    cells: Iterable[str] = (),
    seeds: int | Sequence[int] | None = None,
    smoke: bool = False,
) -> list[Job]:
    """The jobs that this machine can run, cheapest kind first. A cell whose dataset is not configured is no job.

    Trainings run with seeds 0 to `seeds` - 1, by default as many as the table asks for, or with those of a list.
    """
    chosen = _choose("row", rows, [row.key for row in table.rows])
    wanted = _choose("cell", cells, sorted({cell for row in table.rows for cell in row.cells}))
    found = []
    for row in table.rows:
        for cell, experiment in row.cells.items():
            if row.key not in chosen or cell not in wanted or not runnable(experiment):
                continue
            wished = _seeds_of(table, row, cell) if seeds is None else seeds
            trained = range(wished) if isinstance(wished, int) else wished
            for seed in trained if isinstance(experiment.measure, Accuracy) else (0,):
                found.append(Job(table.paper, table.name, row.key, cell, experiment, seed, smoke))
    order = list(EXPECTED_SECONDS)
    return sorted(found, key=lambda job: order.index(job.kind))


def _seeds_of(table: TableSpec, row: RowSpec, cell: str) -> int:
    """How many seeds a cell is trained with; a quoted network's small form with one."""
    return 1 if row.section == "quoted" else table.seeds.get(cell, 1)


def _choose(kind: str, names: Iterable[str], known: list[str]) -> set[str]:
    chosen = list(names)
    for name in chosen:
        if name not in known:
            raise UnknownName(kind, name, known, fix="python -m repro show TABLE")
    return set(chosen or known)


def runnable(experiment: Experiment) -> bool:
    """Whether its datasets, if it needs any, are at hand."""
    measure = experiment.measure
    if not isinstance(measure, Accuracy):
        return True
    from repro.data.datasets import is_configured

    return all(map(is_configured, measure.datasets))


def select(jobs: list[Job], mode: str, root: Path) -> list[Job]:
    """Of these jobs: `missing` (no record), `failed` (last attempt failed), `undone` (both), `force` (all).

    Of rows that share an experiment, the first measures it.
    """
    jobs = list({(job.experiment.id, job.seed): job for job in reversed(jobs)}.values())[::-1]
    if mode == "force":
        return jobs
    wanted = {"missing": {"missing"}, "failed": {"failed"}, "undone": {"missing", "failed"}}[mode]
    known = record.places(root)
    return [job for job in jobs if state_of(job, root, known) in wanted]


def state_of(job: Job, root: Path, known: dict[str, list[Path]] | None = None) -> str:
    """done, failed or missing, whichever table of whichever paper measured it. `known`: `record.places`, read once.

    A time that another machine took counts as missing: speed is a fact of a machine.
    """
    found = _found(job, root, known)
    return record.state(found) if found else "missing"


def _found(job: Job, root: Path, known: dict[str, list[Path]] | None = None) -> Path | None:
    """The job's record, a finished one before a failed one, its own place before other tables'."""
    own = _place(job, root)
    listed = (record.places(root) if known is None else known).get(own.name, [])
    usable = [path for path in listed if not (job.kind == "speed" and from_elsewhere(path))]
    states = {path: record.state(path) for path in sorted(usable, key=lambda path: path != own)}
    for wanted in ("done", "failed"):
        for path, state in states.items():
            if state == wanted:
                return path
    return None


def _place(job: Job, root: Path) -> Path:
    return record.path_of(root, job.paper, job.table, job.row, job.experiment.id, job.seed)


def from_elsewhere(path: Path) -> bool:
    """Whether a finished record was made on another kind of machine than this one."""
    from repro.environment import is_here

    return record.state(path) == "done" and not is_here(record.load(path).environment)


def execute(
    job: Job,
    *,
    device: str,
    threads: int | None,
    on_progress: Progress | None = None,
    replace: bool = False,
    root: Path | None = None,
    **options: Any,
) -> record.Record:
    """Run one job and write its record, below `root` if it is given. `options` go to an accuracy measurement.

    An error of the measurement becomes a failed record; Ctrl-C and `Stopped` pass through, and leave what is needed to
    go on. No two processes measure a cell at the same time: the second waits, and takes over the record of the first.
    """
    import torch

    from repro.distributed import Ranks, hold_together

    ranks = Ranks.current()
    if threads:
        torch.set_num_threads(threads)
    device = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    root = root or records_root(job.smoke)
    progress = _watched(job, root, on_progress, replace)
    try:
        waiting = {"phase": _WAITING}
        with hold_together(ranks, job.experiment.id, job.seed, on_wait=lambda: progress(waiting)) as before:
            goes_on = before is not None and before.job is not None and before.job == paths.scheduler_job()
            if replace and not goes_on and ranks.rank == 0:
                shutil.rmtree(paths.work(job.experiment.id, job.seed), ignore_errors=True)
            return _execute(job, device, threads, progress, replace, root, options)
    except record.RecordExists:
        found = _finished(job, root)
        if found is None:
            raise
        return ranks.share(found)  # the others ask for it in `_execute`


def _execute(
    job: Job, device: str, threads: int | None, progress: Progress, replace: bool, root: Path, options: dict[str, Any]
) -> record.Record:
    from repro import torchrun
    from repro.distributed import Ranks
    from repro.environment import environment

    ranks = Ranks.current()
    elsewhere = ranks.share(None if replace else _finished(job, root))
    if elsewhere is not None:
        return elsewhere
    began, clock = datetime.now(UTC), time.monotonic()
    torchrun.enter(lambda why: _keep(job, failure(job, why), None, replace, root))
    found, reason = cast(dict[str, Any], {}), None
    if ranks.rank == 0 or job.kind == "accuracy":  # the others process 0 measures alone
        found, reason = _attempt(job, device, threads, progress, options)
    reason = torchrun.meet(reason)
    elsewhere = ranks.share(None if replace else _finished(job, root))
    if elsewhere is not None:
        return elsewhere
    made = None
    if ranks.rank == 0:
        made = compose(job, found, reason, environment(device, threads), began, time.monotonic() - clock)
        _keep(job, made, found.get("scores_path"), replace, root)
        if reason is None:
            shutil.rmtree(paths.work(job.experiment.id, job.seed), ignore_errors=True)  # it has served
    return cast(record.Record, ranks.share(made))


def _keep(job: Job, made: record.Record, scores: Path | None, replace: bool, root: Path) -> None:
    """Write the record, unless it is of a failed second attempt: that leaves the good record where it is."""
    if made.status == "failed" and record.state(_place(job, root)) == "done":
        return
    over = replace or (job.kind == "speed" and from_elsewhere(_place(job, root)))
    with contextlib.suppress(record.RecordExists):  # finished by another process at this very moment
        record.write(made, root, scores=scores, replace=over)


def _attempt(
    job: Job, device: str, threads: int | None, on_progress: Progress, options: dict[str, Any]
) -> tuple[dict[str, Any], str | None]:
    """What was found, and otherwise why not."""
    try:
        return _measure(job, device, threads, on_progress, options), None
    except ReproError as error:
        return {}, str(error)
    except Exception as error:
        if stopping.requested():  # the other processes were stopped too: what was lost with them is no failure
            raise stopping.Stopped from error
        last = traceback.extract_tb(error.__traceback__)[-1]
        return {}, f"{type(error).__name__}: {error} ({Path(last.filename).name}:{last.lineno})"


def _finished(job: Job, root: Path) -> record.Record | None:
    """The record of this job, if some process has finished it."""
    found = _found(job, root)
    return record.load(found) if found and record.state(found) == "done" else None


def _watched(job: Job, root: Path, on_progress: Progress | None, replace: bool) -> Progress:
    """Progress that ends the wait for another run of the same cell as soon as that one has its record, and ends work
    that nothing is saved of when a stop is requested; training saves its state first and stops by itself.
    """

    def report(facts: dict[str, Any]) -> None:
        if facts.get("phase") == _WAITING and not replace and state_of(job, root) == "done":
            raise record.RecordExists(f"{job.name} was finished by another process")
        if stopping.requested() and facts.get("phase") != "train":
            raise stopping.Stopped
        if on_progress is not None:
            on_progress(facts)

    return report


def _measure(
    job: Job, device: str, threads: int | None, on_progress: Progress | None, options: dict[str, Any]
) -> dict[str, Any]:
    model, measure = job.experiment.model, job.experiment.measure
    if isinstance(measure, Static):
        from repro.cost.macs import measure_static

        return {"results": measure_static(model, measure)}
    if isinstance(measure, Speed):
        if measure.form == "compact":
            from repro.cost.compact import measure_compact as timed
        else:
            from repro.cost.speed import measure_speed as timed

        return {"results": timed(model, measure, device=device, threads=threads)}
    from repro.accuracy import measure_accuracy

    work = paths.work(job.experiment.id, job.seed)
    return measure_accuracy(model, measure, job.seed, work, device=device, on_progress=on_progress, **options)
