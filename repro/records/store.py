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
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pydantic
from pydantic_core import from_json, to_json

from repro.core import paths
from repro.core.errors import RecordError
from repro.core.files import file_sha256, only_writer, parse_json, write_atomic
from repro.records.schema import SCHEMA_VERSION, Record, Scores, faults

__all__ = [
    "Loaded", "Problem", "Record", "RecordExists", "Scores", "default_root", "load", "load_all", "path_of", "read",
    "scores_path", "signed", "state", "validated", "write",
]  # fmt: skip

#: bytes of a record at most
_LARGEST = 50_000_000
_LAST = b'"digest":'

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
    """Where a measurement is written: among the own results; smoke runs lie elsewhere."""
    return paths.cache() / "smoke-records" if smoke else paths.own()


def holds_results(root: Path) -> bool:
    """Whether a folder is that of the reference or of the own results, where no smoke record may stand."""
    return root.resolve() in (paths.records().resolve(), paths.own().resolve())


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
    if record.smoke and holds_results(root):
        raise RecordError(
            "a smoke record cannot stand among the results", fix="leave the root to default_root(smoke=True)"
        )
    path = root / record.relative_path
    path.parent.mkdir(parents=True, exist_ok=True)
    with only_writer(path.parent):
        over = _make_way(path, replace)
        if scores is not None:
            target = path.with_suffix(".npz")
            write_atomic(target, scores, over=False)
            record = record.model_copy(update={"scores": Scores(file=target.name, sha256=file_sha256(target))})
        write_atomic(path, _document(record), over=over)
    return path


def put(record: Record, root: Path, scores: Path | None) -> Path:
    """Store a record in its place over what lies there, and its `scores` beside it: a record of another form of it."""
    path = root / record.relative_path
    path.parent.mkdir(parents=True, exist_ok=True)
    target = path.with_suffix(".npz")
    with only_writer(path.parent):
        if scores is not None and scores != target:
            write_atomic(target, scores)
        if record.scores is not None:
            record = record.model_copy(update={"scores": Scores(file=target.name, sha256=record.scores.sha256)})
        write_atomic(path, _document(record))
    return path


def keep_aside(record: Record, root: Path, *, scores: Path | None = None) -> Path:
    """Store a record in `superseded/`, beside the one that stays in its place."""
    folder = root / record.relative_path.parent
    aside = folder / SUPERSEDED
    aside.mkdir(parents=True, exist_ok=True)
    with only_writer(folder):
        path = aside / f"{record.name}.{_next_number(aside, record.name)}.json"
        if scores is not None:
            write_atomic(path.with_suffix(".npz"), scores, over=False)
        write_atomic(path, _document(record), over=False)
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
    """One record, checked; `RecordError` names the file and the fault."""
    content = _content(path)
    document = _parsed(path, content)
    if document.get("schema_version") != SCHEMA_VERSION:
        raise RecordError(
            f"{path}: schema version {document.get('schema_version')!r}; this program reads {SCHEMA_VERSION}",
            fix="python -m repro records upgrade",
        )
    if document.pop("digest", None) != _digest(content):
        raise RecordError(f"{path}: content does not fit its own sha256; it was damaged or edited")
    record = validated(document, path)
    if Path(path).name != f"{record.name}.json":
        raise RecordError(f"{path}: the name should be {record.name}.json")
    return record


def _content(path: Path) -> bytes:
    """The bytes of a file of reasonable size; of nothing else, such as a pipe, which would never end."""
    try:
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):
            raise RecordError(f"{path}: no file")
        if facts.st_size > _LARGEST:
            raise RecordError(f"{path}: {facts.st_size / 1e6:.0f} MB; a record has at most {_LARGEST / 1e6:.0f}")
        return path.read_bytes()
    except OSError as error:
        raise RecordError(f"{path}: not readable: {error.strerror}") from error


def _parsed(path: Path, content: bytes) -> dict[str, Any]:
    """The JSON object of a record; numbers are finite, text is Unicode: no half of a surrogate pair."""
    try:
        document = from_json(content, allow_inf_nan=False, cache_strings="none")
        if b"Infinity" in to_json(document, inf_nan_mode="constants"):  # perhaps a number beyond all floats
            parse_json(content)
    except (ValueError, RecursionError) as error:
        raise RecordError(f"{path}: not readable as JSON: {error}") from error
    if not isinstance(document, dict):
        raise RecordError(f"{path}: holds {type(document).__name__}, not a record")
    return document


def read(root: Path, path: str, *, results: bool) -> Record | Problem:
    """The record at `path` below `root`, or what is wrong with it; among the `results` there is no smoke record."""
    try:
        record = load(root / path)
        if record.place != path:
            raise RecordError(f"{root / path}: belongs at {record.place}")
        if record.smoke and results:
            raise RecordError(f"{root / path}: a smoke record among the results")
        return record
    except RecordError as error:
        told = error.what.removeprefix(f"{root / path}: ") + (f"; {error.fix}" if error.fix else "")
        return Problem(path.encode(errors="backslashreplace").decode(), told)


def load_all(root: Path | None = None, *, paper: str | None = None, table: str | None = None) -> Loaded:
    """All usable records below a folder, by path, and the files that are not usable; `paper` and `table` narrow it.

    For a folder as a whole, such as another machine's; what is asked of again and again is asked of an `Index`.
    """
    root = default_root() if root is None else Path(root)
    below = root.joinpath(*filter(None, (paper, table if paper else None)))
    listed = [path.relative_to(root).as_posix() for path in below.rglob("*.json") if _may_be_record(path)]
    wanted = [path for path in listed if paper or not table or path.split("/")[1:2] == [table]]
    found = [read(root, path, results=holds_results(root)) for path in sorted(wanted, key=lambda path: path.split("/"))]
    records = [one for one in found if isinstance(one, Record)]
    return Loaded(records, [one for one in found if isinstance(one, Problem)])


def _may_be_record(path: Path) -> bool:
    return not path.name.startswith(".") and path.parent.name != SUPERSEDED


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


def validated(document: dict[str, Any], path: Path) -> Record:
    """The document as a record; `RecordError` names the first fields at fault."""
    try:
        return Record.model_validate(document)
    except pydantic.ValidationError as error:
        raise RecordError(f"{path}: {faults(error)}") from error


def _digest(content: bytes) -> str:
    """sha256 of a file's bytes before its digest, the last field; ends of lines as they were written."""
    return hashlib.sha256(content.replace(b"\r\n", b"\n").rpartition(_LAST)[0]).hexdigest()


def _document(record: Record) -> bytes:
    try:
        return signed(record.model_dump(mode="json"))
    except ValueError as error:  # pydantic's for what is no plain data, json's for NaN and infinity
        raise RecordError(f"record {record.name} holds what JSON cannot: {error}") from error


def signed(document: dict[str, Any]) -> bytes:
    """A document as a file's bytes, its digest last."""
    text = json.dumps({**document, "digest": ""}, indent=1, allow_nan=False).encode()
    return text.rpartition(_LAST)[0] + _LAST + f' "{_digest(text)}"\n}}\n'.encode()


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
