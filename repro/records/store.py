"""What was measured: one JSON file per experiment and seed, complete or absent, written once, checked when read.

    <root>/<paper>/<table>/<row>/<first 16 digits of the content id>-s<seed>.json      and .npz with the scores

A failure is a record too. Writing goes to a temporary name, is synced, then linked to the final name; a finished record
is replaced only by `replace=True`, and the old one is kept in `superseded/`. Every file carries the sha256 of its own
content, and the content id of the spec that it claims: a file that does not fit either is a problem, told by its path.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pydantic

from repro.core import paths
from repro.core.errors import RecordError
from repro.core.files import file_sha256, only_writer, place
from repro.records.schema import Record, Scores, faults

__all__ = [
    "Loaded", "Problem", "Record", "RecordExists", "Scores", "default_root", "find", "load", "load_all", "path_of",
    "scores_path", "state", "upgraders", "write",
]  # fmt: skip

#: version of the document; raise it with an upgrader from the version before
SCHEMA_VERSION = 1
#: version -> function that turns a document of that version into one of the next
upgraders: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}

#: folder beside the records for those that made way
SUPERSEDED = "superseded"


class RecordExists(RecordError):
    """The experiment has its finished record already."""


@dataclass(frozen=True)
class Problem:
    """A file that should be a record and is not usable."""

    path: str
    """Below the records' root."""
    reason: str


class Loaded(NamedTuple):
    """All usable records, sorted by path, and the files that are not usable."""

    records: list[Record]
    problems: list[Problem]


def default_root(smoke: bool = False) -> Path:
    """The folder of results; that of smoke runs lies elsewhere."""
    return paths.cache() / "smoke-records" if smoke else paths.records()


def path_of(root: Path, paper: str, table: str, row: str, id: str, seed: int = 0) -> Path:
    """Where the record of an experiment lies, or would."""
    return root / paper / table / row / f"{id[:16]}-s{seed}.json"


def state(path: Path) -> Literal["done", "failed", "missing"]:
    """What lies at a record's path; a damaged file counts as missing, so that the next run measures again."""
    found = _load_or_none(path)
    return found.status if found else "missing"


def write(record: Record, root: Path | None = None, *, replace: bool = False, scores: Path | None = None) -> Path:
    """Store a record, with a copy of its `scores` file beside it, and return its path.

    A failed record makes way for any later one. A finished one stays: `RecordExists` is raised unless `replace`, which
    moves the old one to `superseded/`.
    """
    root = default_root(record.smoke) if root is None else Path(root)
    if record.smoke and root.resolve() == paths.records().resolve():
        raise RecordError(
            "a smoke record cannot stand among the results", fix="leave the root to default_root(smoke=True)"
        )
    path = root / record.relative_path
    path.parent.mkdir(parents=True, exist_ok=True)
    with only_writer(path.parent):
        over = _make_way(path, replace)
        if scores is not None:
            target = path.with_suffix(".npz")
            place(target, scores)
            record = record.model_copy(update={"scores": Scores(file=target.name, sha256=file_sha256(target))})
        place(path, _document(record), over=over)
    return path


def keep_aside(record: Record, root: Path, *, scores: Path | None = None) -> Path:
    """Store a record in `superseded/`, beside the one that stays in its place."""
    folder = root / record.relative_path.parent
    aside = folder / SUPERSEDED
    aside.mkdir(parents=True, exist_ok=True)
    with only_writer(folder):
        path = aside / f"{record.name}.{_next_number(aside, record.name)}.json"
        if scores is not None:
            place(path.with_suffix(".npz"), scores)
        place(path, _document(record))
    return path


def _next_number(aside: Path, name: str) -> int:
    """One more than the largest there, of records and of scores: some may have been removed by hand."""
    numbers = (path.name.removeprefix(f"{name}.").partition(".")[0] for path in aside.glob(f"{name}.*"))
    return 1 + max((int(number) for number in numbers if number.isdecimal()), default=0)


def is_document_of(path: Path, record: Record) -> bool:
    """Whether a file holds exactly this record, under whatever name."""
    try:
        return path.is_file() and path.read_bytes() == _document(record)
    except OSError:
        return False


def load(path: Path) -> Record:
    """One record, of this or an older schema version, checked; `RecordError` names the file and the fault."""
    try:
        document = json.loads(Path(path).read_bytes(), parse_constant=_no_constant)
    except (OSError, ValueError, RecursionError) as error:
        raise RecordError(f"{path}: not readable as JSON: {error}") from error
    if not isinstance(document, dict):
        raise RecordError(f"{path}: holds {type(document).__name__}, not a record")
    digest = document.pop("digest", None)
    if digest != _digest(document):
        raise RecordError(f"{path}: content does not fit its own sha256; it was damaged or edited")
    record = _validated(_upgraded(document, path), path)
    if Path(path).name != f"{record.name}.json":
        raise RecordError(f"{path}: the name should be {record.name}.json")
    return record


