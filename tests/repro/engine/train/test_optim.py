from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from repro.core.errors import ReproError
from repro.core.spec import Model, Train, replace
from repro.engine.train import optim
from repro.models.build import build

TRAIN = Train(epochs=10, batch=8, lr=0.1, sampling="mmaction2.uniform_train_8")
NETWORKS = [("tsn", None), ("tsm", None), ("tanet", None), ("tdn", None), ("tsn", "dnr"), ("tanet", "dnr")]


def network(name: str, method: str | None) -> nn.Module:
    return build(Model(name=name, backbone="tiny_resnet", num_classes=5, method=method))


@pytest.mark.parametrize("groups", ["plain", "tsm", "tsm-author", "tdn"])
@pytest.mark.parametrize("decay_on", ["all", "matrices"])
@pytest.mark.parametrize(("name", "method"), NETWORKS)
def test_each_parameter_is_in_one_group(name: str, method: str | None, decay_on: str, groups: str) -> None:
    net = network(name, method)
    made = optim.parameter_groups(net, replace(TRAIN, groups=groups, decay_on=decay_on))
    ids = [id(parameter) for group in made for parameter in group["params"]]
    assert len(ids) == len(set(ids))
    assert set(ids) == {id(parameter) for parameter in net.parameters() if parameter.requires_grad}
    names = dict(net.named_parameters())
    for group in made:
        assert [id(names[name]) for name in group["names"]] == [id(parameter) for parameter in group["params"]]
    if decay_on == "matrices":
        assert not any(p.ndim < 2 and group["weight_decay"] for group in made for p in group["params"])


def factors(net: nn.Module, groups: str) -> dict[str, tuple[float, float]]:
    made = optim.parameter_groups(net, replace(TRAIN, groups=groups, lr=1.0, weight_decay=1.0))
    return {name: (group["lr"], group["weight_decay"]) for group in made for name in group["names"]}


def test_plain() -> None:
    assert set(factors(network("tsm", None), "plain").values()) == {(1.0, 1.0)}


def test_tsm_lifts_the_classifier_alone() -> None:
    found = factors(network("tanet", "dnr"), "tsm")
    assert (found["fc.weight"], found["fc.bias"]) == ((5.0, 1.0), (10.0, 0.0))
    assert found["conv1.weight"] == (1.0, 1.0)
    assert (found["bn1.weight"], found["bn1.bias"]) == ((1.0, 0.0), (1.0, 0.0))
    lifted = {name for name, (rate, _) in found.items() if rate > 2}
    assert lifted == {"fc.weight", "fc.bias"}
    inner_bias = [name for name, factor in found.items() if factor == (2.0, 0.0)]
    assert inner_bias  # the relay's linear biases, trap (b)


def test_tsm_author_lifts_every_linear() -> None:
    net = network("tanet", "dnr")
    found = factors(net, "tsm-author")
    linear = {name for name, layer in net.named_modules() if isinstance(layer, nn.Linear)}
    assert len(linear) > 1
    for layer in linear:
        assert found[f"{layer}.weight"] == (5.0, 1.0)
    assert all(rate <= 2 for name, (rate, _) in found.items() if name.rpartition(".")[0] not in linear)


def test_tdn_lifts_nothing() -> None:
    found = factors(network("tdn", None), "tdn")
    assert found["fc.weight"] == (1.0, 1.0)
    assert found["fc.bias"] == (2.0, 0.0)


def test_frozen_and_shared_parameters() -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    net[1].weight = net[0].weight
    net[0].bias.requires_grad_(False)
    made = optim.parameter_groups(net, TRAIN)
    assert sum(len(group["params"]) for group in made) == 2


def test_table_of_groups() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Linear(4, 2))
    made = optim.parameter_groups(net, replace(TRAIN, groups="tsm", weight_decay=0.5))
    assert optim.group_table(made) == [
        {"name": "weight", "tensors": 1, "parameters": 12, "lr": 0.1, "weight_decay": 0.5},
        {"name": "bias", "tensors": 1, "parameters": 4, "lr": 0.2, "weight_decay": 0.0},
        {"name": "norm", "tensors": 2, "parameters": 8, "lr": 0.1, "weight_decay": 0.0},
        {"name": "linear weight", "tensors": 1, "parameters": 8, "lr": 0.5, "weight_decay": 0.5},
        {"name": "linear bias", "tensors": 1, "parameters": 2, "lr": 1.0, "weight_decay": 0.0},
    ]


