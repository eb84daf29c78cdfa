"""Writers, merges and prunes at once, two of them killed: nothing that was reported as written is lost or torn."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

from repro.records import store
from repro.records.merge import leftovers, merge, prune
from repro.records.store import load_all
from tests.torture.tools import REFERENCE, cases, draws, left, sound, wholes

#: python races.py ROLE ROOT THEIRS FIRST COUNT: a line for each record that is written
_ROLE = """
import os, sys
from pathlib import Path
from repro.records import store
from repro.records.merge import leftovers, merge, prune
from tests.torture.test_races import one_of
role, root, theirs, first, count = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5])
one, scores = one_of(role)
if role == "prune":
    while True:
        prune([path for path, _ in leftovers(root)])
if role == "merge":
    while True:
        merge(theirs, root)
for number in range(first, first + count):
    mine = one.model_copy(update={"seed": number, "wall_s": first + number / 1e4})
    try:
        store.write(mine, root, scores=scores, replace=number % 3 == 0)
    except store.RecordExists:
        continue
    print(number, flush=True)
"""


def one_of(role: str) -> tuple[store.Record, Path | None]:
    """A record for a role to write under many seeds: every second writer has scores."""
    found = load_all(REFERENCE, paper="dnr", table="table6").records
    tested = next(one for one in found if one.scores)
    if role.endswith("scores"):
        return tested.model_copy(update={"scores": None}), store.scores_path(tested, REFERENCE)
    return next(one for one in found if one.kind == "static"), None


def start(role: str, root: Path, theirs: Path, first: int, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _ROLE, role, str(root), str(theirs), str(first), str(count)]
    return subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True)


@cases(20, 600)
def test_nothing_that_was_written_is_lost(count, seed, tmp_path):
    random = draws("races", seed)
    root, theirs = tmp_path / "own", tmp_path / "elsewhere"
    for role in ("with scores", "without"):
        one, scores = one_of(role)
        for number in range(10):
            store.write(one.model_copy(update={"seed": number, "wall_s": 0.5}), theirs, scores=scores)
    writers = {}
    for number in range(6):  # neighbours write some of the same seeds
        role = "with scores" if number % 2 else "without"
        writers[number] = start(role, root, theirs, 1 + (number // 2) * count * 2 // 3, count)
    root.mkdir(exist_ok=True)
    others = [start(role, root, theirs, 0, 0) for role in ("prune", "prune", "merge", "merge")]
    time.sleep(random.uniform(1, 3))
    for number in random.sample(sorted(writers), 2):
        writers[number].send_signal(signal.SIGKILL)
    for process in others[::2]:
        process.send_signal(signal.SIGKILL)
    told = {number: process.communicate()[0].split() for number, process in writers.items()}
    for process in others:
        process.kill()
        process.communicate()
    sound(root)
    sound(theirs)
    kept = {found[:2] for found in wholes(root)}
    ids = {number: one_of("with scores" if number % 2 else "without")[0].id for number in told}
    lost = [(number, line) for number, lines in told.items() for line in lines if (ids[number], int(line)) not in kept]
    assert lost == [] and sum(map(len, told.values())) > count
    merge(theirs, root)
    again = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    assert merge(theirs, root).added == ()
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*") if path.is_file()}.items() <= again.items()
    prune([path for path, _ in leftovers(root)])
    assert left(root) == []
    assert kept <= {found[:2] for found in wholes(root)}
