"""The stored index of a dataset on this machine: its videos, and what tells this copy from others.

    <config>/datasets/NAME/index.json       root, annotation files with their sha256, classes, digests
                          /videos.csv       a line for each video of the annotations, also for those that are missing
                          /quarantine.json  videos that `data check` found corrupt: id -> reason

The files of the dataset are never written to. Paths in `videos.csv` are relative to the root.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from operator import attrgetter
from pathlib import Path
from typing import Any

from repro.core import paths
from repro.core.errors import DataError, UnknownName
from repro.core.files import parse_json, write_atomic
from repro.data import content
from repro.data.index import Index, Video

INDEX, _VIDEOS, _QUARANTINE = "index.json", "videos.csv", "quarantine.json"
#: raised when the layout of the files or the meaning of a digest changes
VERSION = 1
SPLITS = ("train", "val", "test")
MISSING = "missing: in the annotations, not in this copy"


@dataclass(frozen=True)
class Row:
    """One video of the annotations; `path` is empty where it is missing, `problem` tells why it cannot be opened."""

    id: str
    split: str
    label: int
    path: str
    frames: int = 0
    width: int = 0
    height: int = 0
    fps: float = 0.0
    bytes: int = -1
    first: int = -1
    listed_frames: int = -1
    problem: str = ""


_NAMES = tuple(field.name for field in fields(Row))
_FIELDS = attrgetter(*_NAMES)


@dataclass(frozen=True, eq=False)
class Catalogue:
    """A stored index; `header` is the content of `index.json`."""

    folder: Path
    header: Mapping[str, Any]
    rows: tuple[Row, ...]

    @property
    def root(self) -> Path:
        """The folder that the paths are relative to."""
        return Path(self.header["root"])

    @property
    def name(self) -> str:
        """The dataset."""
        return str(self.header["name"])

    def splits(self) -> list[str]:
        """The splits that the annotations have, train first."""
        return sorted({row.split for row in self.rows}, key=SPLITS.index)

    def count(self, split: str) -> tuple[int, int]:
        """Videos of a split that are here, and those of the annotations."""
        rows = [row for row in self.rows if row.split == split]
        return sum(bool(row.path) for row in rows), len(rows)

    def problems(self) -> dict[tuple[str, str], str]:
        """(split, id) -> why a video is not to be opened: missing, unreadable, or quarantined by a check."""
        known = {(row.split, row.id): row.problem or MISSING for row in self.rows if row.problem or not row.path}
        return {**known, **read_quarantine(self.folder)}

    def index(self, split: str) -> Index:
        """The videos of a split. A tested split lists the missing ones with their problem; a training split has only
        those that can be read, so that epochs are made of them alone.
        """
        file = self.folder / _QUARANTINE
        made = _index(self, split, file.stat().st_mtime_ns if file.exists() else 0)
        return replace(made, fingerprint=fingerprint(self, made))


def _form(rows: Sequence[Row]) -> dict[str, Any]:
    """What copies of one dataset differ in most: short side in pixels, frames per second, number of the first picture;
    each the most frequent.
    """
    known = [row for row in rows if row.frames]
    forms: dict[str, Counter[Any]] = {
        "short_side": Counter(min(row.width, row.height) for row in known),
        "fps": Counter(row.fps for row in known if row.fps),
        "first_index": Counter(row.first for row in known if row.first >= 0),
    }
    return {name: counts.most_common(1)[0][0] for name, counts in forms.items() if counts}


@lru_cache(maxsize=4)
def _index(made: Catalogue, split: str, quarantined_ns: int) -> Index:
    """Kept without its fingerprint, since a run opens a split several times and a quarter of a million videos take
    seconds.
    """
    rows = [row for row in made.rows if row.split == split]
    if not rows:
        raise UnknownName(f"split of {made.name}", split, made.splits(), fix="--split NAME")
    known = {name: why for (place, name), why in made.problems().items() if place == split}
    kept = [row for row in rows if split != "train" or row.id not in known]
    videos = tuple(Video(row.id, Path(f"{made.root}/{row.path}"), row.label) for row in kept)
    facts = {
        "label_map": made.header["label_map"],
        "media": made.header["media"],
        **_form(rows),
        "annotated": len(rows),
        "missing": sum(not row.path for row in rows),
        "unreadable": sum(1 for row in rows if row.path and row.id in known),
    }
    problems = {name: why for name, why in known.items() if split != "train"}
    return Index(made.name, split, videos, tuple(made.header["classes"]), "", problems, facts)


def fingerprint(made: Catalogue, index: Index) -> str:
    """sha256 over label map, and id, label and present content of each video; places do not enter. A video that is not
    opened counts like a missing one.
    """
    known = {name for place, name in made.problems() if place == index.split}
    held = dict.fromkeys(known, content.MISSING)
    opened = [video for video in index.videos if video.id not in known]
    held |= dict(zip([v.id for v in opened], content.digests(made.root, [v.path for v in opened]), strict=True))
    digest = hashlib.sha256(f"repro.catalogue.2;{made.header['label_map']};".encode())
    for video in index.videos:
        name = video.id.encode("utf-8", "surrogateescape")
        digest.update(b"%d:%s%d:%s;" % (len(name), name, video.label, held[video.id].encode()))
    return digest.hexdigest()


def folder_of(name: str) -> Path:
    """Where the index of a dataset is kept: outside the repository and outside the dataset."""
    return paths.config() / "datasets" / name


def write(folder: Path, header: Mapping[str, Any], rows: Sequence[Row]) -> Path:
    """Store an index, `index.json` last, so that it is whole or not there; returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(_NAMES)
    lines.writerows(map(_FIELDS, rows))
    data = text.getvalue().encode("utf-8", "surrogateescape")
    (folder / INDEX).unlink(missing_ok=True)
    write_atomic(folder / _VIDEOS, data)
    stated = {**header, "version": VERSION, "videos_sha256": hashlib.sha256(data).hexdigest()}
    write_atomic(folder / INDEX, json.dumps(stated, indent=1).encode())
    return folder / INDEX


