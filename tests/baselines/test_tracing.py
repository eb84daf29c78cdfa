"""Traces of the networks that move values over time, as PyTorch keeps them and as its older exporter writes ONNX."""

from __future__ import annotations

import io
import warnings

import pytest
import torch
from torch import nn

from repro.core.spec import Model
from repro.models.build import build, input_shape

NETWORKS = ("tsm", "tanet", "tdn", "tea", "teinet", "stm", "gsm")


def network(name: str) -> tuple[nn.Module, Model]:
    backbone = "tiny_inception" if name == "gsm" else "tiny_resnet"
    model = Model(name=name, backbone=backbone, frames=8, num_classes=5)
    torch.manual_seed(0)
    net = build(model).eval()
    for part in net.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.normal_(0, 0.1)
            part.running_var.uniform_(0.5, 1.5)
        if isinstance(part, nn.Conv3d):
            nn.init.normal_(part.weight)  # GSM's starts at zero, where nothing moves
    return net, model


@pytest.mark.parametrize("name", NETWORKS)
@torch.no_grad()
def test_a_trace_is_the_network_on_other_clips_and_other_batches(name):
    net, model = network(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(net, torch.randn(input_shape(model, 32)), check_trace=False)
    for batch in (1, 3):
        x = torch.randn(input_shape(model, 32, batch))
        torch.testing.assert_close(traced(x), net(x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dynamic", [False, True], ids=["fixed", "any batch"])
@pytest.mark.parametrize("name", NETWORKS)
@torch.no_grad()
def test_the_older_exporter_to_onnx_writes_the_network(name, dynamic):
    runtime = pytest.importorskip("onnxruntime")
    net, model = network(name)
    file, batch = io.BytesIO(), 3 if dynamic else 2
    x = torch.randn(input_shape(model, 32, batch))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            net, (x[:1] if dynamic else x,), file, dynamo=False, input_names=["x"],
            dynamic_axes={"x": {0: "n"}} if dynamic else None,
        )  # fmt: skip
    session = runtime.InferenceSession(file.getvalue(), providers=["CPUExecutionProvider"])
    expected = net(x)
    found = torch.from_numpy(session.run(None, {"x": x.numpy()})[0])
    assert (found - expected).abs().max() < 1e-4 * expected.abs().max()


@pytest.mark.parametrize("name", NETWORKS)
@torch.no_grad()
def test_nothing_is_written_into_parts_while_exporting(name, monkeypatch):
    """What the exporter loses in silence; also where no ONNX runtime is installed."""
    net, model = network(name)
    monkeypatch.setattr(torch.onnx, "is_in_onnx_export", lambda: True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(net, torch.randn(input_shape(model, 32)), check_trace=False)
    kinds = {node.kind() for node in traced.inlined_graph.nodes()}
    assert not kinds & {"aten::copy_", "aten::index_put_", "aten::fill_", "aten::addcmul_", "aten::empty_like"}
    assert not [kind for kind in kinds if kind.startswith("repro_video::")]
