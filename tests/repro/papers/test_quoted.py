"""Every quoted row runs, or says why it cannot; what differs from print is explained."""

from __future__ import annotations

import re
import tomllib

import pytest
import torch

from repro.core import paths
from repro.core.errors import UnknownName
from repro.core.spec import Speed, Static
from repro.models.build import build, build_meta, input_shape
from repro.papers import TABLES, find
from repro.papers.probes import small_form
from repro.papers.quoted_networks import find as network
from repro.papers.smoke import smoke_table
from repro.registry import models

QUOTED = {name: network(name) for name in tomllib.loads((paths.published() / "networks.toml").read_text())}
NETWORKS = {name: network for name, network in QUOTED.items() if not network.not_run}
SMALL = {name: small_form(network.model) for name, network in NETWORKS.items()}
SMALL = {name: small for name, small in SMALL.items() if small.backbone in models[small.name].fact("backbones")}
QUOTATIONS = {name: network.not_run for name, network in QUOTED.items() if network.not_run}
ROWS = [(name, row) for name in TABLES for row in find(name).rows if row.quoted_network]


def test_a_quoted_row_is_counted_and_timed_or_says_why_not():
    for name, row in ROWS:
        kinds = {type(experiment.measure) for experiment in row.cells.values()}
        if not row.cells:
            assert row.quoted_reason in QUOTATIONS.values(), (name, row.key)
            continue
        assert {Static, Speed} <= kinds, (name, row.key)


def test_every_network_is_quoted_by_some_table():
    shown = {to_key(row.cells["static"].model) for _, row in ROWS if row.cells}
    assert {to_key(network.model) for network in NETWORKS.values()} == shown


def to_key(model):
    return model.name, model.backbone, model.frames, tuple(sorted(model.options.items()))


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_a_network_can_be_built_at_full_size_and_small(name):
    build_meta(NETWORKS[name].model)
    if name in SMALL:
        assert sum(p.numel() for p in build_meta(SMALL[name]).parameters()) < 6e6


@pytest.mark.parametrize("name", sorted(SMALL))
def test_a_small_form_learns_from_every_frame(name):
    """One step backward reaches every parameter that the loss can reach, and every frame of the clip."""
    model = SMALL[name]
    net = build(model).train()
    shape = (2, *input_shape(model, 32)[1:])
    x = torch.rand(shape, generator=torch.Generator().manual_seed(0)).requires_grad_()
    net(x).logsumexp(1).sum().backward()
    reached = [p for p in net.parameters() if p.grad is not None]
    assert len(reached) > 0.9 * len(list(net.parameters())) and all(p.grad.isfinite().all() for p in reached)
    assert (x.grad.abs().flatten(2).amax((0, 2)) > 0).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(NETWORKS.keys() - SMALL.keys()))
def test_a_network_without_small_form_goes_forward_and_backward(name):
    network = NETWORKS[name]
    fixed = not network.sizes
    net = build(network.model).train()
    x = torch.rand(input_shape(network.model, network.size if fixed else 64)) * 255
    net(x).logsumexp(1).sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in net.parameters())


def test_times_are_paired_with_tsn_at_the_network_s_own_crop():
    for name, row in ROWS:
        for experiment in row.cells.values():
            if isinstance(experiment.measure, Speed):
                against = experiment.measure.against
                assert (against.name, against.backbone, against.frames) == ("tsn", "resnet50", 8), (name, row.key)


def test_the_same_network_in_two_tables_is_timed_once():
    a, b = find("psn/table4").row("tea_8"), find("psn/table5").row("tea_8")
    assert a.cells["speed"].id == b.cells["speed"].id
    assert a.cells["static"].id != b.cells["static"].id  # the classifier counts


def test_the_recipe_is_that_of_the_authors_for_the_row_s_frames():
    row = find("psn/table4").row("tea_16")
    measure = row.cells["sthv1"].measure
    assert measure.train.sampling == "tsm.uniform_train_16" and measure.test.sampling == "tsm.uniform_test_16"
    row = find("psn/table4").row("tsn_bninc")
    assert "sthv1" not in row.cells and re.match("not run: no complete recipe", row.reasons["sthv1"])


def test_an_unknown_network_is_told_with_the_nearest():
    with pytest.raises(UnknownName, match="did you mean tea_16"):
        network("tea_61")


def test_a_smoke_run_leaves_quoted_networks_out():
    assert not any(row.cells for row in smoke_table(find("table6")).rows if row.section == "quoted")
