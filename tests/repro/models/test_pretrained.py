from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import save_file

from repro.core.errors import BadOption, WeightsError
from repro.core.spec import Model, canonical_json, frozen, measure_from_dict, model_from_dict, replace, to_dict
from repro.engine.accuracy import trained_on
from repro.models import pretrained
from repro.models.build import build
from repro.models.formats import CAFFE, IMAGENET
from repro.models.weights import save_weights
from tests.repro.made_table import accuracy_of

MODEL = Model(
    name="tsm", backbone="tiny_resnet", num_classes=3, frames=4, options=frozen(blocks=1, pool=True), method="dnr"
)


@pytest.fixture
def weights(tmp_path):
    net = build(MODEL)
    save_weights(tmp_path / "w.safetensors", net.state_dict(), model=MODEL, contract=CAFFE)
    return net, tmp_path / "w.safetensors"


def test_a_file_tells_its_network_and_fills_it(weights):
    net, path = weights
    assert pretrained.saved(path).model == MODEL
    found = pretrained.load(path)
    assert not found.module.training and found.model == MODEL
    for name, value in net.state_dict().items():
        torch.testing.assert_close(found.module.state_dict()[name], value, rtol=0, atol=0)
    assert found.label == "TSM+DNR" and found.class_name(1) == "class 1"
    white = torch.full((1, 3, 2, 2), 255, dtype=torch.uint8)
    assert found.normalize(white)[0, :, 0, 0].tolist() == [151.0, 138.0, 127.0]
    assert found.views == pretrained.default_views(MODEL)


def test_a_trained_file_tells_its_protocol_and_classes(tmp_path):
    accuracy = accuracy_of("tsm", "probe-order")
    model = replace(MODEL, frames=8)
    save_weights(
        tmp_path / "w.safetensors", build(model).state_dict(), model=model, contract=IMAGENET,
        more=trained_on(accuracy, ("a", "b", "c")),
    )  # fmt: skip
    found = pretrained.load(tmp_path / "w.safetensors")
    assert pretrained.saved(tmp_path / "w.safetensors").protocol == accuracy
    assert found.views == accuracy.test and found.class_name(2) == "c"
    assert pretrained.load(tmp_path / "w.safetensors", replace(model, frames=4)).views.sampling.endswith("_4")


def test_specs_survive_the_file():
    for accuracy in (
        accuracy_of("tdn", "probe-order"),
        replace(accuracy_of("tsn", "probe-sight"), train=None),
    ):
        assert measure_from_dict(json.loads(canonical_json(accuracy))) == accuracy
        assert measure_from_dict(to_dict(accuracy)) == accuracy
    assert model_from_dict(json.loads(canonical_json(MODEL))) == MODEL


def test_another_network_than_the_file_s_is_refused(weights):
    _, path = weights
    with pytest.raises(WeightsError, match="method"):
        pretrained.load(path, replace(MODEL, method=None))
    with pytest.raises(BadOption, match="4 of 1"):
        pretrained.require_frames(MODEL, "mmaction2.uniform_test_8")


def test_files_that_are_no_weights_are_told_with_what_to_do(tmp_path):
    (tmp_path / "w.pth").write_bytes(b"anything")
    save_file({"a": torch.zeros(1)}, tmp_path / "foreign.safetensors")
    for name in ("w.pth", "foreign.safetensors"):
        with pytest.raises(WeightsError, match="import-weights"):
            pretrained.saved(tmp_path / name)
    with pytest.raises(WeightsError, match="not a file"):
        pretrained.saved(tmp_path / "absent.safetensors")
    save_file({"a": torch.zeros(1)}, tmp_path / "odd.safetensors", {"repro.model": '{"nam": 1}'})
    with pytest.raises(WeightsError, match="nam"):
        pretrained.saved(tmp_path / "odd.safetensors")


def test_random_weights_say_so_and_names_must_be_as_many_as_classes():
    found = pretrained.random(MODEL)
    assert found.sha256 is None and "random" in found.label
    assert torch.equal(found.module.fc.weight, pretrained.random(MODEL).module.fc.weight)
    assert pretrained.with_classes(found, ("x", "y", "z")).class_name(2) == "z"
    with pytest.raises(BadOption, match="3 classes"):
        pretrained.with_classes(found, ("x", "y"))
