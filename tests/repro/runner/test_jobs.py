"""Which cells of a table are still to be run where their videos have changed since."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from repro import registry
from repro.core.spec import Accuracy, Experiment, Model, replace
from repro.data.index import read_csv
from repro.engine.execution import Execution
from repro.records import store
from repro.records.index import Index
from repro.runner.execute import Attempt, execute
from repro.runner.jobs import Job, on_other_videos, select

CPU = Execution(device="cpu", threads=1)


@pytest.fixture
def cell(
    tiny_csv: Path, tiny_accuracy: Accuracy, tiny_model: Model, tmp_path: Path, own_registry: None, monkeypatch
) -> Job:
    """A cell of a table on a dataset that keeps its name whatever its videos are."""
    shutil.copytree(tiny_csv.parent, tmp_path / "videos")
    csv = tmp_path / "videos" / "tiny.csv"
    registry.datasets.add("kept", lambda name, split: read_csv(csv, split), num_classes=3, origin="test", shipped=False)
    measure = replace(tiny_accuracy, dataset="kept", train=replace(tiny_accuracy.train, epochs=1))
    monkeypatch.setattr("repro.data.dataset_config.place", lambda name: csv)
    return Job("own", "table", "row", "cell", Experiment(model=tiny_model, measure=measure), smoke=True)


def exchange(folder: Path, one: str, other: str) -> None:
    (folder / one).rename(folder / "x")
    (folder / other).rename(folder / one)
    (folder / "x").rename(folder / other)


def test_a_cell_is_measured_again_when_its_videos_have_changed(cell: Job, tmp_path: Path) -> None:
    first = execute(cell, CPU)
    index = Index(store.default_root(True))
    assert select([cell], "undone", index) == [] and on_other_videos([cell], index) == ([], [])
    exchange(tmp_path / "videos", "12.mp4", "13.mp4")  # of val
    again, told = on_other_videos([cell, replace(cell, row="shared")], index)
    assert [job.again for job in again] == [True]
    assert told[0].endswith(f"the videos of val have changed since record {first.name} was written; "
                            "they are measured anew")  # fmt: skip
    second = execute(Job.from_message(again[0].to_message()), CPU)
    assert second.status == "done" and second.dataset["fingerprint"] != first.dataset["fingerprint"]
    assert on_other_videos([cell], index.refresh()) == ([], [])
    exchange(tmp_path / "videos", "0.mp4", "1.mp4")
    assert "the videos of train have changed" in on_other_videos([cell], index)[1][0]


def test_a_failed_second_attempt_is_told_and_leaves_the_record(cell: Job, monkeypatch) -> None:
    first = execute(cell, CPU)
    monkeypatch.setattr(Attempt, "measure", lambda _: 1 / 0)
    failed = execute(replace(cell, again=True), CPU)
    assert failed.status == "failed" and "ZeroDivisionError" in failed.reason
    (left,) = Index(store.default_root(True)).of(cell.experiment.id)
    assert (left.status, left.finished, left.results) == ("done", first.finished, first.results)


def test_what_an_initial_training_saw_counts_too(cell: Job, tmp_path: Path) -> None:
    before = replace(cell.experiment, model=replace(cell.experiment.model, num_classes=3))
    measure = replace(cell.experiment.measure, initial=before, train=replace(cell.experiment.measure.train, lr=0.001))
    job = replace(cell, experiment=replace(cell.experiment, measure=measure))
    first = execute(job, CPU)
    exchange(tmp_path / "videos", "0.mp4", "1.mp4")
    again, told = on_other_videos([job], Index(store.default_root(True)))
    assert "the videos of train and its initial training have changed" in told[0]
    second = execute(again[0], CPU)
    one, other = (made.effective["initial"]["dataset"]["fingerprint"] for made in (first, second))
    assert one != other, "weights that were trained on the old videos are not taken"


def test_a_dataset_that_is_gone_is_told_and_its_records_stand(cell: Job, tmp_path: Path) -> None:
    execute(cell, CPU)
    (tmp_path / "videos" / "tiny.csv").unlink()
    again, told = on_other_videos([cell], Index(store.default_root(True)))
    assert again == [] and "its record stands" in told[0]


def test_a_file_that_was_edited_during_a_run_is_told(cell: Job) -> None:
    """A worker that starts later would load the new one, and measure it under the name of the old."""
    edited = replace(cell, experiment=replace(cell.experiment, model=replace(cell.experiment.model, code="0" * 64)))
    made = execute(edited, CPU)
    assert made.status == "failed" and "has changed since this run began" in made.reason
