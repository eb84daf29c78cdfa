"""What `train` and `test` by hand take for the same experiment."""

from __future__ import annotations

from pathlib import Path

import pytest

from repro.core.errors import BadOption, UnknownName, WeightsError
from repro.core.spec import Experiment, Model, Static, content_id, replace
from repro.data.user_data import dataset_name
from repro.engine.execution import Execution
from repro.papers.probes import probe
from repro.runner.one_experiment import recipe, run_single, scored_split, with_weights

TSM = Model(name="tsm", backbone="tiny_resnet", num_classes=8)


pytestmark = pytest.mark.usefixtures("own_registry")


def test_other_weights_are_another_experiment_and_a_copy_is_the_same(tmp_path: Path) -> None:
    for name, content in (("a", b"1"), ("b", b"2"), ("copy", b"1")):
        (tmp_path / name).write_bytes(content)
    ids = {name: content_id(with_weights(TSM, tmp_path / name)) for name in ("a", "b", "copy")}
    assert ids["a"] == ids["copy"] != ids["b"]


def test_missing_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"no\.safetensors"):
        with_weights(TSM, tmp_path / "no.safetensors")


def _dataset(folder: Path, video: bytes) -> str:
    folder.mkdir()
    (folder / "v.mp4").write_bytes(video)
    (folder / "my.csv").write_text("path,label\nv.mp4,0\n")
    return dataset_name(str(folder / "my.csv"))


def test_a_csv_with_other_videos_is_another_dataset_and_its_place_is_no_part(tmp_path: Path) -> None:
    first, copy = _dataset(tmp_path / "a", b"video"), _dataset(tmp_path / "b", b"video")
    assert first == copy != _dataset(tmp_path / "c", b"another")
    assert str(tmp_path) not in first


def test_a_recipe_takes_known_fields_of_their_kind() -> None:
    made = recipe(TSM, "probe-order-smoke", {"epochs": 2, "batch": 2})
    assert made.measure.train.epochs == 2  # type: ignore[union-attr]
    with pytest.raises(BadOption, match="epochs 'abc'"):
        recipe(TSM, "probe-order-smoke", {"epochs": "abc"})
    with pytest.raises(UnknownName, match="did you mean epochs"):
        recipe(TSM, "probe-order-smoke", {"epoch": 2})


def test_another_size_in_the_test_than_in_training_is_told(tmp_path: Path) -> None:
    made = recipe(TSM, "probe-order-smoke", {"epochs": 1, "batch": 2, "lr": 0.01}, crop=64)
    told: list[str] = []
    run_single(made, Execution(device="cpu", threads=1), out=tmp_path, on_note=told.append)
    (note,) = [text for text in told if "trained at" in text]
    assert "tested at 64 x 64" in note and "--crop 32" in note


def test_a_batch_that_does_not_fit_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    made = recipe(TSM, "probe-order-smoke", {"batch": 2})
    with pytest.raises(BadOption, match="3 clips at a time do not make up the 2"):
        run_single(made, Execution(device="cpu", threads=1, micro_batch=3), out=tmp_path / "out")
    large = replace(made, measure=replace(made.measure, train=replace(made.measure.train, batch=10**6)))
    with pytest.raises(BadOption, match="fewer than one batch"):
        run_single(large, Execution(device="cpu", threads=1), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "splits, expected", [(("train", "test"), "test"), (("train", "val", "test"), "val"), (("train", "dev"), "val")]
)
def test_a_file_is_scored_on_the_split_that_it_has(tmp_path: Path, splits: tuple[str, ...], expected: str) -> None:
    lines = [f"v{number}.mp4,{number % 2},{split}" for number, split in enumerate(("train", *splits))]
    for number in range(len(lines)):
        (tmp_path / f"v{number}.mp4").write_bytes(str(number).encode())
    (tmp_path / "my.csv").write_text("\n".join(["path,label,split", *lines]))
    name = dataset_name(str(tmp_path / "my.csv"))
    assert scored_split(name) == expected
    assert scored_split(name, "validation") == "val"
    assert recipe(replace(TSM, num_classes=2), name, {"epochs": 1}).measure.test_split == expected  # type: ignore[union-attr]


def test_a_probe_has_its_own_recipe_and_small_form() -> None:
    """By hand it is scored on the split for choosing: `test` is for the declared questions alone."""
    made = recipe(TSM, "probe-sight-smoke", {"epochs": 20, "batch": 2})
    assert made == probe(TSM, "probe-sight-smoke", split="choose", epochs=20, batch=2)


def test_the_cost_of_a_network_that_decides_is_told(tmp_path: Path) -> None:
    from types import SimpleNamespace
    from typing import Any

    from repro.runner.one_experiment import summary

    cost = {"mean": {"gmacs": 0.0123}, "std": {"gmacs": 0.0012}, "facts": {"gmacs_base": 0.0207}}
    results = {"top1": 50.0, "top5": 90.0, "videos": 4, "cost": cost}
    made: Any = SimpleNamespace(
        status="done", kind="", results=results, experiment=lambda: Experiment(model=TSM, measure=Static())
    )
    assert "GMACs of a view 0.0123 ± 0.0012 over the videos, 0.0207 when nothing is saved" in summary(
        made, tmp_path / "r"
    )
    made.results = {key: value for key, value in results.items() if key != "cost"}
    assert "GMACs" not in summary(made, tmp_path / "r")
