"""The records below a folder: names listed once, each file read at most once, one index passed down to all who ask.

A record's name begins with the content id of its experiment, so that the records of a table are found by their names,
and only those are read.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import NamedTuple

from repro.core import paths
from repro.records import store
from repro.records.schema import Record
from repro.records.store import Loaded, Problem

#: a folder that changed so shortly before it was listed may change again within one tick of its clock
_SETTLED_NS = 2_000_000_000
#: digits of the content id at the start of a name
_DIGITS = 16


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
    """All records below `root`; what `refresh` finds unchanged is not read again."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = store.default_root() if root is None else Path(root)
        self._of_results = self.root.resolve() == paths.records().resolve()
        self._folders: dict[str, _Folder] = {}
        self._by_start: dict[str, list[str]] = {}
        self._read: dict[str, Record | Problem] = {}
        self.refresh()

    def refresh(self) -> Index:
        """Take note of what was written or removed since."""
        before, self._folders, self._by_start = self._folders, {}, defaultdict(list)
        left = [""]
        while left:
            place = left.pop()
            found = self._list(place, before.get(place))
            if found is None:
                continue
            self._folders[place] = found
            start = f"{place}/" if place else ""
            left += [start + name for name in found.folders]
            for name in found.names:
                self._by_start[name[:_DIGITS]].append(start + name)
        kept = {place for place, found in self._folders.items() if before.get(place) is found}
        self._read = {path: one for path, one in self._read.items() if path.rpartition("/")[0] in kept}
        return self

    def _list(self, place: str, before: _Folder | None) -> _Folder | None:
        folder = self.root / place
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
        folders = sorted(e.name for e in shown if not e.name.endswith((".json", ".npz")) and e.is_dir())
        return _Folder(changed if now - changed > _SETTLED_NS else -1, folders, names)

    def _usable(self, found: Iterable[str]) -> list[Record]:
        paths_ = sorted(found, key=lambda path: path.split("/"))
        for path in paths_:
            if path not in self._read:
                self._read[path] = store.read(self.root, path, results=self._of_results)
        return [one for one in map(self._read.__getitem__, paths_) if isinstance(one, Record)]

    def newest(self) -> float:
        """When the newest file of a record was written, in seconds since the epoch; 0 where there is none."""
        found = (self.root / path for listed in self._by_start.values() for path in listed)
        return max((path.stat().st_mtime for path in found), default=0.0)

    def records(self) -> list[Record]:
        """Every usable record, sorted by path."""
        return self._usable(path for listed in self._by_start.values() for path in listed)

    def problems(self) -> list[Problem]:
        """Of the files read so far those that should be records and are not usable."""
        return sorted((one for one in self._read.values() if isinstance(one, Problem)), key=lambda one: one.path)

    def of(self, id: str) -> list[Record]:
        """Records of one experiment, finished or failed, of whatever table."""
        return [record for record in self._usable(self._by_start.get(id[:_DIGITS], ())) if record.id == id]

    def of_table(self, full_name: str, ids: Collection[str]) -> list[Record]:
        """What concerns a table: records of its experiments wherever they lie, and all that lie in its own folder."""
        starts, own = {id[:_DIGITS] for id in ids}, f"{full_name}/"
        return self._usable(
            path
            for start, listed in self._by_start.items()
            for path in listed
            if start in starts or path.startswith(own)
        )

    def rows(self, full_name: str) -> list[str]:
        """Rows of a table that have a folder of records."""
        found = self._folders.get(full_name)
        return found.folders if found else []


def load_all(root: Path | None = None) -> Loaded:
    """All usable records below `root`, and the files that are not usable."""
    index = Index(root)
    records = index.records()
    return Loaded(records, index.problems())
