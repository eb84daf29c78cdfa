"""Files that appear whole or not at all, and folders with one writer at a time."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from repro.core.errors import ReproError


@contextlib.contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, which the system drops when a process dies, and clear what a killed writer left.

    Where the file system has no locks, the final link alone keeps two writers from losing a record.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
            for stale in folder.glob(".*.tmp"):
                stale.unlink(missing_ok=True)
        yield
        os.fsync(handle)
    finally:
        os.close(handle)


def place(path: Path, content: bytes | Path, *, over: bool = False) -> None:
    """Content appears under `path` whole or not at all, and only with `over` in place of another file."""
    temporary = path.parent / f".{path.name}.{uuid.uuid4().hex}.tmp"
    try:
        with temporary.open("xb") as file:
            if isinstance(content, bytes):
                file.write(content)
            else:
                with content.open("rb") as source:
                    shutil.copyfileobj(source, file)
            file.flush()
            os.fsync(file.fileno())
        if over:
            temporary.replace(path)
        else:
            _link(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _link(temporary: Path, path: Path) -> None:
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links; the folder's lock keeps other writers out
        if path.exists():
            raise
        temporary.rename(path)


def file_sha256(path: Path) -> str:
    """The file's sha256 in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_atomic(path: Path, content: bytes) -> None:
    """`path` holds all of `content` or what it held before, whenever the process or the machine stops."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise ReproError(
            f"{path} ({len(content) / 1e6:.1f} MB) cannot be written: {error.strerror}",
            fix="room on that disk, or another by REPRO_CACHE; the same command then goes on",
        ) from error
    handle = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def parse_json(text: str | bytes) -> Any:
    """A JSON document; `ValueError` for what is none: also for NaN and infinity, and where it is nested too deep."""
    try:
        return json.loads(text, parse_constant=_no_constant)
    except RecursionError as error:
        raise ValueError("JSON that is nested too deep") from error


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is not a JSON number")
