"""Folders of records as a whole: find one by part of its name, take in another machine's, clear what is left."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from repro.core import paths
from repro.core.errors import RecordError, UnknownName
from repro.core.files import file_sha256, left_in, only_writer, write_atomic
from repro.records import store
from repro.records.schema import Record
from repro.records.store import RecordExists, load_all

#: a writer's scores are followed by their record within less
_SETTLED_S = 600.0


@dataclass(frozen=True)
class Merged:
    """What became of each record of the other folder, by its path below the root."""

    added: tuple[str, ...]
    same: tuple[str, ...]
    """Here already, byte for byte the same measurement, in its place or in `superseded/`."""
    aside: tuple[str, ...]
    """A finished record of the same experiment and seed is here; the other one lies in `superseded/`."""
    weaker: tuple[str, ...]
    """Failed there, and something is here: nothing was taken."""
    refused: tuple[store.Problem, ...]
    """Damaged files, and records that cannot stand here; nothing was taken."""


class Named(NamedTuple):
    """By what a record is found, without the rest of it."""

    id: str
    seed: int
    name: str
    place: str
    paper: str
    table: str
    row: str
    cell: str

    @classmethod
    def of(cls, one: Record) -> Named:
        """Of a record."""
        return cls(one.id, one.seed, one.name, one.place, one.paper, one.table, one.row, one.cell)


N = TypeVar("N", Record, Named)


def find(records: Sequence[N], name: str) -> N:
    """The record of this name, beginning of a name, or `table/row/cell`; `RecordError` where none or several fit."""
    exact = [one for one in records if name in (one.name, one.place)]
    place = [one for one in records if name in (_place(one), f"{one.paper}/{_place(one)}")]
    fitting = exact or place or [one for one in records if len(name) >= 4 and one.name.startswith(name)]
    different = {one.place: one for one in fitting}
    if not different:
        raise UnknownName("record", name, [_place(one) for one in records], fix="python -m repro records ls")
    if len({one.name for one in different.values()}) > 1:
        listed = ", ".join(sorted(f"{one.name} ({_place(one)}, seed {one.seed})" for one in different.values())[:6])
        raise RecordError(f"{name!r} names {len(different)} records", allowed=listed)
    return next(iter(different.values()))


def _place(one: Record | Named) -> str:
    return f"{one.table}/{one.row}/{one.cell}"


def merge(other: Path, root: Path | None = None) -> Merged:
    """Take every usable record of `other`, with its scores, into `root`. Nothing here is changed or lost, and the same
    merge again finds all of it here.

    A record that is here already is kept, and scores that are gone from beside it are taken; a finished one replaces a
    failed or damaged one; of two different finished ones the own stays and the other is kept aside.
    """
    root = paths.records() if root is None else root
    if not other.is_dir():
        raise RecordError(f"{other}: no folder", allowed="the records folder of another checkout, .../results/records")
    if other.resolve() == root.resolve():
        raise RecordError(f"{other}: this is the folder to merge into", allowed="the folder of another checkout")
    theirs = load_all(other)
    found: dict[str, list[Any]] = {"added": [], "same": [], "aside": [], "weaker": []}
    refused = list(theirs.problems)
    for one in theirs.records:
        path = one.place
        try:
            scores = store.scores_path(one, other) if one.scores else None
            found[_take(one, scores, root)].append(path)
        except RecordError as error:
            refused.append(store.Problem(path, error.what))
        except OSError as error:  # such as a folder that cannot be written
            refused.append(store.Problem(path, f"cannot be taken: {error.strerror or error}"))
    if not theirs.records and not refused:
        raise RecordError(f"{other}: holds no records", allowed="the records folder of another checkout")
    return Merged(**{name: tuple(paths) for name, paths in found.items()}, refused=tuple(refused))


def _take(one: Record, scores: Path | None, root: Path) -> str:
    target = root / one.relative_path
    mine = _usable(target)
    same_scores = mine is not None and mine.scores and one.scores and mine.scores.sha256 == one.scores.sha256
    replaced = _replaced_scores(scores, target) if same_scores else False
    if mine == one:
        return "added" if replaced else "same"
    if mine is not None and one.status == "failed":
        return "weaker"
    if mine is not None and mine.status == "done" and _is_aside(one, scores, target):
        return "same"
    try:
        store.write(one, root, scores=scores)
    except RecordExists:
        store.keep_aside(one, root, scores=scores)
        return "aside"
    return "added"


def publish(own: Path, reference: Path, tables: Collection[str] = ()) -> list[str]:
    """Move finished records, with their scores, from the own results into the reference, over what stands there.

    Paths of those that moved. A record is in the reference before it leaves the own results.
    """
    moved = []
    for one in load_all(own).records if own.is_dir() else ():
        if one.status != "done" or (tables and f"{one.paper}/{one.table}" not in tables):
            continue
        store.put(one, reference, store.scores_path(one, own) if one.scores else None)
        path = own / one.relative_path
        with only_writer(path.parent):
            if store.is_document_of(path, one):  # not measured anew meanwhile
                _remove(path)
        moved.append(one.place)
    return moved


def _usable(target: Path) -> Record | None:
    """The own record; a damaged one counts as none, and `store.write` keeps it aside."""
    try:
        return store.load(target) if target.is_file() else None
    except RecordError:
        return None


def _replaced_scores(scores: Path | None, target: Path) -> bool:
    """Whether the scores beside the own record were gone or damaged, and now are those of the other folder."""
    beside = target.with_suffix(".npz")
    if scores is None or (beside.is_file() and file_sha256(beside) == file_sha256(scores)):
        return False
    with only_writer(target.parent):
        write_atomic(beside, scores)
    return True


def _is_aside(one: Record, scores: Path | None, target: Path) -> bool:
    """Whether the same record, with its scores, lies in `superseded/` already."""
    for path in (target.parent / store.SUPERSEDED).glob(f"{target.stem}.*.json"):
        if store.is_document_of(path, one):
            _replaced_scores(scores, path)
            return True
    return False


def leftovers(root: Path, known: Collection[str] | None = None) -> Iterator[tuple[Path, str]]:
    """Files that no table needs, each with its reason: superseded records, scores without a record, and what killed
    writers left. Scores that were written just now are none: their record may be about to follow.

    With `known`, also records of other experiments than these ids: of tables that changed, and of rows of `--with`.
    """
    for one in load_all(root).records if known is not None else ():
        if known is not None and one.id not in known:
            yield root / one.relative_path, "no table holds this experiment"
    below = sorted(path for path in root.rglob("*") if path.is_dir() and not path.is_symlink())
    for folder in [root, *below] if root.is_dir() else ():
        left = set(left_in(folder))
        for path in sorted(folder.iterdir()):
            if path in left:
                yield path, "left by a writer that died"
            elif folder.name == store.SUPERSEDED and not path.name.startswith("."):
                yield path, "superseded"
            elif _is_orphan(path):
                yield path, "scores without a record"


def _is_orphan(path: Path) -> bool:
    """Whether a file holds scores of no record, and nobody is about to write that one."""
    try:
        return (
            path.suffix == ".npz"
            and not path.name.startswith(".")
            and not os.path.lexists(path.with_suffix(".json"))
            and time.time() - path.lstat().st_mtime > _SETTLED_S
        )
    except FileNotFoundError:
        return False


def prune(files: Sequence[Path]) -> int:
    """Remove these files, and the scores beside a record; the number of files removed. Each folder is locked against
    writers, and what is needed by now stays.
    """
    count = 0
    for path in files:
        folder = path.parent.parent if path.parent.name == store.SUPERSEDED else path.parent
        if not folder.is_dir():
            continue
        there = [file for file in _with_scores(path) if os.path.lexists(file)]
        with only_writer(folder):
            if path.suffix != ".npz" or path.parent.name == store.SUPERSEDED or _is_orphan(path):
                _remove(path)
        count += sum(not os.path.lexists(file) for file in there)
    return count


def _with_scores(path: Path) -> tuple[Path, ...]:
    """A record's file and that of its scores; any other alone."""
    return (path, path.with_suffix(".npz")) if path.suffix == ".json" else (path,)


def _remove(path: Path) -> None:
    """Remove a file, or whatever lies there; of a record first itself, then the scores beside it."""
    for file in _with_scores(path):
        if file.is_dir() and not file.is_symlink():
            shutil.rmtree(file)
        else:
            file.unlink(missing_ok=True)
