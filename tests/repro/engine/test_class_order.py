"""A training that starts from weights whose classes stand in another order."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from repro.core.errors import BadOption, DataError
from repro.core.spec import Accuracy, Model, replace
from repro.data.class_names import Match
from repro.data.datasets import open_index
from repro.engine.accuracy import bounded, initialise, measure_accuracy, trained_on
from repro.engine.class_order import reorder_classifier
from repro.engine.execution import Files
from repro.models.build import build
from repro.models.formats import IMAGENET
from repro.models.weights import save_weights


def test_classifiers_get_the_order_of_the_dataset(tiny_model: Model, tiny_accuracy: Accuracy, tmp_path: Path) -> None:
    index = open_index(tiny_accuracy.dataset, "train")
    names = index.classes[1:] + index.classes[:1]
    torch.manual_seed(3)
    net = build(tiny_model)
    file = save_weights(
        tmp_path / "w.safetensors", net.state_dict(), model=tiny_model, contract=IMAGENET,
        more=trained_on(tiny_accuracy, [f"class {name}" for name in names]),
    )  # fmt: skip
    named = replace(index, classes=tuple(f"class {name}" for name in index.classes))
    filled = build(tiny_model)
    initialise(filled, tiny_model, file, named)
    order = [names.index(name) for name in index.classes]
    x = torch.rand(2, tiny_model.frames, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(filled.eval()(x), net.eval()(x)[:, order])
    with pytest.raises(DataError, match="do not know"):
        initialise(build(tiny_model), tiny_model, file, replace(named, classes=("x", "y", "z")))


def test_a_network_without_a_plain_classifier_is_refused(tiny_model: Model) -> None:
    net = torch.nn.Linear(2, 3)
    with pytest.raises(BadOption, match="another order"):
        reorder_classifier(net, Match((2, 1, 0), "told"))
    reorder_classifier(net, Match((0, 1, 2)))


def test_the_training_goes_by_the_dataset_s_order_and_saves_its_names(
    tiny_model: Model, tiny_accuracy: Accuracy, tmp_path: Path
) -> None:
    accuracy = replace(tiny_accuracy, train=replace(tiny_accuracy.train, epochs=1))
    torch.manual_seed(3)
    file = save_weights(
        tmp_path / "w.safetensors", build(tiny_model).state_dict(), model=tiny_model, contract=IMAGENET,
        more=trained_on(accuracy, open_index(accuracy.dataset, "train").classes),
    )  # fmt: skip
    found = measure_accuracy(tiny_model, accuracy, 0, tmp_path / "work", files=Files(weights=file))
    assert found["results"]["videos"] == 5


def test_decoding_processes_are_bounded() -> None:
    assert bounded(200, 8) == 8 and bounded(1, 8) == 1 and bounded(0, 8) == 0
    assert bounded(10**9, 10**9) <= 4 * 4096
