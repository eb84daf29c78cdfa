"""Jobs on this machine's cores or GPUs: worker processes that outlive a job and are replaced when one dies.

Static and accuracy jobs run side by side, one thread each; a speed job has the machine to itself, with all threads.
With GPUs there is one worker a device, which sees no other.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from repro import registry
from repro.core import paths, stop_signal
from repro.core.environment import machine
from repro.core.errors import ReproError
from repro.data import user_data
from repro.engine.execution import Execution
from repro.records import store
from repro.records.index import Index
from repro.report.provenance import headline
from repro.runner.execute import execute, write_failure
from repro.runner.jobs import EXPECTED_SECONDS, Job, first_guess

#: a step of training and its checkpoint fit into this, where a run is interrupted
_GRACE_S = 5.0


def cores() -> int:
    """Processors that this process may use."""
    return machine()[1]


@dataclass
class Worker:
    """A process that runs one job at a time."""

    process: BaseProcess
    pipe: Connection
    gpu: str | None = None
    job: Job | None = None
    began: float = 0.0
    note: str = ""
    sitting: int | None = None
    """Of the times that it has taken."""


#: seconds of a kind's jobs as guessed that weigh as much as what was seen
_TRUSTED_S = 60.0


@dataclass
class State:
    """What a progress display shows: who does what, what is left, and how long that takes."""

    total: int
    done: int = 0
    failed: int = 0
    waiting: list[Job] = field(default_factory=list)
    workers: list[Worker] = field(default_factory=list)
    guesses: Mapping[tuple[str, int], float] = field(default_factory=dict)
    """Key of a job -> seconds that it took elsewhere."""
    seen: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Kind -> seconds of the jobs that have finished, and what was guessed of them."""

    unguessed: list[float] = field(default_factory=list)
    """Seconds of the jobs that have finished and of which nothing was guessed."""

    def guess(self, job: Job) -> float | None:
        """Before any job of its kind has finished."""
        return self.guesses[job.key] if job.key in self.guesses else first_guess(job)

    def expected(self, job: Job) -> float | None:
        """The guess, as far as the jobs of this kind that have finished took longer or less than theirs: a first short
        one, which starts its process too, says little. Without a guess what its like took; None before any has.
        """
        guess = self.guess(job)
        if guess is None:
            return sum(self.unguessed) / len(self.unguessed) if self.unguessed else None
        took, guessed = self.seen.get(job.kind, (0.0, 0.0))
        return guess * (took + _TRUSTED_S) / (guessed + _TRUSTED_S)

    def count(self, job: Job, status: str, seconds: float) -> None:
        """A job has ended."""
        if status != "done":
            self.failed += 1
            return
        self.done += 1
        guess = self.guess(job)
        if guess is None:
            self.unguessed.append(seconds)
        else:
            took, guessed = self.seen.get(job.kind, (0.0, 0.0))
            self.seen[job.kind] = took + seconds, guessed + guess

    def eta(self, width: int) -> tuple[float, int]:
        """Seconds until all is done, by kind (speed jobs run alone, the others `width` at a time), but for the number
        of jobs of which that cannot be told.
        """
        now = time.monotonic()
        left = [(job, self.expected(job), 0.0) for job in self.waiting]
        left += [(w.job, self.expected(w.job), now - w.began) for w in self.workers if w.job is not None]
        told = [(job, max(1.0, seconds - passed)) for job, seconds, passed in left if seconds is not None]
        return sum(seconds / (1 if job.kind == "speed" else width) for job, seconds in told), len(left) - len(told)


Event = Callable[[str, State, dict[str, Any]], None]


