"""Annotation files of the datasets' makers and of others, recognised from what they hold.

| format      | what it holds |
|-------------|---------------|
| kinetics    | CSV label,youtube_id,time_start,time_end,split[,is_cc] |
| 20bn-csv    | `id;template` a line: Something-Something V1, Jester |
| 20bn-json   | objects with id and template: Something-Something V2 |
| diving48    | objects with vid_name and label |
| rawframes   | `path frames label` a line: TSM, TDN, mmaction2 and AdaFuse; a path may hold spaces |
| videos      | `path label` a line: mmaction2, TSM, TDN; separated by a space, a tab, a comma or a semicolon |
| ids         | a YouTube id of 11 characters a line: Mini-Kinetics-200, a part of the Kinetics CSV files |
| csv         | CSV path,label[,split], as `--dataset my.csv` takes |
| ucf-list    | `Class/v_Class_g01_c01.avi [number]` a line: UCF101's trainlist01.txt, testlist01.txt |
| hmdb-split  | `name.avi 0|1|2` a line in CLASS_test_split1.txt: HMDB51 |
| labels      | class names: one a line, `number,name` a line, {"name": "number"}, or Diving48's vocabulary |
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from repro.core.csv_text import lines_of, number_at_end, records_of, text_of
from repro.core.errors import DataError, UnknownName
from repro.data import label_maps, official_splits
from repro.data.class_names import number_of
from repro.data.label_maps import json_of
from repro.data.splits import split_of, split_of_file_name

_YOUTUBE_ID = r"[A-Za-z0-9_-]{11}"
_KINETICS = ("youtube_id", "time_start", "time_end")


@dataclass(frozen=True)
class Entry:
    """One video of an annotation file: the names it may have on disk, and its label as a name or as a number."""

    names: tuple[str, ...]
    label: str | int | None
    split: str | None
    frames: int | None = None
    line: int = 0
    listed: bool = False
    """Whether the name is a path below the root, rather than an id that may lie anywhere below it."""


@dataclass(frozen=True)
class Annotations:
    """A file, the format it was found to be in, and its videos; or the class names of a label file."""

    file: Path
    format: str
    entries: tuple[Entry, ...] = ()
    classes: tuple[str, ...] = ()


def read(file: Path, *, format: str | None = None, split: str | None = None) -> Annotations:
    """Read a file in the format that it is in, or in the one that is forced; entries without a split get `split`.

    Without `split` the file's name tells it (`something-something-v1-validation.csv`, `mini_val_videofolder.txt`).
    """
    text = text_of(file, DataError, allowed=LIST)
    found = format or recognise(text, file)
    if found not in FORMATS:
        raise UnknownName("format of annotations", found, FORMATS, fix="--format videos")
    named = split or split_of_file_name(file.stem)
    try:
        made = FORMATS[found](text, file)
    except DataError as error:
        if format is None:
            raise
        raise DataError(f"{error.what} (read as {found}, as --format asks)", allowed=error.allowed) from error
    if found == "labels":
        return Annotations(file, found, classes=tuple(made))
    entries = tuple(replace(entry, split=entry.split or named) for entry in made)
    if not entries:
        raise DataError(f"{str(file)!r} holds no video")
    return Annotations(file, found, entries)


def recognise(text: str, file: Path) -> str:
    """The format of a file, from its content alone."""
    head = text.lstrip()[:1]
    if head in "[{" and head:
        return _recognise_json(json_of(text, file))
    lines = _filled(text)[:200]
    if not lines:
        raise DataError(f"{str(file)!r} is empty", allowed="an annotation file")
    header = [column.strip().strip('"').casefold() for column in lines[0].split(",")]
    if set(_KINETICS) <= set(header):
        return "kinetics"
    if {"path", "label"} <= set(header):
        return "csv"
    if all(re.fullmatch(r"\d+[,;\t ]\s*\D.*", line) for line in lines):
        names = {re.split(r"[,;\t ]", line, maxsplit=1)[0] for line in lines}
        counted = names == {str(number) for number in range(len(lines))} or ";" not in lines[0]
        return "labels" if counted else "20bn-csv"
    if official := official_splits.recognised(lines, file):
        return official
    if separators := _separators(lines):
        return "rawframes" if separators[0][1] == 2 else "videos"
    if all(re.fullmatch(r"\d+;?", line) for line in lines):
        return "20bn-csv"
    if all(re.fullmatch(_YOUTUBE_ID, line) for line in lines) and re.search(r"[A-Z0-9_-]", lines[0]):
        return "ids"
    if 2 * sum(bool(re.search(r"[\s;,][-+]?[0-9]+(\.[0-9]+)?$", line)) for line in lines) >= len(lines):
        raise DataError(
            f"{str(file)!r} is in no format known: not every line ends in a label, a whole number from 0 behind a "
            "space, tab, comma or semicolon",
            allowed=LIST,
        )
    return "labels"


def _recognise_json(data: Any) -> str:
    first = data[0] if isinstance(data, list) and data else None
    if isinstance(first, dict) and "vid_name" in first:
        return "diving48"
    return "20bn-json" if isinstance(first, dict) and "id" in first else "labels"


def _bad(file: Path, line: int, what: str, allowed: str) -> DataError:
    return DataError(f"{str(file)!r} line {line}: {what}", allowed=allowed)


def _kinetics(text: str, file: Path) -> list[Entry]:
    """`ID_SSSSSS_EEEEEE` as the crawlers name files, `ID` as Wang's copy and TSM do; unlabelled test lines are left."""
    entries = []
    for line, row in _table(text, file, "label,youtube_id,time_start,time_end,split"):
        try:
            start, end = int(float(row["time_start"])), int(float(row["time_end"]))
            video = row["youtube_id"]
        except (ValueError, KeyError, OverflowError):
            raise _bad(file, line, f"{row!r}", "label,youtube_id,time_start,time_end,split") from None
        split, label = _split(file, line, row), row.get("label", "")
        if not video or (not label and split != "test" and "label" in row):
            raise _bad(file, line, f"{row!r}", "a youtube_id, and a label where the split is not test")
        if label:
            entries.append(Entry((f"{video}_{start:06d}_{end:06d}", video), label, split, line=line))
    return entries


