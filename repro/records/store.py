"""What was measured: one JSON file per experiment and seed, complete or absent, written once, checked when read.

    <root>/<paper>/<table>/<row>/<first 16 digits of the content id>-s<seed>.json      and .npz with the scores

A failure is a record too. Writing goes to a temporary name, is synced, then linked to the final name; a finished record
is replaced only by `replace=True`, and the old one is kept in `superseded/`. Every file carries the sha256 of its own
content, and the content id of the spec that it claims: a file that does not fit either is a problem, told by its path.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Literal, NamedTuple

from repro.core import paths
from repro.core.errors import RecordError
from repro.core.files import clear_left, file_sha256, keep_as, only_writer, write_atomic
from repro.records.document import content_of, document_of, load
from repro.records.schema import Record, Scores

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
        _make_way(path, replace)
        _put(record, path, scores)
    return path


def put(record: Record, root: Path, scores: Path | None) -> Path:
    """Store a record in its place over what lies there, and its `scores` beside it: a record of another form of it."""
    path = root / record.relative_path
    path.parent.mkdir(parents=True, exist_ok=True)
    with only_writer(path.parent):
        _put(record, path, scores)
    return path


def _put(record: Record, path: Path, scores: Path | None) -> None:
    """Write it over what lies there. A record never stands beside the scores of another one, whenever this ends: the
    old one goes first where the scores change.
    """
    target = path.with_suffix(".npz")
    old = _load_or_none(path)
    if scores is not None and scores != target:
        if old is not None and old.scores is not None:
            path.unlink()
        write_atomic(target, scores)
    if scores is not None or record.scores is not None:
        digest = record.scores.sha256 if record.scores is not None and scores is None else file_sha256(target)
        record = record.model_copy(update={"scores": Scores(file=target.name, sha256=digest)})
    write_atomic(path, document_of(record), over=os.path.lexists(path))
    if record.scores is None:
        target.unlink(missing_ok=True)


def keep_aside(record: Record, root: Path, *, scores: Path | None = None) -> Path:
    """Store a record in `superseded/`, beside the one that stays in its place; once, however often it is asked for."""
    folder = root / record.relative_path.parent
    aside = folder / SUPERSEDED
    aside.mkdir(parents=True, exist_ok=True)
    with only_writer(folder):
        there = _aside_of(aside, record.name, document_of(record))
        if there is not None and (scores is None or there.with_suffix(".npz").is_file()):
            return there
        path = aside / f"{record.name}.{_next_number(aside, record.name)}.json"
        if scores is not None:
            write_atomic(path.with_suffix(".npz"), scores, over=False)
        write_atomic(path, document_of(record), over=False)
    return path


def _aside_of(aside: Path, name: str, document: bytes) -> Path | None:
    """The file in `superseded/` that holds this very document."""
    for path in aside.glob(f"{name}.*.json"):
        with contextlib.suppress(RecordError):
            if content_of(path) == document:
                return path
    return None


def _next_number(aside: Path, name: str) -> int:
    """One more than the largest there, of records and of scores: some may have been removed by hand."""
    numbers = (path.name.removeprefix(f"{name}.").partition(".")[0] for path in aside.glob(f"{name}.*"))
    return 1 + max((int(number) for number in numbers if number.isdecimal()), default=0)


def is_document_of(path: Path, record: Record) -> bool:
    """Whether a file holds exactly this record, under whatever name."""
    try:
        return path.is_file() and path.read_bytes() == document_of(record)
    except OSError:
        return False


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
    """All usable records below a folder, by path, and the files and folders that are not; `paper`, `table` narrow it.

    For a folder as a whole, such as another machine's; what is asked of again and again is asked of an `Index`.
    """
    root = default_root() if root is None else Path(root)
    below = root.joinpath(*filter(None, (paper, table if paper else None)))
    unreadable: list[Problem] = []

    def note(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            place = Path(error.filename).relative_to(root).as_posix()
            unreadable.append(Problem(place.encode(errors="backslashreplace").decode(), f"{error.strerror}"))

    found_at = (Path(at, name) for at, *names in os.walk(below, onerror=note) for name in chain(*names))
    listed = [path.relative_to(root).as_posix() for path in found_at if path.suffix == ".json" and _may_be_record(path)]
    wanted = [path for path in listed if paper or not table or path.split("/")[1:2] == [table]]
    found = [read(root, path, results=holds_results(root)) for path in sorted(wanted, key=lambda path: path.split("/"))]
    records = [one for one in found if isinstance(one, Record)]
    return Loaded(records, [*unreadable, *(one for one in found if isinstance(one, Problem))])


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


def _make_way(path: Path, replace: bool) -> None:
    """Make sure that what lies in a record's place may be written over: nothing, a failed record, or one that lies in
    `superseded/` too. What is no record is moved there, never lost.
    """
    clear_left(path.parent / SUPERSEDED)
    if not os.path.lexists(path):
        _set_aside([path.with_suffix(".npz")], only_odd=True)
        return
    old = _load_or_none(path)
    if old is None:
        _set_aside([path.with_suffix(".npz"), path])
    elif old.status == "done":
        if not replace:
            raise RecordExists(f"record {path.name} of {path.parent.name} is finished already", fix="run with --force")
        _keep_whole(path)


def _keep_whole(path: Path) -> None:
    """A record and its scores in `superseded/`, while they still lie in their place."""
    aside, scores = path.parent / SUPERSEDED, path.with_suffix(".npz")
    aside.mkdir(exist_ok=True)
    there = _aside_of(aside, path.stem, path.read_bytes())
    if there is not None and (there.with_suffix(".npz").is_file() or not scores.is_file()):
        return
    place = aside / f"{path.stem}.{_next_number(aside, path.stem)}.json"
    if scores.is_file():
        keep_as(scores, place.with_suffix(".npz"))
    keep_as(path, place)


def _set_aside(files: Sequence[Path], *, only_odd: bool = False) -> None:
    """Move what lies there, whatever it is; with `only_odd`, what is no regular file."""
    aside = files[-1].parent / SUPERSEDED
    found = [file for file in files if os.path.lexists(file)]
    found = [file for file in found if not only_odd or not stat.S_ISREG(file.lstat().st_mode)]
    if not found:
        return
    aside.mkdir(exist_ok=True)
    number = _next_number(aside, files[-1].stem)
    for file in found:
        file.replace(aside / f"{file.stem}.{number}{file.suffix}")
