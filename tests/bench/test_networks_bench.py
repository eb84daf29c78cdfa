"""Timings of one DNR layer beside a plain form of it, and of a whole network: `tox -e bench`."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from methods.dnr_norm import Clip, CrossLayerNorm, CrossTemporalNorm
from methods.dnr_relay import LstmCell, Relay
from repro.build import build, input_shape
from repro.cost.fast import fastest
from repro.spec import Model

pytestmark = pytest.mark.bench

FRAMES, DISTANCE, CHANNELS, SIDE = 8, 4, 64, 56


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.inference_mode():
        yield
    torch.set_num_threads(before)


@pytest.fixture
def maps():
    return torch.randn(FRAMES, CHANNELS, SIDE, SIDE, generator=torch.Generator().manual_seed(0))


def plain_step(cell: LstmCell, pooled: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    i, f, g, o = (cell.x(pooled) + cell.h(h)).chunk(4, dim=-1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.sigmoid(), c


def plain_ct(layer: CrossTemporalNorm, x: Tensor) -> Tensor:
    """As the paper writes it: group after group is gathered, normalized, scaled, shifted and put together again."""
    clips = x.unflatten(0, (-1, FRAMES)).transpose(1, 2)
    h = c = x.new_zeros(len(clips), CHANNELS)
    groups = []
    for group in clips.split(DISTANCE, dim=2):
        group = group.contiguous()
        h, c = plain_step(layer.cell, group.mean((2, 3, 4)), h, c)
        y = functional.batch_norm(group, layer.running_mean, layer.running_var, eps=layer.eps)
        groups.append(y * h[..., None, None, None] + c[..., None, None, None])
    return torch.cat(groups, dim=2).transpose(1, 2).flatten(0, 1).contiguous()


def plain_cl(layer: CrossLayerNorm, x: Tensor) -> Tensor:
    """One group of all frames, a state of zeros: the first block of a stage."""
    clips = x.unflatten(0, (-1, FRAMES)).transpose(1, 2).contiguous()
    zero = x.new_zeros(len(clips), CHANNELS)
    h, c = plain_step(layer.relay.cell, clips.mean((2, 3, 4)), zero, zero)
    y = functional.batch_norm(clips, layer.running_mean, layer.running_var, eps=layer.eps)
    y = y * h[..., None, None, None] + c[..., None, None, None]
    return y.transpose(1, 2).flatten(0, 1).contiguous()


def ct_layer() -> CrossTemporalNorm:
    return CrossTemporalNorm(nn.BatchNorm2d(CHANNELS), Clip(FRAMES), DISTANCE, LstmCell(CHANNELS, 4)).eval()


def cl_layer() -> CrossLayerNorm:
    relay = Relay(LstmCell(CHANNELS, 4).eval())
    return CrossLayerNorm(nn.BatchNorm2d(CHANNELS), Clip(FRAMES), relay, first=True, last=True).eval()


@pytest.mark.benchmark(group="DNR cross-temporal layer, 8 x 64 x 56 x 56")
@pytest.mark.parametrize("form", ["ours", "plain"])
def test_cross_temporal(benchmark, maps, form):
    layer = ct_layer()
    call = layer if form == "ours" else lambda x: plain_ct(layer, x)
    torch.testing.assert_close(benchmark(call, maps), plain_ct(layer, maps), rtol=1e-4, atol=1e-5)


@pytest.mark.benchmark(group="DNR cross-layer layer, 8 x 64 x 56 x 56")
@pytest.mark.parametrize("form", ["ours", "plain"])
def test_cross_layer(benchmark, maps, form):
    layer = cl_layer()
    call = layer if form == "ours" else lambda x: plain_cl(layer, x)
    torch.testing.assert_close(benchmark(call, maps), plain_cl(layer, maps), rtol=1e-4, atol=1e-5)


@pytest.mark.benchmark(group="whole network, one view of 8 x 224 x 224")
@pytest.mark.parametrize("form", ["eager", "fast"])
@pytest.mark.parametrize("method", [None, "dnr"])
def test_whole_network(benchmark, method, form):
    model = Model(name="tsm", backbone="resnet50", method=method)
    with torch.inference_mode(False):
        net = build(model).eval()
    x = torch.randn(input_shape(model, 224))
    call = net if form == "eager" else fastest(net, x)[0]
    benchmark.pedantic(call, (x,), rounds=5, warmup_rounds=1)
