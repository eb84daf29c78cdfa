"""Records of the first form are rewritten where they lie, whole, whenever the machine stops."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from repro.core.spec import to_dict
from repro.records import store
from repro.records.index import Index
from repro.records.schema import Record, Scores
from repro.records.store import load_all
from repro.records.upgrade import upgrade
from tests.repro.made_table import layout, records

__all__ = ["layout", "records"]


def first_form(record: Record) -> tuple[str, dict[str, Any]]:
    """Name and document of a record as version 1 had it."""
    spec = to_dict(record.experiment())
    if record.kind == "accuracy":
        spec["measure"]["decoder"] = "decord"
    text = json.dumps(spec, sort_keys=True, separators=(",", ":"))
    id = record.id if record.kind != "accuracy" else hashlib.sha256(text.encode()).hexdigest()
    document = {**record.model_dump(mode="json"), "schema_version": 1, "id": id, "spec": spec}
    if record.scores:
        document["scores"]["file"] = f"{id[:16]}-s{record.seed}.npz"
    signed = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return f"{id[:16]}-s{record.seed}", {**document, "digest": hashlib.sha256(signed.encode()).hexdigest()}


@pytest.fixture
def old(tmp_path: Path, records: list[Record]) -> Path:
    for record in records:
        folder = tmp_path / record.relative_path.parent
        folder.mkdir(parents=True, exist_ok=True)
        scores = record.kind == "accuracy" and record.status == "done"
        if scores:
            told = Scores(file=f"{'0' * 16}-s0.npz", sha256=hashlib.sha256(b"scores").hexdigest())
            record = record.model_copy(update={"scores": told})
        name, document = first_form(record)
        (folder / f"{name}.json").write_text(json.dumps(document, indent=1))
        if scores:
            (folder / f"{name}.npz").write_bytes(b"scores")
    return tmp_path


def test_every_record_is_rewritten_and_nothing_is_left(old: Path, records: list[Record]) -> None:
    assert len(load_all(old).problems) == len(records)
    assert "records upgrade" in load_all(old).problems[0].reason
    found = upgrade(old)
    assert (len(found.done), found.refused) == (len(records), ())
    loaded = load_all(old)
    assert loaded.problems == []
    assert {one.name for one in loaded.records} == {one.name for one in records}
    assert [one.results for one in loaded.records] == [
        Index(old).of(one.id)[one.seed > 0].results for one in loaded.records
    ]
    tested = [one for one in loaded.records if one.scores]
    assert len(tested) == 3 and all(store.scores_path(one, old).read_bytes() == b"scores" for one in tested)
    assert len(list(old.rglob("*.npz"))) == 3
    assert upgrade(old) == ((type(found))((), ()))


def test_an_upgrade_that_was_killed_goes_on(old: Path, records: list[Record], monkeypatch: pytest.MonkeyPatch) -> None:
    before = old.with_name("before")
    shutil.copytree(old, before)
    inner, calls = Path.unlink, []

    def killed(self: Path, missing_ok: bool = False) -> None:
        calls.append(self)
        if len(calls) == 5:
            raise KeyboardInterrupt
        inner(self, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", killed)
    with pytest.raises(KeyboardInterrupt):
        upgrade(old)
    monkeypatch.undo()
    upgrade(old)
    upgrade(before)
    loaded = load_all(old)
    assert loaded == load_all(before)
    assert all(store.scores_path(one, old) for one in loaded.records if one.scores)


def test_what_is_damaged_stays_and_is_told(old: Path) -> None:
    path = next(old.rglob("*.json"))
    path.write_bytes(path.read_bytes().replace(b'"seed": 0', b'"seed": 3'))
    found = upgrade(old)
    assert [one.path for one in found.refused] == [path.relative_to(old).as_posix()]
    assert "does not fit its own sha256" in found.refused[0].reason and path.exists()


def test_what_is_no_file_of_reasonable_size_is_told(old: Path) -> None:
    paths = sorted(old.rglob("*.json"))
    os.truncate(paths[0], 1 << 36)
    paths[1].unlink()
    os.mkfifo(paths[1])
    found = upgrade(old)
    told = {one.path: one.reason for one in found.refused}
    for path, reason in zip(paths, ("MB; a record has at most", "no file"), strict=False):
        assert reason in told[path.relative_to(old).as_posix()]


def test_a_measurement_made_meanwhile_stays_and_the_old_one_is_kept_aside(old: Path, records: list[Record]) -> None:
    new = next(one for one in records if one.kind == "accuracy" and one.status == "done")
    store.write(new.model_copy(update={"wall_s": 1.0}), old)
    upgrade(old)
    assert store.load(old / new.relative_path).wall_s == 1.0
    assert len(list(old.rglob("superseded/*.json"))) == 1
