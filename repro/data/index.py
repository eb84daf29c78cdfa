"""A dataset split as a list of videos, and the CSV files that users write.

A dataset is one CSV with columns `path` and `label`, optionally `split` and `group` (what clips have in common besides
their class: a source video, a person; folds keep it whole), beside an optional label map: one class name a
line, in the order of the labels. Paths are relative to the CSV. A label is a class name or its 0-based number.

    path,label,split
    clips/a.mp4,pushing,train
    "clips/b, second.mp4",pulling,val
"""

from __future__ import annotations

import hashlib
import os
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from repro.core.csv_text import records_of, text_of
from repro.core.errors import DataError, UnknownName
from repro.core.paths import expand
from repro.data import content, label_maps
from repro.data.class_names import (
    MOST_CLASSES,
    differ_in_case,
    looks_like_number,
    normal,
    number_of,
    require_different,
)
from repro.data.shared_files import Listed, refuse_shared
from repro.data.splits import respelled, split_of

_COLUMNS = ("path", "label", "split", "group")
#: what programs write where there is no label
_NOTHING = frozenset({"nan", "<na>", "#n/a", "n/a"})


@dataclass(frozen=True)
class Video:
    """One labelled video. `id` names it in records: for a CSV, the path as written there."""

    id: str
    path: Path
    label: int
    group: str = ""
    """What it has in common with others besides the class; no part of a fingerprint."""


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
    notes: tuple[str, ...] = ()
    """What in its files was read by its meaning rather than as written, or may be a slip."""

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
    """One checked line of a CSV; `line` is where its record ends, counted from 1. `split` is train, val or test,
    `written` how the line spells it.
    """

    line: int
    path: str
    label: str
    split: str | None
    written: str = ""
    group: str = ""


def read_csv(path: str | Path, split: str, *, labels: str | Path | None = None) -> Index:
    """The videos of one split of a CSV.

    Without a `split` column the file serves as any split that is tested; training needs the column, so that nothing is
    trained on what it is tested on. `labels` is the label map; else `NAME.labels.txt` or `labels.txt` beside the CSV;
    else class names are the labels that occur in the whole file, sorted. Missing video files are no error here: they
    are reported when they are read. A file that stands in two splits is, also as a copy.
    """
    file = expand(path)
    rows = _read_rows(file)
    classes = _classes(file, rows, labels)
    numbers = _numbers(file, rows, classes)
    wanted = split_of(split)
    chosen = [(row, number) for row, number in zip(rows, numbers, strict=True) if row.split in (None, wanted)]
    if rows[0].split is None and wanted == "train":
        raise DataError(
            f"{str(file)!r} has no column `split`, so it cannot be trained on",
            fix="add a column `split` with the values train and val",
        )
    if not chosen:
        raise UnknownName(
            f"split of {str(file)!r}",
            split,
            {row.split or "" for row in rows},
            fix="lines of that split, or one that it has",
        )
    folder = file.absolute().parent
    refuse_shared(file, [Listed(r.line, r.path, r.split, number) for r, number in zip(rows, numbers, strict=True)])
    videos = tuple(Video(id=row.path, path=folder / row.path, label=number, group=row.group) for row, number in chosen)
    notes = _notes(rows, classes)
    facts = {"read_as": list(notes)} if notes else {}
    return Index(file.stem, wanted, videos, classes, fingerprint(videos, classes, folder), facts=facts, notes=notes)


def read_classes(path: str | Path) -> tuple[str, ...]:
    """The class names of a CSV, over all its splits."""
    file = expand(path)
    return _classes(file, _read_rows(file), None)


def read_splits(path: str | Path) -> tuple[str, ...]:
    """The splits that a CSV names, sorted; without a `split` column `val`, which any tested split may be."""
    return tuple(sorted({row.split or "val" for row in _read_rows(expand(path))}))


def fingerprint(videos: Sequence[Video], classes: Sequence[str], root: Path) -> str:
    """sha256 over class names and, for each video, id, label and a digest of its content (`repro.data.content`)."""
    digest = hashlib.sha256(b"repro.index.2")
    for name in classes:
        digest.update(_field(name))
    for video, held in zip(videos, content.digests(root, [video.path for video in videos]), strict=True):
        digest.update(_field(video.id) + f"{video.label}:{held};".encode())
    return digest.hexdigest()


def _field(text: str) -> bytes:
    """Length-prefixed, so that no two lists of names give the same bytes."""
    data = text.encode("utf-8", "surrogateescape")
    return f"{len(data)}:".encode() + data


def _read_rows(file: Path) -> tuple[Row, ...]:
    """All lines of a CSV, each with a path and a label; the first fault is raised with its line."""
    return _rows_of(file, text_of(file, DataError, allowed="a CSV file with path,label"))


@lru_cache(maxsize=4)
def _rows_of(file: Path, text: str) -> tuple[Row, ...]:
    """Kept, since a run opens a file several times."""
    records = records_of(text, str(file), DataError)
    header = [name.strip().casefold() for name in records[0][1]] if records else []
    _check_header(file, header)
    return _checked(file, records[1:], header)


