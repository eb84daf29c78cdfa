"""Memory of a view, counted from shapes."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from repro.core.spec import Model, Static, canonical_json, content_id
from repro.cost.activation_memory import memory_of, peak_bytes, saved_bytes
from repro.cost.macs import measure_static

_MAP = 4 * 16 * 16  # bytes of one channel


def _net() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 4, 1))


@pytest.mark.parametrize("device", ["meta", "cpu"])
def test_the_peak_is_what_lives_at_one_time(device):
    x = torch.empty(1, 3, 16, 16, device=device)
    # the caller holds x; ReLU's input and output live together, the first convolution's output is freed before the last
    assert peak_bytes(_net().to(device), x) == _MAP * (3 + 8 + 8)


@pytest.mark.parametrize("device", ["meta", "cpu"])
def test_backward_keeps_the_input_and_the_activation(device):
    x = torch.empty(1, 3, 16, 16, device=device)
    assert saved_bytes(_net().to(device), x) == _MAP * (3 + 8)  # ReLU's output is the last convolution's input


def test_work_in_place_and_views_take_no_memory():
    x = torch.empty(1, 3, 16, 16)
    net = nn.Sequential(nn.Conv2d(3, 8, 1), nn.ReLU(inplace=True), nn.Flatten())
    assert peak_bytes(net, x) == _MAP * (3 + 8)


def test_a_frozen_weight_is_never_counted():
    net = nn.Linear(1000, 1)
    for parameter in net.parameters():
        parameter.requires_grad_(False)
    told = memory_of(net, torch.empty(1, 1000))
    assert told == {"weights_bytes": 4004, "peak_bytes": 4004, "test_bytes": 8008, "saved_bytes": 0}


def test_memory_is_measured_where_it_is_asked_for():
    model = Model(name="tsn", backbone="tiny_resnet", num_classes=8)
    plain = measure_static(model, Static(sizes=(32,)))
    asked = measure_static(model, Static(sizes=(32,), memory=True))
    memory = asked.pop("memory")
    assert asked == plain
    assert 0 < memory["peak_bytes"] < memory["saved_bytes"]
    assert memory["weights_bytes"] >= 4 * plain["params"]


def test_ids_of_older_records_stay():
    assert "memory" not in canonical_json(Static())
    assert content_id(Static()) == content_id(Static(memory=False)) != content_id(Static(memory=True))