def _table(text: str, file: Path, columns: str) -> list[tuple[int, dict[str, str]]]:
    """The lines of a CSV below its header, by the names of the columns in small letters."""
    (_, head), *lines = records_of(text, str(file), DataError, skip_spaces=True) or [(1, [])]
    names = [name.strip().casefold() for name in head]
    if len(set(names)) < len(names):
        raise _bad(file, 1, f"a column stands twice in {','.join(head)!r}", columns)
    for line, fields in lines:
        if len(fields) != len(names):
            raise _bad(file, line, f"{len(fields)} fields, the header has {len(names)}", columns)
    return [(line, dict(zip(names, map(str.strip, fields), strict=True))) for line, fields in lines]


def _split(file: Path, line: int, row: dict[str, str]) -> str | None:
    """The split of a line; None where it does not say."""
    written = row.get("split", "")
    return split_of(written, f"{str(file)!r} line {line}") if written else None


def _twentybn_csv(text: str, file: Path) -> list[Entry]:
    entries = []
    for line, row in enumerate(lines_of(text), 1):
        video, _, label = row.strip().partition(";")
        if row.strip() and not re.fullmatch(r"[0-9]+", video.strip()):
            raise _bad(file, line, f"{row!r}", "id;template")
        if label:
            entries.append(Entry((video.strip(),), label.strip().strip('"'), None, line=line))
    return entries


def _objects(text: str, file: Path, key: str) -> list[dict[str, Any]]:
    data = json_of(text, file)
    if not isinstance(data, list) or not all(isinstance(item, dict) and key in item for item in data):
        raise DataError(f"{str(file)!r} is not a list of objects with {key!r}")
    return data


