"""Heatmaps of PSN's fusion: numbers against hand-computed ones, the picture, the verb."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from repro.__main__ import main
from repro.core.errors import BadOption
from repro.core.spec import Model, frozen, replace, to_dict
from repro.engine.inspect import heatmaps, kernels
from repro.models import pretrained
from repro.models.formats import IMAGENET
from repro.models.weights import save_weights
from repro.records import figures

SMALL = Model(
    name="tsn",
    backbone="tiny_resnet",
    frames=2,
    num_classes=3,
    dropout=0.0,
    options=frozen(pool=True),
    method="psn",
    method_options=frozen(insert_after=("conv1", "conv3")),
)


def network(model=SMALL, **more):
    return replace(pretrained.random(model), sha256="0" * 64, **more)


def by_hand(net, place="layer2.synthesizer"):
    """Every weight of block (i, j) is +-(1 + i + 10 j)."""
    weight = net.module.get_submodule(place).fusion.weight
    c = len(weight) // 4
    with torch.no_grad():
        for i in range(4):
            for j in range(4):
                sign = (-1.0) ** torch.arange(c * c).view(c, c)
                weight[c * i : c * i + c, c * j : c * j + c, 0, 0] = sign * (1 + i + 10 * j)
    return c


def test_norms_are_those_computed_by_hand():
    """Channels 128 of conv3 leave 32 inside, 8 a group: a block of 64 weights."""
    net = network(dataset="probe-order")
    assert by_hand(net) == 8
    found = kernels.read(net)
    assert (found.temporal, found.spatial) == (
        ("T-I-1", "T-C-3", "T-C-5", "T-M-3"),
        ("S-I-1", "S-C-3", "S-C-5", "S-M-3"),
    )
    conv1, conv3 = found.stages
    assert (conv1.place, conv1.width, conv3.place, conv3.width) == ("conv1", 2, "conv3", 8)
    expected = [[64 * (1 + i + 10 * j) for j in range(4)] for i in range(4)]
    assert conv3.norms.tolist() == expected
    # rows sum to 64 * (4 + 4 i + 60), columns to 64 * (4 + 6 + 40 j), all to 64 * 280
    assert conv3.shares(1).tolist() == pytest.approx([64 / 280, 68 / 280, 72 / 280, 76 / 280])
    assert conv3.shares(0).tolist() == pytest.approx([10 / 280, 50 / 280, 90 / 280, 130 / 280])


def test_chance_is_that_of_random_normal_blocks():
    draw = np.random.default_rng(0)
    blocks = np.abs(draw.normal(size=(4000, 8, 8))).sum((1, 2))
    stage = kernels.Stage("conv3", np.ones((4, 4)), 8)
    assert stage.chance == pytest.approx(blocks.std() / blocks.mean(), rel=0.05)


def test_what_training_moved():
    before, after = network(), network()
    with torch.no_grad():
        after.module.get_submodule("maxpool.synthesizer").fusion.weight.mul_(1.5)
    assert kernels.read(after, before).moved == pytest.approx((0.5, 0.0))
    told = kernels.lines([kernels.read(after, before)])
    assert "conv1 50.0%, conv3 0.0%" in told[-1]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, "L_interaction and L_capacity"),
        ({"interaction_weight": 0}, "L_capacity"),
        ({"interaction_weight": 0, "capacity_weight": 0}, "no loss of its own"),
        ({"fusion": "shuffle"}, "shuffle"),
    ],
)
def test_labels_name_dataset_and_losses(options, told):
    model = replace(SMALL, method_options=frozen(SMALL.method_options, **options))
    assert kernels.label_of(network(model, dataset="sthv1")) == f"sthv1: PSN, {told}"


def test_figure_holds_the_numbers_and_is_the_same_twice():
    net = network(dataset="probe-order")
    by_hand(net)
    found = [kernels.read(net), kernels.read(network(dataset="probe-sight"))]
    png, facts = kernels.kernels_figure(found)
    assert png == kernels.kernels_figure(found)[0]
    assert facts.kind == "kernels"
    assert [one.label.split(":")[0] for one in facts.networks] == ["probe-order", "probe-sight"]
    conv3 = facts.details["networks"][0]["stages"]["conv3"]
    assert conv3["norms"][1][2] == 64 * 22
    assert "conv3 S-M-3 to T-M-3" in facts.alt


def test_colours_follow_the_largest_block_of_each_heatmap():
    light, dark = np.full((4, 4), 1.0), np.full((4, 4), 1.0)
    dark[0, 0] = 100.0
    names = ("a", "b", "c", "d")
    drawn = [heatmaps.draw([heatmaps.Row("x", (heatmaps.Panel("p", v),))], names, names) for v in (light, dark)]
    assert drawn[0] != drawn[1]
    again = heatmaps.draw([heatmaps.Row("x", (heatmaps.Panel("p", light * 2),))], names, names)
    assert again != drawn[0], "the numbers are written in"


def test_networks_without_synthesizers_or_with_other_kernels_are_refused():
    with pytest.raises(BadOption, match="no synthesizers"):
        kernels.read(network(replace(SMALL, method=None, method_options=frozen())))
    other = replace(SMALL, method_options=frozen(SMALL.method_options, receptive_field="5x5x7"))
    with pytest.raises(BadOption, match="T-C-7"):
        kernels.kernels_figure([kernels.read(network()), kernels.read(network(other))])


def test_verb_prints_and_writes(tmp_path, capsys):
    net = network()
    by_hand(net)
    file = tmp_path / "psn.safetensors"
    save_weights(file, net.module.state_dict(), model=SMALL, contract=IMAGENET)
    assert main(["inspect", "kernels", "--weights", str(file), "--out", str(tmp_path / "figures")]) == 0
    told = capsys.readouterr().out
    assert "64.000" in told and f"{64 * 34:.3f}" in told
    stored = figures.load_all(tmp_path / "figures")
    assert not stored.problems
    (figure,) = stored.figures
    assert figure.facts.networks[0].model == to_dict(SMALL)
    assert figure.facts.networks[0].weights_sha256


def test_verb_refuses_other_weights(tmp_path, capsys):
    model = replace(SMALL, method=None, method_options=frozen())
    file = tmp_path / "tsn.safetensors"
    save_weights(file, network(model).module.state_dict(), model=model, contract=IMAGENET)
    assert main(["inspect", "kernels", "--weights", str(file)]) != 0
    assert "no synthesizers" in capsys.readouterr().err
