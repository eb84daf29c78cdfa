"""A dataset split as a list of videos, and the CSV files that users write.

A dataset is one CSV with columns `path` and `label`, optionally `split`, beside an optional label map: one class name a
line, in the order of the labels. Paths are relative to the CSV. A label is a class name or its 0-based number.

    path,label,split
    clips/a.mp4,pushing,train
    "clips/b, second.mp4",pulling,val
"""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from repro.core.errors import DataError, UnknownName

_COLUMNS = ("path", "label", "split")


@dataclass(frozen=True)
class Video:
    """One labelled video. `id` names it in records: for a CSV, the path as written there."""

    id: str
    path: Path
    label: int


@dataclass(frozen=True)
class Index:
    """One split of a dataset. `fingerprint` tells copies of a dataset apart; where they lie does not enter."""

    name: str
    split: str
    videos: tuple[Video, ...]
    classes: tuple[str, ...]
    fingerprint: str
    problems: Mapping[str, str] = field(default_factory=dict)
    """id -> why a video of the list is known to be missing or corrupt; it is not opened, and counts as not read."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What records say of this copy besides: its label map, its source, how many videos it lacks."""

    def __len__(self) -> int:
        return len(self.videos)

    def first(self, count: int) -> Index:
        """The first `count` videos, one of each class in turn as long as it has any; 0 is all of them.

        The fingerprint stays that of the whole split; more than it has is an error.
        """
        if not count:
            return self
        if count > len(self.videos):
            raise DataError(f"{count} videos of {self.name} {self.split} are asked for; it has {len(self.videos)}")
        place: Counter[int] = Counter()
        turns = []
        for position, video in enumerate(self.videos):
            turns.append((place[video.label], position))
            place[video.label] += 1
        return replace(self, videos=tuple(self.videos[position] for _, position in sorted(turns)[:count]))


@dataclass(frozen=True)
class Row:
    """One checked line of a CSV; `line` is where its record ends, counted from 1."""

    line: int
    path: str
    label: str
    split: str | None


def read_csv(path: str | Path, split: str, *, labels: str | Path | None = None) -> Index:
    """The videos of one split of a CSV.

    Without a `split` column the file serves as any split that is tested; training needs the column, so that nothing is
    trained on what it is tested on. `labels` is the label map; else `NAME.labels.txt` or `labels.txt` beside the CSV;
    else class names are the labels that occur in the whole file, sorted. Missing video files are no error here: they
    are reported when they are read.
    """
    file = Path(path).expanduser()
    rows = _read_rows(file)
    classes = _classes(file, rows, labels)
    numbers = _numbers(file, rows, classes)
    chosen = [(row, number) for row, number in zip(rows, numbers, strict=True) if row.split in (None, split)]
    if rows[0].split is None and split == "train":
        raise DataError(
            f"{str(file)!r} has no column `split`, so it cannot be trained on",
            fix="add a column `split` with the values train and val",
        )
    if not chosen:
        raise UnknownName(f"split of {str(file)!r}", split, {row.split or "" for row in rows}, fix="--split NAME")
    folder = file.absolute().parent
    videos = tuple(Video(id=row.path, path=folder / row.path, label=number) for row, number in chosen)
    return Index(file.stem, split, videos, classes, fingerprint(videos, classes))


def read_classes(path: str | Path, *, labels: str | Path | None = None) -> tuple[str, ...]:
    """The class names of a CSV, over all its splits."""
    file = Path(path).expanduser()
    return _classes(file, _read_rows(file), labels)


def read_splits(path: str | Path) -> tuple[str, ...]:
    """The splits that a CSV names, sorted; without a `split` column `val`, which any tested split may be."""
    return tuple(sorted({row.split or "val" for row in _read_rows(Path(path).expanduser())}))


def fingerprint(videos: Sequence[Video], classes: Sequence[str]) -> str:
    """sha256 over class names and, for each video, id, label and file size in bytes (-1 for a missing file)."""
    digest = hashlib.sha256(b"repro.index.1")
    for name in classes:
        digest.update(_field(name))
    for video in videos:
        try:
            size = video.path.stat().st_size
        except (OSError, ValueError):
            size = -1
        digest.update(_field(video.id) + f"{video.label}:{size};".encode())
    return digest.hexdigest()


def _field(text: str) -> bytes:
    """Length-prefixed, so that no two lists of names give the same bytes."""
    data = text.encode("utf-8", "surrogateescape")
    return f"{len(data)}:".encode() + data


