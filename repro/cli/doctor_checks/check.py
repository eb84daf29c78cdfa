"""One check: what it tries, what came of it, and how to mend it; all checks of a list, each safe from the others."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from repro.core.errors import ReproError

PASS, FAIL, ABSENT = "pass", "fail", "not here"
#: seconds after which a check is given up; importing torch counts
LIMIT_S = 60.0


class Failed(Exception):
    """A check found something wrong: what, and how to mend it."""

    def __init__(self, what: str, mend: str) -> None:
        super().__init__(what)
        self.what, self.mend = what, mend


class NotHere(Exception):
    """What a check is about does not exist on this machine, and need not."""


@dataclass(frozen=True)
class Check:
    """A name, what it tries in a few words, and a function that tells what it found or raises."""

    name: str
    tries: str
    call: Callable[[], str]


@dataclass(frozen=True)
class Outcome:
    """What came of a check."""

    name: str
    state: str
    """`pass`, `fail`, or `not here`."""
    what: str
    mend: str = ""
    seconds: float = 0.0


def torch_here() -> Any:
    """The module torch; Failed where it is missing or one of its libraries is."""
    try:
        import torch
    except (ImportError, OSError) as error:
        raise Failed(
            f"torch does not load: {error}",
            "python -m pip install --force-reinstall torch; builds: https://pytorch.org",
        ) from error
    return torch


def run(check: Check) -> Outcome:
    """Do one check; whatever it raises is its outcome."""
    began = time.perf_counter()
    state, mend = FAIL, ""
    try:
        state, what = PASS, check.call()
    except Failed as error:
        what, mend = error.what, error.mend
    except NotHere as error:
        state, what = ABSENT, str(error)
    except ReproError as error:
        what, mend = error.what, error.fix or error.allowed or ""
    except Exception as error:  # a check that breaks tells of itself alone
        what = f"the check itself broke: {type(error).__name__}: {str(error).strip()[:300]}"
        mend = "python -m pip install -e . --force-reinstall, then report it with this line"
    return Outcome(check.name, state, what, mend, round(time.perf_counter() - began, 2))


def run_apart(names: Sequence[str], child: Sequence[str], limit_s: float = LIMIT_S) -> Iterator[Outcome]:
    """The outcomes of the checks, done one after the other in a process of their own.

    `child` is the command that does the checks named in its arguments and prints a line of JSON for each. When it dies
    or a check takes longer than `limit_s`, that check has failed, and another process goes on with the rest.
    """
    waiting = list(names)
    while waiting:
        with subprocess.Popen([*child, *waiting], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            errors: list[str] = []
            reader = threading.Thread(target=errors.extend, args=(process.stderr or (),), daemon=True)
            reader.start()
            for outcome in _lines(process, waiting, limit_s):
                waiting.remove(outcome.name)
                yield outcome
            overdue = process.poll() is None and bool(waiting)
            if overdue:
                process.kill()
            code = process.wait()
            reader.join(1.0)
        if waiting:
            name = waiting.pop(0)
            again = f"python -m repro doctor --only {name}"
            if overdue:
                yield Outcome(
                    name, FAIL, f"it did not end within {limit_s:g} s", f"{again}, once disk and network answer"
                )
            else:
                mend = f"reinstall what the last line names, then {again}"
                yield Outcome(name, FAIL, _death(code, errors), mend)


def _lines(process: subprocess.Popen[str], waiting: Sequence[str], limit_s: float) -> Iterator[Outcome]:
    """Outcomes as the process prints them, until it ends or is silent for too long; other lines are not ours."""
    found: queue.Queue[str | None] = queue.Queue()

    def feed() -> None:
        for line in process.stdout or ():
            found.put(line)
        found.put(None)

    threading.Thread(target=feed, daemon=True).start()
    expected = len(waiting)
    while expected:
        try:
            line = found.get(timeout=limit_s)
        except queue.Empty:
            return
        if line is None:
            process.wait()
            return
        outcome = _parsed(line, waiting)
        if outcome is not None:
            expected -= 1
            yield outcome
    process.wait()


def _parsed(line: str, waiting: Sequence[str]) -> Outcome | None:
    try:
        data = json.loads(line)
        outcome = Outcome(**data)
    except (ValueError, TypeError):
        return None
    return outcome if outcome.name in waiting else None


def _death(code: int, errors: Sequence[str]) -> str:
    told = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    last = next((line.strip() for line in reversed(errors) if line.strip()), "")
    return f"the process died with {told}" + (f": {last[:200]}" if last else "")


def child(checks: Iterable[Check], names: Sequence[str]) -> None:
    """What the process of `run_apart` does; what libraries print goes to standard error."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    known = {check.name: check for check in checks}
    for name in names:
        print(json.dumps(asdict(run(known[name]))), file=out, flush=True)