def _twentybn_json(text: str, file: Path) -> list[Entry]:
    """`template` holds the class with its placeholders in brackets; test files have none."""
    objects = _objects(text, file, "id")
    return [
        Entry((str(item["id"]),), str(item["template"]), None, line=number)
        for number, item in enumerate(objects, 1)
        if item.get("template")
    ]


def _diving48(text: str, file: Path) -> list[Entry]:
    objects = _objects(text, file, "vid_name")
    if not all(type(item.get("label")) is int for item in objects):
        raise DataError(f"{str(file)!r} holds objects without a number as `label`")
    return [Entry((str(item["vid_name"]),), item["label"], None, line=number) for number, item in enumerate(objects, 1)]


def _listed(text: str, file: Path, numbers: int) -> list[Entry]:
    """Lines of a path and one or two numbers; the path may hold the separator, so lines are split from the right."""
    separators = next((signs for signs, most in _separators(_filled(text)) if most >= numbers), _ANY)
    entries = []
    for line, row in enumerate(lines_of(text), 1):
        if not row.strip():
            continue
        found = _columns(row, numbers, separators)
        if found is None:
            raise _bad(file, line, f"{row.strip()!r}", "path frames label" if numbers == 2 else "path label")
        name, *frames, label = found
        if frames == [0]:
            raise _bad(file, line, f"{row.strip()!r}: a video of 0 frames, or two labels", "path frames label")
        entries.append(Entry((name.strip('"'),), label, None, frames[0] if frames else None, line, listed=True))
    return entries


_ANY = " \t;,"


def _columns(row: str, numbers: int, separators: str) -> tuple[Any, ...] | None:
    """The path of a line and the numbers behind it."""
    last = number_at_end(row, separators)
    if last is None or numbers == 1:
        return last
    before = number_at_end(last[0], separators)
    return (*before, last[1]) if before else None


def _separators(lines: list[str]) -> list[tuple[str, int]]:
    """What may stand before the numbers of each line, and how many numbers there are then. Where a tab, a semicolon or
    a comma stands there in every line, spaces belong to the path.
    """
    found = []
    for signs in ("\t", ";", ",", _ANY):
        for numbers in (2, 1):
            if all(_columns(line, numbers, signs) for line in lines):
                found.append((signs, numbers))
                break
    return found


def _filled(text: str) -> list[str]:
    return [line.strip() for line in lines_of(text) if line.strip()]


def _official(text: str, file: Path, format: str) -> list[Entry]:
    found = official_splits.videos(text, file, format)
    return [Entry((path,), label, split, line=line, listed=True) for line, path, label, split in found]


def _ids(text: str, file: Path) -> list[Entry]:
    """Ids without classes; they choose among the entries of other files (`repro.data.subsets`)."""
    ids = text.split()
    return [Entry((video,), None, None, line=line) for line, video in enumerate(ids, 1)]


def _csv(text: str, file: Path) -> list[Entry]:
    entries = []
    for line, row in _table(text, file, "path,label[,split]"):
        path, label = row.get("path", ""), row.get("label", "")
        if not path or not label:
            raise _bad(file, line, f"{row!r}", "path,label[,split]")
        number = number_of(label)
        entries.append(
            Entry((path,), label if number is None else number, _split(file, line, row), line=line, listed=True)
        )
    return entries


FORMATS: dict[str, Callable[[str, Path], Any]] = {
    "kinetics": _kinetics,
    "20bn-csv": _twentybn_csv,
    "20bn-json": _twentybn_json,
    "diving48": _diving48,
    "rawframes": partial(_listed, numbers=2),
    "videos": partial(_listed, numbers=1),
    "ids": _ids,
    "csv": _csv,
    official_splits.UCF: partial(_official, format=official_splits.UCF),
    official_splits.HMDB: partial(_official, format=official_splits.HMDB),
    "labels": label_maps.names_in,
}
LIST = ", ".join(FORMATS)
