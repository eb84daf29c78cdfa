"""What a run says where there is no terminal, and how long things take in words."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from repro.cli import progress
from repro.core.words import duration, many
from repro.papers import find
from repro.papers.smoke import smoke_table
from repro.runner.jobs import jobs_of
from repro.runner.local import State


def test_how_many_and_how_long() -> None:
    assert [many(n, "frame") for n in (0, 1, 8, 2048)] == ["0 frames", "1 frame", "8 frames", "2,048 frames"]
    assert many(2, "class", "classes") == "2 classes"
    assert [duration(s) for s in (0.2, 1.4, 45, 89, 91, 1347, 5400, 9000)] == [
        "1 second", "1 second", "45 seconds", "89 seconds", "2 minutes", "22 minutes", "1.5 hours", "2.5 hours",
    ]  # fmt: skip


def test_what_nobody_can_guess_is_counted() -> None:
    assert progress.time_of(90.0, 0) == "about 2 minutes" and progress.time_of(0.0, 0) == "about 1 second"
    assert progress.time_of(0.0, 1) == "1 cell" and progress.time_of(300.0, 9) == "about 5 minutes and 9 cells"


def test_without_a_terminal_there_is_a_line_every_half_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = jobs_of(smoke_table(find("table6")), rows=["tsn_r50"], cells=["static", "speed"], smoke=True)
    now, screen = [0.0], io.StringIO()
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    state = State(total=len(jobs), waiting=list(jobs), guesses={job.key: 60.0 for job in jobs})
    display = progress.Display(Console(file=screen, width=100), "dnr/table6", 1)
    for second in range(0, 100, 5):
        now[0] = second
        display.event("tick", state, {})
    lines = screen.getvalue().splitlines()
    assert len(lines) == 3 and set(lines) == {"[0/2] about 2 minutes left"}


def test_a_finished_cell_says_what_came_out() -> None:
    (job,) = jobs_of(smoke_table(find("table6")), rows=["tsn_r50"], cells=["static"], smoke=True)
    screen, state = io.StringIO(), State(total=3)
    display = progress.Display(Console(file=screen, width=200), "dnr/table6", 1)
    for what, facts in (
        ("done", {"found": "24,000 parameters, 32.700 GMACs at 224"}),
        ("failed", {"reason": "no room"}),
    ):
        state.count(job, what, 2.0)
        display.event(what, state, {"job": job, "seconds": 2.0, **facts})
    first, second = screen.getvalue().splitlines()
    assert first.startswith("[1/3] tsn_r50 static: 24,000 parameters, 32.700 GMACs at 224; took 2 seconds")
    assert second.startswith("[2/3] tsn_r50 static: failed: no room")


def test_a_training_says_how_far_it_is() -> None:
    told = progress.told({"phase": "train", "step": 3, "steps": 9, "loss": 1.25, "eta": 150.0, "data_wait": 0.02})
    assert told == "train 3/9  loss 1.250  waits for data 2 %  2 minutes left"
