"""Work on videos in processes of their own, so that a decoder that hangs or crashes ends with the video named.

A thread cannot be ended and a signal does not interrupt a decoder in C, so each worker (`repro.data.worker`) is a
process that is killed when a task takes longer than allowed, and replaced. Time in which other processes have the cores
does not count, so that a busy machine reads the same videos as an idle one.
"""

from __future__ import annotations

import contextlib
import pickle
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Pipe, wait
from typing import Any

from repro.core.errors import BadOption
from repro.data.worker import Problem, Worker

__all__ = ["Pool", "Problem"]


class Pool:
    """`run` calls `function(*task)` for each task, and yields results in order: a value, or a `Problem`.

    A `DataError` of the function is a problem of that task; any other error ends the run.
    """

    def __init__(self, function: Callable[..., Any], *, workers: int = 1, timeout_s: float = 60.0) -> None:
        if timeout_s <= 0:
            raise ValueError(f"timeout_s is {timeout_s}; allowed: above 0")
        self._function, self._count, self._timeout = function, max(1, workers), timeout_s
        self._workers: list[Worker] = []

    def run(self, tasks: Iterable[tuple[Any, ...]], *, ahead: int) -> Iterator[Any]:
        """At most `ahead` results wait here to be taken; with 0 each stays with its worker until it is asked for.
        Leaving the loop early ends the workers.
        """
        state = _State(iter(tasks), max(ahead, self._count), on_demand=ahead == 0)
        thread = threading.Thread(target=self._serve, args=(state,), name="repro-pool", daemon=True)
        thread.start()
        try:
            while True:
                found = state.take()
                if found is _END:
                    return
                yield found
        finally:
            state.stop()
            thread.join()
            state.close()

    def _serve(self, state: _State) -> None:
        """The thread: hand out tasks, collect results, end what is late."""
        try:
            while self._step(state):
                pass
        except BaseException as error:
            state.fail(error)
        finally:
            for worker in self._workers:
                worker.end()
            self._workers.clear()

    def _step(self, state: _State) -> bool:
        """Start what can be started, then sleep until a worker, the consumer or a deadline calls; False at the end."""
        self._start_tasks(state)
        busy = [worker for worker in self._workers if worker.ticket is not None or not worker.ready]
        if state.finished(busy=bool(busy)):
            return False
        heard = [worker for worker in busy if worker.ticket is None or state.wants(worker.ticket)]
        deadline = min((worker.deadline for worker in heard), default=float("inf"))
        timeout = None if deadline == float("inf") else max(0.0, deadline - time.monotonic())
        for ready in wait([state.calls, *(worker.connection for worker in heard)], timeout=timeout):
            if ready is state.calls:
                state.answer()
            else:
                self._collect(next(worker for worker in heard if worker.connection is ready), state)
        for worker in heard:
            if worker in self._workers and worker.is_late() and not worker.connection.poll():
                self._drop(worker, state, f"no result within {self._timeout:g} s; the decoder was ended")
        return True

    def _start_tasks(self, state: _State) -> None:
        idle = [worker for worker in self._workers if worker.ticket is None and worker.ready]
        while idle and state.has_room():
            self._give(idle.pop(), state.next_task())
        while len(self._workers) < self._count and state.has_room():
            self._workers.append(Worker.start(self._function))

    def _give(self, worker: Worker, task: tuple[int, tuple[Any, ...]]) -> None:
        worker.ticket = task[0]
        worker.allow(self._timeout)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # its death is noticed when it is awaited
            worker.connection.send((task[1], self._timeout))

    def _collect(self, worker: Worker, state: _State) -> None:
        try:
            kind, value = worker.receive()
        except (EOFError, OSError, pickle.UnpicklingError):
            self._drop(worker, state, "the decoder process died")
            return
        if kind == "ready":
            worker.ready, worker.deadline = True, float("inf")
            return
        ticket, worker.ticket, worker.deadline = worker.ticket, None, float("inf")
        if kind == "refused":
            raise BadOption(value)
        if kind == "bug":
            raise RuntimeError(f"a worker failed:\n{value}")
        assert ticket is not None
        state.put(ticket, value)

    def _drop(self, worker: Worker, state: _State, reason: str) -> None:
        worker.end()
        self._workers.remove(worker)
        code = worker.process.poll()
        if worker.ticket is None:
            raise RuntimeError(f"a decoder process did not start (exit status {code})")
        if reason.endswith("died") and code is not None and code < 0:
            reason += f" of {signal.Signals(-code).name}"
        state.put(worker.ticket, Problem(reason))


_END = object()


class _State:
    """What the thread and the consumer share: tasks to start, results to take, a pipe to call the thread."""

    def __init__(self, tasks: Iterator[tuple[Any, ...]], ahead: int, on_demand: bool) -> None:
        self._tasks, self._ahead = tasks, ahead
        self._on_demand, self._asked = on_demand, False
        self._next: tuple[Any, ...] | None = None
        self._changed = threading.Condition()
        self._results: dict[int, Any] = {}
        self._started = self._taken = 0
        self._exhausted = self._stopped = self._called = False
        self._error: BaseException | None = None
        self.calls, self._bell = Pipe(duplex=False)

    def has_room(self) -> bool:
        """Whether another task is there and may start."""
        if self._stopped or self._exhausted or self._started - self._taken >= self._ahead:
            return False
        if self._next is None:
            self._next = next(self._tasks, None)
        if self._next is None:
            with self._changed:
                self._exhausted = True
                self._changed.notify_all()
        return self._next is not None

    def finished(self, busy: bool) -> bool:
        """Whether the thread may end."""
        return self._stopped or (self._exhausted and not busy)

    def next_task(self) -> tuple[int, tuple[Any, ...]]:
        """The task that `has_room` found, with its number."""
        task, self._next = self._next, None
        assert task is not None
        with self._changed:
            self._started += 1
            return self._started - 1, task

    def wants(self, ticket: int) -> bool:
        """Whether the result of a task may come here now."""
        return not self._on_demand or (self._asked and ticket == self._taken)

    def put(self, ticket: int, value: Any) -> None:
        """A result, for the consumer."""
        with self._changed:
            self._results[ticket] = value
            self._changed.notify_all()

    def take(self) -> Any:
        """The next result in order, `_END` after the last; an error of the thread is raised here."""
        with self._changed:
            self._asked = True
            if self._on_demand:
                self._call()
            while self._taken not in self._results:
                if self._error is not None:
                    raise self._error
                if self._exhausted and self._taken == self._started:
                    return _END
                self._changed.wait()
            value = self._results.pop(self._taken)
            self._taken += 1
            self._asked = False
            self._call()
            return value

    def fail(self, error: BaseException) -> None:
        """End with an error, which the consumer gets."""
        with self._changed:
            self._error, self._stopped = error, True
            self._changed.notify_all()

    def stop(self) -> None:
        """The consumer wants no more."""
        with self._changed:
            self._stopped = True
            self._call()

    def _call(self) -> None:
        if not self._called:
            self._called = True
            self._bell.send_bytes(b"!")

    def answer(self) -> None:
        """The thread has heard."""
        with self._changed:
            self.calls.recv_bytes()
            self._called = False

    def close(self) -> None:
        """Close the pipe; the thread has ended."""
        self.calls.close()
        self._bell.close()
