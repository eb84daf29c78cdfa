"""What videos hold, as digests that tell copies of a dataset apart, whatever their names, sizes and dates.

A file of up to 1 MiB counts whole, a larger one by its size and by 64 KiB of its head, middle and tail; a folder of
frames by the names and contents of all its pictures. A digest is kept in the cache for as long as path, size, inode and
times of the file, or of each picture, are the same:

    <cache>/contents/<digest of a root folder>.txt      a line for each video: key, digest, check sum

Lines are only ever added, each process its own at once, so that several may write; one that was cut off does not fit
its check sum and is passed over. The files can be deleted: they are made again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import time
import zlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from repro.core import paths
from repro.data.frames import is_picture

_WHOLE_BYTES, _PART_BYTES = 1 << 20, 1 << 16
#: seconds within which a file may change again without its times telling
_RACY_S = 2.0
_THREADS, _TOGETHER = 8, 512
MISSING, UNREADABLE = "missing", "unreadable"


def digests(root: Path, videos: Sequence[Path]) -> list[str]:
    """The digest of each video file or folder of frames below `root`; `missing` or `unreadable` where it has none."""
    store = paths.cache() / "contents" / f"{hashlib.sha256(os.fsencode(root)).hexdigest()[:16]}.txt"
    known = _known(store)
    found: list[str] = []
    with ThreadPoolExecutor(_THREADS) as pool:
        for start in range(0, len(videos), _TOGETHER):
            seen = [_look(path) for path in videos[start : start + _TOGETHER]]
            new = {one.key: one for one in seen if isinstance(one, _Seen) and one.key not in known}
            made = dict(zip(new, pool.map(_digest, new.values()), strict=True))
            _keep(store, {key: text for key, text in made.items() if text != UNREADABLE and not new[key].racy()})
            found += [one if isinstance(one, str) else made.get(one.key) or known[one.key] for one in seen]
    return found


def state(path: Path) -> str:
    """What tells, without reading it, whether a video is still the one it was: of its file, or of all its pictures,
    places, sizes, times and inodes; `missing` or `unreadable`.
    """
    seen = _look(path)
    return seen if isinstance(seen, str) else seen.key


@dataclass(frozen=True)
class _Seen:
    """A video as the file system tells it: `files` are its one file, or all pictures of its folder, with their sizes;
    `key` stands for these, their places and times.
    """

    key: str
    files: tuple[tuple[str, int], ...]
    newest: float
    folder: bool

    def racy(self) -> bool:
        """Whether it is so new that it may still be written to."""
        return time.time() - self.newest < _RACY_S


def _look(path: Path) -> _Seen | str:
    try:
        facts = path.stat()
        if stat.S_ISREG(facts.st_mode):
            return _seen(path, [(str(path), facts)], folder=False)
        if not stat.S_ISDIR(facts.st_mode):  # a pipe or a device would be waited for
            return UNREADABLE
        with os.scandir(path) as entries:
            named = sorted((entry.name, entry.path) for entry in entries if is_picture(entry.name))
        return _seen(path, [(place, Path(place).stat()) for _, place in named], folder=True)
    except (FileNotFoundError, NotADirectoryError):
        return MISSING
    except (OSError, ValueError):
        return UNREADABLE


def _seen(path: Path, files: list[tuple[str, os.stat_result]], *, folder: bool) -> _Seen:
    digest = hashlib.sha256(os.fsencode(path))
    for place, facts in files:
        told = f"{facts.st_size}:{facts.st_mtime_ns}:{facts.st_ctime_ns}:{facts.st_ino}:{facts.st_dev}"
        digest.update(b"\0" + os.fsencode(place) + b"\0" + told.encode())
    newest = max((max(facts.st_mtime, facts.st_ctime) for _, facts in files), default=0.0)
    return _Seen(digest.hexdigest()[:32], tuple((place, facts.st_size) for place, facts in files), newest, folder)


def _digest(seen: _Seen) -> str:
    try:
        if not seen.folder:
            return _of_file(*seen.files[0])
        digest = hashlib.sha256(b"folder")
        for place, size in seen.files:
            name = os.fsencode(os.path.basename(place))  # noqa: PTH119
            digest.update(b"%d:%s" % (len(name), name) + _of_file(place, size).encode())
        return digest.hexdigest()
    except (OSError, ValueError):
        return UNREADABLE


def _of_file(place: str, size: int) -> str:
    with Path(place).open("rb") as file:
        if size <= _WHOLE_BYTES:
            return hashlib.file_digest(file, "sha256").hexdigest()
        digest = hashlib.sha256(f"{size};".encode())
        for start in (0, (size - _PART_BYTES) // 2, size - _PART_BYTES):
            file.seek(start)
            digest.update(file.read(_PART_BYTES))
        return digest.hexdigest()


def _known(store: Path) -> Mapping[str, str]:
    try:
        facts = store.stat()
        return _read(store, facts.st_size, facts.st_mtime_ns)
    except OSError:
        return {}


@lru_cache(maxsize=8)
def _read(store: Path, size: int, mtime_ns: int) -> Mapping[str, str]:
    found = {}
    for line in store.read_bytes().split(b"\n"):
        parts = line.split(b" ")
        if len(parts) == 3 and parts[2] == _check_sum(parts[0] + b" " + parts[1]):
            found[parts[0].decode()] = parts[1].decode()
    return found


def _keep(store: Path, made: Mapping[str, str]) -> None:
    """Add lines by one write at the file's end; a cache that cannot be written costs time alone."""
    if not made:
        return
    lines = [f"{key} {digest}".encode() for key, digest in made.items()]
    data = b"\n" + b"".join(line + b" " + _check_sum(line) + b"\n" for line in lines)  # behind a line that was cut off
    with contextlib.suppress(OSError):
        store.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(store, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            os.write(handle, data)
        finally:
            os.close(handle)


def _check_sum(line: bytes) -> bytes:
    return b"%08x" % zlib.crc32(line)
