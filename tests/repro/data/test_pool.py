"""The worker pool: order, limits, and what happens to a task that hangs, crashes or fails."""

from __future__ import annotations

import ctypes
import math
import os
import time
from pathlib import Path

import numpy as np
import pytest

from repro.data.pool import Pool, Problem
from repro.data.worker import Worker


@pytest.mark.parametrize("ahead", [0, 1, 4])
@pytest.mark.parametrize("workers", [1, 3])
def test_results_come_in_order(workers, ahead):
    assert list(Pool(math.factorial, workers=workers).run(((n,) for n in range(50)), ahead=ahead)) == [
        math.factorial(n) for n in range(50)
    ]


def test_no_tasks_and_no_process():
    assert list(Pool(math.factorial).run(iter(()), ahead=4)) == []


@pytest.mark.parametrize("ahead", [0, 3])
def test_a_task_that_hangs_is_ended_and_the_others_go_on(ahead):
    began = time.monotonic()
    found = list(Pool(time.sleep, timeout_s=1.0).run([(0,), (1000,), (0,)], ahead=ahead))
    assert found[0] is None and found[2] is None
    assert isinstance(found[1], Problem) and "no result within 1 s" in found[1].reason
    assert time.monotonic() - began < 60


def test_time_without_a_core_does_not_count(monkeypatch):
    monkeypatch.setattr(Worker, "waiting", lambda worker: time.monotonic() * 0.9)  # of ten seconds it gets one
    assert list(Pool(time.sleep, timeout_s=0.5).run([(1.5,)], ahead=1)) == [None]
    (late,) = Pool(time.sleep, timeout_s=0.05).run([(3,)], ahead=1)
    assert isinstance(late, Problem)


def test_a_thread_that_ends_takes_no_time_away(monkeypatch):
    worker = Worker(None, None)  # never started
    monkeypatch.setattr(Worker, "waiting", lambda worker: 100.0)
    worker.allow(0.0)
    before = worker.deadline
    monkeypatch.setattr(Worker, "waiting", lambda worker: 0.0)
    assert worker.is_late() and worker.deadline == before
    monkeypatch.setattr(Worker, "waiting", lambda worker: 160.0)
    assert not worker.is_late() and worker.deadline == before + 60


def test_a_process_tells_how_long_it_waited_for_a_core():
    worker = Worker.start(math.factorial)
    try:
        assert worker.receive()[0] == "ready"
        assert 0 < worker.waiting() < 600
    finally:
        worker.end()
    assert worker.waiting() == worker.waited


@pytest.mark.parametrize("ahead", [0, 3])
def test_a_crash_is_a_problem_of_its_task(ahead):
    found = list(Pool(ctypes.string_at, workers=2).run([(b"ok",), (8,), (b"ok",)], ahead=ahead))
    assert found[0] == found[2] == b"ok"
    assert found[1] == Problem("the decoder process died of SIGSEGV")


def test_a_bug_is_raised_with_its_traceback():
    with pytest.raises(RuntimeError, match="ValueError"):
        list(Pool(math.factorial).run([(3,), (-1,)], ahead=2))


def test_an_error_of_the_tasks_themselves_is_raised():
    def tasks():
        yield (1,)
        raise KeyError("x")

    with pytest.raises(KeyError):
        list(Pool(math.factorial).run(tasks(), ahead=1))


def test_no_more_than_asked_for_is_started_ahead():
    started = []

    def tasks():
        for n in range(100):
            started.append(n)
            yield (n,)

    results = Pool(math.factorial, workers=2).run(tasks(), ahead=5)
    next(results)
    time.sleep(0.5)
    assert len(started) <= 6
    results.close()


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads /proc")
def test_a_result_stays_with_its_worker_until_it_is_asked_for():
    size = 64 << 20

    def held():
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    results = Pool(np.ones).run([((size,), np.uint8)] * 3, ahead=0)
    first = next(results)
    before = held()
    time.sleep(1.0)
    assert held() - before < size // 2
    assert np.array_equal(next(results), first)
    assert len(list(results)) == 1


@pytest.mark.parametrize("ahead", [0, 2])
def test_a_slow_consumer_is_no_reason_to_end_a_worker(ahead):
    results = Pool(math.factorial, timeout_s=1.0).run([(n,) for n in range(4)], ahead=ahead)
    found = [next(results)]
    time.sleep(1.5)
    assert [*found, *results] == [1, 1, 2, 6]


@pytest.mark.parametrize("ahead", [0, 2])
def test_leaving_early_ends_the_workers(ahead):
    results = Pool(os.getpid, timeout_s=600).run(((),) * 100, ahead=ahead)
    child = next(results)
    results.close()
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


def test_a_timeout_has_to_be_positive():
    with pytest.raises(ValueError, match="above 0"):
        Pool(math.factorial, timeout_s=0)


@pytest.mark.parametrize("count", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3_000_001])
def test_arrays_of_any_size_come_back_whole(count):
    """Below, at and above the slices of 4 MiB in which they travel."""
    found = list(Pool(np.arange).run([(0, count, 1, np.int32)], ahead=1))
    assert np.array_equal(found[0], np.arange(count, dtype=np.int32))
