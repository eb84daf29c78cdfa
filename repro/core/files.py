"""Files and folders that appear whole or not at all, and folders with one writer at a time.

What is written has a temporary name that tells its writer, is synced, then takes its name. What a killed writer leaves
is cleared by the next one of the folder; what a living one writes is left alone.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import math
import os
import shutil
import socket
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from repro.core import process
from repro.core.errors import BadOption, ReproError

#: endings of temporary names: of a file, of a folder
_FILE, _FOLDER = ".tmp", ".part"
#: what another host has left is cleared after so long
_OLD_S = 86_400.0
#: a folder is locked for as long as one file is written
LOCKED_S = 120.0


@contextlib.contextmanager
def filling(path: Path, *, over: bool = True) -> Iterator[Path]:
    """A temporary file, for a library to write, that takes the name `path` when the block ends well; only with `over`
    in place of another file.

    Raises FileExistsError where it may not, and ReproError where the disk has no room.
    """
    temporary = temporary_of(path)
    try:
        yield temporary
        temporary.chmod(_usual_bits())  # some libraries write for their user alone
        _sync(temporary)
        if over:
            temporary.replace(path)
        else:
            _link(temporary, path)
        with contextlib.suppress(OSError):  # the name too, where the file system lets a folder be synced
            _sync(path.parent)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            if error.filename in (temporary, str(temporary)):
                error.filename = str(path)  # the name that the user knows
            raise
        raise ReproError(
            f"{path} cannot be written: {os.strerror(error.errno)}",
            fix="room on that disk, or another by REPRO_CACHE, REPRO_RESULTS or --out; the same command then goes on",
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def writing(path: Path, *, over: bool = True) -> Iterator[IO[bytes]]:
    """The same as an open binary file."""
    with filling(path, over=over) as temporary, temporary.open("xb") as file:
        yield file
        file.flush()


def write_atomic(path: Path, content: bytes | Path, *, over: bool = True) -> None:
    """`path` holds all of `content`, bytes or another file's, or what it held before, whenever the machine stops."""
    with writing(path, over=over) as file:
        if isinstance(content, bytes):
            file.write(content)
        else:
            with content.open("rb") as source:
                shutil.copyfileobj(source, file)


def keep_as(path: Path, other: Path) -> None:
    """The file `path` under a second name too, which must be free: as a link, else as a copy."""
    try:
        os.link(path, other)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        write_atomic(other, path, over=False)
    with contextlib.suppress(OSError):
        _sync(other.parent)


@contextlib.contextmanager
def building(folder: Path) -> Iterator[Path]:
    """A folder to fill that takes the name `folder` when the block ends well; of two that do, the first stays."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = temporary_of(folder, _FOLDER)
    part.mkdir()
    try:
        yield part
        with contextlib.suppress(OSError):  # another process was first
            part.rename(folder)
        if not folder.is_dir():
            raise ReproError(f"{folder} cannot be made", fix="a folder that can be written, by REPRO_CACHE")
    finally:
        shutil.rmtree(part, ignore_errors=True)


@contextlib.contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, which the system drops when a process dies, and clear what killed writers left.

    Where the file system has no locks, the final link alone keeps two writers from losing a record.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        _lock(handle, folder)
        clear_left(folder)
        yield
        with contextlib.suppress(OSError):  # where a folder cannot be synced
            os.fsync(handle)
    finally:
        os.close(handle)


def _lock(handle: int, folder: Path) -> None:
    """Take the folder's lock; a writer that was stopped in the middle of a write is waited for `LOCKED_S`."""
    began = time.monotonic()
    while time.monotonic() - began < LOCKED_S:
        try:
            return fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.005)
        except OSError:  # a file system without locks
            return None
    what = f"{folder} has been locked for {LOCKED_S:g} s by a process that writes there, or was stopped"
    raise ReproError(what, fix=f"let that one end (fuser {folder}); the same command then goes on")


def clear_left(folder: Path) -> None:
    """Remove temporary files and folders whose writers are dead."""
    for path in left_in(folder):
        with contextlib.suppress(OSError):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def left_in(folder: Path) -> Iterator[Path]:
    """Temporary files and folders in a folder whose writers are dead."""
    for path in [*folder.glob(f".*{_FILE}"), *folder.glob(f".*{_FOLDER}")]:
        with contextlib.suppress(OSError):
            if _left(path):
                yield path


def file_sha256(path: Path) -> str:
    """The file's sha256 in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def temporary_of(path: Path, ending: str = _FILE) -> Path:
    """A name beside `path` that tells its writer, so that it is cleared once that one is dead."""
    return path.with_name(f".{path.name[:40]}.{_host()}-{os.getpid()}-{uuid.uuid4().hex[:12]}{ending}")


def _host() -> str:
    """Of whose process numbers a name tells."""
    return hashlib.sha256(f"{socket.gethostname()}:{process.namespace()}".encode()).hexdigest()[:8]


def _left(path: Path) -> bool:
    """Whether the writer that a temporary name tells is gone; of another host, or of none, by age."""
    told = path.stem.rpartition(".")[2].split("-")
    if len(told) == 3 and told[0] == _host() and told[1].isdigit():
        return process.born(int(told[1])) is None
    return time.time() - path.lstat().st_mtime > _OLD_S


def _link(temporary: Path, path: Path) -> None:
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links; the folder's lock keeps other writers out
        if path.exists():
            raise
        temporary.rename(path)


def _usual_bits() -> int:
    """The permissions of a file that nobody asks special ones for."""
    mask = os.umask(0o077)
    os.umask(mask)
    return 0o666 & ~mask


def require_writable(folder: Path) -> None:
    """Make the folder, and write a nameless file into it; `BadOption` where that cannot be, before hours of work whose
    result would be lost.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"\0")
    except OSError as error:
        why = error.strerror or str(error)
        raise BadOption(
            f"results cannot be written to {str(folder)!r}: {why}", allowed="a folder to write to"
        ) from error


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def parse_json(text: str | bytes) -> Any:
    """A JSON document; `ValueError` for what is none: for NaN, infinity and numbers beyond all floats too, and for one
    that is nested too deep.
    """
    try:
        return json.loads(text, parse_constant=_no_constant, parse_float=_finite)
    except RecursionError as error:
        raise ValueError("JSON that is nested too deep") from error


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text} is out of range")
    return value


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is not a JSON number")
