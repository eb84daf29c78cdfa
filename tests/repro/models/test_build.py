"""Building from a spec: shapes, errors, initial weights."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from repro.core import spec
from repro.core.errors import BadOption, NotConfigured, UnknownName
from repro.models.build import build, build_meta, imagenet_state, input_shape

TINY = spec.Model(name="tsn", backbone="tiny_resnet", num_classes=3)


@pytest.mark.parametrize("name, shape", [("tsn", (2, 8, 3, 32, 32)), ("tdn", (2, 8, 5, 3, 32, 32))])
def test_input_shape_is_what_the_network_takes(name, shape):
    model = spec.replace(TINY, name=name, method="dnr")
    assert input_shape(model, 32, 2) == shape
    assert build(model).eval()(torch.randn(shape)).shape == (2, 3)


def test_same_seed_same_weights():
    def drawn():
        torch.manual_seed(7)
        return build(spec.replace(TINY, name="tdn", method="dnr")).state_dict()

    first, second = drawn(), drawn()
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_options_reach_model_backbone_and_method():
    model = spec.replace(
        TINY,
        options={"blocks": 2, "head": "clip"},
        dropout=0.4,
        method="dnr",
        method_options={"relay_distance": 2},
    )
    net = build(model)
    assert len(net.layer3) == 3 and net.head == "clip" and net.dropout.p == 0.4  # two blocks and the cell
    assert net.layer1[0].bn2.group == 2


def test_meta_has_shapes_and_no_memory():
    net = build_meta(spec.Model(name="tanet", backbone="resnet101", method="dnr"))
    assert all(p.is_meta for p in net.parameters()) and all(b.is_meta for b in net.buffers())


@pytest.mark.parametrize("change, said", [
    ({"method": "dnr", "method_options": {"relay_distence": 2}}, "did you mean 'relay_distance'"),
    ({"method_options": {"relay_distance": 2}}, "no method"),
    ({"options": {"blockz": 2}}, "did you mean 'blocks'"),
    ({"backbone": "resnet50", "options": {"blocks": 2}}, "allowed: groups, norm"),
    ({"backbone": "resnet50", "options": {"norm": "ln"}}, "allowed: bn, gn"),
    ({"options": {"norm": "gn", "groups": 3}}, "divisors of 16 channels"),
    ({"name": "tdn", "backbone": "resnet34"}, "is not published"),
    ({"pretrained": "imagnet"}, "allowed: none, imagenet"),
    ({"pretrained": "imagenet"}, "no ImageNet weights are known"),
    ({"num_classes": 0}, "at least 1"),
])  # fmt: skip
def test_what_cannot_be_is_told(change, said):
    with pytest.raises(BadOption, match=said):
        build(spec.replace(TINY, **change))


@pytest.mark.parametrize("change", [{"name": "tsnn"}, {"backbone": "resnet5"}, {"method": "dnrr"}])
def test_unknown_names_are_told(change):
    with pytest.raises(UnknownName, match="did you mean"):
        build(spec.replace(TINY, **change))


def test_imagenet_weights_fill_the_backbone(monkeypatch):
    import timm

    torch.manual_seed(1)
    image = timm.create_model("resnet18", num_classes=10)
    monkeypatch.setattr(timm, "create_model", lambda name, pretrained: image)
    state = imagenet_state("resnet18")
    monkeypatch.undo()
    monkeypatch.setattr("repro.models.build.imagenet_state", lambda backbone: state)
    net = build(spec.Model(name="tsm", backbone="resnet18", pretrained="imagenet", num_classes=4))
    assert torch.equal(net.layer2[0].conv1.weight, image.layer2[0].conv1.weight)
    assert net.fc.weight.shape == (4, 512)


def test_imagenet_weights_out_of_reach_are_told(monkeypatch):
    import timm

    def unreachable(name, pretrained):
        raise ConnectionError("no route")

    monkeypatch.setattr(timm, "create_model", unreachable)
    with pytest.raises(NotConfigured, match="neither in timm's cache nor downloadable"):
        imagenet_state("resnet50")


def test_listing_networks_imports_no_torch():
    code = "import sys; from repro.registry import models; models.names(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_imagenet_weights_that_do_not_fit_are_told(monkeypatch):
    state = {"bn1.weight": torch.ones(64), "bn1.running_mean": torch.zeros(64)}
    monkeypatch.setattr("repro.models.build.imagenet_state", lambda backbone: state)
    model = spec.Model(name="tsn", backbone="resnet18", pretrained="imagenet", options=spec.frozen(norm="gn"))
    with pytest.raises(BadOption, match=r"ImageNet weights cannot be built.*'bn1.running_mean'"):
        build(model)
