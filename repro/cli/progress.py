"""What a run shows: a bar with rows and ETA, and a line for each worker; plain lines where there is no terminal."""

from __future__ import annotations

import time
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from repro.core.words import duration, many
from repro.runner.local import State, cores, note_of

#: seconds from one line to the next where there is no terminal
EVERY_S = 30.0


def time_of(seconds: float, unknown: int) -> str:
    """`about 5 minutes and 9 cells`: how long, and how many cells of which nobody knows it yet."""
    parts = [f"about {duration(seconds)}"] if seconds or not unknown else []
    return " and ".join([*parts, *([many(unknown, "cell")] if unknown else [])])


class Paced:
    """Whether it is time for the next line."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def due(self) -> bool:
        """At most once in `EVERY_S` seconds."""
        now = time.monotonic()
        if now - self._last < EVERY_S:
            return False
        self._last = now
        return True


def told(facts: dict[str, Any]) -> str:
    """One line of how far a training or test is, out of what it reports."""
    parts = [note_of(facts)]
    for name, text in (("loss", "loss {:.3f}"), ("top1", "top-1 {:.1f} %"), ("images_per_s", "{:.0f} images/s")):
        if name in facts:
            parts.append(text.format(facts[name]))
    if "data_wait" in facts:
        parts.append(f"waits for data {100 * facts['data_wait']:.0f} %")
    if facts.get("eta") is not None:
        parts.append(f"{duration(facts['eta'])} left")
    return "  ".join(parts)


def waits(note: str) -> bool:
    """Whether a note tells that somebody else's work is waited for (`repro.core.lease`)."""
    return note.startswith("waiting")


class Display:
    """Use as a context manager; its `event` is the `on_event` of `run_local`."""

    def __init__(self, console: Console, title: str, width: int | None) -> None:
        self.console, self.title, self.width = console, title, width or cores()
        self._told: set[tuple[str, str]] = set()
        self._paced = Paced()
        self._live = Live(console=console, refresh_per_second=4, transient=True) if console.is_terminal else None

    def __enter__(self) -> Display:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def event(self, what: str, state: State, facts: dict[str, Any]) -> None:
        """Show one event of the run."""
        if what in {"done", "failed"}:
            self._finished(what, state, facts)
        self._tell_waits(state)
        if self._live:
            self._live.update(self._frame(state))
        elif self._paced.due():
            busy = [f"{w.job.name}{f': {w.note}' if w.note else ''}" for w in state.workers if w.job]
            told = f"[{state.done + state.failed}/{state.total}] {self._left(state)}"
            self.console.print(Text("; ".join([told, *busy])))

    def _tell_waits(self, state: State) -> None:
        """A line for what is waited for, once: it may last."""
        for worker in state.workers:
            told = (worker.job.name, worker.note) if worker.job is not None else ("", "")
            if waits(worker.note) and told not in self._told:
                self._told.add(told)
                self.console.print(Text(f"{told[0]}: {worker.note}"))

    def _finished(self, what: str, state: State, facts: dict[str, Any]) -> None:
        done = state.done + state.failed
        line = Text(f"[{done}/{state.total}] {facts['job'].name}: ")
        if what == "failed":
            line.append(f"failed: {facts['reason']}", style="red")
        else:
            line.append(f"{facts['found']}; took {duration(facts['seconds'])}")
        if not self._live and done < state.total:
            line.append(f"   ({self._left(state)})")
        self.console.print(line)

    def _left(self, state: State) -> str:
        return f"{time_of(*state.eta(self.width))} left"

    def _frame(self, state: State) -> Group:
        done = state.done + state.failed
        head = Table.grid(padding=(0, 1))
        head.add_row(
            Text(self.title, style="bold"),
            ProgressBar(total=max(1, state.total), completed=done, width=30),
            Text(f"{done} of {many(state.total, 'cell')}, {self._left(state)}"),
        )
        lines = [Text(f"  {w.job.kind}: {w.job.name}  {w.note}", style="dim") for w in state.workers if w.job]
        return Group(head, *lines)
