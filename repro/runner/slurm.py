"""Cells as SLURM jobs through submitit: one job a cell, one task on one node a job.

A job runs the cell's shell line (`command_line`) and puts itself back into the queue when that line was stopped by a
signal (preemption, SIGUSR2 before the time limit); the line then goes on from its checkpoint. A job that ends without a
record gets a failed one. A ticket beside the cell's work folder tells which job a cell waits for, so that the same
command given twice queues nothing twice.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from repro.core import paths, stop_signal
from repro.core.errors import BadOption, ReproError, UnknownName
from repro.core.files import write_atomic
from repro.records import store
from repro.records.index import Index
from repro.runner.command_line import arguments_of, program
from repro.runner.execute import write_failure
from repro.runner.jobs import Job, state_of

#: minutes of a job where --slurm names no time: at the limit it is requeued and goes on
TIME_MIN = 240
#: a job that is stopped this often gets nowhere
MAX_RESTARTS = 100

_OWN = ("array", "error", "job_name", "open_mode", "output", "requeue", "signal")
_ONE = ("nodes", "ntasks", "ntasks_per_node", "tasks_per_node")
#: parameters of submitit that are no options of sbatch
_SUBMITITS = (
    *("setup", "teardown", "srun_args", "use_srun", "stderr_to_stdout", "additional_parameters", "map_count"),
    *("folder", "command", "num_gpus"),
)
#: options that submitit calculates with; all others are passed on as they are written, `account=0123` with its zero
_NUMBERS = (
    *("nodes", "ntasks_per_node", "cpus_per_task", "cpus_per_gpu", "gpus_per_node", "gpus_per_task"),
    *("array_parallelism", "signal_delay_s"),
)
#: options of sbatch that stand without a value: `true` gives them, `false` leaves them out
_FLAGS = (
    *("contiguous", "exclusive", "get_user_env", "hold", "ignore_pbs", "no_kill", "overcommit", "oversubscribe"),
    *("reboot", "spread_job", "use_min_nodes", "disable_stdout_job_summary", "kill_on_invalid_dep", "nice"),
)
_TIME = re.compile(r"(?:(?P<d>\d{1,9})-)?(?P<a>\d{1,9})(?::(?P<b>\d{1,9}))?(?::(?P<c>\d{1,9}))?", re.ASCII)


@dataclass(frozen=True)
class Ticket:
    """The SLURM job that a cell was given to."""

    job: str
    log: str


class Line:
    """What a SLURM job calls: the cell's shell line, its outcome, and the requeue."""

    def __init__(self, job: Job, program: list[str]) -> None:
        self.message, self.program = job.to_message(), program

    def __call__(self) -> str:
        """Returns done, failed, requeued or stopped."""
        number = paths.scheduler_job()
        code = run_line([sys.executable, *self.program])
        job = Job.from_message(self.message)
        if code == stop_signal.EXIT_STOPPED:
            if paths.scheduler_restarts() >= MAX_RESTARTS:
                write_failure(job, f"SLURM job {number} was stopped {MAX_RESTARTS} times before it was done")
                return "failed"
            return "requeued" if requeue(str(number)) else "stopped"
        state = state_of(job, Index(store.default_root(job.smoke)))
        if state == "missing":
            write_failure(job, f"SLURM job {number}: the process {_ended(code)} without a record")
            return "failed"
        return state


def run_line(command: list[str]) -> int:
    """Run a command, pass a request to stop on to it, and return its exit code: `EXIT_STOPPED` whenever it ended for
    that, be it before it took note of signals, or by torchrun, which ends with 1.

    SLURM may signal the whole job: torchrun, which SIGUSR1 and SIGUSR2 would end, does not hear them.
    """
    with stop_signal.watching():
        process = subprocess.Popen(command, start_new_session=True, preexec_fn=_ignore_user_signals)
        told = False
        while True:
            try:
                code = process.wait(timeout=0.5)
                return stop_signal.EXIT_STOPPED if stop_signal.requested() and code else code
            except subprocess.TimeoutExpired:
                if stop_signal.requested() and not told:
                    process.terminate()
                    told = True


def _ignore_user_signals() -> None:
    for number in (signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)


