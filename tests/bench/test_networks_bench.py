"""Timings of a whole network: `tox -e bench`."""

from __future__ import annotations

import pytest
import torch

from repro.build import build, input_shape
from repro.cost.fast import fastest
from repro.spec import Model

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