def test_sgd_steps_by_hand() -> None:
    layer = nn.Linear(1, 1, bias=False)
    nn.init.ones_(layer.weight)
    train = replace(TRAIN, lr=0.1, momentum=0.5, weight_decay=0.1)
    optimizer = optim.sgd(optim.parameter_groups(layer, train), train)
    weight, speed = 1.0, 0.0
    for _ in range(3):
        layer.weight.grad = torch.full((1, 1), 2.0)
        optimizer.step()
        speed = 0.5 * speed + 2.0 + 0.1 * weight
        weight -= 0.1 * speed
    assert layer.weight.item() == pytest.approx(weight, rel=1e-6)


@pytest.mark.parametrize(
    ("changes", "step", "expected"),
    [
        ({"schedule_by": "epoch"}, 0, 0.1),
        ({"schedule_by": "epoch"}, 49, 0.1 * 0.5 * (1 + math.cos(0.4 * math.pi))),  # epoch 4 of 10, 10 steps each
        ({"schedule_by": "step"}, 50, 0.05),
        ({"schedule_by": "step"}, 99, 0.1 * 0.5 * (1 + math.cos(0.99 * math.pi))),
        ({"schedule": "step", "milestones": (4, 8)}, 39, 0.1),
        ({"schedule": "step", "milestones": (4, 8)}, 40, 0.01),
        ({"schedule": "step", "milestones": (4, 8)}, 80, 0.001),
        ({"schedule": "step", "milestones": (4.5,)}, 45, 0.1),  # a rate per epoch changes at whole epochs
        ({"schedule": "step", "milestones": (4.5,)}, 50, 0.01),
        ({"schedule": "step", "milestones": (4.5,), "schedule_by": "step"}, 45, 0.01),
        ({"schedule": "step", "warmup_epochs": 2, "warmup_ratio": 0.1}, 0, 0.01),
        ({"schedule": "step", "warmup_epochs": 2, "warmup_ratio": 0.1}, 10, 0.055),
        ({"schedule": "step", "warmup_epochs": 2, "warmup_ratio": 0.1}, 20, 0.1),
        ({"schedule_by": "epoch", "warmup_epochs": 2}, 10, 0.1 * 0.5 * (1 + math.cos(0.1 * math.pi)) * 0.55),
    ],
)
def test_learning_rate_by_hand(changes: dict[str, object], step: int, expected: float) -> None:
    assert optim.learning_rate(replace(TRAIN, **changes), step, 10) == pytest.approx(expected, rel=1e-12)


def test_learning_rate_of_the_dnr_code() -> None:
    """0.1, warm-up over 34 epochs of 3,760 steps from 0.01 of it, cosine over 196 epochs."""
    recipe = replace(TRAIN, epochs=196, batch=64, warmup_epochs=34, warmup_ratio=0.01)
    assert optim.learning_rate(recipe, 0, 3760) == pytest.approx(0.001)
    assert optim.learning_rate(recipe, 127_840, 3760) == pytest.approx(0.05 * (1 + math.cos(math.pi * 34 / 196)))


@given(st.integers(1, 300), st.integers(1, 4), st.integers(1, 64), st.integers(1, 64))
def test_plan_makes_up_the_batch_exactly(videos: int, world: int, share: int, limit: int) -> None:
    train = replace(TRAIN, batch=world * share)
    if videos < train.batch:
        with pytest.raises(ReproError, match="fewer than one batch"):
            optim.plan(train, videos, world_size=world, micro_batch=limit)
        return
    made = optim.plan(train, videos, world_size=world, micro_batch=limit)
    assert made.micro_batch * made.accumulation * made.world_size == train.batch
    assert made.micro_batch <= limit
    assert made.steps_per_epoch * train.batch <= videos < (made.steps_per_epoch + 1) * train.batch


