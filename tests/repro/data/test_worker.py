"""One decoder process by itself: it starts, answers with arrays of any size, names what is wrong, and ends."""

from __future__ import annotations

import numpy as np
import pytest

from repro.core import stop_signal
from repro.data.decode import read_frames
from repro.data.worker import Problem, Worker


@pytest.fixture
def ask():
    """Start a worker on a function; returns how it is asked."""
    started = []

    def start(function):
        worker = Worker.start(function)
        started.append(worker)
        assert worker.receive() == ("ready", None)

        def answer(*task):
            worker.connection.send((task, 60.0))
            return worker.receive()

        return answer

    yield start
    for worker in started:
        worker.end()
        assert worker.process.poll() is not None


def test_arrays_arrive_whole_and_writable(ask):
    zeros = ask(np.zeros)
    for shape in ((0, 4), (1,), (8, 224, 224, 3)):
        kind, made = zeros(shape, "uint8")
        assert kind == "value" and made.shape == shape and not made.any() and made.flags.writeable


def test_what_goes_wrong_is_sorted_by_whose_fault_it_is(ask, clip_folder):
    read = ask(read_frames)
    kind, problem = read(str(clip_folder / "nothing.mp4"), [0])
    assert kind == "value" and problem == Problem("missing: no such file")
    assert read(str(clip_folder / "one.mp4"), [0])[1].shape == (1, 48, 64, 3)
    kind, trace = read(str(clip_folder / "one.mp4"), ["x"])
    assert kind == "bug" and "ValueError" in trace


def test_signals_to_a_whole_job_do_not_end_it():
    """A scheduler's SIGTERM reaches every process; a decoder that died of it would make a good video a bad one."""
    worker = Worker.start(np.zeros)
    try:
        for number in stop_signal.SIGNALS:  # the interpreter is still starting
            worker.process.send_signal(number)
        assert worker.receive() == ("ready", None)
        for number in stop_signal.SIGNALS:
            worker.process.send_signal(number)
        worker.connection.send((((3,), "uint8"), 60.0))
        assert worker.receive()[1].tolist() == [0, 0, 0]
    finally:
        worker.end()
