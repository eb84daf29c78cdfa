"""Records: written once, checked when read, upgraded, and safe under many writers."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from repro.core import paths, spec
from repro.core.errors import RecordError
from repro.records import parts, store
from repro.records.document import signed
from repro.records.index import Index
from repro.records.schema import Record
from repro.records.store import RecordExists, load_all

ENVIRONMENT = {
    "python": "3.11.9", "packages": {"torch": "2.11.0"}, "device": "cpu", "device_name": "A CPU", "threads": 1,
    "flags": {}, "git": {"commit": None, "dirty": None},
}  # fmt: skip
STATIC = {
    "params": 24_327_632, "params_trainable": 24_327_632, "params_method": 0,
    "sizes": {"224": {"gmacs": 32.704, "fvcore": 32.882, "ptflops": 33.05, "ptflops_aten": 32.704}},
}  # fmt: skip


def experiment(**changes: object) -> spec.Experiment:
    model = spec.Model(name="tsn", backbone="resnet50", **changes)  # type: ignore[arg-type]
    return spec.Experiment(model=model, measure=spec.Static())


def static_record(**changes: object) -> Record:
    job = changes.pop("experiment", experiment())
    fields = {
        "id": job.id, "paper": "dnr", "table": "table6", "row": "tsn_r50", "cell": "static", "kind": "static",
        "status": "done", "spec": spec.to_dict(job), "results": STATIC, "environment": ENVIRONMENT,
        "command": ["python", "-m", "repro", "run", "table6"], "started": "2026-01-01T00:00:00+00:00",
        "finished": "2026-01-01T00:00:02+00:00", "wall_s": 2.0,
    }  # fmt: skip
    return Record.model_validate(fields | changes)


def failed(**changes: object) -> Record:
    return static_record(status="failed", reason="out of memory", results={}, **changes)


def test_a_record_comes_back_as_it_was_written(tmp_path: Path) -> None:
    written = static_record(curve=[{"epoch": 0, "loss": 0.1 + 0.2}])
    path = store.write(written, tmp_path)
    assert path == tmp_path / "dnr/table6/tsn_r50" / f"{written.id[:16]}-s0.json"
    assert store.load(path) == written
    assert load_all(tmp_path) == ([written], [])
    assert store.load(path).experiment() == experiment()
    assert sorted(p.name for p in path.parent.iterdir()) == [path.name]


def test_a_finished_record_is_not_overwritten_without_replace(tmp_path: Path) -> None:
    path = store.write(static_record(), tmp_path)
    before = path.read_bytes()
    for later in (static_record(wall_s=9.0), failed()):
        with pytest.raises(RecordExists, match="--force"):
            store.write(later, tmp_path)
        assert path.read_bytes() == before
    for wall in (3.0, 4.0):
        store.write(static_record(wall_s=wall), tmp_path, replace=True)
    assert store.load(path).wall_s == 4.0
    kept = sorted((path.parent / "superseded").iterdir())
    assert [json.loads(p.read_text())["wall_s"] for p in kept] == [2.0, 3.0]
    assert [r.wall_s for r in load_all(tmp_path).records] == [4.0]


def test_a_failed_record_makes_way(tmp_path: Path) -> None:
    store.write(failed(), tmp_path)
    store.write(failed(wall_s=7.0), tmp_path)
    path = store.write(static_record(), tmp_path)
    assert store.load(path).status == "done"
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def _edit(path: Path, sign: bool = True, **changes: object) -> None:
    document = json.loads(path.read_text()) | changes
    if sign:
        del document["digest"]
    path.write_bytes(signed(document) if sign else json.dumps(document).encode())


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda p: p.write_bytes(p.read_bytes()[:300]), "not readable as JSON"),
        (lambda p: p.write_bytes(b""), "not readable as JSON"),
        (lambda p: p.write_bytes(b"\xff\xfe\x00"), "not readable as JSON"),
        (lambda p: p.write_text("[1]"), "holds list"),
        (lambda p: p.write_text("[" * 100_000), "not readable as JSON"),
        (lambda p: p.write_text(p.read_text().replace("32.704", "30.704")), "does not fit its own sha256"),
        (lambda p: _edit(p, seed=1), "the name should be"),
        (lambda p: _edit(p, row="other"), "belongs at"),
        (lambda p: _edit(p, id="0" * 64), "content id"),
        (lambda p: _edit(p, schema_version=99), "schema version 99"),
        (lambda p: _edit(p, surprise=1), "surprise"),
        (lambda p: p.write_bytes(p.read_bytes().replace(b"32.704", b"1e999")), "1e999 is out of range"),
        (lambda p: p.write_bytes(p.read_bytes().replace(b"tsn_r50", b"\\ud800")), "not readable as JSON"),
        (lambda p: _edit(p, spec={"measure": [], "model": {}}), "content id"),
        (lambda p: _edit(p, environment=ENVIRONMENT | {"git": None}), "git"),
        (lambda p: _edit(p, environment=ENVIRONMENT | {"packages": []}), "packages"),
        (lambda p: _edit(p, results=STATIC | {"sizes": {"224": 3}}), "sizes.224"),
        (lambda p: (p.unlink(), os.mkfifo(p)), "no file"),
        (lambda p: (p.unlink(), p.symlink_to(p)), "not readable"),
        (lambda p: p.write_bytes(p.read_bytes().replace(b"\n", b"\n\n", 1)), "does not fit its own sha256"),
        (lambda p: _edit(p, results={}), "params"),
        (lambda p: _edit(p, smoke=True, spec={}), "content id"),
        (lambda p: p.rename(p.with_name("0123456789abcdef-s0.json")), "the name should be"),
    ],
)
def test_damage_is_reported_by_path_and_the_rest_is_read(tmp_path: Path, damage, told) -> None:  # type: ignore[no-untyped-def]
    good = static_record(row="tsm_r50", experiment=experiment(dropout=0.3))
    store.write(good, tmp_path)
    path = store.write(static_record(), tmp_path)
    try:
        damage(path)
    except ValueError:  # what JSON cannot hold cannot be on disk either
        return
    records, problems = load_all(tmp_path)
    assert records == [good]
    assert len(problems) == 1
    assert problems[0].path.startswith("dnr/table6/tsn_r50/")
    assert re.search(told, problems[0].reason), problems[0].reason


def test_a_file_at_a_wrong_depth_is_reported_and_tables_are_told_apart(tmp_path: Path) -> None:
    path = store.write(static_record(), tmp_path)
    other = static_record(table="supp2")
    store.write(other, tmp_path)
    (tmp_path / "dnr" / path.name).write_bytes(path.read_bytes())
    (path.parent / "deep").mkdir()
    (path.parent / "deep" / "x.json").write_text("{}")
    assert [p.path for p in load_all(tmp_path).problems] == [
        f"dnr/{path.name}",
        "dnr/table6/tsn_r50/deep/x.json",
    ]
    assert Index(tmp_path).of_table("dnr/supp2", ()) == [other]
    assert Index(tmp_path).of_table("psn/table1", ()) == []


def test_a_damaged_file_is_kept_aside_when_the_experiment_runs_again(tmp_path: Path) -> None:
    path = store.write(static_record(), tmp_path)
    path.write_text("{")
    store.write(static_record(), tmp_path)
    assert store.load(path).status == "done"
    assert (path.parent / "superseded" / f"{path.stem}.1.json").read_text() == "{"


@pytest.mark.parametrize(
    "changes",
    [
        {"row": "../../etc"},
        {"row": ""},
        {"paper": "a/b"},
        {"status": "failed", "results": {}, "reason": " "},
        {"status": "failed", "reason": "why", "results": STATIC},
        {"kind": "speed"},
        {"started": "2026-01-01T00:00:00"},
        {"started": "yesterday"},
        {"environment": {"python": "3.11"}},
        {"environment": ENVIRONMENT | {"threads": "2"}},
        {"environment": ENVIRONMENT | {"threads": 0}},
        {"results": STATIC | {"params": -1}},
        {"results": STATIC | {"method": {"kernel_shapes": "6"}}},
        {"results": STATIC | {"sizes": {}}},
        {"results": STATIC | {"sizes": {"224": {"gmacs": 0.0}}}},
        {"results": STATIC | {"sizes": {"224": {"gmacs": float("nan")}}}},
        {"wall_s": -1.0},
        {"seed": -1},
        {"unknown": 1},
    ],
)
def test_impossible_records_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        static_record(**changes)


def test_accuracy_results_must_be_possible() -> None:
    good = {"top1": 50.0, "top5": 75.0, "videos": 8, "left_out": []}
    parts.AccuracyResult.model_validate(good)
    for bad in (
        {"top1": 80.0}, {"top5": 101.0}, {"videos": 0}, {"left_out": None}, {"cost": {"facts": {"gmacs_base": "33"}}},
    ):  # fmt: skip
        with pytest.raises(ValueError):
            parts.AccuracyResult.model_validate(good | bad)


@pytest.mark.parametrize("loss", [float("nan"), float("inf"), np.float32(1.0), Path])
def test_what_json_cannot_hold_is_refused_with_a_reason(tmp_path: Path, loss: object) -> None:
    with pytest.raises(ValueError, match=r"holds what JSON cannot|should be a valid number"):
        store.write(static_record(curve=[{"loss": loss}]), tmp_path)
    assert not list(tmp_path.rglob("*.json"))


def test_smoke_records_lie_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPRO_RESULTS", str(tmp_path / "results"))
    monkeypatch.setenv("REPRO_CACHE", str(tmp_path / "cache"))
    smoke = static_record(smoke=True)
    assert (tmp_path / "cache" / "smoke-records") in store.write(smoke).parents
    with pytest.raises(RecordError, match="smoke"):
        store.write(smoke, paths.records())
    assert load_all().records == []
    other = store.write(static_record())
    other.write_bytes((tmp_path / "cache" / "smoke-records" / smoke.relative_path).read_bytes())
    assert "smoke" in load_all().problems[0].reason


def test_scores_lie_beside_the_record_and_are_checked(tmp_path: Path) -> None:
    source = tmp_path / "scores.npz"
    np.savez(source, logits=np.ones((4, 2), np.float32))
    path = store.write(static_record(), tmp_path / "r", scores=source)
    loaded = store.load(path)
    file = store.scores_path(loaded, tmp_path / "r")
    assert file == path.with_suffix(".npz") and file.read_bytes() == source.read_bytes()
    file.write_bytes(b"x")
    with pytest.raises(RecordError, match="sha256"):
        store.scores_path(loaded, tmp_path / "r")
    file.unlink()
    with pytest.raises(RecordError, match="missing"):
        store.scores_path(loaded, tmp_path / "r")


def _write_many(root: str, worker: int) -> list[str]:
    """25 records of its own, and one that every worker tries to write."""
    refused = []
    for seed in range(25):
        store.write(static_record(seed=1000 * (worker + 1) + seed), Path(root))
        try:
            store.write(static_record(seed=seed, wall_s=float(worker)), Path(root))
        except RecordExists:
            refused.append(f"{worker}:{seed}")
    return refused


def test_eight_processes_lose_nothing(tmp_path: Path) -> None:
    with ProcessPoolExecutor(8) as pool:
        refused = [r for told in pool.map(_write_many, [str(tmp_path)] * 8, range(8)) for r in told]
    records, problems = load_all(tmp_path)
    assert problems == []
    assert len(records) == 8 * 25 + 25
    assert len(refused) == 7 * 25  # of eight writers of one record, one wins
    assert not list(tmp_path.rglob("*.tmp"))


def test_what_a_killed_writer_left_is_no_record_and_is_cleared(tmp_path: Path) -> None:
    folder = tmp_path / "dnr/table6/tsn_r50"
    folder.mkdir(parents=True)
    left = folder / ".0123456789abcdef-s0.json.77.tmp"
    left.write_text("{")
    os.utime(left, (0, 0))
    assert load_all(tmp_path) == ([], [])
    path = store.write(static_record(), tmp_path)
    assert [p.name for p in folder.iterdir()] == [path.name]


@pytest.mark.bench
def test_a_thousand_records_load_in_two_seconds(tmp_path: Path) -> None:
    modules = [{"name": f"layer{i}", "type": "Conv2d", "params": i, "gmacs": 0.1} for i in range(40)]
    path = store.write(static_record(results=STATIC | {"modules": modules}), tmp_path)
    for seed in range(1000):
        document = json.loads(path.read_text()) | {"seed": seed}
        del document["digest"]
        (path.parent / f"{path.name[:16]}-s{seed}.json").write_bytes(signed(document))
    start = time.perf_counter()
    assert len(load_all(tmp_path).records) == 1000
    assert time.perf_counter() - start < 2


def test_reading_imports_no_torch() -> None:
    code = "import sys, repro.records.store; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
