"""A cell belongs to one process at a time, over all machines that share the cache folder.

A lease is a small file beside the cell's work folder. It is created by a link, which only one process can win, and
touched while its holder lives. It has lapsed when its holder's process is gone (seen from the same machine), when its
holder is an earlier start of the same scheduler's job, or when it was not touched for `EXPIRY_S`. A lapsed lease is
taken over by whoever first creates the file that bears the lapsed one's token.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from repro.core import paths

BEAT_S = 20.0
EXPIRY_S = 300.0
_POLL_S = 0.5


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
        return f"SLURM job {self.job} on {self.host}" if self.job else f"process {self.pid} on {self.host}"


def place(content_id: str, seed: int) -> Path:
    """The lease's file."""
    return paths.work(content_id, seed).with_suffix(".lease")


def holder(content_id: str, seed: int) -> Holder | None:
    """Who holds the cell at this moment; None when nobody does, or its lease has lapsed."""
    path = place(content_id, seed)
    found = _read(path)
    return found if found is not None and not _lapsed(found, path, time.time()) else None


@contextlib.contextmanager
def hold(content_id: str, seed: int, on_wait: Callable[[], None] | None = None) -> Iterator[Holder | None]:
    """Hold the cell; waits as long as another living process does, calling `on_wait` meanwhile.

    Yields the lapsed holder that was succeeded, if there was one. The lease of work that ended by an exception other
    than an error (`Stopped`, Ctrl-C) stays and lapses with the process: so its successor knows what it goes on from.
    """
    path = place(content_id, seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    mine = _me()
    while True:
        taken, before = _take(path, mine)
        if taken:
            break
        if before is not None and _same_process(before, mine):  # held further up in this process
            yield None
            return
        if on_wait is not None:
            on_wait()
        time.sleep(_POLL_S)
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


def _take(path: Path, mine: Holder) -> tuple[bool, Holder | None]:
    """Whether the lease is now ours, and whose it was or is."""
    temporary = path.with_name(f".{path.name}.{mine.token}.tmp")
    temporary.write_text(json.dumps(asdict(mine)), encoding="utf-8")
    now = temporary.stat().st_mtime  # by the clock of the file's server, as the lease's own time is
    try:
        if _create(path, temporary):
            return True, None
        other = _read(path)
        if other is None:
            return _clear_damaged(path, now) and _create(path, temporary), None
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
    right = path.with_name(f".{path.name}.{lapsed.token}.next")
    try:
        with right.open("x"):
            pass
    except FileExistsError:
        with contextlib.suppress(FileNotFoundError):
            if temporary.stat().st_mtime - right.stat().st_mtime > EXPIRY_S:  # its creator died right here
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


def _clear_damaged(path: Path, now: float) -> bool:
    """Whether the place is free, after an old file that is no lease is removed."""
    with contextlib.suppress(FileNotFoundError):
        if now - path.stat().st_mtime <= EXPIRY_S:
            return False
        path.unlink()
    return True


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
    try:
        return Holder(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _lapsed(other: Holder, path: Path, now: float) -> bool:
    mine = _me()
    if (other.host, other.namespace) == (mine.host, mine.namespace):
        return _born(other.pid) != other.born
    if other.job is not None and other.job == mine.job:
        return True
    try:
        return now - path.stat().st_mtime > EXPIRY_S
    except FileNotFoundError:
        return False


def _me() -> Holder:
    try:
        namespace = str(Path("/proc/self/ns/pid").stat().st_ino)
    except OSError:
        namespace = ""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    pid = os.getpid()
    return Holder(socket.gethostname(), namespace, pid, _born(pid) or "", paths.scheduler_job(), now, uuid.uuid4().hex)


def _born(pid: int) -> str | None:
    """When a process of this machine started; None when there is none. Where /proc is not, all living ones are ''."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        if Path("/proc/self/stat").exists():
            return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    return ""


def _same_process(a: Holder, b: Holder) -> bool:
    return (a.host, a.namespace, a.pid, a.born) == (b.host, b.namespace, b.pid, b.born)