def _check_header(file: Path, header: list[str]) -> None:
    if "path" not in header or "label" not in header:
        raise DataError(
            f"{str(file)!r} line 1: the header is {','.join(header)!r}",
            allowed="columns path,label and optionally split, group",
            fix="write `path,label` as the first line",
        )
    for name in header:
        if name not in _COLUMNS or header.count(name) > 1:
            raise DataError(f"{str(file)!r} line 1: column {name!r}", allowed="path, label, split and group, each once")


def _checked(file: Path, records: Sequence[tuple[int, list[str]]], header: list[str]) -> tuple[Row, ...]:
    rows: list[Row] = []
    first_seen: dict[str, Row] = {}
    for line, fields in records:
        where = f"{str(file)!r} line {line}"
        if len(fields) != len(header):
            raise DataError(
                f"{where}: {len(fields)} fields, the header has {len(header)}",
                fix='put names that hold commas or quotes in double quotes, "" for a quote',
            )
        record = dict(zip(header, fields, strict=True))
        for column, value in record.items():
            if not normal(value):
                raise DataError(f"{where}: the {column} is empty")
        name = record["path"]
        if "\0" in name:
            raise DataError(f"{where}: the path {name!r} holds a NUL character")
        written = record.get("split", "").strip()
        split = split_of(written, where) if written else None
        row = Row(line, name, normal(record["label"]), split, written, record.get("group", "").strip())
        other = first_seen.setdefault(_plain_path(name), row)
        if other is not row:
            spelled = "" if other.path == name else f" as {other.path!r}"
            raise DataError(f"{where}: the path {name!r} stands on line {other.line} already{spelled}")
        rows.append(row)
    if not rows:
        raise DataError(f"{str(file)!r} holds no video", allowed="a header and one line a video")
    return tuple(rows)


def _plain_path(name: str) -> str:
    """One spelling for `a.mp4`, `./a.mp4` and `b/../a.mp4`, in one Unicode form."""
    return os.path.normpath(unicodedata.normalize("NFC", name))


def _notes(rows: Sequence[Row], classes: Sequence[str]) -> tuple[str, ...]:
    """What was read by its meaning, spellings of splits and numbers of classes, and names that may be a slip."""
    respelled_ = respelled({row.written for row in rows if row.written})
    known = set(classes)
    numbers = sorted({row.label for row in rows if row.label not in known and not row.label.isdecimal()})
    as_numbers = f"labels such as {numbers[0]!r} were read as the numbers of classes" if numbers else None
    used = {row.label for row in rows}
    from_1 = "0" not in used and "1" in used and len(used) > 1
    counted = [name for name in classes if name.isdecimal()]
    mixed = (
        f"labels are names and numbers: {counted[0]!r} was read as a name" if 0 < len(counted) < len(classes) else None
    )
    first = f"labels begin at 1: class 0 of {len(classes)} has no video" if from_1 and classes[0] == "0" else None
    return tuple(note for note in (respelled_, as_numbers, mixed, first, differ_in_case(classes)) if note)


def _classes(file: Path, rows: Sequence[Row], labels: str | Path | None) -> tuple[str, ...]:
    """Class names from the label map, else from the labels of the whole file."""
    beside = (file.with_name(f"{file.stem}.labels.txt"), file.with_name("labels.txt"))
    found = Path(labels) if labels else next((place for place in beside if place.is_file()), None)
    if found is not None:
        return label_maps.read(found)
    by_name = {row.label: row for row in reversed(rows)}
    numbers = {row: number for label, row in by_name.items() if (number := number_of(label)) is not None}
    for row, number in numbers.items():
        if number >= MOST_CLASSES:
            raise DataError(
                f"{str(file)!r} line {row.line}: label {row.label!r}",
                allowed=f"class numbers of 0 to {MOST_CLASSES - 1}, or names",
                fix="labels.txt beside the CSV, with the names of the classes",
            )
    if len(numbers) == len(by_name):
        return tuple(str(number) for number in range(max(numbers.values()) + 1))
    if wrong := next((row for label, row in by_name.items() if _is_no_class(label, len(numbers), by_name)), None):
        raise DataError(
            f"{str(file)!r} line {wrong.line}: label {wrong.label!r}", allowed="class numbers from 0, or names"
        )
    require_different(by_name, repr(str(file)))
    return tuple(sorted(by_name))


def _is_no_class(label: str, numbers: int, labels: Mapping[str, Row]) -> bool:
    """Whether a label is a number that no class has (`-1`, `1.5`, `nan`) where all are numbers, or one such as `2.0` or
    `nan` among names, where `2` might be meant or a name, or nothing.
    """
    if all(map(looks_like_number, labels)):
        return number_of(label) is None
    return label.casefold() in _NOTHING or (number_of(label) is not None and not label.isdecimal())


def _numbers(file: Path, rows: Sequence[Row], classes: tuple[str, ...]) -> list[int]:
    """The label of each row as a number."""
    by_name = {name: number for number, name in enumerate(classes)}
    numbers = []
    for row in rows:
        named, counted = by_name.get(row.label), number_of(row.label)
        if counted is not None and counted >= len(classes):
            counted = None
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
