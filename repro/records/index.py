"""The records below a folder: names listed once, each file read at most once, one index passed down to all who ask.

A record's name begins with the content id of its experiment, so that the records of a table are found by their names,
and only those are read.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from repro.core import paths
from repro.records import store
from repro.records.schema import Record
from repro.records.store import Problem

#: a folder that changed so shortly before it was listed may change again within one tick of its clock
_SETTLED_NS = 2_000_000_000
#: digits of the content id at the start of a name
_DIGITS = 16


class _Light(NamedTuple):
    """What orders a record and tells whether it is shown, without the rest of it."""

    id: str
    kind: str
    seed: int
    status: str
    paper: str
    table: str
    row: str
    name: str
    told: Any


T = TypeVar("T")
R = TypeVar("R", Record, _Light)


class _Folder(NamedTuple):
    """One folder as it was listed."""

    changed: int
    folders: list[str]
    names: list[str]
    """Of JSON files."""


def finishing(records: Iterable[Record]) -> list[Record]:
    """The records that finish one experiment: of each seed the finished one that was measured last, by seed.

    Tables that share an experiment may each hold a record of it.
    """
    done = sorted((record for record in records if record.status == "done"), key=lambda record: record.finished)
    return [record for _, record in sorted({record.seed: record for record in done}.items())]


class Index:
    """All records below some folders; what `refresh` finds unchanged is not read again.

    Of an experiment that several folders have finished, the one with the most seeds is shown, of equal ones, and of
    times, the first: own results stand before the reference, and are never mixed with it.
    """

    def __init__(self, *roots: Path) -> None:
        self.roots = [_Root(root) for root in roots or (store.default_root(),)]
        self.refresh()

    @property
    def root(self) -> Path:
        """The first folder: where what is measured now is written."""
        return self.roots[0].folder

    def refresh(self) -> Index:
        """Take note of what was written or removed since."""
        for root in self.roots:
            root.refresh()
        return self

    def lines(self, told: Callable[[Record], T], table: str = "") -> list[T]:
        """What `told` makes of each record of a table, or of all, by path; each is read, and not kept."""
        found = [
            [
                _Light(one.id, one.kind, one.seed, one.status, one.paper, one.table, one.row, one.name, told(one))
                for one in records
            ]
            for records in (root.each(table) for root in self.roots)
        ]
        return [one.told for one in self._standing(found)]

    def _standing(self, found: Iterable[list[R]]) -> list[R]:
        """The records of each folder without those of experiments that another one shows."""
        folders = list(found)
        if len(folders) == 1:
            return folders[0]
        seeds: dict[str, list[set[int]]] = defaultdict(lambda: [set() for _ in folders])
        for number, records in enumerate(folders):
            for one in records:
                if one.status == "done":
                    seeds[one.id][number].add(0 if one.kind == "speed" else one.seed)
        most = {id: max(range(len(folders)), key=lambda number: len(sets[number])) for id, sets in seeds.items()}
        kept = [one for number, records in enumerate(folders) for one in records if most.get(one.id, number) == number]
        return sorted(kept, key=lambda one: (one.paper, one.table, one.row, one.name))

    def records(self) -> list[Record]:
        """Every usable record, sorted by path."""
        return self._standing(root.all() for root in self.roots)

    def of(self, id: str, seed: int | None = None) -> list[Record]:
        """Records of one experiment, or of one seed of it, finished or failed, of whatever table."""
        start = id[:_DIGITS]
        holding = [root for root in self.roots if root.lists(start)]
        if seed is not None and len(holding) == 1:  # no other folder's seeds stand against these
            found = holding[0].of({start}, name=f"{start}-s{seed}.json")
        else:
            found = self._standing(root.of({start}) for root in self.roots)
        return [record for record in found if record.id == id and seed in (None, record.seed)]

    def everywhere(self, id: str) -> list[Record]:
        """Those of all folders, whichever has more seeds: for a sample whose seeds were declared beforehand."""
        return [record for root in self.roots for record in root.of({id[:_DIGITS]}) if record.id == id]

    def of_table(self, full_name: str, ids: Collection[str]) -> list[Record]:
        """What concerns a table: records of its experiments wherever they lie, and all that lie in its own folder."""
        starts = {id[:_DIGITS] for id in ids}
        return self._standing(root.of(starts, below=full_name) for root in self.roots)

    def look_for_strays(self, full_name: str, ids: Collection[str]) -> None:
        """Read what lies in a table's folder and is named after none of its experiments, so that `problems` has it."""
        for root in self.roots:
            root.strays({id[:_DIGITS] for id in ids}, full_name)

    def problems(self) -> list[Problem]:
        """Of the files read so far those that should be records and are not usable, by their path below `base`."""
        found = [
            Problem((root.folder / one.path).relative_to(self.base).as_posix(), one.reason)
            for root in self.roots
            for one in root.read.values()
            if isinstance(one, Problem)
        ]
        return sorted(found, key=lambda one: one.path)

    @property
    def base(self) -> Path:
        """The folder that holds all of them; the only one itself."""
        return self.root if len(self.roots) == 1 else Path(os.path.commonpath([root.folder for root in self.roots]))

    def rows(self, full_name: str) -> list[str]:
        """Rows of a table that have a folder of records."""
        found = [root.folders[full_name].folders for root in self.roots if full_name in root.folders]
        return sorted({row for rows in found for row in rows})


