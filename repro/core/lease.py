"""A cell belongs to one process at a time, over all machines that share the cache folder.

A lease is a small file beside the cell's work folder. It is created by a link, which only one process can win, and
touched while its holder lives. It has lapsed when its holder's process is gone (seen from the same machine), when its
holder is an earlier start of the same scheduler's job, or when it was not touched for `EXPIRY_S`. A lapsed lease is
taken over by whoever first creates the file that bears the lapsed one's token.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import socket
import stat
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from repro.core import paths, process
from repro.core.files import clear_left, parse_json, temporary_of
from repro.core.plain_text import one_line

BEAT_S = 20.0
EXPIRY_S = 300.0
_POLL_S = 0.5
#: bytes of a lease at most
_LARGEST = 100_000


@dataclass(frozen=True)
class Holder:
    """Who has a cell."""

    host: str
    namespace: str
    """Of process ids: two containers of one host name do not see each other's."""
    pid: int
    born: str
    """The process's start in clock ticks since boot; a process id is used again, both together are not."""
    job: str | None
    """The scheduler's job, if it runs in one."""
    since: str
    token: str

    @property
    def text(self) -> str:
        """For a message."""
        return one_line(f"SLURM job {self.job} on {self.host}" if self.job else f"process {self.pid} on {self.host}")


def place(content_id: str, seed: int) -> Path:
    """The lease's file."""
    return paths.work(content_id, seed).with_suffix(".lease")


def holder(content_id: str, seed: int) -> Holder | None:
    """Who holds the cell at this moment; None when nobody does, or its lease has lapsed."""
    path = place(content_id, seed)
    found = _read(path)
    return found if found is not None and not _lapsed(found, path, time.time()) else None


def waited_for(content_id: str, seed: int) -> str:
    """Whose a cell is that has to be waited for, how long at most, and how to go on at once."""
    path, found = place(content_id, seed), holder(content_id, seed)
    if found is None:
        return f"waiting at most {EXPIRY_S:.0f} s for what is no lease; to go on at once: rm {path}"
    here = (found.host, found.namespace) == (this_process().host, this_process().namespace)
    until = "until it ends" if here else f"until {EXPIRY_S:.0f} s after its last sign of life"
    return one_line(f"waiting for {found.text}, at work since {found.since}, {until}; to go on at once: rm {path}")


