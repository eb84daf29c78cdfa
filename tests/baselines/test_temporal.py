"""The filter over time against a grouped convolution, its derivative and its count."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from baselines.tanet import TemporalAdaptive
from baselines.tdn import _differences
from baselines.temporal import LearnableShift, temporal_filter
from baselines.tsm import temporal_shift


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_adaptive_module_is_gate_then_grouped_convolution(layout):
    torch.manual_seed(0)
    module = TemporalAdaptive(8, 4).double().eval()
    x = torch.randn(12, 8, 5, 5, dtype=torch.float64)
    clip = x.unflatten(0, (3, 4)).transpose(1, 2)  # (N, C, T, H, W)
    pooled = clip.mean((3, 4))
    kernel = module.G(pooled.flatten(0, 1)).view(24, 1, 3, 1)
    gated = (clip * module.L(pooled)[..., None, None]).reshape(1, 24, 4, 25)
    wanted = F.conv2d(gated, kernel, padding=(1, 0), groups=24).view(3, 8, 4, 5, 5).transpose(1, 2).flatten(0, 1)
    got = module(x.contiguous(memory_format=layout))
    assert torch.allclose(got, wanted, atol=1e-13)
    assert got.is_contiguous(memory_format=layout)


def test_derivative():
    x = torch.randn(6, 2, 2, 2, dtype=torch.float64, requires_grad=True)
    w = torch.randn(3, 2, 3, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(temporal_filter, (x, w))


def test_operator_is_well_behaved():
    x, w = torch.randn(6, 2, 3, 3, requires_grad=True), torch.randn(3, 2, 3, 2, requires_grad=True)
    torch.library.opcheck(temporal_filter, (x, w))


def test_count_is_that_of_the_grouped_convolution():
    """4,860,928 for TAM on 64 channels and 8 frames of 56x56, as counted on the authors' code."""
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        TemporalAdaptive(64, 8).eval()(torch.empty(8, 64, 56, 56))
    assert counter.get_total_flops() == 2 * 4_860_928


def test_learnable_shift_starts_as_the_shift():
    x = torch.randn(8, 16, 3, 3)
    assert torch.allclose(LearnableShift(16, 4)(x), temporal_shift(x, 4))


def test_learnable_shift_is_a_convolution_over_time():
    shift = LearnableShift(8, 4).double()
    torch.nn.init.normal_(shift.conv.weight)
    x = torch.randn(8, 8, 2, 3, dtype=torch.float64)
    series = x.unflatten(0, (2, 4)).permute(0, 3, 4, 2, 1).reshape(-1, 8, 4)
    wanted = shift.conv(series).view(2, 2, 3, 8, 4).permute(0, 4, 3, 1, 2).flatten(0, 1)
    assert torch.allclose(shift(x), wanted)


def test_differences_are_subtracted_then_halved():
    x = torch.randn(2, 5, 3, 6, 7, dtype=torch.float64)
    wanted = F.avg_pool2d((x[:, 1:] - x[:, :-1]).flatten(1, 2), 2)
    assert torch.allclose(_differences(x), wanted)
