"""One job is run, and what came of it becomes its record; what fails becomes a record that says why.

Importing this imports no torch: `execute` does, in the worker that runs the job.
"""

from __future__ import annotations

import contextlib
import shutil
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from repro import registry
from repro.core import paths, stop_signal
from repro.core.errors import ReproError
from repro.core.spec import Speed, Static, to_dict
from repro.records import store
from repro.runner.jobs import Job, found_record, from_elsewhere, place_of, records_root, state_of

Progress = Callable[[dict[str, Any]], None]


_WAITING = "waiting for another run"


def execute(
    job: Job,
    *,
    device: str,
    threads: int | None,
    on_progress: Progress | None = None,
    replace: bool = False,
    root: Path | None = None,
    **options: Any,
) -> store.Record:
    """Run one job and write its record, below `root` if it is given. `options` go to an accuracy measurement.

    An error of the measurement becomes a failed record; Ctrl-C and `Stopped` pass through, and leave what is needed to
    go on. No two processes measure a cell at the same time: the second waits, and takes over the record of the first.
    """
    import torch

    from repro.engine.distributed import Ranks, hold_together

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
    except store.RecordExists:
        found = _finished(job, root)
        if found is None:
            raise
        return ranks.share(found)  # the others ask for it in `_execute`


def _execute(
    job: Job, device: str, threads: int | None, progress: Progress, replace: bool, root: Path, options: dict[str, Any]
) -> store.Record:
    from repro.core.environment import environment
    from repro.engine import process_group
    from repro.engine.distributed import Ranks

    ranks = Ranks.current()
    elsewhere = ranks.share(None if replace else _finished(job, root))
    if elsewhere is not None:
        return elsewhere
    began, clock = datetime.now(UTC), time.monotonic()
    process_group.enter(lambda why: _keep(job, failure(job, why), None, replace, root))
    found, reason = cast(dict[str, Any], {}), None
    if ranks.rank == 0 or job.kind == "accuracy":  # the others process 0 measures alone
        found, reason = _attempt(job, device, threads, progress, options)
    reason = process_group.meet(reason)
    elsewhere = ranks.share(None if replace else _finished(job, root))
    if elsewhere is not None:
        return elsewhere
    made = None
    if ranks.rank == 0:
        made = compose(job, found, reason, environment(device, threads), began, time.monotonic() - clock)
        _keep(job, made, found.get("scores_path"), replace, root)
        if reason is None:
            shutil.rmtree(paths.work(job.experiment.id, job.seed), ignore_errors=True)  # it has served
    return cast(store.Record, ranks.share(made))


def _keep(job: Job, made: store.Record, scores: Path | None, replace: bool, root: Path) -> None:
    """Write the record, unless it is of a failed second attempt: that leaves the good record where it is."""
    if made.status == "failed" and store.state(place_of(job, root)) == "done":
        return
    over = replace or (job.kind == "speed" and from_elsewhere(place_of(job, root)))
    with contextlib.suppress(store.RecordExists):  # finished by another process at this very moment
        store.write(made, root, scores=scores, replace=over)


def _attempt(
    job: Job, device: str, threads: int | None, on_progress: Progress, options: dict[str, Any]
) -> tuple[dict[str, Any], str | None]:
    """What was found, and otherwise why not."""
    try:
        return _measure(job, device, threads, on_progress, options), None
    except ReproError as error:
        return {}, str(error)
    except Exception as error:
        if stop_signal.requested():  # the other processes were stopped too: what was lost with them is no failure
            raise stop_signal.Stopped from error
        last = traceback.extract_tb(error.__traceback__)[-1]
        return {}, f"{type(error).__name__}: {error} ({Path(last.filename).name}:{last.lineno})"


def _finished(job: Job, root: Path) -> store.Record | None:
    """The record of this job, if some process has finished it."""
    found = found_record(job, root)
    return store.load(found) if found and store.state(found) == "done" else None


def _watched(job: Job, root: Path, on_progress: Progress | None, replace: bool) -> Progress:
    """Progress that ends the wait for another run of the same cell as soon as that one has its record, and ends work
    that nothing is saved of when a stop is requested; training saves its state first and stops by itself.
    """

    def report(facts: dict[str, Any]) -> None:
        if facts.get("phase") == _WAITING and not replace and state_of(job, root) == "done":
            raise store.RecordExists(f"{job.name} was finished by another process")
        if stop_signal.requested() and facts.get("phase") != "train":
            raise stop_signal.Stopped
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
    from repro.engine.accuracy import measure_accuracy

    work = paths.work(job.experiment.id, job.seed)
    return measure_accuracy(model, measure, job.seed, work, device=device, on_progress=on_progress, **options)


def write_failure(job: Job, reason: str, *, replace: bool = False) -> store.Record:
    """The record of a job whose process died and could not write its own."""
    made = failure(job, reason)
    with contextlib.suppress(store.RecordExists):  # another process has finished it meanwhile
        store.write(made, store.default_root(job.smoke), replace=replace)
    return made


def failure(job: Job, reason: str) -> store.Record:
    """What is recorded of a job whose process died, or waits for one that did."""
    from repro.core.environment import git_state, packages

    return compose(job, {}, reason, {"packages": packages(), "git": dict(git_state())}, datetime.now(UTC), 0.0)


def compose(
    job: Job,
    found: dict[str, Any],
    reason: str | None,
    facts: dict[str, Any],
    began: datetime,
    wall_s: float,
) -> store.Record:
    """The record of one attempt, failed if there is a `reason`; `found` is what was measured, `facts` on what."""
    from repro.core.environment import command

    return store.Record(
        id=job.experiment.id,
        paper=job.paper,
        table=job.table,
        row=job.row,
        cell=job.cell,
        kind=job.kind,
        seed=job.seed,
        status="done" if reason is None else "failed",
        reason=reason,
        smoke=job.smoke,
        spec=to_dict(job.experiment),
        results=found.get("results", {}),
        effective=found.get("effective", {}),
        weights_sha256=found.get("weights_sha256"),
        dataset=found.get("dataset"),
        decoder=found.get("decoder"),
        environment=facts,
        command=command(),
        modules={Path(path).name: digest for path, digest in registry.loaded_modules.items()},
        started=began.isoformat(timespec="seconds"),
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
        wall_s=round(wall_s, 2),
        curve=found.get("curve", []),
    )
