"""One index: what is there is listed, only what is asked for is read, and only once."""

from __future__ import annotations

from pathlib import Path

import pytest

from repro.records import index as module
from repro.records import store
from repro.records.index import Index, finishing
from repro.records.schema import Record
from tests.repro.made_table import layout, records

__all__ = ["layout", "records"]


@pytest.fixture
def root(tmp_path: Path, records: list[Record]) -> Path:
    for record in records:
        store.write(record, tmp_path)
    return tmp_path


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Paths of the files that were read."""
    told: list[str] = []
    inner = store.read

    def noted(root: Path, path: str, *, results: bool) -> Record | store.Problem:
        told.append(path)
        return inner(root, path, results=results)

    monkeypatch.setattr(module.store, "read", noted)
    return told


def test_each_file_is_read_once(root, read, layout, records):
    index = Index(root)
    assert not read
    assert {one.relative_path for one in index.records()} == {one.relative_path for one in records}
    index.of_table(layout.full_name, layout.ids)
    index.refresh().records()
    assert len(read) == len(set(read)) or len(read) == 2 * len(set(read))  # freshly written folders are listed again


def test_a_settled_folder_is_not_read_again(root, read, monkeypatch):
    monkeypatch.setattr(module, "_SETTLED_NS", -1)
    index = Index(root)
    index.records()
    before = len(read)
    index.refresh().records()
    assert len(read) == before


def test_an_experiment_is_found_in_whatever_table(root, read, records):
    one = records[0]
    store.write(one.model_copy(update={"table": "supp2"}), root)
    assert {found.table for found in Index(root).of(one.id)} == {"table6", "supp2"}
    assert len(read) == 2


def test_a_table_is_given_its_own_records_and_those_of_its_experiments(root, read, layout, records):
    other = records[0].model_copy(update={"table": "supp2"})
    store.write(other, root)
    index = Index(root)
    assert len(index.of_table(layout.full_name, layout.ids)) == len(records) + 1
    assert index.of_table("dnr/supp2", ()) == [other]
    assert index.of_table("psn/table1", ["0" * 64]) == []


def test_what_was_written_and_removed_since_is_noticed(root, records):
    index = Index(root)
    assert len(index.records()) == len(records)
    new = records[0].model_copy(update={"seed": 7})
    path = store.write(new, root)
    assert new in index.refresh().records()
    path.unlink()
    assert new not in index.refresh().records()


def test_a_damaged_file_is_a_problem_by_its_path(root, records):
    path = root / records[0].relative_path
    path.write_bytes(path.read_bytes()[:-40])
    index = Index(root)
    assert len(index.records()) == len(records) - 1
    assert [one.path for one in index.problems()] == [records[0].relative_path.as_posix()]


def test_the_last_measured_of_each_seed_finishes_an_experiment(records):
    one = next(record for record in records if record.kind == "accuracy" and record.seed == 1)
    later = one.model_copy(update={"table": "supp2", "finished": "2026-02-01T00:00:00+00:00"})
    first = next(record for record in records if record.id == one.id and record.seed == 0)
    lost = next(record for record in records if record.status == "failed")
    assert finishing([later, lost, one, first]) == [first, later]


def test_no_folder_is_no_record(tmp_path):
    index = Index(tmp_path / "nothing")
    assert (index.records(), index.problems(), index.rows("dnr/table6")) == ([], [], [])


def test_own_results_stand_before_the_reference_unless_it_has_more_seeds(tmp_path, layout, records):
    own, reference = tmp_path / "own", tmp_path / "records"
    for record in records:
        store.write(record, reference)
    counted = records[0].model_copy(update={"wall_s": 1.0})
    trained = next(one for one in records if one.kind == "accuracy" and one.status == "done")
    store.write(counted, own)
    store.write(trained.model_copy(update={"wall_s": 1.0}), own)
    index = Index(own, reference)
    assert index.of(counted.id) == [counted]
    assert [one.seed for one in index.of(trained.id)] == [0, 1] and index.of(trained.id)[0].wall_s == 60.0
    store.write(trained.model_copy(update={"wall_s": 1.0, "seed": 1}), own)
    assert [one.wall_s for one in index.refresh().of(trained.id)] == [1.0, 1.0]
    assert len(index.records()) == len(records) == len(index.of_table(layout.full_name, layout.ids))
    assert index.root == own and index.base == tmp_path


def test_one_own_time_stands_before_three_sittings_of_the_reference(tmp_path, records):
    timed = next(one for one in records if one.kind == "speed")
    for sitting in range(3):
        store.write(timed.model_copy(update={"seed": sitting}), tmp_path / "records")
    store.write(timed.model_copy(update={"wall_s": 1.0}), tmp_path / "own")
    index = Index(tmp_path / "own", tmp_path / "records")
    assert [one.wall_s for one in index.of(timed.id)] == [1.0]
    assert [one.seed for one in Index(tmp_path / "records").of(timed.id)] == [0, 1, 2]


def test_a_failure_of_ones_own_hides_no_finished_reference(tmp_path, records):
    own, reference = tmp_path / "own", tmp_path / "records"
    store.write(records[0], reference)
    failed = {"status": "failed", "reason": "no memory", "results": {}}
    store.write(Record.model_validate(records[0].model_dump() | failed), own)
    assert Index(own, reference).of(records[0].id) == [records[0]]


def test_lines_are_of_the_records_that_are_shown_and_nothing_is_kept(tmp_path, records, read):
    own, reference = tmp_path / "own", tmp_path / "reference"
    for record in records:
        store.write(record, reference)
    store.write(records[0], own)
    (own / "dnr" / "table6" / "tsn_r50" / "damaged-s0.json").write_text("{")
    index = Index(own, reference)
    shown = Index(own, reference).records()
    read.clear()
    assert index.lines(lambda one: one.place) == [one.place for one in shown]
    assert index.lines(lambda one: one.place, "dnr/table5") == []
    assert len(read) == len(records) + 2  # the damaged file's problem was kept
    assert [problem.path for problem in index.problems()] == ["own/dnr/table6/tsn_r50/damaged-s0.json"]


def test_one_seed_is_found_without_reading_the_others(root, read, records):
    one = records[5]
    for seed in range(2, 9):
        store.write(one.model_copy(update={"seed": seed}), root)
    index = Index(root)
    assert [found.seed for found in index.of(one.id, 7)] == [7]
    assert len(read) == 1
    assert index.of(one.id, 99) == [] and len(read) == 1
    assert len(index.of(one.id)) == 9
