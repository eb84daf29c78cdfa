from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from repro.__main__ import main
from repro.core.errors import RecordError, UnknownName
from repro.records import store
from repro.records.merge import find, leftovers, merge, prune
from repro.records.store import load_all

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


def test_a_folder_that_cannot_be_read_is_told_and_the_rest_is_taken(folders, monkeypatch, capsys):
    mine, theirs = folders
    closed, listing = theirs / "dnr" / "table6" / "tsm_r50", os.scandir

    def scandir(path):  # root may read all
        if Path(path) == closed:
            raise PermissionError(13, "Permission denied", str(closed))
        return listing(path)

    monkeypatch.setattr(os, "scandir", scandir)
    found = merge(theirs, mine)
    assert [(one.path, one.reason) for one in found.refused] == [("dnr/table6/tsm_r50", "Permission denied")]
    assert found.same and not any("tsm_r50/" in path for path in (*found.added, *found.same))
    assert main(["records", "merge", str(theirs)]) == 1
    assert "not usable: dnr/table6/tsm_r50: Permission denied" in capsys.readouterr().out


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
    os.utime(orphan, (0, 0))
    fresh = orphan.with_name("0000000000000001-s0.npz")
    fresh.write_bytes(b"x")  # its record may be about to follow
    assert main(["records", "prune"]) == 0
    assert "nothing was removed" in capsys.readouterr().out
    assert orphan.is_file()
    assert main(["records", "prune", "--yes"]) == 0
    assert not orphan.exists() and fresh.exists() and not list(mine.rglob("superseded/*.json"))
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


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def accuracy_again(theirs, mine):
    """The same accuracy experiment with its scores, by both; the other's took a second longer."""
    one = next(r for r in load_all(ROWS.parents[1]).records if r.kind == "accuracy" and r.scores)
    scores = store.scores_path(one, ROWS.parents[1])
    store.write(one, mine, scores=scores)
    other = one.model_copy(update={"wall_s": one.wall_s + 1})
    store.write(other, theirs, scores=scores)
    return one, other


def test_any_number_of_merges_is_the_same_as_one(tmp_path):
    mine, theirs = tmp_path / "mine", tmp_path / "theirs"
    _, other = accuracy_again(theirs, mine)
    assert merge(theirs, mine).aside == (other.relative_path.as_posix(),)
    once = tree(mine)
    for _ in range(3):
        found = merge(theirs, mine)
        assert found.same == (other.relative_path.as_posix(),) and not found.aside
        assert tree(mine) == once


@pytest.mark.parametrize("gone", ["json", "npz", "superseded/1.json", "superseded/1.npz", "superseded", "both"])
def test_a_merge_goes_on_after_something_was_removed_by_hand(tmp_path, gone):
    mine, theirs, third = tmp_path / "mine", tmp_path / "theirs", tmp_path / "third"
    one, other = accuracy_again(theirs, mine)
    more = other.model_copy(update={"wall_s": one.wall_s + 2})
    store.write(more, third, scores=store.scores_path(other, theirs))
    for folder in (theirs, third):
        merge(folder, mine)
    whole = tree(mine)
    at = mine / one.relative_path
    aside = at.parent / store.SUPERSEDED
    removed = {
        "json": [at],
        "npz": [at.with_suffix(".npz")],
        "superseded/1.json": [aside / f"{at.stem}.1.json"],
        "superseded/1.npz": [aside / f"{at.stem}.1.npz"],
        "superseded": list(aside.iterdir()),
        "both": [at, at.with_suffix(".npz")],
    }[gone]
    for path in removed:
        path.unlink()
    if gone == "superseded":
        aside.rmdir()
    for _ in range(2):
        merge(theirs, mine)
        merge(third, mine)
    again = tree(mine)
    merge(theirs, mine)
    merge(third, mine)
    assert tree(mine) == again
    assert not load_all(mine).problems
    kept = {name for name, content in again.items() if name.endswith(".json")}
    walls = {json.loads(again[name])["wall_s"] for name in kept}
    assert walls >= {other.wall_s, more.wall_s} and len(kept) <= 3
    assert gone in ("json", "both") or {json.loads(whole[n])["wall_s"] for n in whole if n.endswith(".json")} == walls
    for name in kept:
        assert (mine / name).with_suffix(".npz").is_file()


def test_a_damaged_own_record_makes_way_and_a_smoke_record_is_passed(folders):
    mine, theirs = folders
    own = next(one for one in load_all(mine).records if one.kind == "static")
    (mine / own.relative_path).write_text("{")
    smoke = own.model_copy(update={"smoke": True, "seed": 7})
    store.write(smoke, theirs)
    found = merge(theirs, mine)
    assert own.relative_path.as_posix() in found.added
    assert [problem.path for problem in found.refused] == [smoke.relative_path.as_posix()]
    assert store.load(mine / own.relative_path) == own
    assert len(merge(theirs, mine).same) == len(load_all(mine).records)
