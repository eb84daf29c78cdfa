"""One training starts from another's weights: made once, resumable, told in the record."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from repro.core import paths
from repro.core.errors import BadOption, ReproError
from repro.core.spec import Accuracy, Experiment, Model, experiment_from_dict, replace, to_dict
from repro.engine.accuracy import measure_accuracy
from repro.engine.execution import Execution
from repro.engine.train import initial_weights
from repro.engine.train.checkpoint import weights_sha256
from repro.models.build import build
from repro.models.weights import load_weights, save_weights


@pytest.fixture
def before(tiny_model: Model, tiny_accuracy: Accuracy) -> Experiment:
    """Five classes where the fine-tuned network has three."""
    return Experiment(model=replace(tiny_model, num_classes=5), measure=tiny_accuracy)


@pytest.fixture
def tuned(tiny_accuracy: Accuracy, before: Experiment) -> Accuracy:
    assert tiny_accuracy.train is not None
    return replace(tiny_accuracy, initial=before, train=replace(tiny_accuracy.train, epochs=1, lr=0.001))


def trained_alone(before: Experiment, folder: Path, seed: int = 0) -> str:
    measure = before.measure
    assert isinstance(measure, Accuracy)
    return str(measure_accuracy(before.model, measure, seed, folder)["weights_sha256"])


def test_the_initial_training_is_the_same_experiment_run_alone(tiny_model, tuned, before, tmp_path):
    found = measure_accuracy(tiny_model, tuned, 0, tmp_path / "tuned")
    told = found["effective"]["initial"]
    assert told["weights_sha256"] == trained_alone(before, tmp_path / "alone")
    assert (told["experiment"], told["seed"]) == (before.id, 0)
    assert told["dataset"]["split"] == "train"
    assert not paths.work(before.id, 0).exists()


def test_all_but_the_classifier_is_taken_over(tiny_model, before, tmp_path):
    torch.manual_seed(3)
    old = build(before.model)
    file = save_weights(
        tmp_path / "w.safetensors", old.state_dict(), model=before.model, contract=initial_weights.IMAGENET
    )
    new = build(tiny_model)
    classifier = new.fc.weight.clone()
    initial_weights.fill(new, file, tiny_model)
    for name, value in new.state_dict().items():
        if not name.startswith("fc."):
            assert torch.equal(value, old.state_dict()[name]), name
    assert torch.equal(new.fc.weight, classifier)


def test_rows_that_start_alike_train_once(tiny_model, tuned, before, tmp_path, monkeypatch):
    phases: list[str] = []
    first = measure_accuracy(
        tiny_model, tuned, 0, tmp_path / "a", Execution(on_progress=lambda facts: phases.append(facts["phase"]))
    )
    assert phases[:6] == ["initial weights: train"] * 6
    monkeypatch.setattr(initial_weights, "_fit", lambda *_: pytest.fail("trained again"))
    again = measure_accuracy(tiny_model, tuned, 0, tmp_path / "b")
    assert again["weights_sha256"] == first["weights_sha256"]


def test_a_kill_in_the_initial_training_costs_no_bit(tiny_model, tuned, before, tmp_path):
    class Stop(Exception):
        pass

    def stop(facts: dict[str, Any]) -> None:
        if facts["step"] == 4:
            raise Stop

    with pytest.raises(Stop):
        measure_accuracy(tiny_model, tuned, 1, tmp_path / "a", Execution(on_progress=stop, checkpoint_every_s=0))
    resumed = measure_accuracy(tiny_model, tuned, 1, tmp_path / "a")
    told = resumed["effective"]["initial"]
    assert told["resumes"] == 1
    assert told["weights_sha256"] == trained_alone(before, tmp_path / "alone", seed=1)


def test_another_job_is_waited_for_as_long_as_it_lives(tiny_model, tuned, before, tmp_path):
    """It holds the initial training's lease; when it dies, its training is gone on with."""
    hold = (
        "import sys, time; from repro.core import lease\n"
        "with lease.hold(sys.argv[1], 0): print(flush=True); time.sleep(99)"
    )
    other = subprocess.Popen([sys.executable, "-c", hold, before.id], stdout=subprocess.PIPE)
    assert other.stdout.readline() == b"\n"
    phases: list[str] = []

    def look(facts: dict[str, Any]) -> None:
        phases.append(facts["phase"])
        if len(phases) == 3:
            other.kill()
            other.wait()

    found = measure_accuracy(tiny_model, tuned, 0, tmp_path / "a", Execution(on_progress=look))
    assert len(set(phases[:3])) == 1 and phases[0].startswith(f"waiting for process {other.pid} on ")
    assert found["effective"]["initial"]["weights_sha256"] == trained_alone(before, tmp_path / "alone")


def test_a_damaged_file_is_made_again(tiny_model, tuned, before, tmp_path):
    first = measure_accuracy(tiny_model, tuned, 0, tmp_path / "a")
    file = next((paths.cache() / "initial").glob("*/weights.safetensors"))
    torch.manual_seed(9)
    save_weights(file, build(before.model).state_dict(), model=before.model, contract=initial_weights.IMAGENET)
    again = measure_accuracy(tiny_model, tuned, 0, tmp_path / "b")
    assert again["weights_sha256"] == first["weights_sha256"]


def test_it_makes_a_difference(tiny_model, tuned, tmp_path):
    fresh = measure_accuracy(tiny_model, replace(tuned, initial=None), 0, tmp_path / "a")
    started = measure_accuracy(tiny_model, tuned, 0, tmp_path / "b")
    assert fresh["weights_sha256"] != started["weights_sha256"]
    assert "initial" not in fresh["effective"]


def test_the_spec_tells_it_and_old_ids_stay(tiny_model, tuned):
    experiment = Experiment(model=tiny_model, measure=tuned)
    plain = Experiment(model=tiny_model, measure=replace(tuned, initial=None))
    assert experiment.id != plain.id
    assert "initial" not in to_dict(plain, identity=True)["measure"]
    assert experiment_from_dict(json.loads(json.dumps(to_dict(experiment)))).id == experiment.id
    assert replace(tuned, dataset="probe-order").datasets == (tuned.dataset, "probe-order")


def test_what_cannot_be_is_refused(tiny_model, tuned, before, tmp_path):
    with pytest.raises(BadOption, match="twice"):
        measure_accuracy(replace(tiny_model, pretrained="imagenet"), tuned, 0, tmp_path)
    untrained = replace(before, measure=replace(before.measure, train=None))
    with pytest.raises(BadOption, match="come from a training"):
        measure_accuracy(tiny_model, replace(tuned, initial=untrained), 0, tmp_path)
    deeper = replace(before, model=replace(before.model, options={"blocks": 2, "pool": True}))
    with pytest.raises(ReproError, match=r"layer1\.1"):
        measure_accuracy(tiny_model, replace(tuned, initial=deeper), 0, tmp_path)


def test_the_file_opens_like_any_trained_here(tiny_model, tuned, before, tmp_path):
    measure_accuracy(tiny_model, tuned, 0, tmp_path)
    net = build(before.model)
    file = next((paths.cache() / "initial").glob("*/weights.safetensors"))
    load_weights(net, file, before.model)
    assert weights_sha256(net.state_dict()) == json.loads(file.with_suffix(".json").read_text())["weights_sha256"]
