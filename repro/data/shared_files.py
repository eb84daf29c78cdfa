"""One video that stands in two splits of a list: by a link, by another spelling of its path, or as a copy of it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from repro.core.errors import DataError
from repro.data import content
from repro.data.frames import is_picture


class Listed(NamedTuple):
    """One line of a list: where it stands, the path as written there, its split (None: any) and its class."""

    line: int
    path: str
    split: str | None
    label: int


def refuse_shared(file: Path, rows: Sequence[Listed]) -> None:
    """Raise `DataError` where two lines of different splits or labels of the list `file` are one file on the disk, and
    where a video of train is, byte by byte, one that is held out. What is not there is passed over.
    """
    folder = file.absolute().parent
    seen: dict[tuple[int, int], Listed] = {}
    alike: dict[tuple[int, int], list[Listed]] = {}
    for row in rows:
        try:
            facts = (folder / row.path).stat()
            size = _size(folder / row.path, facts)
        except (OSError, ValueError):
            continue
        other = seen.setdefault((facts.st_dev, facts.st_ino), row)
        if (other.split, other.label) != (row.split, row.label):
            what = f"one file, of {other.split} and {row.split}" if row.split != other.split else "one file, two labels"
            raise _error(file, other, row, what)
        if size:
            alike.setdefault(size, []).append(row)
    mixed = [group for group in alike.values() if len({row.split == "train" for row in group}) > 1]
    for other, row in copies(folder, mixed):
        raise _error(file, other, row, f"copies of one video, in {other.split} and {row.split}")


def _size(path: Path, facts: os.stat_result) -> tuple[int, int] | None:
    """What copies have in common and most other videos have not, told without reading them: bytes, or the number of
    pictures and the bytes of the first; None of an empty one.
    """
    if stat.S_ISREG(facts.st_mode):
        return (-1, facts.st_size) if facts.st_size else None
    with os.scandir(path) as entries:
        names = [entry.name for entry in entries if is_picture(entry.name)]
    return (len(names), (path / min(names)).stat().st_size) if names else None


def copies(folder: Path, groups: Iterable[Sequence[Listed]]) -> Iterator[tuple[Listed, Listed]]:
    """Each video of train that is, byte by byte, one that is held out, and that one. Paths are below `folder`; `groups`
    hold those that may be equal, by their sizes.
    """
    rows = [row for group in groups for row in group]
    held = content.digests(folder, [folder / row.path for row in rows])
    first: dict[str, Listed] = {}
    for row, digest in sorted(zip(rows, held, strict=True)):
        other = first.setdefault(digest, row)
        if digest not in (content.MISSING, content.UNREADABLE) and (other.split == "train") != (row.split == "train"):
            yield other, row


def _error(file: Path, one: Listed, other: Listed, what: str) -> DataError:
    return DataError(
        f"{str(file)!r} lines {one.line} and {other.line}: {one.path!r} and {other.path!r} are {what}",
        fix="leave one of the lines out",
    )