@given(st.integers(1, 100), st.integers(1, 4), st.integers(1, 12), st.integers(1, 12))
def test_each_clip_of_any_batch_counts_alike(videos: int, world: int, share: int, limit: int) -> None:
    """The mean over processes of the sum of (mean loss of a pass / divisor) gives each clip 1 / clips of the step."""
    train = replace(TRAIN, batch=world * share, last_batch="smaller")
    made = optim.plan(train, videos, world_size=world, micro_batch=limit)
    assert made.steps_per_epoch == math.ceil(videos / train.batch)
    seen = 0
    for step in range(made.steps_per_epoch):
        passes = [made.passes(step, rank) for rank in range(world)]
        clips = sum(size for own in passes for size, _ in own)
        seen += clips
        assert len({len(own) for own in passes}) == 1 and all(
            size <= made.micro_batch for own in passes for size, _ in own
        )
        for size, divisor in (one for own in passes for one in own):
            assert 1 / divisor / world == pytest.approx(size / clips)
    assert seen == videos


def test_plan_shows_what_differs() -> None:
    whole = optim.plan(TRAIN, 80).effective(TRAIN)
    assert (whole["deviations"], whole["last_batch"]) == ([], 0)
    ragged = replace(TRAIN, last_batch="smaller")
    uneven = optim.plan(ragged, 83, world_size=2).effective(replace(ragged, sync_bn=True))
    assert "the last batch of 3 clips falls unevenly to 2 devices" in uneven["deviations"]
    assert (whole["lr"], whole["steps"], whole["micro_batch"], whole["accumulation"]) == (0.1, 100, 8, 1)
    parts = optim.plan(TRAIN, 80, world_size=2, micro_batch=2).effective(TRAIN)
    assert (parts["lr"], parts["micro_batch"], parts["accumulation"], parts["world_size"]) == (0.1, 2, 2, 2)
    assert "batch normalization sees 2 clips" in parts["deviations"][0]


def test_a_batch_that_does_not_divide_is_told_with_what_does() -> None:
    with pytest.raises(ReproError, match=r"allowed: 1, 2, 4, 8 processes; try: torchrun --nproc-per-node 2"):
        optim.plan(TRAIN, 80, world_size=3)
    with pytest.raises(ReproError, match=r"3 clips at a time .* the 4 .* of 2 processes; allowed: 1, 2, 4"):
        optim.plan(TRAIN, 80, world_size=2, micro_batch=3, exact=True)
    assert optim.plan(TRAIN, 80, world_size=2, micro_batch=3).micro_batch == 2


def test_what_batch_normalization_sees() -> None:
    made, synced = optim.plan(TRAIN, 80, world_size=2, micro_batch=2), replace(TRAIN, sync_bn=True)
    assert (made.norm_batch(TRAIN), made.norm_batch(synced)) == (2, 4)
    whole = optim.plan(synced, 80, world_size=2)
    assert whole.effective(synced)["deviations"] == []
    assert whole.effective(TRAIN)["deviations"] != []


def test_other_refusals() -> None:
    with pytest.raises(ReproError, match="linear classifier"):
        optim.parameter_groups(nn.Conv2d(1, 1, 1), replace(TRAIN, groups="tsm"))
    with pytest.raises(ReproError, match="does not divide over 3"):
        optim.plan(TRAIN, 80, world_size=3)
    with pytest.raises(ReproError, match="micro_batch 0"):
        optim.plan(TRAIN, 80, micro_batch=0)


def test_a_recipe_says_how_many_clips_are_normalized_together():
    recipe = Train(epochs=1, batch=32, lr=0.1, sampling="s", clips_per_device=8)
    one = optim.plan(recipe, 320, micro_batch=2)
    assert (one.micro_batch, one.accumulation, one.steps_per_epoch) == (8, 4, 10)
    assert one.effective(recipe)["deviations"] == []
    four = optim.plan(recipe, 320, world_size=4)
    assert (four.micro_batch, four.accumulation) == (8, 1)
    with pytest.raises(ReproError, match="8 clips at a time"):
        optim.plan(recipe, 320, world_size=8)
