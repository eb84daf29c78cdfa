"""A request to stop: SIGTERM, SIGUSR1 or SIGUSR2, as schedulers send them before they take a machine away.

A signal only leaves a note. Training reads it between two optimizer steps, writes its checkpoint and raises `Stopped`;
the command ends with `EXIT_STOPPED`, which tells a launcher to queue the same command again.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from types import FrameType
from typing import Any

#: SLURM sends SIGTERM on preemption and cancellation, and what `--signal` names before a time limit
SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)

#: EX_TEMPFAIL of sysexits.h: the same command, started again, goes on
EXIT_STOPPED = 75

_state: dict[str, Any] = {"signal": None, "owner": None}


class Stopped(BaseException):
    """Work ended on request, with what is needed to go on saved. No error: it passes every `except Exception`."""


def requested() -> bool:
    """Whether this process was asked to stop."""
    return _state["signal"] is not None


def name() -> str:
    """The signal that asked, e.g. SIGTERM."""
    return signal.Signals(_state["signal"]).name if requested() else ""


@contextlib.contextmanager
def watching() -> Iterator[None]:
    """Take note of the signals instead of dying of them; only in a process's main thread."""
    _state.update(signal=None, owner=os.getpid())
    before = {number: signal.signal(number, _note) for number in SIGNALS}
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
        _state.update(signal=None, owner=None)


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """A process started in here has the signals blocked until it is `watching`, so that none kills it before."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _note(number: int, frame: FrameType | None) -> None:
    if os.getpid() != _state["owner"]:  # a forked child of the watching process dies of it, as it would have
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    _state["signal"] = number
