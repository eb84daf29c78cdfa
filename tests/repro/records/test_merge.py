from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from repro.__main__ import main
from repro.core.errors import RecordError, UnknownName
from repro.records import store
from repro.records.index import load_all
from repro.records.merge import find, leftovers, merge, prune

ROWS = Path(__file__).parents[3] / "results" / "records" / "dnr" / "table6"


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Two machines' folders: this one has TSN's records, the other TSN's and TSM's."""
    monkeypatch.setenv("REPRO_RESULTS", str(tmp_path / "mine"))
    mine, theirs = tmp_path / "mine" / "records", tmp_path / "theirs"
    for folder, rows in ((mine, ["tsn_r50"]), (theirs, ["tsn_r50", "tsm_r50"])):
        for row in rows:
            shutil.copytree(ROWS / row, folder / "dnr" / "table6" / row)
    return mine, theirs


def measured_again(folder, row="tsn_r50"):
    """The same speed experiment, by another machine."""
    one = next(one for one in load_all(folder).records if one.kind == "speed" and one.row == row)
    changed = one.model_copy(update={"wall_s": one.wall_s + 1, "scores": None})
    store.write(changed, folder, replace=True)
    shutil.rmtree(folder / changed.relative_path.parent / store.SUPERSEDED)
    return changed


def test_another_folder_is_taken_in_once(folders):
    mine, theirs = folders
    before = {one.relative_path for one in load_all(mine).records}
    found = merge(theirs, mine)
    assert len(found.added) == len(list((theirs / "dnr" / "table6" / "tsm_r50").glob("*.json")))
    assert len(found.same) == len(before)
    assert not (found.aside or found.weaker or found.refused)
    loaded = load_all(mine)
    assert not loaded.problems
    assert all(store.scores_path(one, mine).is_file() for one in loaded.records if one.scores)
    again = merge(theirs, mine)
    assert not again.added and len(again.same) == len(loaded.records)


def test_two_measurements_of_one_experiment_are_both_kept(folders):
    mine, theirs = folders
    own = next(one for one in load_all(mine).records if one.kind == "speed")
    other = measured_again(theirs)
    assert merge(theirs, mine).aside == (other.relative_path.as_posix(),)
    assert store.load(mine / own.relative_path) == own
    (aside,) = (mine / own.relative_path.parent / store.SUPERSEDED).glob("*.json")
    assert json.loads(aside.read_text())["wall_s"] == other.wall_s


def test_a_finished_record_replaces_a_failure_and_not_the_other_way_round(folders):
    mine, theirs = folders
    one = next(one for one in load_all(mine).records if one.kind == "static")
    failed = one.model_copy(update={"status": "failed", "reason": "no memory", "results": {}})
    (mine / one.relative_path).unlink()
    store.write(failed, mine)
    assert merge(theirs, mine).added[0]
    assert store.load(mine / one.relative_path) == one
    (theirs / one.relative_path).unlink()
    store.write(failed, theirs)
    assert merge(theirs, mine).weaker == (one.relative_path.as_posix(),)
    assert store.load(mine / one.relative_path) == one


def test_damaged_files_are_refused_by_name_and_the_rest_is_taken(folders):
    mine, theirs = folders
    damaged = next((theirs / "dnr" / "table6" / "tsm_r50").glob("*.json"))
    damaged.write_text(damaged.read_text().replace("1", "2", 1))
    scores = next((theirs / "dnr" / "table6" / "tsm_r50").glob("*.npz"))
    scores.write_bytes(b"cut")
    found = merge(theirs, mine)
    assert {Path(problem.path).name for problem in found.refused} >= {damaged.name}
    assert len(found.refused) in (1, 2)
    assert not load_all(mine).problems


@pytest.mark.parametrize(
    ("folder", "said"), [("nowhere", "no folder"), ("mine/records", "merge into"), (".", "no records")]
)
def test_folders_that_are_none(folders, tmp_path, folder, said):
    if folder == ".":
        (tmp_path / "empty").mkdir()
        folder = "empty"
    with pytest.raises(RecordError, match=said):
        merge(tmp_path / folder)


def test_records_are_found_by_name_beginning_and_place(folders):
    records = load_all(folders[1]).records
    one = records[0]
    assert (
        find(records, one.name) == find(records, one.name[:8]) == find(records, f"table6/{one.row}/{one.cell}") == one
    )
    with pytest.raises(UnknownName):
        find(records, "zzzz")
    with pytest.raises(UnknownName):
        find(records, one.name[:2])


def test_prune_lists_first_and_removes_only_what_no_table_needs(folders, capsys):
    mine, theirs = folders
    measured_again(theirs)
    merge(theirs, mine)
    kept = {one.relative_path for one in load_all(mine).records}
    orphan = mine / "dnr" / "table6" / "tsn_r50" / "0000000000000000-s0.npz"
    orphan.write_bytes(b"x")
    assert main(["records", "prune"]) == 0
    assert "nothing was removed" in capsys.readouterr().out
    assert orphan.is_file()
    assert main(["records", "prune", "--yes"]) == 0
    assert not orphan.exists() and not list(mine.rglob("superseded/*.json"))
    assert {one.relative_path for one in load_all(mine).records} == kept
    assert prune([path for path, _ in leftovers(mine, set())]) >= len(kept)


def test_the_verb_lists_shows_and_compares(folders, capsys):
    mine, theirs = folders
    merge(theirs, mine)
    assert main(["records", "ls", "table6"]) == 0
    assert "GMACs" in capsys.readouterr().out
    assert main(["records", "show", "table6/tsn_r50/static"]) == 0
    assert json.loads(capsys.readouterr().out)["row"] == "tsn_r50"
    assert main(["records", "diff", "table6/tsn_r50/static", "table6/tsm_r50/static"]) == 1
    told = capsys.readouterr().out
    assert "model.name" in told and "environment" not in told
    assert main(["records", "diff", "table6/tsn_r50/static", "table6/tsn_r50/static"]) == 0
    assert main(["records", "show", "nothing"]) == 2