def run_local(
    jobs: list[Job],
    *,
    device: str,
    width: int | None,
    replace: bool,
    on_event: Event,
    gpus: Sequence[str] = (),
    time_together: bool = False,
    expected: Mapping[tuple[str, int], float] | None = None,
) -> State:
    """Run all jobs; `on_event(what, state, facts)` with what = start, progress, done, failed, tick.

    `width` jobs side by side, or one on each of `gpus` (ids as CUDA_VISIBLE_DEVICES has them); speed jobs one at a
    time, unless `time_together`. `expected`: key of a job -> seconds that it took elsewhere.

    On Ctrl-C the workers are ended and KeyboardInterrupt passes on; what was recorded stays, training resumes. On a
    request to stop running trainings save their state, then `Stopped`.
    """
    state = State(total=len(jobs), waiting=list(jobs), guesses=expected or {})
    places: list[str | None] = [*gpus] if gpus else [None] * (width or cores())
    try:
        with stop_signal.watching():
            for kind in EXPECTED_SECONDS:
                count = sum(job.kind == kind for job in state.waiting)
                alone = kind == "speed" and not time_together
                threads = cores() if alone else cores() // len(places) if kind == "speed" else 1
                if count:
                    _resize(state, places[: 1 if alone else count])
                    _run_phase(state, kind, max(1, threads), device, replace, on_event)
    finally:
        _end(state.workers)
        state.workers.clear()
    return state


def agreed(jobs: list[Job]) -> list[Job]:
    """The jobs that process 0 of torchrun's sees; alone, these."""
    if paths.torchrun() is None:
        return jobs
    from repro.engine.distributed import Ranks

    return [Job.from_message(message) for message in Ranks.current().share([job.to_message() for job in jobs])]


def run_together(jobs: list[Job], *, device: str, replace: bool, on_event: Event) -> State:
    """Run one job after the other, each on all processes that torchrun started; only process 0 has events.

    On a request to stop (`repro.core.stop_signal`) a training saves its state, then `Stopped`.
    """
    index = Index(store.default_root(jobs[0].smoke))
    here = Worker(multiprocessing.current_process(), multiprocessing.Pipe()[0])
    state = State(total=len(jobs), waiting=list(jobs), workers=[here])

    def progress(facts: dict[str, Any]) -> None:
        here.note = note_of(facts)
        on_event("tick", state, {})

    with stop_signal.watching():
        for job in jobs:
            state.waiting.remove(job)
            here.job, here.began, here.note = job, time.monotonic(), ""
            on_event("start", state, {"job": job})
            made = execute(job, Execution(device=device, on_progress=progress), replace=replace, index=index)
            seconds = time.monotonic() - here.began
            state.count(job, made.status, seconds)
            here.job = None
            facts = {"job": job, "reason": made.reason, "found": headline(made), "seconds": seconds}
            on_event(made.status, state, facts)
    return state


def _run_phase(state: State, kind: str, threads: int, device: str, replace: bool, on_event: Event) -> None:
    told: list[Worker] = []
    while True:
        for worker in state.workers:
            if stop_signal.requested():
                if worker not in told and worker.process.is_alive():
                    worker.process.terminate()
                    told.append(worker)
            elif worker.job is None:
                _assign(state, worker, kind, threads, device, replace, on_event)
        busy = [worker for worker in state.workers if worker.job is not None]
        if not busy and stop_signal.requested():
            raise stop_signal.Stopped
        if not busy:
            return
        ready = wait([worker.pipe for worker in busy], timeout=0.5)
        for worker in busy:
            if worker.pipe in ready:
                _receive(state, worker, replace, on_event)
        on_event("tick", state, {})


def _assign(state: State, worker: Worker, kind: str, threads: int, device: str, replace: bool, on_event: Event) -> None:
    job = next((job for job in state.waiting if job.kind == kind), None)
    if job is None:
        return
    if kind == "speed":
        if worker.sitting not in (None, job.seed):  # another sitting is another process
            at = state.workers.index(worker)
            _end([worker])
            worker = state.workers[at] = _start(worker.gpu)
        worker.sitting = job.seed
    state.waiting.remove(job)
    worker.job, worker.began, worker.note = job, time.monotonic(), ""
    worker.pipe.send({"job": job.to_message(), "device": device, "threads": threads, "replace": replace})
    on_event("start", state, {"job": job})


