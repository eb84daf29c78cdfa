"""What timings share: calls taken in turn, one thread."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
import torch


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def in_turn(*calls: Callable[[], object], rounds: int) -> list[list[float]]:
    """Seconds of process time of each call, the calls one after the other in every round: load hits all alike."""
    taken: list[list[float]] = [[] for _ in calls]
    for call in calls:
        call()
    for _ in range(rounds):
        for times, call in zip(taken, calls, strict=True):
            began = time.process_time()
            call()
            times.append(time.process_time() - began)
    return taken