def requeue(number: str) -> bool:
    """Put the own job back into the queue, unless SLURM does so itself or somebody has cancelled it."""
    if _output("squeue", "--noheader", "--jobs", number, "--format=%T").strip() != "RUNNING":
        return False
    print(f"stopped on request; job {number} goes back into the queue", flush=True)
    _output("scontrol", "requeue", number)
    return True


def submit(
    jobs: list[Job],
    options: list[str],
    *,
    device: str,
    force: bool,
    words: Sequence[str] = (),
    table: str = "",
    processes: int = 1,
    time_together: bool = False,
) -> dict[str, Job]:
    """Queue each job that is not in the queue already, and return SLURM's number -> job of the new ones.

    `options` are sbatch's, as KEY=VALUE; `words` and `table` are as in `arguments_of`. Timed cells ask for
    a node of their own unless `time_together`.
    """
    parameters = sbatch_parameters(options)
    live = live_jobs()
    waiting = [job for job in jobs if (ticket_of(job) or Ticket("", "")).job not in live]
    queued = {}
    for timed in (False, True):
        batch = [job for job in waiting if (job.kind == "speed") == timed]
        told = [arguments_of(job, device=device, force=force, words=words, table=table) for job in batch]
        lines = [Line(job, program(job, arguments, processes)) for job, arguments in zip(batch, told, strict=True)]
        own_node = {"slurm_exclusive": True} if timed and not time_together else {}
        for number, job in zip(_submit(lines, {**parameters, **own_node}), batch, strict=True):
            write_ticket(job, Ticket(number, str(logs() / f"{number}_0_log.out")))
            queued[number] = job
    return queued


def _submit(lines: list[Line], parameters: dict[str, Any]) -> list[str]:
    if not lines:
        return []
    try:
        import submitit
    except ImportError as error:
        raise BadOption(
            "--launcher slurm needs the package submitit", fix='pip install "repro-video[slurm]"'
        ) from error
    try:
        executor = submitit.AutoExecutor(folder=logs(), cluster="slurm")
        executor.update_parameters(**parameters)
        with contextlib.redirect_stderr(io.StringIO()):  # sbatch's words stand in the error below
            with executor.batch():
                made = [executor.submit(line) for line in lines]
        return [str(job.job_id) for job in made]
    except (RuntimeError, ValueError, TypeError, submitit.core.utils.FailedJobError) as error:
        raise refusal(error) from error


def asks_for_gpu(options: list[str]) -> bool:
    """Whether these options of sbatch give a job a GPU."""
    pairs = (option.lstrip("-").replace("-", "_").partition("=") for option in options)
    return any(key.startswith("gpus") or (key in ("gres", "tres_per_task") and "gpu" in text) for key, _, text in pairs)


def sbatch_parameters(options: list[str]) -> dict[str, Any]:
    """`partition=a time=2:00:00 gres=gpu:1` as submitit takes them."""
    known = set(_known_to_submitit())
    found: dict[str, Any] = {"name": "repro", "slurm_time": TIME_MIN, "stderr_to_stdout": True}
    more: dict[str, Any] = {"requeue": True}
    for option in options:
        key, equals, text = option.partition("=")
        key = key.strip().lstrip("-").replace("-", "_")
        if not equals or not re.fullmatch(r"[A-Za-z]\w*", key, re.ASCII) or not text or not text.isprintable():
            raise BadOption(f"--slurm {option!r}", allowed="KEY=VALUE of sbatch", fix="--slurm partition=gpu")
        if key in (*_OWN, *_SUBMITITS):
            raise BadOption(f"--slurm {option!r}: the launcher sets {key} itself", allowed="other options of sbatch")
        if key in _ONE and text != "1":
            raise BadOption(
                f"--slurm {option!r}: a cell is one task on one node",
                allowed=f"{key}=1",
                fix="--processes N for trainings on N processes of a node",
            )
        value = minutes(text) if key == "time" else _as_written(key, text)
        if value is not None:
            found.update({f"slurm_{key}": value} if key in known else {})
            more.update({key: value} if key not in known else {})
    return {**found, "slurm_additional_parameters": more}


#: the name that it had, which scripts import
_parameters = sbatch_parameters


