"""Miniature copies of all seven datasets go through the commands that Kinetics goes through: add, check, train, test,
a table's cells, and the table. The networks and protocols are small, the path is the whole one.
"""

from __future__ import annotations

import json

import pytest

from repro import registry
from repro.__main__ import main
from repro.core.spec import Accuracy, Experiment, Model, Train, Views, frozen
from repro.data.known_datasets import KNOWN
from repro.engine.execution import Execution
from repro.papers.recipes.used import KINETICS
from repro.papers.table import ColumnSpec, RowSpec, TableSpec
from repro.records.index import Index
from repro.records.store import load_all
from repro.report import FORMATS, render
from repro.runner.execute import execute
from repro.runner.jobs import jobs_of

NAMES = tuple(name for name in KNOWN if not name.endswith(("-2", "-3")))
OPTIONS = frozen(blocks=1, pool=True)
TRAIN = Train(epochs=1, batch=4, lr=0.02, sampling="mmaction2.uniform_train_8", crop=32, crop_rule="random", resize=0)
TEST = Views(sampling="mmaction2.uniform_test_8", crops=1, resize=0, crop=32)
TSN = ["tsn", "--backbone", "tiny_resnet", "--option", "blocks=1", "pool=true"]


def loaded(folder):
    (file,) = folder.rglob("*-s0.json")
    return json.loads(file.read_text())


@pytest.mark.parametrize("name", NAMES)
def test_a_copy_trains_and_tests_by_the_ordinary_verbs(
    name, miniature, miniatures_module, tmp_path, capsys, monkeypatch
):
    monkeypatch.setitem(KINETICS, "tsn", (TRAIN, TEST))
    mini = miniature(name)
    assert main(miniatures_module.add_arguments(mini)) == 0
    assert main(["data", "check", name, "--jobs", "2"]) == 0
    assert main(["train", *TSN, "--dataset", name, "--out", str(tmp_path / "a"), "--device", "cpu"]) == 0
    trained = loaded(tmp_path / "a")
    dataset = trained["dataset"]
    assert (dataset["name"], dataset["videos"], dataset["missing"], dataset["train"]["videos"]) == (name, 4, 0, 8)
    assert {len(dataset[key]) for key in ("fingerprint", "label_map")} == {64}
    assert dataset["media"] == ("frames" if name in ("sthv1", "jester", "minikinetics") else "videos")
    assert trained["spec"]["measure"]["train"]["flip_labels"] == [list(pair) for pair in KNOWN[name].flip_labels]
    weights = next((tmp_path / "a").rglob("*.safetensors"))
    options = ["--weights", str(weights), "--crops", "1", "--crop", "32", "--resize", "0", "--fusion", "softmax"]
    out = ["--out", str(tmp_path / "b"), "--device", "cpu"]
    assert main(["test", *TSN, "--dataset", name, *options, *out]) == 0
    assert loaded(tmp_path / "b")["results"]["top1"] == trained["results"]["top1"]
    assert main(["data", "list"]) == 0
    assert "8 of 8 train, 4 of 4 val; checked 12 of 12" in capsys.readouterr().out


def table():
    def cells(name):
        model = Model(name="tsn", backbone="tiny_resnet", num_classes=KNOWN[name].classes, options=OPTIONS, frames=8)
        return {"top1": Experiment(model=model, measure=Accuracy(dataset=name, test=TEST, train=TRAIN))}

    rows = tuple(RowSpec(key=name, label=KNOWN[name].title, cells=cells(name)) for name in NAMES)
    columns = (ColumnSpec(key="top1", title="top-1 %", source="record:top1:top1", group="measured"),)
    return TableSpec(
        paper="own",
        name="miniatures",
        title="Miniatures",
        caption="",
        published_csv="dnr_table6",
        rows=rows,
        columns=columns,
    )


def test_the_cells_of_a_table_become_runnable_and_the_table_shows_them(miniature, miniatures_module):
    layout = table()
    assert jobs_of(layout) == []
    assert "python -m repro data add sthv1 --root DIR" in render(layout, "markdown", Index(), full=True)
    for name in NAMES:
        assert main(miniatures_module.add_arguments(miniature(name))) == 0
    jobs = jobs_of(layout)
    assert [job.row for job in jobs] == list(NAMES)
    made = [execute(job, Execution(device="cpu", threads=1)) for job in jobs]
    assert [one.status for one in made] == ["done"] * len(NAMES), [one.reason for one in made]
    for form in FORMATS:
        shown = render(layout, form, Index())
        assert all(f"{one.results['top1']:.2f}" in shown for one in made) and "not run" not in shown
    assert {one.dataset["fingerprint"] for one in load_all().records} == {one.dataset["fingerprint"] for one in made}


def test_missing_and_quarantined_videos_stand_in_the_record(miniature, miniatures_module, tmp_path, monkeypatch):
    monkeypatch.setitem(KINETICS, "tsn", (TRAIN, TEST))
    mini = miniatures_module.build("diving48", tmp_path / "own")
    missing, broken = (video for video, _ in mini.videos["val"][:2])
    (mini.root / f"{missing}.mp4").unlink()
    assert main(miniatures_module.add_arguments(mini)) == 0
    (mini.root / f"{broken}.mp4").write_bytes((mini.root / f"{broken}.mp4").read_bytes()[:-900])
    assert main(["data", "check", "diving48"]) == 1
    assert main(["train", *TSN, "--dataset", "diving48", "--out", str(tmp_path / "a"), "--device", "cpu"]) == 0
    made = loaded(tmp_path / "a")
    assert [video["id"] for video in made["results"]["left_out"]] == [missing, broken]
    assert made["results"]["videos"] == 2 and made["dataset"]["missing"] == 1 and made["dataset"]["unreadable"] == 1
    assert "missing: in the annotations" in made["results"]["left_out"][0]["problem"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["kinetics400", "sthv1"])
def test_the_full_protocol_runs_on_a_copy(name, miniature, miniatures_module, tmp_path):
    assert main(miniatures_module.add_arguments(miniature(name))) == 0
    recipe = ["--set", "epochs=1", "batch=4", "warmup_epochs=0"]
    out = ["--out", str(tmp_path), "--device", "cpu"]
    assert main(["train", *TSN, "--dataset", name, *recipe, *out]) == 0
    assert loaded(tmp_path)["results"]["videos"] == 4


def test_known_datasets_are_registered_with_their_facts():
    for name, known in KNOWN.items():
        facts = registry.datasets[name].facts
        assert (facts["num_classes"], facts["flip_labels"]) == (known.classes, known.flip_labels)
        assert known.splits["train"] > known.splits["val"] > 0 and known.source and known.annotations