def load_all(root: Path | None = None, *, paper: str | None = None, table: str | None = None) -> Loaded:
    """All records below `root`; `paper` and `table` narrow it. What cannot be used is told in `problems`."""
    root = default_root() if root is None else Path(root)
    records, problems = [], []
    for path in _files(root, paper, table):
        relative = path.relative_to(root)
        try:
            record = load(path)
            if record.relative_path != relative:
                raise RecordError(f"{path}: belongs at {record.relative_path.as_posix()}")
            if record.smoke and root.resolve() == paths.records().resolve():
                raise RecordError(f"{path}: a smoke record among the results")
            records.append(record)
        except RecordError as error:
            problems.append(Problem(relative.as_posix(), error.what.removeprefix(f"{path}: ")))
    return Loaded(records, problems)


def places(root: Path) -> dict[str, list[Path]]:
    """File name -> every record of that name below `root`: tables that share an experiment share its records."""
    found: dict[str, list[Path]] = {}
    for path in _files(root, None, None):
        found.setdefault(path.name, []).append(path)
    return found


def rows_of(paper: str, table: str, root: Path | None = None) -> list[str]:
    """Rows of a table that have a folder of records."""
    folder = (default_root() if root is None else root) / paper / table
    return sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []


def find(id: str, seed: int = 0, root: Path | None = None, *, records: Iterable[Record] | None = None) -> Record | None:
    """The record of an experiment, of whatever table; a finished one before a failed one.

    Looks in `records` where given, else reads only the files of that name below `root`.
    """
    if records is None:
        root = default_root() if root is None else Path(root)
        found = sorted(p for p in root.rglob(f"{id[:16]}-s{seed}.json") if p.parent.name != SUPERSEDED)
        records = [record for record in map(_load_or_none, found) if record is not None]
    fitting = [record for record in records if record.id == id and record.seed == seed]
    return min(fitting, key=lambda record: record.status != "done", default=None)


def scores_path(record: Record, root: Path | None = None) -> Path:
    """The file of scores of a record, after its sha256 is checked."""
    if record.scores is None:
        raise RecordError(f"record {record.name} has no scores")
    path = (
        (default_root(record.smoke) if root is None else Path(root)) / record.relative_path.parent / record.scores.file
    )
    if not path.is_file():
        raise RecordError(f"{path}: the scores of record {record.name} are missing")
    if file_sha256(path) != record.scores.sha256:
        raise RecordError(f"{path}: content does not fit the sha256 in record {record.name}")
    return path


def _load_or_none(path: Path) -> Record | None:
    with contextlib.suppress(RecordError):
        return load(path)
    return None


def _files(root: Path, paper: str | None, table: str | None) -> list[Path]:
    """Every JSON file below the root, whether it lies where a record should or not."""
    below = root.joinpath(*filter(None, (paper, table if paper else None)))
    found = (p for p in below.rglob("*.json") if not p.name.startswith(".") and p.parent.name != SUPERSEDED)
    if table and not paper:
        found = (p for p in found if p.relative_to(root).parts[1:2] == (table,))
    return sorted(found)


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is not a JSON number")


def _upgraded(document: dict[str, Any], path: Path) -> dict[str, Any]:
    version = document.get("schema_version")
    if not isinstance(version, int) or version > SCHEMA_VERSION:
        raise RecordError(f"{path}: schema version {version!r}; this program reads up to {SCHEMA_VERSION}")
    while version < SCHEMA_VERSION:
        if version not in upgraders:
            raise RecordError(f"{path}: schema version {version} is no longer read")
        document = upgraders[version](document)
        version += 1
        document["schema_version"] = version
    return document


def _validated(document: dict[str, Any], path: Path) -> Record:
    try:
        return Record.model_validate(document)
    except pydantic.ValidationError as error:
        raise RecordError(f"{path}: {faults(error)}") from error


def _digest(document: dict[str, Any]) -> str:
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _document(record: Record) -> bytes:
    try:
        data = record.model_dump(mode="json")
        data["digest"] = _digest(data)
    except ValueError as error:  # pydantic's for what is no plain data, json's for NaN and infinity
        raise RecordError(f"record {record.name} holds what JSON cannot: {error}") from error
    return (json.dumps(data, indent=1, allow_nan=False) + "\n").encode()


def _make_way(path: Path, replace: bool) -> bool:
    """Clear the place of a record, as far as it may be cleared; a damaged file is kept aside, never lost.

    Returns whether a failed record still lies there, to be written over.
    """
    scores = path.with_suffix(".npz")
    old = _load_or_none(path) if path.exists() else None
    if not path.exists() or (old is not None and old.status == "failed"):
        scores.unlink(missing_ok=True)
        return old is not None
    if old is not None and not replace:
        raise RecordExists(f"record {path.name} of {path.parent.name} is finished already", fix="run with --force")
    aside = path.parent / SUPERSEDED
    aside.mkdir(exist_ok=True)
    number = _next_number(aside, path.stem)
    for file in (scores, path):
        if file.exists():
            file.replace(aside / f"{path.stem}.{number}{file.suffix}")
    return False
