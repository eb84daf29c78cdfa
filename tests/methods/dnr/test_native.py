"""DNR's kernel: the values of the layers in plain PyTorch, and where it does not fit."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from methods.dnr import native
from methods.dnr.native import NativeNorm, load
from methods.dnr.norm import Clip, CrossLayerNorm, CrossTemporalNorm
from methods.dnr.relay import Relay, make_cell
from repro.core.spec import Model, frozen
from repro.cost.onednn_fusion import fuse
from repro.models.build import build, input_shape
from tests.methods.kernels import compiled, near

FRAMES = 8


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    return compiled(load, tmp_path_factory.mktemp("native"))


def host(channels):
    norm = nn.BatchNorm2d(channels)
    nn.init.normal_(norm.running_mean)
    nn.init.uniform_(norm.running_var, 0.2, 2)
    return norm


def cell(channels, **more):
    torch.manual_seed(channels)
    made = make_cell(**{"relay": "lstm", "channels": channels, "reduction": 4, "units": 1, **more})
    for value in made.parameters():
        nn.init.normal_(value, std=0.5)
    return made


def temporal(channels=32, group=4, **more):
    return CrossTemporalNorm(host(channels), Clip(FRAMES), group, cell(channels, **more)).eval()


def maps(clips, channels, size):
    x = torch.randn(clips * FRAMES, channels, *size, generator=torch.Generator().manual_seed(1))
    return (3 * x + 1).contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize(
    "clips, channels, size", [(1, 16, (1, 1)), (2, 32, (7, 9)), (1, 64, (66, 65)), (3, 48, (5, 5))]
)
@pytest.mark.parametrize("group", [1, 2, 4, 8])
@torch.inference_mode()
def test_along_frames(kernel, monkeypatch, threads, relu, clips, channels, size, group):
    norm, x = temporal(channels, group), maps(clips, channels, size)
    made = kernel.norm(norm)
    made.relu, before = relu, torch.get_num_threads()
    monkeypatch.setattr(native, "_SHARED", 1 << 10)
    try:
        torch.set_num_threads(threads)
        value = made(x)
    finally:
        torch.set_num_threads(before)
    near(value, norm(x).relu() if relu else norm(x))
    assert value is not x and value.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("threads", [1, 2])
@torch.inference_mode()
def test_maps_of_bfloat16_are_rounded_once(kernel, monkeypatch, threads):
    norm, x = temporal().bfloat16(), maps(2, 32, (9, 7)).bfloat16()
    x[3, 2, 1, 1] = float("nan")
    made, before = kernel.norm(norm), torch.get_num_threads()
    monkeypatch.setattr(native, "_SHARED", 1 << 10)
    try:
        torch.set_num_threads(threads)
        value = made(x)
    finally:
        torch.set_num_threads(before)
    exact = kernel.norm(copy.deepcopy(norm).float())(x.float())
    assert value.dtype == torch.bfloat16 and value.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(value, exact.bfloat16(), rtol=2**-7, atol=1e-6, equal_nan=True)
    assert (value == exact.bfloat16()).sum() >= 0.99 * exact.isfinite().sum() > 0


@torch.inference_mode()
def test_a_relay_of_bfloat16_goes_on_in_plain_layers(kernel):
    relay, x = Relay(cell(32).eval().bfloat16()), maps(2, 32, (6, 5)).bfloat16()
    ends = ((True, False), (False, False), (False, True))
    norms = [CrossLayerNorm(host(32), Clip(FRAMES), relay, first=a, last=b).eval().bfloat16() for a, b in ends]
    expected = [norm(x) for norm in norms]
    for norm, other in zip((kernel.norm(norms[0]), norms[1], kernel.norm(norms[2])), expected, strict=True):
        value = norm(x)
        assert value.dtype == torch.bfloat16
        torch.testing.assert_close(value, other, rtol=0.05, atol=0.05)


@pytest.mark.parametrize("plain", [(), (0,), (1,), (2,)])
@torch.inference_mode()
def test_along_blocks_whichever_of_them_is_plain(kernel, plain):
    relay, x = Relay(cell(32).eval()), maps(2, 32, (6, 5))
    ends = ((True, False), (False, False), (False, True))
    norms = [CrossLayerNorm(host(32), Clip(FRAMES), relay, first=a, last=b).eval() for a, b in ends]
    expected = [norm(x) for norm in norms]
    for at, norm in enumerate(norms):
        near((norm if at in plain else kernel.norm(norm))(x), expected[at])
    assert relay.state is None


@torch.inference_mode()
def test_gates_that_are_shut_and_values_that_are_none(kernel):
    norm, x = temporal(), maps(1, 32, (4, 4))
    norm.cell.x[2].bias[:32], norm.cell.x[2].bias[32:96] = 200.0, -200.0
    near(kernel.norm(norm)(x), norm(x))
    x[0, 3, 1, 1] = float("nan")
    made = kernel.norm(norm)
    made.relu = True
    assert made(x)[0].isnan().all() and made(x).isfinite().all() == norm(x).isfinite().all()


@torch.inference_mode()
def test_a_copy_keeps_its_values_when_the_first_is_gone(kernel):
    norm, x = temporal(), maps(1, 32, (4, 4))
    made, expected = kernel.norm(norm), norm(x)
    near(made(x), expected)
    other = copy.deepcopy(made)
    del made, norm
    near(other(x), expected)


def test_what_the_kernel_does_not_fit_stays_as_it_is(kernel):
    grouped = CrossTemporalNorm(nn.GroupNorm(4, 32), Clip(FRAMES), 4, cell(32))
    both = CrossTemporalNorm(host(32), Clip(FRAMES), 4, cell(32), cell(32))
    volume = CrossTemporalNorm(host(32), Clip(FRAMES, volume=True), 4, cell(32))
    others = (temporal(units=2), temporal(relay="se"), temporal().double(), temporal(18), nn.BatchNorm2d(32))
    assert [kernel.norm(one) for one in (grouped, both, volume, *others)] == [None] * 8


def test_other_types_layouts_and_gradients_go_the_plain_way(kernel):
    norm, x = temporal(), maps(1, 32, (4, 4))
    made = kernel.norm(norm)
    made.relu = True
    made(x).sum().backward()
    assert norm.cell.x[0].weight.grad is not None
    with torch.inference_mode():
        near(made(x.contiguous()), norm(x.contiguous()).relu())
        near(made(x.bfloat16()), norm(x.bfloat16()).relu())


@pytest.mark.parametrize("name", ["tsn", "tsm", "tanet", "tdn"])
@torch.inference_mode()
def test_a_network_takes_its_layers_and_the_relu_behind_them(kernel, name):
    spec = Model(name=name, backbone="tiny_resnet", num_classes=5, method="dnr", options=frozen(width=32, blocks=2))
    net = build(spec).eval()
    for value in net.parameters():
        if value.ndim == 1:
            nn.init.normal_(value, std=0.3)
    x = torch.randn(input_shape(spec, 64))
    made = fuse(net, replace=kernel.norm)
    parts = [part for part in made.modules() if isinstance(part, NativeNorm)]
    assert parts and all(part.relu and part.in_place for part in parts)
    near(made(x), net(x))
