from types import SimpleNamespace

import pytest
import torch

from repro.core.errors import BadOption
from repro.cost import timing
from repro.cost.saturation import saturation
from repro.cost.timing import Timed


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still but for what a form takes."""
    now = SimpleNamespace(s=0.0)
    monkeypatch.setattr(timing, "time", SimpleNamespace(perf_counter=lambda: now.s))
    return now


def making(clock, *taken, most=10**6, error=torch.OutOfMemoryError):
    """Networks that take `taken(batch)` seconds each; batches above `most` are too many."""

    def make(batch):
        if batch > most:
            raise error("no memory")

        def form(seconds):
            def run(x):
                clock.s += seconds(batch)

            return run

        return [Timed(form(seconds), torch.zeros(1), None, None) for seconds in taken]

    return make


def test_it_ends_at_the_first_batch_that_gains_less_than_two_percent(clock):
    found = saturation(making(clock, lambda n: max(1.0, n / 6)), 3, device="cpu")
    assert [one["batch"] for one in found] == [1, 2, 4, 8, 16]  # full from 6 on: 6 views a second at 8 and at 16
    assert [one["views_per_s"] for one in found] == pytest.approx([1, 2, 4, 6, 6])


def test_ratios_to_what_it_takes_turns_with_stand_at_each_batch(clock):
    found = saturation(making(clock, lambda n: 3 + n, lambda n: 2 + n), 3, device="cpu", first=2, most=4)
    assert [one["batch"] for one in found] == [2, 4]
    assert [one["against"]["ratio_median"] for one in found] == pytest.approx([5 / 4, 7 / 6])


@pytest.mark.parametrize("error", [torch.OutOfMemoryError, BadOption])
def test_memory_ends_it_with_what_was_read(clock, error):
    found = saturation(making(clock, lambda n: 1.0, most=4, error=error), 2, device="cpu")
    assert [one["batch"] for one in found] == [1, 2, 4]