def refusal(error: Exception) -> ReproError:
    """What SLURM says against a job; of an option that it does not know, the nearest that it lists."""
    told = " ".join(str(error).split())
    unknown = re.search(r"unrecognized option '--([a-z_-]+)", told)
    if unknown is None:
        return BadOption(f"SLURM took no job: {told}", fix="sinfo, or other --slurm")
    known = set(re.findall(r"--([a-z][a-z-]+)", _output("sbatch", "--help")))
    return UnknownName("option of sbatch", unknown[1], known.difference(_OWN), fix="sbatch --help")


def _known_to_submitit() -> Iterable[str]:
    try:
        from submitit import SlurmExecutor
    except ImportError:
        return ()
    return SlurmExecutor._valid_parameters()


def _as_written(key: str, text: str) -> Any:
    """The text itself; a number where submitit calculates with it; True or None for a flag that is given or not."""
    if key in _NUMBERS and text.isascii() and text.isdigit() and len(text) < 10:
        return int(text)
    if key in _FLAGS and text.lower() in ("true", "false"):
        return True if text.lower() == "true" else None
    return text


def minutes(text: str) -> int:
    """sbatch's forms of a time, as whole minutes: `90`, `90:00`, `1:30:00`, `1-12`, `1-12:30`, `1-12:30:00`."""
    match = _TIME.fullmatch(text)
    if match is None:
        raise BadOption(f"time={text}", allowed="minutes, H:MM:SS, D-H, D-H:MM:SS")
    days, *parts = (int(match[name]) if match[name] else None for name in "dabc")
    a, b, c = parts
    if days is not None:
        seconds = ((days * 24 + (a or 0)) * 60 + (b or 0)) * 60 + (c or 0)
    elif c is not None:
        seconds = ((a or 0) * 60 + (b or 0)) * 60 + c
    else:
        seconds = (a or 0) * 60 + (b or 0)
    if seconds == 0:
        raise BadOption(f"time={text}", allowed="more than nothing")
    return -(-seconds // 60)


def wait(jobs: list[Job], poll_s: float = 5.0) -> int:
    """Wait until the SLURM jobs of these cells are over; returns how many cells failed.

    A job that died with its process, and so could not say why, gets its failed record here.
    """
    queued = {ticket.job: job for job in jobs if (ticket := ticket_of(job)) is not None}
    while not queued.keys().isdisjoint(live_jobs()):
        time.sleep(poll_s)
    failed = 0
    for number, job in queued.items():
        state = state_of(job, Index(store.default_root(job.smoke)))
        if state == "missing":
            write_failure(job, f"SLURM job {number} ended without a record: {end_of(number)}")
        failed += state != "done"
    return failed


def live_jobs() -> dict[str, str]:
    """SLURM's number -> state and, for a waiting job, why, of all jobs of this user that are not over."""
    lines = _output("squeue", "--me", "--noheader", "--array", "--format=%i|%T|%r").splitlines()
    found = {}
    for line in lines:
        number, state, reason = line.split("|", 2)
        found[number] = state if reason == "None" else f"{state} ({reason})"
    return found


def end_of(number: str) -> str:
    """How a job that is over ended, as far as SLURM still knows."""
    try:
        told = _output("scontrol", "show", "job", "--oneliner", number)
    except ReproError:
        return "SLURM has forgotten it"
    return " ".join(re.findall(r"(?:JobState|Reason|ExitCode)=\S+", told)) or "SLURM does not say how"


def logs() -> Path:
    """Where the jobs' output goes; like all of the cache it has to be on a disk that the nodes share."""
    return paths.cache() / "slurm"


def ticket_of(job: Job) -> Ticket | None:
    """The job that the cell was given to last."""
    try:
        return TypeAdapter(Ticket).validate_json(_ticket(job).read_bytes())
    except (OSError, ValueError):
        return None


def _ticket(job: Job) -> Path:
    return paths.work(job.experiment.id, job.seed).with_suffix(".ticket")


def write_ticket(job: Job, ticket: Ticket) -> None:
    """Keep what SLURM knows a job by, beside its logs."""
    path = _ticket(job)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, json.dumps(asdict(ticket)).encode())


def _output(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ReproError(
            f"{command[0]} cannot be run: {error}", allowed="a machine from which SLURM jobs are submitted"
        ) from error
    if done.returncode:
        raise ReproError(f"{' '.join(command)}: {done.stderr.strip() or f'exit code {done.returncode}'}")
    return done.stdout


def _ended(code: int) -> str:
    return f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
