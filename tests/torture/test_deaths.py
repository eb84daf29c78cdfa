"""Death at each file operation: what was there is whole, or what was to come is; the same command then ends well."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from repro.core import files, lease
from repro.data import dataset_config
from repro.records import store
from repro.records.merge import leftovers, merge, prune, publish
from repro.records.schema import Record
from repro.records.store import load_all
from tests.torture.dying import dies_at
from tests.torture.tools import REFERENCE, left, sound, wholes

Work = Callable[[], object]


@pytest.fixture(scope="module")
def originals() -> tuple[Record, Record]:
    """A record with scores, and one without."""
    found = load_all(REFERENCE).records
    return next(one for one in found if one.scores), next(one for one in found if one.kind == "static")


@dataclass
class Folders:
    """Where a scenario plays: the own results, the reference, and another machine's."""

    base: Path

    @property
    def mine(self) -> Path:
        return self.base / "own"

    @property
    def reference(self) -> Path:
        return self.base / "records"

    @property
    def theirs(self) -> Path:
        return self.base / "elsewhere"


def again(record: Record, seconds: float) -> Record:
    return record.model_copy(update={"wall_s": seconds})


def failed(record: Record) -> Record:
    return record.model_copy(update={"status": "failed", "reason": "no memory", "results": {}, "scores": None})


def stored(record: Record, root: Path, scores: Path | None, *, replace: bool = False) -> Work:
    def work() -> None:
        with contextlib.suppress(store.RecordExists):
            store.write(record, root, scores=scores, replace=replace)

    return work


def scenario(name: str, at: Folders, one: Record, plain: Record) -> Work:
    """Prepare the folders, and return what is then done."""
    scores = store.scores_path(one, REFERENCE)
    other = at.base / "other.npz"
    other.write_bytes(scores.read_bytes() + b"more")
    fresh = one.model_copy(update={"scores": None})
    if name == "write":
        return stored(fresh, at.mine, scores)
    if name == "replace":
        store.write(fresh, at.mine, scores=scores)
        return stored(again(fresh, 2.0), at.mine, other, replace=True)
    if name == "replace without scores":
        store.write(fresh, at.mine, scores=scores)
        return stored(again(fresh, 2.0), at.mine, None, replace=True)
    if name == "replace a failure":
        store.write(failed(one), at.mine)
        return stored(fresh, at.mine, scores)
    if name == "replace what is damaged":
        store.write(fresh, at.mine, scores=scores)
        (at.mine / one.relative_path).write_text("{")
        return stored(again(fresh, 2.0), at.mine, other)
    store.write(again(fresh, 3.0), at.theirs, scores=other)
    store.write(again(plain, 3.0), at.theirs)
    store.write(failed(plain.model_copy(update={"seed": 1})), at.theirs)
    if name == "merge":
        store.write(fresh, at.mine, scores=scores)
        store.write(failed(plain), at.mine)
        return lambda: merge(at.theirs, at.mine)
    if name == "publish":
        store.write(again(fresh, 4.0), at.reference, scores=scores)
        return lambda: publish(at.theirs, at.reference)
    assert name == "prune"
    store.write(again(fresh, 5.0), at.theirs, scores=scores, replace=True)
    return lambda: prune([path for path, _ in leftovers(at.theirs)])


SCENARIOS = ("write", "replace", "replace without scores", "replace a failure", "replace what is damaged", "merge",
             "publish", "prune")  # fmt: skip


IN_DEFAULT_RUN = ("replace", "merge")
NAMES = [pytest.param(one, marks=() if one in IN_DEFAULT_RUN else pytest.mark.torture) for one in SCENARIOS]


@pytest.mark.parametrize("name", NAMES)
def test_records_are_old_or_new(name, originals, tmp_path, monkeypatch):
    one, plain = originals
    monkeypatch.setenv("REPRO_RESULTS", str(tmp_path / "first"))
    first = Folders(tmp_path / "first")
    first.base.mkdir()
    work = scenario(name, first, one, plain)
    shutil.copytree(first.base, tmp_path / "before", symlinks=True)
    before = wholes(first.base)
    work()
    after = wholes(first.base)
    number, dead = 0, True
    while dead:
        shutil.rmtree(first.base)
        shutil.copytree(tmp_path / "before", first.base)
        dead = dies_at(number, work, first.base)
        kept = wholes(first.base)
        assert before & after <= kept <= before | after, f"dead at operation {number}"
        assert {found[:2] for found in before} <= {found[:2] for found in kept}, f"dead at operation {number}"
        for root in (first.mine, first.reference, first.theirs):
            if root.is_dir() and name != "replace what is damaged":
                sound(root)
        work()
        assert wholes(first.base) == after, f"begun again after death at operation {number}"
        for root in (first.mine, first.reference, first.theirs):
            if root.is_dir():
                prune([path for path, why in leftovers(root) if "died" in why])
        assert left(first.base) == []
        number += 1
    assert number > 3


@pytest.mark.parametrize("name", ["lease", "datasets", "folder", "whole"])
def test_other_files_are_old_or_new(name, tmp_path, monkeypatch):
    monkeypatch.setenv("REPRO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("REPRO_CONFIG", str(tmp_path / "config"))
    monkeypatch.setattr(lease, "EXPIRY_S", 1.0)  # for so long a right to succeed outlives who died with it
    for number in range(100):
        if not dies_at(number, lambda: WORKS[name](tmp_path), tmp_path):
            break
        CHECKS[name](tmp_path)
    time.sleep(1.1 if left(tmp_path) else 0)
    WORKS[name](tmp_path)
    CHECKS[name](tmp_path)
    assert left(tmp_path) == [] and number > 2


@pytest.mark.parametrize("limit", [0, 1, 4096, 20_000])
def test_a_death_in_the_middle_of_a_write_leaves_the_old_file(limit, tmp_path):
    """The system ends a process that writes beyond its limit of a file's size."""
    file = tmp_path / "file"
    file.write_bytes(b"old")

    def write_much() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        files.write_atomic(file, b"new" * 10_000)

    child = os.fork()
    if child == 0:
        write_much()
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGXFSZ
    assert file.read_bytes() == b"old"
    files.clear_left(tmp_path)
    assert left(tmp_path) == []


def hold(folder: Path) -> None:
    with lease.hold("a" * 64, 0):
        assert lease.holder("a" * 64, 0) is not None


def build(folder: Path) -> None:
    with files.building(folder / "built") as part:
        for name in "ab":
            (part / name).write_text(name)
    files.clear_left(folder)


def remember(folder: Path) -> None:
    dataset_config.remember("kinetics400", folder / "k.csv")
    files.clear_left(folder / "config")


def write(folder: Path) -> None:
    files.write_atomic(folder / "file", b"new" * 10_000)
    files.clear_left(folder)


def is_built(folder: Path) -> None:
    found = folder / "built"
    assert not found.exists() or sorted(path.name for path in found.iterdir()) == ["a", "b"]


def is_remembered(folder: Path) -> None:
    assert dataset_config.place("kinetics400") in (None, folder / "k.csv")


def is_whole(folder: Path) -> None:
    assert not (folder / "file").exists() or (folder / "file").read_bytes() == b"new" * 10_000


WORKS = {"lease": hold, "folder": build, "datasets": remember, "whole": write}
CHECKS = {"lease": lambda folder: None, "folder": is_built, "datasets": is_remembered, "whole": is_whole}