@contextlib.contextmanager
def hold(content_id: str, seed: int, on_wait: Callable[[], None] | None = None) -> Iterator[Holder | None]:
    """Hold the cell; waits as long as another living process does, calling `on_wait` meanwhile.

    Yields the lapsed holder that was succeeded, if there was one. The lease of work that ended by an exception other
    than an error (`Stopped`, Ctrl-C) stays and lapses with the process: so its successor knows what it goes on from.
    """
    path = place(content_id, seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    mine = this_process()
    while True:
        taken, before = take(path, mine)
        if taken:
            break
        if before is not None and _same_process(before, mine):  # held further up in this process
            yield None
            return
        if on_wait is not None:
            on_wait()
        time.sleep(_POLL_S)
    _clear_left_beside(path)
    done = threading.Event()
    threading.Thread(target=_beat, args=(path, mine.token, done), daemon=True).start()
    try:
        yield before
    except Exception:
        _release(path, mine)
        raise
    else:
        _release(path, mine)
    finally:
        done.set()


def _clear_left_beside(path: Path) -> None:
    """What killed processes left in the middle of taking a lease, or of writing what belongs to this one."""
    clear_left(path.parent)
    clear_left(path.with_suffix(""))
    for right in path.parent.glob(f".{path.name}.*.next"):
        with contextlib.suppress(OSError):
            if _is_old(right, time.time()):
                right.unlink()


def take(path: Path, mine: Holder) -> tuple[bool, Holder | None]:
    """Whether the lease is now ours, and whose it was or is."""
    temporary = temporary_of(path)
    temporary.write_text(json.dumps(asdict(mine)), encoding="utf-8")
    now = temporary.stat().st_mtime  # by the clock of the file's server, as the lease's own time is
    try:
        if _create(path, temporary):
            return True, None
        other = _read(path)
        if other is None:
            return _clear_what_is_none(path, now) and _create(path, temporary), None
        if not _lapsed(other, path, now):
            return False, other
        return _succeed(path, temporary, other), other
    finally:
        temporary.unlink(missing_ok=True)


def _create(path: Path, temporary: Path) -> bool:
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    except OSError:  # a file system without hard links
        with contextlib.suppress(FileExistsError), path.open("x", encoding="utf-8") as file:
            file.write(temporary.read_text(encoding="utf-8"))
            return True
        return False
    return True


def _succeed(path: Path, temporary: Path, lapsed: Holder) -> bool:
    """Put our lease in place of the lapsed one, unless another process is about to, or has."""
    right = path.with_name(f".{path.name}.{hashlib.sha256(lapsed.token.encode()).hexdigest()[:16]}.next")
    try:
        with right.open("x"):
            pass
    except FileExistsError:
        with contextlib.suppress(FileNotFoundError):
            if _is_old(right, temporary.stat().st_mtime):  # its creator died right here
                right.unlink()
        return False
    try:
        found = _read(path)
        if found is None or found.token != lapsed.token:
            return False
        temporary.replace(path)
        return True
    finally:
        right.unlink(missing_ok=True)


def _clear_what_is_none(path: Path, now: float) -> bool:
    """Whether the place is free, after what is no lease is gone: an old file, and at once what no holder ever makes."""
    with contextlib.suppress(FileNotFoundError):
        kind = path.lstat().st_mode
        if stat.S_ISDIR(kind):
            path.rename(path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.set-aside"))
        elif not stat.S_ISREG(kind) or _is_old(path, now):
            path.unlink()
        else:
            return False
    return True


def _is_old(path: Path, now: float) -> bool:
    """Whether a file was not touched for long; one of the future, by the same clock, is none that is touched now."""
    return abs(now - path.stat().st_mtime) > EXPIRY_S


def _release(path: Path, mine: Holder) -> None:
    found = _read(path)
    if found is not None and found.token == mine.token:
        path.unlink(missing_ok=True)


def _beat(path: Path, token: str, done: threading.Event) -> None:
    while not done.wait(BEAT_S):
        found = _read(path)
        if found is None or found.token != token:
            return
        with contextlib.suppress(OSError):
            os.utime(path)


def _read(path: Path) -> Holder | None:
    """Who a lease names; None where there is none, or what lies there is none."""
    try:
        facts = path.lstat()
        if not stat.S_ISREG(facts.st_mode) or facts.st_size > _LARGEST:  # a pipe would never end
            return None
        found = Holder(**parse_json(path.read_bytes()))
    except (OSError, ValueError, TypeError):
        return None
    texts = (found.host, found.namespace, found.born, found.since, found.token, "" if found.job is None else found.job)
    return found if type(found.pid) is int and all(isinstance(text, str) for text in texts) else None


def _lapsed(other: Holder, path: Path, now: float) -> bool:
    mine = this_process()
    if (other.host, other.namespace) == (mine.host, mine.namespace):
        return process.born(other.pid) != other.born
    if other.job is not None and other.job == mine.job:
        return True
    try:
        return _is_old(path, now)
    except FileNotFoundError:
        return False


def this_process() -> Holder:
    """This process as a holder, with a token of its own."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    pid = os.getpid()
    born = process.born(pid) or ""
    return Holder(socket.gethostname(), process.namespace(), pid, born, paths.scheduler_job(), now, uuid.uuid4().hex)


def _same_process(a: Holder, b: Holder) -> bool:
    return (a.host, a.namespace, a.pid, a.born) == (b.host, b.namespace, b.pid, b.born)
