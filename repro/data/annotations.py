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
| labels      | class names: one a line, `number,name` a line, {"name": "number"}, or Diving48's vocabulary |
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from repro.core.errors import DataError, UnknownName

_SPLITS = {"train": "train", "training": "train", "val": "val", "validation": "val", "validate": "val", "test": "test"}
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
    text = _text(file)
    found = format or recognise(text, file)
    if found not in FORMATS:
        raise UnknownName("format of annotations", found, FORMATS, fix="--format videos")
    named = split or split_of(file)
    try:
        made = FORMATS[found](text, file)
    except DataError as error:
        if format is None:
            raise
        raise DataError(f"{error.what} (read as {found}, as --format asks)", allowed=error.allowed) from error
    if found == "labels":
        return Annotations(file, found, classes=tuple(made))
    entries = tuple(Entry(e.names, e.label, e.split or named, e.frames, e.line, e.listed) for e in made)
    if not entries:
        raise DataError(f"{str(file)!r} holds no video")
    return Annotations(file, found, entries)


def split_of(file: Path) -> str | None:
    """The split that a file's name tells: the last word of it that names one."""
    words = re.split(r"[^a-z]+", file.stem.casefold())
    return next((_SPLITS[word] for word in reversed(words) if word in _SPLITS), None)


def recognise(text: str, file: Path) -> str:
    """The format of a file, from its content alone."""
    head = text.lstrip()[:1]
    if head in "[{" and head:
        return _recognise_json(_json(text, file))
    lines = [line.strip() for line in text.splitlines() if line.strip()][:200]
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
    if all(re.fullmatch(r".*\S[ \t;,]\d+[ \t;,]\d+", line) for line in lines):
        return "rawframes"
    if all(re.fullmatch(r".*\S[ \t;,]\d+", line) for line in lines):
        return "videos"
    if all(re.fullmatch(r"\d+;?", line) for line in lines):
        return "20bn-csv"
    if all(re.fullmatch(_YOUTUBE_ID, line) for line in lines) and re.search(r"[A-Z0-9_-]", lines[0]):
        return "ids"
    if sum(bool(re.search(r"[ \t;,]\d+$", line)) for line in lines) > len(lines) // 2:
        raise DataError(f"{str(file)!r} is in no format known: some lines end in a label and some do not", allowed=LIST)
    return "labels"


def _recognise_json(data: Any) -> str:
    first = data[0] if isinstance(data, list) and data else None
    if isinstance(first, dict) and "vid_name" in first:
        return "diving48"
    return "20bn-json" if isinstance(first, dict) and "id" in first else "labels"


def _text(file: Path) -> str:
    try:
        return file.expanduser().read_text(encoding="utf-8-sig")
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(f"annotations {str(file)!r} cannot be read: {reason}", allowed=LIST) from error
    except UnicodeDecodeError as error:
        raise DataError(f"annotations {str(file)!r} are not UTF-8", fix="save as UTF-8") from error


def _json(text: str, file: Path) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(
            f"{str(file)!r} line {error.lineno}: not well-formed JSON ({error.msg}); is the file whole?"
        ) from error


def _bad(file: Path, line: int, what: str, allowed: str) -> DataError:
    return DataError(f"{str(file)!r} line {line}: {what}", allowed=allowed)


def _kinetics(text: str, file: Path) -> list[Entry]:
    """`ID_SSSSSS_EEEEEE` as the crawlers name files, `ID` as Wang's copy and TSM do; unlabelled test lines are left."""
    rows = csv.DictReader(text.splitlines(), skipinitialspace=True)
    entries = []
    for row in rows:
        line = rows.line_num
        try:
            start, end = int(float(row["time_start"])), int(float(row["time_end"]))
            video = row["youtube_id"].strip()
        except (TypeError, ValueError, AttributeError, KeyError):
            raise _bad(file, line, f"{row!r}", "label,youtube_id,time_start,time_end,split") from None
        label = (row.get("label") or "").strip()
        split = _SPLITS.get((row.get("split") or "").strip().casefold())
        if label:
            entries.append(Entry((f"{video}_{start:06d}_{end:06d}", video), label, split, line=line))
    return entries