def _receive(state: State, worker: Worker, replace: bool, on_event: Event) -> None:
    job = worker.job
    assert job is not None
    try:
        message = worker.pipe.recv()
    except (EOFError, OSError):
        worker.process.join(5)
        code = worker.process.exitcode
        message = {"what": "failed", "reason": f"the worker process ended with exit code {code}"}
        with contextlib.suppress(ReproError, OSError):  # a full disk may be what ended it
            write_failure(job, message["reason"], replace=replace)
        state.workers[state.workers.index(worker)] = _start(worker.gpu)
    if message["what"] == "progress":
        worker.note = message["note"]
        return
    if message["what"] == "stopped":
        state.waiting.append(job)
        worker.job = None
        return
    state.count(job, message["what"], time.monotonic() - worker.began)
    worker.job = None
    on_event(message["what"], state, {"job": job, **message, "seconds": time.monotonic() - worker.began})


def _resize(state: State, places: list[str | None]) -> None:
    """A worker for each of `places`, and no other."""
    _end(state.workers[len(places) :])
    del state.workers[len(places) :]
    for place in places[len(state.workers) :]:
        state.workers.append(_start(place))


def _start(gpu: str | None = None) -> Worker:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    arguments = (theirs, list(registry.loaded_modules), user_data.opened(), os.getpid(), gpu)
    process = context.Process(target=_serve, args=arguments, daemon=False)
    resource_tracker.ensure_running()  # its start lets go of the signals that are held back
    with stop_signal.held_back():
        process.start()
    theirs.close()
    return Worker(process, ours, gpu)


def _end(workers: list[Worker]) -> None:
    """End idle workers by their pipe, busy ones by a request to stop, and what is left after seconds by force."""
    for worker in workers:
        if worker.job is None:
            worker.pipe.close()
        elif worker.process.is_alive():
            worker.process.terminate()
    deadline = time.monotonic() + _GRACE_S
    for worker in workers:
        worker.process.join(max(0.0, deadline - time.monotonic()))
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()


def _serve(
    pipe: Connection, modules: list[str], own: Mapping[str, tuple[Path, str]], parent: int, gpu: str | None
) -> None:
    """The worker: jobs in, progress and outcomes out, until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if gpu is not None:
        paths.show_gpu(gpu)
    with stop_signal.watching():
        for module in modules:
            registry.load_module(module)
        for name, (file, stem) in own.items():
            user_data.register(name, file, stem)
        _serve_jobs(pipe, parent)


def _serve_jobs(pipe: Connection, parent: int) -> None:
    from repro.models.device import device_of

    last, index, device = 0.0, None, ""

    def progress(facts: dict[str, Any]) -> None:
        nonlocal last
        if os.getppid() != parent:
            raise SystemExit("the parent process is gone")
        if time.monotonic() - last > 0.5:
            last = time.monotonic()
            pipe.send({"what": "progress", "note": note_of(facts)})

    while True:
        try:
            message = pipe.recv()
        except (EOFError, OSError):
            return
        job = Job.from_message(message["job"])
        index = Index(store.default_root(job.smoke)) if index is None else index
        device = device or device_of(message["device"])
        how = Execution(device=device, threads=message["threads"], on_progress=progress)
        try:
            made = execute(job, how, replace=message["replace"], index=index)
        except stop_signal.Stopped:
            pipe.send({"what": "stopped"})
            return
        except (ReproError, OSError) as error:  # a record that cannot be written, such as on a full disk
            pipe.send({"what": "failed", "reason": f"no record could be written: {error}"})
            continue
        pipe.send({"what": made.status, "reason": made.reason, "found": headline(made)})


def note_of(facts: dict[str, Any]) -> str:
    """`train 120/576` out of a progress dict."""
    step, steps = facts.get("step"), facts.get("steps")
    return f"{facts.get('phase', '')} {step}/{steps}" if step is not None else str(facts.get("phase", ""))
