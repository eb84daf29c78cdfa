"""Miniature copies of the seven datasets train, test and render on one process and on two, by the same commands.

From the same weights the scores of each video are equal bit for bit. A training on two processes sums in another order:
its weights are within the stated tolerance of those of one.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from repro import registry
from repro.__main__ import main
from repro.data.known_datasets import KNOWN
from repro.engine.train.resume import TOLERANCE
from repro.papers.recipes.used import KINETICS
from repro.records import store
from repro.records.scores import Scores
from repro.records.store import load_all

#: those whose lists are not official splits, which tests of lists cover
NAMES = tuple(name for name in KNOWN if not name.startswith(("ucf101", "hmdb51")))

TABLE = Path(__file__).with_name("miniature_table.py")
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "repro"]
TSN = ["tsn", "--backbone", "tiny_resnet", "--option", "blocks=1", "pool=true", "--device", "cpu"]
VIEWS = ["--sampling", "mmaction2.uniform_test_8_twice", "--crops", "3", "--crop", "32", "--resize", "0"]


@pytest.fixture(scope="module")
def miniature_table():
    spec = importlib.util.spec_from_file_location("miniature_table", TABLE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def finished(how: list[str], *arguments: str | Path) -> str:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [*how, *map(str, arguments), "--module", str(TABLE)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600)
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    return done.stdout


def made(folder: Path) -> tuple[dict, Scores]:
    (file,) = folder.rglob("*-s0.json")
    return json.loads(file.read_text()), Scores.load(file.with_suffix(".npz"))


def equal(one: Scores, two: Scores) -> bool:
    return (
        one.ids == two.ids and one.logits.tobytes() == two.logits.tobytes() and bool((one.labels == two.labels).all())
    )


@pytest.mark.parametrize("name", ["kinetics400", "sthv2", "diving48"])
def test_given_weights_score_alike_on_one_process_and_on_two(
    name, miniature, miniatures_module, miniature_table, tmp_path, monkeypatch
):
    monkeypatch.setitem(miniature_table.KINETICS, "tsn", (miniature_table.TRAIN, miniature_table.TEST))
    assert main(miniatures_module.add_arguments(miniature(name))) == 0
    assert main(["train", *TSN, "--dataset", name, "--out", str(tmp_path / "trained")]) == 0
    weights = next((tmp_path / "trained").rglob("*.safetensors"))
    test = ["test", *TSN, "--dataset", name, "--weights", str(weights), *VIEWS]
    assert main([*test, "--out", str(tmp_path / "one")]) == 0
    assert "top-1" in finished(TORCHRUN, *test, "--out", tmp_path / "two")
    trained, one, two = (made(tmp_path / folder) for folder in ("trained", "one", "two"))
    assert len(one[1].ids) == 4 and one[1].logits.shape == (4, 6, KNOWN[name].classes)
    assert equal(one[1], two[1]) and equal(one[1], trained[1])
    assert one[0]["results"] == two[0]["results"] == trained[0]["results"]
    assert one[0]["id"] == two[0]["id"] and one[0]["dataset"] == two[0]["dataset"]


def test_a_table_of_all_seven_is_the_same_on_one_process_and_on_two(
    miniature, miniatures_module, miniature_table, tmp_path, monkeypatch, capsys
):
    registry.load_all()
    monkeypatch.setattr(registry.tables, "_entries", dict(registry.tables._entries))
    monkeypatch.setattr(registry, "loaded_modules", dict(registry.loaded_modules))
    monkeypatch.setitem(KINETICS, "tsn", KINETICS["tsn"])
    for name in NAMES:
        assert main(miniatures_module.add_arguments(miniature(name))) == 0
    run = ["run", miniature_table.NAME, "--device", "cpu", "--records-only"]
    found, shown = [], []
    for processes in (1, 2):
        monkeypatch.setenv("REPRO_RESULTS", str(tmp_path / str(processes)))
        if processes == 1:
            assert main([*run, "--jobs", "1", "--module", str(TABLE)]) == 0
        else:
            finished(TORCHRUN, *run)
        records = {one.row: one for one in load_all().records}
        assert {name: one.status for name, one in records.items()} == dict.fromkeys(NAMES, "done")
        found.append({name: (one, Scores.load(store.scores_path(one))) for name, one in records.items()})
        capsys.readouterr()
        assert main(["table", miniature_table.NAME, "--format", "csv"]) == 0
        shown.append(capsys.readouterr().out)
    assert shown[0] == shown[1] and all(KNOWN[name].title in shown[0] for name in NAMES)
    for name in NAMES:
        (one, alone), (two, shared) = found[0][name], found[1][name]
        assert (one.effective["world_size"], two.effective["world_size"]) == (1, 2)
        assert one.id == two.id and one.effective["norm_batch"] == two.effective["norm_batch"] == 4
        assert alone.ids == shared.ids
        assert np.linalg.norm(alone.logits - shared.logits) <= TOLERANCE * np.linalg.norm(alone.logits)
        assert one.results["top1"] == two.results["top1"]


@pytest.mark.slow
def test_two_processes_repeat_themselves_and_their_weights_are_any_process_s(miniature, miniatures_module, tmp_path):
    assert main(miniatures_module.add_arguments(miniature("sthv2"))) == 0
    for place in ("two", "again"):
        finished(TORCHRUN, "train", *TSN, "--dataset", "sthv2", "--set", "epochs=2", "--out", tmp_path / place)
    two, again = (next((tmp_path / place).rglob("*.safetensors")) for place in ("two", "again"))
    assert two.read_bytes() == again.read_bytes()
    test = ["test", *TSN, "--dataset", "sthv2", "--weights", str(two), *VIEWS]
    assert main([*test, "--out", str(tmp_path / "alone")]) == 0
    assert equal(made(tmp_path / "two")[1], made(tmp_path / "alone")[1])
