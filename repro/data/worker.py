"""A decoder process: a fresh interpreter that imports numpy and the decoder but not torch (0.2 s and 40 MB).

Tasks and results go through a pipe; arrays travel as their bytes (about 1 ms for a training clip of 8x224x224).
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any

import numpy as np

from repro.core import stop_signal
from repro.core.errors import DataError, ReproError

#: seconds for a fresh interpreter to import what it needs, on a busy machine
_START_S = 120.0
#: seconds that a decoder may hang on after its parent is gone
_ORPHAN_S = 600.0
#: bytes of an array that go through the pipe at once: the receiver holds these twice
_SLICE = 4 << 20


@dataclass(frozen=True)
class Problem:
    """Why a task gave nothing."""

    reason: str


@dataclass
class Worker:
    """One process, as the pool sees it; `ticket` is the number of the task that it works on."""

    process: subprocess.Popen[bytes]
    connection: Connection
    ticket: int | None = None
    deadline: float = 0.0
    ready: bool = False
    waited: float = 0.0
    """What `waiting` told when the deadline was set."""

    @classmethod
    def start(cls, function: Callable[..., Any]) -> Worker:
        """A process that will call `function` for each task; it says "ready" when it has imported what it needs."""
        ours, theirs = Pipe()
        path = "import json, sys; sys.path[:] = json.loads(sys.argv[1])"
        code = f"{path}; from repro.data.worker import serve; serve(int(sys.argv[2]))"
        descriptor = theirs.fileno()
        command = [sys.executable, "-c", code, json.dumps(sys.path), str(descriptor)]
        with stop_signal.held_back():  # a scheduler signals all processes of a job; this one ends when its parent does
            process = subprocess.Popen(command, pass_fds=[descriptor], stdin=subprocess.DEVNULL)
        theirs.close()
        worker = cls(process, ours)
        worker.allow(_START_S)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            ours.send(function)
        return worker

    def allow(self, seconds: float) -> None:
        """Set the deadline: so many seconds from now, without those in which it waits for a core."""
        self.deadline, self.waited = time.monotonic() + seconds, self.waiting()

    def is_late(self) -> bool:
        """Whether the deadline has passed, after what the process waited for a core since then is added to it."""
        if self.deadline < time.monotonic():
            waited = max(self.waited, self.waiting())  # a thread that has ended tells no more of it
            self.deadline, self.waited = self.deadline + waited - self.waited, waited
        return self.deadline < time.monotonic()

    def waiting(self) -> float:
        """Seconds that the process was ready to run, so far, and other processes had the cores; 0 where no system tells
        it. What is read by one machine must not depend on what else it does.
        """
        try:
            told = [path.read_text().split()[1] for path in Path(f"/proc/{self.process.pid}/task").glob("*/schedstat")]
        except (OSError, IndexError):
            return self.waited
        return max((int(nanoseconds) / 1e9 for nanoseconds in told), default=self.waited)

    def end(self) -> None:
        """Kill and reap; a process in uninterruptible sleep (a dead network disk) is left to the system."""
        self.process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=2.0)
        self.connection.close()

    def receive(self) -> tuple[str, Any]:
        """The next message: its kind (ready, value, refused, bug), and what it carries."""
        head, sizes = self.connection.recv()
        buffers = []
        for size in sizes:
            memory = np.empty(size, dtype=np.uint8)
            for start in range(0, size, _SLICE):
                self.connection.recv_bytes_into(memory[start : start + _SLICE].data)
            buffers.append(memory)
        kind, value = pickle.loads(head, buffers=buffers)
        return kind, value


def serve(descriptor: int) -> None:
    """The worker: read tasks, send results, until the other end closes. Should the parent be gone while a decoder
    hangs, the alarm's default action ends the process.
    """
    for number in (signal.SIGINT, *stop_signal.SIGNALS):
        signal.signal(number, signal.SIG_IGN)
    connection = Connection(descriptor)
    try:
        function = connection.recv()
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # FFmpeg's own complaints; ours go through the pipe
        _send(connection, "ready", None)
        while True:
            task, timeout_s = connection.recv()
            signal.alarm(int(timeout_s + _ORPHAN_S))
            try:
                kind, value = "value", function(*task)
            except DataError as error:
                kind, value = "value", Problem(getattr(error, "problem", str(error)))
            except ReproError as error:
                kind, value = "refused", str(error)
            except Exception:
                kind, value = "bug", traceback.format_exc()
            signal.alarm(0)
            _send(connection, kind, value)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return


def _send(connection: Connection, kind: str, value: Any) -> None:
    """Arrays travel as their bytes, without a copy into a pickle."""
    buffers: list[pickle.PickleBuffer] = []
    head = pickle.dumps((kind, value), protocol=5, buffer_callback=buffers.append)
    connection.send((head, [buffer.raw().nbytes for buffer in buffers]))
    for buffer in buffers:
        raw = buffer.raw()
        for start in range(0, raw.nbytes, _SLICE):
            connection.send_bytes(raw[start : start + _SLICE])
