"""The protocol of the probes: small forms, one recipe, splits, controls."""

import numpy as np
import pytest
import torch

from repro.core.spec import Model, diff, frozen, replace
from repro.data import sampling
from repro.data.datasets import num_classes
from repro.data.embedded import EMBEDDED
from repro.models.build import build, input_shape
from repro.papers import probes
from repro.papers.probes import CHOOSE, ORDER, PROBES, SIGHT, controls, probe

DNR = frozen(relay_distance=4, reduction=4, channel_interlacing=True)
HOSTS = ("tsn", "tsm", "tanet", "tdn")


@pytest.mark.parametrize("method", [None, "dnr"])
@pytest.mark.parametrize(("on", "form"), [(ORDER, (1, 16)), (SIGHT, (2, 8))])
@pytest.mark.parametrize("name", HOSTS)
def test_small_form_of_each_host_runs(name, on, form, method):
    options = DNR if method else frozen()
    small = probe(Model(name=name, backbone="resnet50", method=method, method_options=options), on).model
    net = build(small).eval()
    with torch.no_grad():
        assert net(torch.randn(input_shape(small, 32, 2))).shape == (2, num_classes(on))
    assert (small.options["blocks"], small.options["width"]) == form
    assert sum(parameter.numel() for parameter in net.parameters()) < 200_000


def test_group_normalization_and_relays_are_scaled_to_the_small_form():
    host = Model(name="tsn", backbone="resnet50", method="dnr", method_options=DNR, options=frozen(norm="gn"))
    small = probe(host, probes.BATCH).model
    assert (small.options["groups"], small.method_options["reduction"]) == (4, 2)
    assert probe(host, ORDER).model.method_options == DNR
    assert probe(replace(host, method=None), SIGHT).model.method_options == DNR  # not DNR's: left as they are


@pytest.mark.parametrize("name", HOSTS)
def test_one_recipe_for_all_but_the_frames_that_a_network_needs(name):
    first, other = (probe(Model(name=model, backbone="resnet50"), ORDER).measure for model in ("tsn", name))
    assert set(diff(first, other)) <= {"train.sampling", "test.sampling"}


@pytest.mark.parametrize("batch", [2, 4, 8, 32])
def test_a_batch_sees_equally_many_clips_at_a_rate_in_proportion(batch):
    recipe = probe(Model(name="tsn", backbone="resnet50"), probes.BATCH, batch=batch).measure.train
    assert (recipe.batch, recipe.clips_per_device) == (batch, batch)
    assert recipe.lr / batch == pytest.approx(probes.RECIPE.lr / 16)
    assert recipe.epochs == probes.RECIPE.epochs


def test_choosing_is_never_on_the_test_split():
    tsm = Model(name="tsm", backbone="resnet50")
    chosen, reported = probe(tsm, ORDER, split=CHOOSE), probe(tsm, ORDER)
    assert chosen.id != reported.id
    assert set(diff(chosen, reported)) == {"measure.test_split"}
    assert min(EMBEDDED[name].sizes["test"] for name in PROBES) >= 4096
    assert probes.CHOOSE_SEED > max(probes.SEEDS)


def test_changes_are_those_of_the_recipe():
    recipe = probe(Model(name="tsm", backbone="resnet50"), ORDER, epochs=20, lr=0.05).measure.train
    assert (recipe.epochs, recipe.warmup_epochs, recipe.milestones, recipe.lr) == (20, 2.0, (12.5, 15.0), 0.05)


def test_shuffled_frames_are_the_same_frames():
    measure = probe(Model(name="tsm", backbone="resnet50"), ORDER, shuffled=True).measure

    rng = np.random.default_rng(0)
    drawn = [sampling.indices(measure.test.sampling, 16, rng)[0] for _ in range(20)]
    plain = sampling.indices("mmaction2.uniform_test_8", 16)[0]
    assert all(sorted(order) == sorted(plain) for order in drawn)
    assert len({tuple(order) for order in drawn}) > 15
    assert sorted(sampling.indices(measure.train.sampling, 16, rng)[0] // 2) == list(range(8))


@pytest.mark.parametrize("name", PROBES)
def test_each_probe_has_a_positive_and_a_negative_control(name):
    found = controls(name)
    assert {control.positive for control in found} == {True, False}
    for control in found:
        assert control.holds(100.0) is control.positive
        assert control.holds(0.0) is not control.positive
        assert control.experiment.measure.test_split == "test"


def test_marks_are_above_chance_and_of_networks_that_a_probe_is_within_reach_of():
    assert all(name in PROBES and mark > 4 * probes.CHANCE for (name, _), mark in probes.MARKS.items())
    assert (ORDER, "tsn") not in probes.MARKS  # a bag of frames
