"""Timings of PSN's synthesizer beside its straightforward form, of networks beside TSN, frozen beside as written.

The straightforward form is the block as the paper draws it: 3D operators on (N, C, T, H, W).
"""

from __future__ import annotations

import statistics
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from methods.psn import kernels
from methods.psn.places import PLACES, Place
from methods.psn.synthesizer import Form, Synthesizer
from repro.core.spec import Model, frozen, replace
from repro.cost.macs import count_macs
from repro.cost.onednn_fusion import fuse
from repro.cost.speed import randomize
from repro.models.build import build, frozen_form, input_shape

from .conftest import in_turn

pytestmark = pytest.mark.bench

FRAMES = 8
#: channels and side of a ResNet-50's maps at 112, behind the stem and behind three stages -> how many times as fast a
#: block has to be. On the smallest maps both forms are matrix products of the same size.
MAPS = {(64, 28): 1.6, (256, 28): 1.2, (512, 14): 1.05, (1024, 7): 0.95}
LAYOUTS = {"nchw": torch.contiguous_format, "nhwc": torch.channels_last}
#: time over TSN's may be this much above GMACs over TSN's
SLACK = 1.25
VARIANTS = {
    "psn": {},
    "psn 1/16": {"proportion": 16},
    "psn 5x5x7": {"receptive_field": "5x5x7"},
    "psn average pooling": {"pooling": "avg"},
    "psn without dilation": {"dilated": False},
    "psn (1+1+1)D": {"decomposition": "1+1+1"},
    "psn shuffling": {"fusion": "shuffle"},
}


def block(channels: int) -> Synthesizer:
    torch.manual_seed(0)
    bag = kernels.bag(5, dilated=True, pooling="max")
    form = Form(
        spatial=bag, temporal=bag, proportion=4, relu=True, one_by_one=False, fusion="optimized", expand_scale=1.0,
        keep_means=False,
    )  # fmt: skip
    made = Synthesizer(Place("conv2", channels, FRAMES, False), form).eval()
    randomize(made, torch.Generator().manual_seed(0))
    return made


def straightforward(made: Synthesizer, v: Tensor) -> Tensor:
    """(N, C, T, H, W): every kernel as a 3D operator."""
    u = functional.conv3d(v, made.compress.weight[:, :, None]).chunk(4, 1)
    spatial = [
        u[0],
        functional.conv3d(u[1], made.spatial[1].weight[:, :, None], padding=(0, 1, 1)),
        functional.conv3d(u[2], made.spatial[2].weight[:, :, None], padding=(0, 2, 2), dilation=(1, 2, 2)),
        functional.max_pool3d(u[3], (1, 3, 3), 1, (0, 1, 1)),
    ]
    bn, joined = made.bn, torch.cat(spatial, 1)
    normal = functional.batch_norm(joined, bn.running_mean, bn.running_var, bn.weight, bn.bias, eps=bn.eps)
    y = functional.conv3d(functional.relu(normal), made.fusion.weight[:, :, None]).chunk(4, 1)
    each = y[0].shape[1]
    taps = [made.temporal[k].weight.view(each, 3, each).transpose(1, 2)[..., None, None] for k in (1, 2)]
    temporal = [
        y[0],
        functional.conv3d(y[1], taps[0], padding=(1, 0, 0)),
        functional.conv3d(y[2], taps[1], padding=(2, 0, 0), dilation=(2, 1, 1)),
        functional.max_pool3d(y[3], (3, 1, 1), 1, (1, 0, 0)),
    ]
    return v + functional.conv3d(torch.cat(temporal, 1), made.expand.weight[:, :, None])


def over(times: list[float], base: list[float]) -> float:
    """The quickest over the quickest: what others do to a shared machine only adds."""
    return min(times) / min(base)


@pytest.mark.parametrize("channels, side", MAPS)
@pytest.mark.parametrize("form", ["as written", "frozen", "straightforward"])
@torch.inference_mode()
def test_block(benchmark, form, channels, side):
    benchmark.group = f"PSN synthesizer, {FRAMES} x {channels} x {side} x {side}"
    made, x = block(channels), torch.randn(FRAMES, channels, side, side)
    volume = x.unflatten(0, (-1, FRAMES)).transpose(1, 2).contiguous()
    expected = straightforward(made, volume).transpose(1, 2).flatten(0, 1)
    call = made if form == "as written" else made.frozen().eval()
    y = benchmark(straightforward, made, volume) if form == "straightforward" else benchmark(call, x)
    y = y.transpose(1, 2).flatten(0, 1) if form == "straightforward" else y
    assert (y - expected).abs().max() <= 1e-5 * expected.abs().max()


@pytest.mark.parametrize("channels, side", MAPS)
@torch.inference_mode()
def test_a_block_is_faster_than_its_straightforward_form(channels, side):
    made, x = block(channels), torch.randn(FRAMES, channels, side, side)
    volume = x.unflatten(0, (-1, FRAMES)).transpose(1, 2).contiguous()
    ours, theirs = in_turn(lambda: made(x), lambda: straightforward(made, volume), rounds=15)
    print(f"{channels}x{side}x{side}: {over(theirs, ours):.2f} times as fast")
    assert over(theirs, ours) >= MAPS[channels, side]


def networks(name: str, form: str, options: dict[str, object]) -> tuple[list[Callable[[Tensor], Tensor]], float]:
    """TSN or TSM, the same with PSN in this form, and the ratio of their GMACs at 112."""
    tsn = Model(name="tsn", backbone="resnet50")
    nets: list[nn.Module] = []
    for model in (replace(tsn, name=name), replace(tsn, method="psn", method_options=frozen(options))):
        torch.manual_seed(0)
        net = build(model).eval()
        randomize(net, torch.Generator().manual_seed(0))
        nets.append(net)
    x = torch.empty(input_shape(tsn, 112))
    ratio = count_macs(nets[1], x) / count_macs(nets[0], x)
    if form == "frozen":
        nets[1] = frozen_form(nets[1], "psn")
    made = [fuse(net) if form == "fused" else net.to(memory_format=LAYOUTS.get(form, LAYOUTS["nchw"])) for net in nets]
    return made, ratio


@pytest.mark.parametrize("form", [*LAYOUTS, "fused", "frozen"])
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", ["tsn", "tsm"])
def test_the_ratio_of_times_is_near_that_of_gmacs(name, variant, form):
    if name == "tsm" and variant != "psn":
        pytest.skip("beside TSM the paper's own form is timed")
    (host, psn), macs = networks(name, form, VARIANTS[variant])
    x = torch.randn(1, FRAMES, 3, 112, 112)
    with torch.inference_mode():
        plain, ours = in_turn(lambda: host(x), lambda: psn(x), rounds=9)
    found = over(ours, plain)
    median = statistics.median(b / a for a, b in zip(plain, ours, strict=True))
    print(f"{variant} / {name}, {form}: time {found:.3f} (median {median:.3f}), GMACs {macs:.3f}: {found / macs:.3f}")
    assert found <= SLACK * macs


def test_every_stage_of_the_network_is_timed_here():
    net = build(Model(name="tsn", backbone="resnet50", method="psn"))
    channels = [net.get_submodule(f"{PLACES[place]}.synthesizer").place.channels for place, _ in net.psn.blocks]
    assert channels == [width for width, _ in MAPS]
