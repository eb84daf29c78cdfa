"""The small forms of the networks, and the recipe that they share."""

import pytest
import torch

from repro.core.spec import Experiment, Model, diff, frozen, replace
from repro.data import sampling
from repro.models.build import build, input_shape
from repro.papers.twins import ablation_twin, twin_accuracy, twin_model

HOSTS = ("tsn", "tsm", "tanet", "tdn")
DNR = frozen(relay_distance=4, reduction=4, channel_interlacing=True)


@pytest.mark.parametrize("method", [None, "dnr"])
@pytest.mark.parametrize("name", HOSTS)
def test_small_form_of_each_row_runs(name, method):
    options = DNR if method else frozen()
    paper = Model(name=name, backbone="resnet50", pretrained="imagenet", method=method, method_options=options)
    small = twin_model(paper)
    assert (small.method, small.method_options, small.pretrained) == (method, options, "none")
    net = build(small).eval()
    with torch.no_grad():
        assert net(torch.randn(input_shape(small, 32, 2))).shape == (2, 8)
    assert sum(parameter.numel() for parameter in net.parameters()) < 300_000


@pytest.mark.parametrize("dataset", ["twin-appearance", "twin-temporal"])
def test_one_recipe_for_all(dataset):
    first = twin_accuracy(dataset, "tsn")
    for name in HOSTS:
        assert set(diff(first, twin_accuracy(dataset, name))) <= {"train.sampling", "test.sampling"}


def test_all_networks_see_the_same_centre_frames():
    rules = [(twin_accuracy("twin-temporal", name).test.sampling, name) for name in HOSTS]
    seen = {name: sampling.indices(rule, 16, None)[0] for rule, name in rules}
    assert (seen["tdn"].reshape(8, 5)[:, 2] == seen["tsm"]).all()
    assert (seen["tsn"] == seen["tsm"]).all()


def test_small_form_is_its_own_small_form():
    small = twin_model(Model(name="tsm", backbone="resnet101", options=frozen(head="clip")))
    assert twin_model(small) == small
    measure = twin_accuracy("twin-temporal", "tsm")
    other = replace(measure, dataset="twin-appearance")
    assert Experiment(model=small, measure=measure).id != Experiment(model=small, measure=other).id


def test_the_ablations_recipe_takes_the_frames_that_the_network_needs():
    for name, rule in (("tdn", "repro.centred5_train_8"), ("tsm", "mmaction2.uniform_train_8")):
        measure = ablation_twin(Model(name=name, backbone="resnet50"), "twin-temporal").measure
        assert measure.train.sampling == rule
