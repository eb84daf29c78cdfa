from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from repro import registry
from repro.core import paths
from repro.core.errors import ReproError
from repro.core.spec import Accuracy, Model, replace
from repro.data.datasets import open_index
from repro.engine.accuracy import extra_metrics, measure_accuracy, used_decoder
from repro.engine.evaluate import Scores, score
from repro.engine.execution import Execution, Files
from repro.engine.train.checkpoint import weights_sha256
from repro.models.build import build
from repro.models.formats import Contract
from repro.models.weights import save_weights
from repro.records.parts import AccuracyResult


def test_one_call_trains_scores_and_sums_up(tiny_model: Model, tiny_accuracy: Accuracy, tmp_path: Path) -> None:
    accuracy = replace(tiny_accuracy, train=replace(tiny_accuracy.train, epochs=1))
    phases: list[str] = []
    found = measure_accuracy(
        tiny_model, accuracy, 0, tmp_path, Execution(on_progress=lambda facts: phases.append(facts["phase"]))
    )
    AccuracyResult.model_validate(found["results"])
    assert found["results"]["videos"] == 5
    assert found["results"]["extra"] == {}
    assert len(found["curve"]) == 1
    assert found["effective"]["steps"] == 3
    assert (found["dataset"]["split"], found["dataset"]["train"]["split"]) == ("val", "train")
    assert found["decoder"].startswith("auto (")
    assert len(found["weights_sha256"]) == 64
    assert phases == ["train"] * 3 + ["test"] * 5
    scores = Scores.load(found["scores_path"])
    assert scores.logits.shape == (5, 6, 3)


def test_the_record_names_the_decoder_that_was_used() -> None:
    assert used_decoder("decord", {"decord": 5}) == "decord"
    assert used_decoder("decord", {"pillow": 2}) == "decord (pillow 2 videos)"
    assert used_decoder("auto", {"decord": 1, "pyav": 6}) == "auto (decord 1, pyav 6 videos)"


def test_given_weights_and_their_input_contract(tiny_model: Model, tiny_accuracy: Accuracy, tmp_path: Path) -> None:
    import functools

    from repro.data.loader import normalize

    torch.manual_seed(5)
    net = build(tiny_model)
    caffe = Contract("BGR", 255.0, (104.0, 117.0, 128.0), (50.0, 50.0, 50.0))
    digest = "ab" * 32
    file = save_weights(
        paths.weights() / "w.safetensors", net.state_dict(), model=tiny_model, contract=caffe, source_sha256=digest
    )
    plain = replace(tiny_accuracy, train=None)
    index = open_index(tiny_accuracy.dataset, "val")
    expected = score(net, index, plain.test, normalize=functools.partial(normalize, **caffe.to_dict()))
    by_file = measure_accuracy(tiny_model, plain, 0, tmp_path / "a", files=Files(weights=file))
    by_name = measure_accuracy(replace(tiny_model, pretrained=f"sha256:{digest}"), plain, 0, tmp_path / "b")
    for found in (by_file, by_name):
        assert np.array_equal(Scores.load(found["scores_path"]).logits, expected.logits)
        assert found["weights_sha256"] == weights_sha256(net.state_dict())
        assert (found["curve"], "train" in found["dataset"]) == ([], False)


def test_random_weights_are_not_tested(tiny_model: Model, tiny_accuracy: Accuracy, tmp_path: Path) -> None:
    plain = replace(tiny_accuracy, train=None)
    with pytest.raises(ReproError, match="random weights"):
        measure_accuracy(tiny_model, plain, 0, tmp_path)
    with pytest.raises(ReproError, match="no imported weights have sha256 cdcd"):
        measure_accuracy(replace(tiny_model, pretrained="sha256:" + "cd" * 32), plain, 0, tmp_path)


def test_extra_metrics_come_from_the_dataset(own_registry: None) -> None:
    logits = np.array([[[1.0, 0.0]], [[1.0, 0.0]]], np.float32)
    scores = Scores(logits, np.array([0, 1]), ["a", "b"], [], 1, 1)
    registry.datasets.add("mine", "x:y", metrics=lambda labels, predicted: {"wrong": (labels != predicted).sum()})
    assert extra_metrics("mine", scores, "softmax") == {"wrong": 1.0}
    assert extra_metrics("kinetics400", scores, "softmax") == {}
    assert extra_metrics("some.csv", scores, "softmax") == {}


def test_the_seconds_left_of_a_training_count_its_test() -> None:
    """Four steps of 8 clips, then 24 videos of two views at the same crop: as long as two steps more."""
    from repro.core.spec import Accuracy, Train, Views
    from repro.engine.accuracy import with_test
    from repro.engine.execution import Execution

    told: list[float] = []
    train, test = Train(epochs=1, batch=8, lr=0.1, sampling="uniform_8", crop=32), Views(sampling="uniform_8", crop=32)
    accuracy = Accuracy(dataset="some", train=train, test=replace(test, crops=1, clips=2))
    how = with_test(Execution(on_progress=lambda facts: told.append(facts.get("eta", -1))), accuracy, 24)
    for step in (1, 2, 3, 4):
        how.report({"phase": "train", "step": step, "steps": 4, "eta": 10.0 * (4 - step)})
    how.report({"phase": "test", "step": 1, "steps": 24, "eta": 18.0})
    how.report({"phase": "starting"})
    assert told == [50, 40, 30, 20, 18, -1]
