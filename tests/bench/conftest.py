"""What timings share: calls taken in turn, one thread, and the table at the end of `tox -e bench`."""

from __future__ import annotations

import datetime
import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from repro.core.environment import machine, vectors

from . import compare

#: of a timing that took more, these are compared
_ROUNDS = 1000
_RUN = pytest.StashKey[dict[str, list[float]]]()


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


@pytest.hookimpl(optionalhook=True)
def pytest_benchmark_update_json(config: pytest.Config, benchmarks: Any, output_json: dict[str, Any]) -> None:
    """Where `--benchmark-json` writes, all rounds are at hand."""
    config.stash[_RUN] = {one["fullname"]: one["stats"]["data"][:_ROUNDS] for one in output_json["benchmarks"]}


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """The run beside the last one here, which it becomes."""
    run = config.stash.get(_RUN, {})
    if not run:
        return
    folder = _folder(config.rootpath)
    before = compare.last(folder)
    terminalreporter.section("CPU time, one thread")
    terminalreporter.write_line("\n".join(compare.lines(run, before[1], before[0])) if before else "the first run here")
    compare.store(folder, f"{datetime.datetime.now(datetime.UTC):%Y-%m-%dT%H%M%S}", run)


def _folder(root: Path) -> Path:
    """Of runs on this kind of machine; beside what pytest-benchmark itself keeps."""
    return root / ".benchmarks" / hashlib.sha256(repr((machine(), vectors())).encode()).hexdigest()[:12]
