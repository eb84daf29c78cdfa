"""Which process is which: what tells one from another that has its number, and whether it still runs; and of this one,
its collector of garbage and what it keeps of freed memory.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
from collections.abc import Iterator
from pathlib import Path

#: glibc's malloc.h
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_keepers = 0

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


@contextlib.contextmanager
def memory_kept() -> Iterator[None]:
    """What is freed stays with the process, where glibc is its allocator: a step of a small training asked the system
    for 16 MB of pages and gave them back, a quarter of its time; a shift of maps at their full size copies in a fifth
    of the time. Afterwards glibc's largest thresholds of its own hold. One inside another changes nothing.
    """
    global _keepers
    try:
        set_option = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):  # another allocator, another system
        yield
        return
    _keepers += 1
    _ = set_option(_M_MMAP_THRESHOLD, 2**30) or set_option(_M_MMAP_THRESHOLD, 2**25)  # an older glibc takes no more
    set_option(_M_TRIM_THRESHOLD, 2**31 - 1)
    try:
        yield
    finally:
        _keepers -= 1
        if not _keepers:
            set_option(_M_MMAP_THRESHOLD, 2**25)
            set_option(_M_TRIM_THRESHOLD, 2**26)
            ctypes.CDLL(None).malloc_trim(0)