def read(file: Path) -> Catalogue:
    """The index whose `index.json` this is; DataError where it is damaged."""
    try:
        stamp = (file.stat().st_mtime_ns, (file.parent / _VIDEOS).stat().st_mtime_ns)
    except OSError as error:
        raise _damaged(file, str(error)) from error
    return _read(file, stamp)


@lru_cache(maxsize=8)
def _read(file: Path, stamp: tuple[int, int]) -> Catalogue:
    try:
        header = parse_json(file.read_bytes())
        data = (file.parent / _VIDEOS).read_bytes()
        if header["version"] != VERSION:
            raise _damaged(file, f"it is of version {header['version']}, this is {VERSION}")
        if hashlib.sha256(data).hexdigest() != header["videos_sha256"]:
            raise _damaged(file, f"{_VIDEOS} does not fit its checksum")
        told = [header[name] for name in ("name", "root", "media", "label_map")]
        if not all(isinstance(one, str) for one in (*told, *header["classes"])):
            raise _damaged(file, "a name in it is no text")
        rows = _rows(data.decode("utf-8", "surrogateescape"))
        for row in rows:
            if row.split not in SPLITS or not 0 <= row.label < len(header["classes"]):
                raise _damaged(file, f"{row.id!r} is of split {row.split!r} and class {row.label}")
        return Catalogue(file.parent, header, rows)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        if isinstance(error, DataError):
            raise
        raise _damaged(file, str(error)) from error


def _rows(text: str) -> tuple[Row, ...]:
    """The lines of `videos.csv`; a quarter of a million take a second."""
    lines = csv.reader(io.StringIO(text, newline=""))
    if tuple(next(lines, ())) != _NAMES:
        raise ValueError(f"{_VIDEOS} has other columns")
    kinds = [{"str": str, "int": int, "float": float}[str(field.type)] for field in fields(Row)]
    return tuple(Row(*[kind(value) for kind, value in zip(kinds, line, strict=True)]) for line in lines)


def _damaged(file: Path, why: str) -> DataError:
    name = file.parent.name
    fix = f"python -m repro data add {name} --root DIR --annotations FILE"
    return DataError(f"the index of {name} in {str(file.parent)!r} cannot be read: {why}", fix=fix)


def read_quarantine(folder: Path) -> dict[tuple[str, str], str]:
    """(split, id) -> reason, of the videos set aside beside an index."""
    try:
        listed = parse_json((folder / _QUARANTINE).read_bytes())
        return {(str(item["split"]), str(item["id"])): str(item["problem"]) for item in listed}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(
            f"{folder / _QUARANTINE} cannot be read: {error}", fix=f"python -m repro data check {folder.name}"
        ) from error


def write_quarantine(folder: Path, problems: Mapping[tuple[str, str], str]) -> Path:
    """Set videos aside: nothing of the dataset is touched, deleting the file undoes it."""
    listed = [{"split": split, "id": name, "problem": why} for (split, name), why in sorted(problems.items())]
    write_atomic(folder / _QUARANTINE, json.dumps(listed, indent=1, ensure_ascii=True).encode())
    return folder / _QUARANTINE