class _Root:
    """One folder of records."""

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self._of_results = store.holds_results(self.folder)
        self.folders: dict[str, _Folder] = {}
        self._by_start: dict[str, list[str]] = {}
        self.read: dict[str, Record | Problem] = {}

    def refresh(self) -> None:
        before, self.folders, self._by_start = self.folders, {}, defaultdict(list)
        left = [""]
        while left:
            place = left.pop()
            found = self._list(place, before.get(place))
            if found is None:
                continue
            self.folders[place] = found
            start = f"{place}/" if place else ""
            left += [start + name for name in found.folders]
            for name in found.names:
                self._by_start[name[:_DIGITS]].append(start + name)
        kept = {place for place, found in self.folders.items() if before.get(place) is found}
        self.read = {path: one for path, one in self.read.items() if path.rpartition("/")[0] in kept}

    def _list(self, place: str, before: _Folder | None) -> _Folder | None:
        folder = self.folder / place
        now = time.time_ns()
        try:
            changed = folder.stat().st_mtime_ns
            if before is not None and before.changed == changed:
                return before
            entries = list(os.scandir(folder))
        except (FileNotFoundError, NotADirectoryError):
            return None
        shown = [entry for entry in entries if not entry.name.startswith(".") and entry.name != store.SUPERSEDED]
        names = sorted(entry.name for entry in shown if entry.name.endswith(".json"))
        folders = sorted(e.name for e in shown if not e.name.endswith((".json", ".npz")) and _is_folder(e))
        return _Folder(changed if now - changed > _SETTLED_NS else -1, folders, names)

    def all(self) -> list[Record]:
        return self._records(self._below(""))

    def lists(self, start: str) -> bool:
        return start in self._by_start

    def of(self, starts: Collection[str], *, name: str = "", below: str = "") -> list[Record]:
        """Records whose names begin so (and end so), and all below a folder."""
        found = {path for start in starts for path in self._by_start.get(start, ()) if path.endswith(name)}
        return self._records(found | set(self._below(below) if below else ()))

    def strays(self, starts: Collection[str], below: str) -> list[Record]:
        """Records below a folder whose names begin otherwise."""
        known = {path for start in starts for path in self._by_start.get(start, ())}
        return self._records(path for path in self._below(below) if path not in known)

    def each(self, below: str) -> Iterator[Record]:
        """All below a folder, one at a time; only problems are kept."""
        for path in sorted(self._below(below), key=lambda path: path.split("/")):
            one = self.read.get(path) or store.read(self.folder, path, results=self._of_results)
            if isinstance(one, Record):
                yield one
            else:
                self.read[path] = one

    def _below(self, folder: str) -> Iterator[str]:
        for place, one in self.folders.items():
            if not folder or f"{place}/".startswith(f"{folder}/"):
                yield from (f"{place}/{name}" if place else name for name in one.names)

    def _records(self, found: Iterable[str]) -> list[Record]:
        listed = sorted(found, key=lambda path: path.split("/"))
        for path in listed:
            if path not in self.read:
                self.read[path] = store.read(self.folder, path, results=self._of_results)
        return [one for one in map(self.read.__getitem__, listed) if isinstance(one, Record)]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def shown_records(*, reference: bool = False) -> Index:
    """The records that tables show: own results before the reference, or the reference alone."""
    return Index(paths.records()) if reference else Index(paths.own(), paths.records())
