"""DNR's cells: their equations written out, their sizes, and what each lets through."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from methods.dnr.norm import Clip, CrossTemporalNorm
from methods.dnr.relay import RELAYS, make_cell

C = 16
#: relay, bottleneck units -> parameters at reduction 4
SIZES = {
    ("lstm", 1): lambda c: 5 * c * c // 2 + 17 * c // 2,
    ("lstm", 2): lambda c: 7 * c * c // 2 + 11 * c,
    ("lstm", 3): lambda c: 9 * c * c // 2 + 27 * c // 2,
    ("se", 1): lambda c: 5 * c * c // 4 + 9 * c // 4,
    ("fc", 1): lambda c: 6 * c * c + 2 * c,
    ("none", 1): lambda c: c * c + 13 * c // 4,
}


def made(relay="lstm", units=1, reduction=4):
    torch.manual_seed(0)
    return make_cell(relay, C, reduction, units).double()


def layer(relay="lstm", group=2, frames=8, **more):
    back = made(relay) if more.get("direction") == "bi" else None
    norm = CrossTemporalNorm(nn.BatchNorm2d(C), Clip(frames), group, made(relay), back).double()
    if back is not None:
        nn.init.normal_(back.x[2].weight)
    return norm.eval()


def values(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.mark.parametrize("channels", [16, 64, 512])
@pytest.mark.parametrize("relay, units", SIZES)
def test_parameters(relay, units, channels):
    cell = make_cell(relay, channels, 4, units)
    assert sum(p.numel() for p in cell.parameters()) == SIZES[relay, units](channels)


@pytest.mark.parametrize("reduction", [1, 2, 8])
def test_parameters_of_other_reductions(reduction):
    width = C // reduction
    assert sum(p.numel() for p in made(reduction=reduction).parameters()) == 2 * (5 * C * width + width + 4 * C)


def test_linear_relay_by_hand():
    cell, x, scale, shift = made("fc"), values(3, C), values(3, C), values(3, C)
    a, b = cell.fc(torch.cat([x, scale, shift], 1)).chunk(2, 1)
    got = cell.step(cell.project(x), (scale, shift))
    torch.testing.assert_close(got, (torch.sigmoid(a), b))


def test_excitation_by_hand():
    cell, x, scale, shift = made("se"), values(3, C), values(3, C), values(3, C)
    a, b = cell.excite(torch.relu(cell.squeeze(torch.cat([x, scale, shift], 1)))).chunk(2, 1)
    torch.testing.assert_close(cell.step(cell.project(x), (scale, shift)), (torch.sigmoid(a), b))


@pytest.mark.parametrize(("relay", "units"), SIZES)
@pytest.mark.parametrize("training", [False, True])
def test_no_state_is_a_state_of_zeros(relay, units, training):
    cell, x = made(relay, units).train(training), values(3, C)
    zeros = torch.zeros(3, C, dtype=torch.float64)
    torch.testing.assert_close(cell.step(cell.project(x), None), cell.step(cell.project(x), (zeros, zeros)))


def test_no_relay_is_the_lstm_from_zeros_without_its_state():
    lstm, alone, x = made(), made("none"), values(3, C)
    with torch.no_grad():
        rows = [0, 2, 3]  # gates i, g, o of i, f, g, o
        alone.x[0].load_state_dict(lstm.x[0].state_dict())
        alone.x[2].weight.copy_(lstm.x[2].weight.view(4, C, -1)[rows].flatten(0, 1))
        alone.x[2].bias.copy_((lstm.x[2].bias + lstm.h(torch.zeros(C).double())).view(4, C)[rows].flatten())
    torch.testing.assert_close(alone.step(alone.project(x), None), lstm.step(lstm.project(x), None))


def test_bottleneck_units_stand_one_behind_the_other():
    cell, x, scale, shift = made(units=2), values(3, C), values(3, C), values(3, C)

    def twice(projection, value):
        for first in (projection[:3], projection[3:]):
            value = first[2](torch.relu(first[0](value)))
        return value

    i, f, g, o = (twice(cell.x, x) + twice(cell.h, scale)).chunk(4, 1)
    after = f.sigmoid() * shift + i.sigmoid() * g.tanh()
    torch.testing.assert_close(cell.step(cell.project(x), (scale, shift)), (o.sigmoid() * after.sigmoid(), after))


@pytest.mark.parametrize("relay", RELAYS)
def test_a_group_sees_itself_and_the_groups_before(relay):
    norm, pooled = layer(relay), values(1, 4, C)
    changed = pooled.clone()
    changed[:, 2] += 1
    moved = (norm.gates(changed)[0] - norm.gates(pooled)[0]).abs().amax((0, 2)) > 1e-9
    assert moved.tolist() == [False, False, True, relay != "none"]


def test_both_directions_see_all_groups_and_are_averaged():
    norm, pooled = layer(direction="bi"), values(1, 4, C)
    changed = pooled.clone()
    changed[:, 2] += 1
    assert bool(((norm.gates(changed)[0] - norm.gates(pooled)[0]).abs().amax((0, 2)) > 1e-9).all())
    there = CrossTemporalNorm(nn.BatchNorm2d(C), Clip(8), 2, norm.cell).gates(pooled)
    back = CrossTemporalNorm(nn.BatchNorm2d(C), Clip(8), 2, norm.back).gates(pooled.flip(1))
    mean = tuple((a + b.flip(1)) / 2 for a, b in zip(there, back, strict=True))
    torch.testing.assert_close(norm.gates(pooled), mean)


@pytest.mark.parametrize("relay", RELAYS)
def test_one_group_is_a_layer_without_temporal_relay(relay):
    """Frames may then change places."""
    norm, x = layer(relay, group=8), values(8, C, 3, 3)
    order = [3, 0, 2, 1, 7, 5, 6, 4]
    torch.testing.assert_close(norm(x)[order], norm(x[order]))


def test_smaller_groups_have_nothing_of_their_own_but_the_relay():
    """Equal frames, no relay: groups of any length give the same."""
    x = values(1, C, 3, 3).expand(8, -1, -1, -1)
    torch.testing.assert_close(layer("none", group=2)(x), layer("none", group=8)(x))
    assert not torch.allclose(layer("lstm", group=2)(x), layer("lstm", group=8)(x))
