"""The shift against its definition, its derivative, and which blocks have it."""

from __future__ import annotations

import pytest
import torch

from baselines.tsm import ShiftConv2d, temporal_shift, tsm
from baselines.tsn import tsn


def by_definition(x, frames):
    clip, fold = x.unflatten(0, (-1, frames)), x.shape[1] // 8
    out = torch.zeros_like(clip)
    for t in range(frames):
        for c in range(x.shape[1]):
            source = t + 1 if c < fold else t - 1 if c < 2 * fold else t
            if 0 <= source < frames:
                out[:, t, c] = clip[:, source, c]
    return out.flatten(0, 1)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("frames, channels", [(4, 16), (1, 8), (2, 20), (3, 7)])
def test_shift_by_definition(frames, channels, layout):
    x = torch.randn(2 * frames, channels, 3, 3).contiguous(memory_format=layout)
    assert torch.equal(temporal_shift(x, frames), by_definition(x, frames))
    assert torch.equal(temporal_shift(x.clone().requires_grad_(), frames), by_definition(x, frames))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("clips, frames, channels", [(1, 4, 16), (3, 2, 8), (2, 1, 16), (2, 3, 7)])
def test_convolution_without_the_shifted_copy(clips, frames, channels, bias, layout):
    conv = ShiftConv2d.like(torch.nn.Conv2d(channels, 5, 1, bias=bias), frames).double()
    x = torch.randn(clips * frames, channels, 3, 2, dtype=torch.float64).contiguous(memory_format=layout)
    expected = torch.nn.functional.conv2d(by_definition(x, frames), conv.weight, conv.bias)
    assert torch.allclose(conv(x), expected, rtol=1e-13, atol=1e-13)
    with torch.no_grad():
        assert conv._is_product(x)
        assert torch.allclose(conv(x), expected, rtol=1e-13, atol=1e-13)


def test_derivative():
    x = torch.randn(8, 16, 2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda v: temporal_shift(v, 4), x)
    assert torch.autograd.gradgradcheck(lambda v: temporal_shift(v, 4) ** 2, x)


def test_infinite_values_stay_where_they_are_shifted_to():
    x = torch.full((2, 8, 1, 1), float("inf"))
    assert temporal_shift(x, 2)[1, 0, 0, 0] == 0 and not temporal_shift(x, 2).isnan().any()


@pytest.mark.parametrize("backbone, each", [("resnet18", 1), ("resnet50", 1), ("resnet101", 2), ("tiny_resnet", 1)])
def test_blocks_that_are_shifted(backbone, each):
    with torch.device("meta"):
        net = tsm(backbone, num_classes=2, frames=8)
    for _, stage in net.stages():
        assert [isinstance(b.conv1, ShiftConv2d) for b in stage] == [i % each == 0 for i in range(len(stage))]


def test_tensors_are_named_as_in_tsn():
    with torch.device("meta"):
        names = [list(build("resnet50", num_classes=2, frames=8).state_dict()) for build in (tsn, tsm)]
    assert names[0] == names[1]
