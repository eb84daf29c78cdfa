"""Processes of tests as children of one that has imported torch and the engine: real ones, to be killed and to form
groups, without two seconds of imports each.

The function that a child runs is found by its name, so it stands at the top of a test's module.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

_FORKED = multiprocessing.get_context("forkserver")
_FORKED.set_forkserver_preload(
    ["pytest", "hypothesis", "av", "timm", "repro.engine.accuracy", "repro.engine.train.fit"]
)


class Child:
    """A process that runs `function(*arguments)`; what that returns comes back, and what it tells before."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.pipe, theirs = _FORKED.Pipe(duplex=False)
        self.process = _FORKED.Process(target=_run, args=(theirs, dict(os.environ), function, arguments))
        self.process.start()
        theirs.close()

    def told(self, timeout_s: float = 240) -> Any:
        """The next that it tells; EOFError once it has ended."""
        if not self.pipe.poll(timeout_s):
            self.process.kill()
            raise TimeoutError(f"nothing within {timeout_s:.0f} s")
        return self.pipe.recv()

    def result(self, timeout_s: float = 240) -> Any:
        """What the function returned, None where it ended the process; any other end than a good one is an error."""
        try:
            found = self.told(timeout_s)
        except EOFError:
            found = None
        assert self.ended() == 0
        return found

    def ended(self) -> int | None:
        """Its exit code, negative for a signal."""
        self.process.join(60)
        self.process.kill()
        self.pipe.close()
        return self.process.exitcode


def _run(pipe: Connection, environment: dict[str, str], function: Callable[..., Any], arguments: tuple[Any]) -> None:
    import torch

    global _to_parent
    _to_parent = pipe
    os.environ.clear()
    os.environ.update(environment)
    torch.set_num_threads(1)
    tell(function(*arguments))


_to_parent: Connection | None = None


def tell(what: Any) -> None:
    """In a child: its parent's `told` gives this."""
    assert _to_parent is not None
    _to_parent.send(what)
