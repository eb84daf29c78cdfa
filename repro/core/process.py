"""Which process is which: what tells one from another that has its number, and whether it still runs; and of this one,
its collector of garbage.
"""

from __future__ import annotations

import contextlib
import gc
import os
from collections.abc import Iterator
from pathlib import Path

_HAS_PROC = Path("/proc/self/stat").exists()


def namespace() -> str:
    """Of process ids: two containers of one host name do not see each other's; empty where the system does not tell."""
    try:
        return str(Path("/proc/self/ns/pid").stat().st_ino)
    except OSError:
        return ""


def born(pid: int) -> str | None:
    """When a process of this machine started, in clock ticks since boot; None when there is none, or one that has ended
    and is not yet reaped by its parent. Where /proc is not, all living ones are ''.
    """
    if _HAS_PROC:
        try:
            told = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
            return None if told[0] in "ZX" else told[19]
        except (OSError, IndexError):
            return None
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return None
    except PermissionError:
        pass
    return ""


@contextlib.contextmanager
def without_collector() -> Iterator[None]:
    """Python's collector of garbage rests: what is imported, and records and tables until they are shown, is kept
    anyway, and looking through it took a sixth of the time.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
