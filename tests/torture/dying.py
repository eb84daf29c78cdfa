"""A process that dies at its n-th file operation: SIGKILL, as from a scheduler or for want of memory.

Operations are what Python tells its audit hooks (opening for writing, renaming, linking, removing, making folders,
changing bits and times), and syncs. The operation itself does not happen any more.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

_CHANGES = {"os.rename", "os.remove", "os.link", "os.symlink", "os.mkdir", "os.rmdir", "os.chmod", "os.utime",
            "os.truncate"}  # fmt: skip
_WAIT_S = 120.0


def dies_at(number: int, work: Callable[[], Any], folder: Path) -> bool:
    """Whether a child process that does `work` died at operation `number` below `folder`; False: it ended before."""
    child = os.fork()
    if child == 0:
        try:
            _die_at(number, str(folder))
            work()
        except BaseException:
            traceback.print_exc()
            os._exit(9)
        os._exit(0)
    status = _ended(child)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL, f"ended by {os.WTERMSIG(status)}"
        return True
    assert os.waitstatus_to_exitcode(status) == 0, "an error, see above"
    return False


def _ended(child: int) -> int:
    deadline = time.monotonic() + _WAIT_S
    while time.monotonic() < deadline:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return status
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    raise AssertionError(f"hangs for {_WAIT_S:.0f} s")


def _die_at(number: int, below: str) -> None:
    left = [number]

    def count() -> None:
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left[0] -= 1

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and not _writes(arguments[1], arguments[2]):
            return
        if (event in _CHANGES or event == "open") and _is_below(arguments[0], below):
            count()

    inner = os.fsync

    def fsync(handle: int) -> None:
        count()
        inner(handle)

    os.fsync = fsync
    sys.addaudithook(hook)


def _writes(mode: Any, flags: Any) -> bool:
    if isinstance(mode, str) and set(mode) & set("wxa+"):
        return True
    return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))


def _is_below(path: Any, below: str) -> bool:
    with contextlib.suppress(TypeError):
        text = os.fsdecode(path)
        return text.startswith(below) or not text.startswith("/")  # shutil.rmtree names what lies in an open folder
    return False