def _read_rows(file: Path) -> list[Row]:
    """All lines of a CSV, each with a path and a label; the first fault is raised with its line."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream, strict=True)
            header = [name.strip() for name in next(reader, [])]
            _check_header(file, header)
            return _checked(file, ((reader.line_num, fields) for fields in reader if fields), header)
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(f"{str(file)!r} cannot be read: {reason}", allowed="a CSV file with path,label") from error
    except UnicodeDecodeError as error:
        raise DataError(
            f"{str(file)!r} is not UTF-8: byte {error.object[error.start]:#x}", fix="save as UTF-8"
        ) from error
    except csv.Error as error:
        raise DataError(f"{str(file)!r} line {reader.line_num}: {error}", allowed="a well-formed CSV") from error


def _check_header(file: Path, header: list[str]) -> None:
    if "path" not in header or "label" not in header:
        raise DataError(
            f"{str(file)!r} line 1: the header is {','.join(header)!r}",
            allowed="columns path,label and optionally split",
            fix="write `path,label` as the first line",
        )
    for name in header:
        if name not in _COLUMNS or header.count(name) > 1:
            raise DataError(f"{str(file)!r} line 1: column {name!r}", allowed="path, label and split, each once")


def _checked(file: Path, lines: Iterable[tuple[int, list[str]]], header: list[str]) -> list[Row]:
    rows: list[Row] = []
    first_seen: dict[str, int] = {}
    for line, fields in lines:
        where = f"{str(file)!r} line {line}"
        if len(fields) != len(header):
            raise DataError(
                f"{where}: {len(fields)} fields, the header has {len(header)}",
                fix='put names that hold commas or quotes in double quotes, "" for a quote',
            )
        record = dict(zip(header, fields, strict=True))
        for column, value in record.items():
            if not value.strip():
                raise DataError(f"{where}: the {column} is empty")
        name = record["path"]
        if "\0" in name:
            raise DataError(f"{where}: the path {name!r} holds a NUL character")
        if name in first_seen:
            raise DataError(f"{where}: the path {name!r} stands on line {first_seen[name]} already")
        first_seen[name] = line
        split = record["split"].strip() if "split" in record else None
        rows.append(Row(line, name, record["label"].strip(), split))
    if not rows:
        raise DataError(f"{str(file)!r} holds no video", allowed="a header and one line a video")
    return rows


def _classes(file: Path, rows: list[Row], labels: str | Path | None) -> tuple[str, ...]:
    """Class names from the label map, else from the labels of the whole file."""
    beside = (file.with_name(f"{file.stem}.labels.txt"), file.with_name("labels.txt"))
    found = Path(labels).expanduser() if labels else next((place for place in beside if place.is_file()), None)
    if found is not None:
        return read_labels(found)
    names = {row.label for row in rows}
    if all(_is_number(name) for name in names):
        return tuple(str(number) for number in range(max(int(name) for name in names) + 1))
    return tuple(sorted(names))


def read_labels(file: Path) -> tuple[str, ...]:
    """A label map: one class name a line; line 1 is label 0."""
    try:
        names = [line.strip() for line in file.read_text(encoding="utf-8-sig").rstrip().split("\n")]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"label map {str(file)!r} cannot be read: {error}", allowed="one class name a line") from error
    for line, name in enumerate(names, 1):
        if not name:
            raise DataError(f"label map {str(file)!r} line {line}: the class name is empty")
        if name in names[: line - 1]:
            raise DataError(
                f"label map {str(file)!r} line {line}: {name!r} stands on line {names.index(name) + 1} already"
            )
    return tuple(names)


def _numbers(file: Path, rows: list[Row], classes: tuple[str, ...]) -> list[int]:
    """The label of each row as a number."""
    by_name = {name: number for number, name in enumerate(classes)}
    numbers = []
    for row in rows:
        named = by_name.get(row.label)
        counted = int(row.label) if _is_number(row.label) and int(row.label) < len(classes) else None
        if named is None and counted is None:
            shown = ", ".join(classes[:8]) + (", ..." if len(classes) > 8 else "")
            raise DataError(
                f"{str(file)!r} line {row.line}: label {row.label!r} is not in the label map",
                allowed=f"0 to {len(classes) - 1}, or a class name: {shown}",
            )
        if named is not None and counted is not None and named != counted:
            raise DataError(
                f"{str(file)!r} line {row.line}: label {row.label!r} is the name of class {named} but a number too",
                fix="write the class names in the label map with a letter",
            )
        numbers.append(counted if named is None else named)
    return [number for number in numbers if number is not None]


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10
