"""One job is run, and what came of it becomes its record; what fails becomes a record that says why.

Importing this imports no torch: `execute` does, in the worker that runs the job.
"""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from repro import registry
from repro.core import lease, paths, stop_signal
from repro.core.environment import command, environment, git_state, packages
from repro.core.errors import BadOption, ReproError
from repro.core.plain_text import one_line
from repro.core.spec import Speed, Static, to_dict
from repro.engine.execution import Execution, Files
from repro.records import store
from repro.records.index import Index
from repro.records.schema import Record
from repro.runner.jobs import Job, record_of


def execute(
    job: Job,
    how: Execution,
    *,
    replace: bool = False,
    index: Index | None = None,
    files: Files = Files(),
) -> Record:
    """Run one job and write its record below the root of `index`, by default among the results.

    An error of the measurement becomes a failed record; Ctrl-C and `Stopped` pass through, and leave what is needed to
    go on. No two processes measure a cell at the same time: the second waits, and takes over the record of the first.
    """
    import torch

    from repro.engine.distributed import hold_together

    if how.threads:
        torch.set_num_threads(how.threads)
    index = Index(store.default_root(job.smoke)) if index is None else index
    replace = replace or job.again
    run = Attempt(job, how, replace, index, files)
    try:
        with hold_together(run.ranks, job.experiment.id, job.seed, on_wait=run.wait) as before:
            goes_on = before is not None and before.job is not None and before.job == paths.scheduler_job()
            if replace and not goes_on and run.ranks.rank == 0:
                shutil.rmtree(run.work, ignore_errors=True)
            return run.record()
    except store.RecordExists:
        found = run.finished()
        if found is None:
            raise
        return run.ranks.share(found)  # the others ask for it in `record`


class Attempt:
    """One job on its way to a record."""

    def __init__(self, job: Job, how: Execution, replace: bool, index: Index, files: Files) -> None:
        from repro.engine.distributed import Ranks

        self.job, self.replace, self.index, self.files = job, replace, index, files
        self.how = dataclasses.replace(how, on_progress=self.report)
        self.listener = how.report
        self.ranks = Ranks.current()
        self.work = paths.work(job.experiment.id, job.seed)

    def wait(self) -> None:
        """While another process has the cell: until that one has its record."""
        if not self.replace and self.finished() is not None:
            raise store.RecordExists(f"{self.job.name} was finished by another process")
        self.report({"phase": lease.waited_for(self.job.experiment.id, self.job.seed)})

    def report(self, facts: dict[str, Any]) -> None:
        """Progress; ends work that nothing is saved of when a stop is requested. Training saves its state first."""
        if stop_signal.requested() and facts.get("phase") != "train":
            raise stop_signal.Stopped
        self.listener(facts)

    def finished(self) -> Record | None:
        """The record of this job, if some process has finished it."""
        found = record_of(self.job, self.index.refresh())
        return found if found is not None and found.status == "done" else None

    def record(self) -> Record:
        """What another process has found meanwhile, else what is measured now."""
        from repro.engine import process_group

        elsewhere = self.ranks.share(None if self.replace else self.finished())
        if elsewhere is not None:
            self._clear_work()  # of one that was killed when its record was there
            return elsewhere
        began, clock = datetime.now(UTC), time.monotonic()
        process_group.enter(lambda why: self._keep(failure(self.job, why), None))
        found, reason = cast(dict[str, Any], {}), None
        if self.ranks.rank == 0 or self.job.kind == "accuracy":  # the others process 0 measures alone
            found, reason = self._tried()
        reason = process_group.meet(reason)
        made = None
        if self.ranks.rank == 0:
            with self._as_measured():
                facts = environment(self.how.device, self.how.threads)
            took = time.monotonic() - clock
            try:
                made = compose(self.job, found, reason, facts, began, took)
            except ValueError as error:  # what was measured is nothing that a record holds; the work folder stays
                told = f"what was measured cannot be recorded: {one_line(str(error))[:500]}"
                made = compose(self.job, {}, told, facts, began, took)
            made = self._keep(made, found.get("scores_path"))
            if made.status == "done":
                self._clear_work()
        return cast(Record, self.ranks.share(made))

    def _clear_work(self) -> None:
        if self.ranks.rank == 0:
            shutil.rmtree(self.work, ignore_errors=True)

    def _as_measured(self) -> contextlib.AbstractContextManager[None]:
        """The switches of torch that the job is measured under."""
        import torch

        from repro.models.device import deterministic, timed_arithmetic

        measure = self.job.experiment.measure
        if isinstance(measure, Speed):
            return timed_arithmetic(measure.precision, self.how.device)
        return contextlib.nullcontext() if isinstance(measure, Static) else deterministic(torch.device(self.how.device))

    def _keep(self, made: Record, scores: Path | None) -> Record:
        """Write the record and return the one that counts. A failed second attempt is told, and not written over the
        good record that is there.
        """
        there = self.finished()
        if there is not None and not self.replace:
            return there
        if there is not None and made.status == "failed":
            return made
        over = self.replace or self.job.kind == "speed"  # a finished time that lies here is another machine's
        with contextlib.suppress(store.RecordExists):  # finished by another process at this very moment
            store.write(made, self.index.root, scores=scores, replace=over)
        return made

    def _tried(self) -> tuple[dict[str, Any], str | None]:
        """What was found, and otherwise why not."""
        try:
            return self.measure(), None
        except ReproError as error:
            return {}, str(error)
        except Exception as error:
            if stop_signal.requested():  # the other processes were stopped too: what was lost with them is no failure
                raise stop_signal.Stopped from error
            last = traceback.extract_tb(error.__traceback__)[-1]
            where = registry.place_of(error) or f" ({Path(last.filename).name}:{last.lineno})"
            return {}, f"{type(error).__name__}: {error}{where}"

    def measure(self) -> dict[str, Any]:
        """What goes into the record: results, and for an accuracy what they depend on."""
        model, measure = self.job.experiment.model, self.job.experiment.measure
        if model.code and model.code != registry.code_of(model.name, model.backbone, model.method):
            raise BadOption(f"the user's file of {self.job.name} has changed since this run began", fix="run it again")
        if isinstance(measure, Static):
            from repro.cost.macs import measure_static

            return {"results": measure_static(model, measure)}
        if isinstance(measure, Speed):
            if measure.form == "compact":
                from repro.cost.compact import measure_compact as timed
            else:
                from repro.cost.speed import measure_speed as timed

            return {"results": timed(model, measure, device=self.how.device, threads=self.how.threads)}
        from repro.engine.accuracy import measure_accuracy

        return measure_accuracy(model, measure, self.job.seed, self.work, self.how, self.files)


def write_failure(job: Job, reason: str, *, replace: bool = False) -> Record:
    """The record of a job whose process died and could not write its own."""
    made = failure(job, reason)
    with contextlib.suppress(store.RecordExists):  # another process has finished it meanwhile
        store.write(made, store.default_root(job.smoke), replace=replace)
    return made


def failure(job: Job, reason: str) -> Record:
    """What is recorded of a job whose process died, or waits for one that did."""
    return compose(job, {}, reason, {"packages": packages(), "git": dict(git_state())}, datetime.now(UTC), 0.0)


def compose(
    job: Job,
    found: dict[str, Any],
    reason: str | None,
    facts: dict[str, Any],
    began: datetime,
    wall_s: float,
) -> Record:
    """The record of one attempt, failed if there is a `reason`; `found` is what was measured, `facts` on what."""
    return Record(
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