def _twentybn_csv(text: str, file: Path) -> list[Entry]:
    entries = []
    for line, row in enumerate(text.splitlines(), 1):
        video, _, label = row.strip().partition(";")
        if row.strip() and not video.isdigit():
            raise _bad(file, line, f"{row!r}", "id;template")
        if label:
            entries.append(Entry((video,), label.strip().strip('"'), None, line=line))
    return entries


def _objects(text: str, file: Path, key: str) -> list[dict[str, Any]]:
    data = _json(text, file)
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
    if not all(isinstance(item.get("label"), int) for item in objects):
        raise DataError(f"{str(file)!r} holds objects without a number as `label`")
    return [Entry((str(item["vid_name"]),), item["label"], None, line=number) for number, item in enumerate(objects, 1)]


def _listed(text: str, file: Path, numbers: int) -> list[Entry]:
    """Lines of a path and one or two numbers; the path may hold the separator, so lines are split from the right."""
    entries = []
    for line, row in enumerate(text.splitlines(), 1):
        if not row.strip():
            continue
        fields = re.fullmatch(r"\s*(.*?)\s*" + r"[ \t;,]\s*(\d+)" * numbers + r"\s*", row)
        if fields is None or not fields[1]:
            raise _bad(file, line, f"{row.strip()!r}", "path frames label" if numbers == 2 else "path label")
        frames = int(fields[2]) if numbers == 2 else None
        entries.append(Entry((fields[1].strip('"'),), int(fields[numbers + 1]), None, frames, line, listed=True))
    return entries


def _rawframes(text: str, file: Path) -> list[Entry]:
    return _listed(text, file, 2)


def _videos(text: str, file: Path) -> list[Entry]:
    return _listed(text, file, 1)


def _ids(text: str, file: Path) -> list[Entry]:
    """Ids without classes; they choose among the entries of other files (`repro.data.subsets`)."""
    ids = text.split()
    return [Entry((video,), None, None, line=line) for line, video in enumerate(ids, 1)]


def _csv(text: str, file: Path) -> list[Entry]:
    rows = csv.DictReader(text.splitlines(), skipinitialspace=True)
    entries = []
    for row in rows:
        path, label = (row.get("path") or "").strip(), (row.get("label") or "").strip()
        if not path or not label:
            raise _bad(file, rows.line_num, f"{row!r}", "path,label[,split]")
        split = _SPLITS.get((row.get("split") or "").strip().casefold())
        entries.append(Entry((path,), int(label) if label.isdigit() else label, split, line=rows.line_num, listed=True))
    return entries


def _labels(text: str, file: Path) -> list[str]:
    """Class names in the order of their numbers."""
    if text.lstrip()[:1] in ("[", "{"):
        names = _labels_of_json(_json(text, file), file)
    else:
        lines = [line.strip() for line in text.strip().splitlines()]
        numbered = [re.fullmatch(r"(\d+)[,;\t ]\s*(.+)", line) for line in lines]
        if all(found and int(found[1]) == number for number, found in enumerate(numbered)):
            lines = [found[2] for found in numbered if found]
        names = [line.strip('"') for line in lines]
    for number, name in enumerate(names):
        if not name:
            raise _bad(file, number + 1, "the class name is empty", "one class name a line")
        if name in names[:number]:
            raise _bad(file, number + 1, f"class {name!r} stands there twice", "each class once")
    return names


def _labels_of_json(data: Any, file: Path) -> list[str]:
    if isinstance(data, dict):
        try:
            ordered = sorted(data, key=lambda name: int(data[name]))
            numbers = [int(data[name]) for name in ordered]
        except (TypeError, ValueError):
            raise DataError(f"{str(file)!r} does not give each class a number") from None
        if numbers != list(range(len(ordered))):
            raise DataError(f"{str(file)!r}: the numbers of the classes are not 0 to {len(ordered) - 1}, each once")
        return ordered
    return [" ".join(map(str, item)) if isinstance(item, list) else str(item) for item in data]


FORMATS: dict[str, Callable[[str, Path], Any]] = {
    "kinetics": _kinetics,
    "20bn-csv": _twentybn_csv,
    "20bn-json": _twentybn_json,
    "diving48": _diving48,
    "rawframes": _rawframes,
    "videos": _videos,
    "ids": _ids,
    "csv": _csv,
    "labels": _labels,
}
LIST = ", ".join(FORMATS)
