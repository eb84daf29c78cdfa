"""Timings of a whole network: `tox -e bench`."""

from __future__ import annotations

import statistics
import tomllib

import pytest
import torch

from repro.core import paths
from repro.core.spec import Model
from repro.cost.fastest_form import fastest
from repro.cost.macs import count_macs
from repro.models.build import build, build_meta, input_shape
from repro.papers.quoted_networks import find

from .conftest import in_turn

pytestmark = pytest.mark.bench


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.inference_mode():
        yield
    torch.set_num_threads(before)


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


@pytest.mark.parametrize("name, backbone, size, public", [
    ("s3d", "inceptionv1", 224, "s3d"), ("r2plus1d", "resnet18", 112, "r2plus1d_18"),
])  # fmt: skip
def test_the_fastest_form_beside_torchvision(name, backbone, size, public):
    """In fp32, torchvision's network as it comes. The target is 1.5; S3D 2.7, R(2+1)D 4.8 were measured."""
    video = pytest.importorskip("torchvision.models.video")
    model = Model(name=name, backbone=backbone, frames=16)
    with torch.inference_mode(False):
        net, theirs = build(model).eval(), getattr(video, public)().eval()
    x = torch.randn(input_shape(model, size))
    form, turned = fastest(net, x)[0], x.transpose(1, 2).contiguous()
    public_s, own_s = in_turn(lambda: theirs(turned), lambda: form(x), rounds=5)
    ratio = statistics.median(a / b for a, b in zip(public_s, own_s, strict=True))
    print(f"{name}: {ratio:.2f} times as fast")
    assert ratio >= 1.5


@pytest.mark.benchmark(group="all quoted networks: parameters and GMACs on the meta device")
def test_all_networks_are_counted_within_a_minute(benchmark):
    networks = [find(name) for name in tomllib.loads((paths.published() / "networks.toml").read_text())]

    def count() -> int:
        for network in networks:
            net = build_meta(network.model).eval()
            count_macs(net, torch.empty(input_shape(network.model, network.size), device="meta"))
        return len(networks)

    with torch.inference_mode(False):
        assert benchmark.pedantic(count, rounds=1) == len(networks)
    assert benchmark.disabled or benchmark.stats.stats.max < 60
