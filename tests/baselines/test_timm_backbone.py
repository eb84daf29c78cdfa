"""EfficientNet under a video network: timm's own features, and the figures of the literature."""

import pytest
import timm
import torch
from torch.utils.flop_counter import FlopCounterMode

from baselines.timm_backbone import Outline
from methods.adafuse.insert import insert
from repro.core import spec
from repro.models.build import build_meta
from repro.registry import models


@torch.no_grad()
def test_features_are_timms():
    torch.manual_seed(0)
    reference = timm.create_model("efficientnet_b0", num_classes=0).eval()
    torch.manual_seed(0)
    net = models["tsn"].load()("efficientnet_b0", num_classes=3, frames=2).eval()
    own = {name: value for name, value in net.state_dict().items() if not name.startswith("fc.")}
    assert len(own) == len(reference.state_dict())
    assert all(torch.equal(a, b) for a, b in zip(own.values(), reference.state_dict().values(), strict=True))
    x = torch.randn(2, 2, 3, 64, 64)
    torch.testing.assert_close(net.features(x).flatten(0, 1), reference(x.flatten(0, 1)))


@pytest.mark.parametrize(
    ("size", "gmacs", "plain", "fused"), [("b0", 3.08, 4.230, 8.189), ("b3", 7.69, 10.964, 15.585)]
)
def test_cost_and_parameters(size, gmacs, plain, fused):
    model = spec.Model(name="tsn", backbone=f"efficientnet_{size}", frames=8, num_classes=174)
    net = build_meta(model)
    assert net.num_features == {"b0": 1280, "b3": 1536}[size]
    assert sum(p.numel() for p in net.parameters()) / 1e6 == pytest.approx(plain, abs=1e-3)
    with FlopCounterMode(display=False) as counter:
        net.eval()(torch.empty(1, 8, 3, 224, 224, device="meta"))
    assert counter.get_total_flops() / 2e9 == pytest.approx(gmacs, abs=5e-3)
    with torch.device("meta"):
        insert(net, {})
    assert sum(p.numel() for p in net.parameters()) / 1e6 == pytest.approx(fused, abs=1e-3)


@torch.no_grad()
def test_adafuse_that_keeps_all_is_the_plain_network():
    plain = models["tsn"].load()("efficientnet_b0", num_classes=3, frames=2).eval()
    for part in plain.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.weight.fill_(2.0)  # at its initial weights this network gives next to nothing
    net = models["tsn"].load()("efficientnet_b0", num_classes=3, frames=2)
    net.load_state_dict(plain.state_dict())
    net = insert(net, {"hidden": 8}).eval()
    x = torch.randn(1, 2, 3, 64, 64)
    assert len(net.adafuse.gates) == 15, "all blocks but the one without expansion"
    free = net(x)
    net.adafuse.force({block: torch.full((2, gate.decided), 2) for block, gate in net.adafuse.gates.items()})
    torch.testing.assert_close(net(x), plain(x))
    assert not torch.allclose(free, plain(x))


def test_backbone_is_a_plain_module():
    assert {name for name, _ in Outline("efficientnet_b0").named_children()} >= {"conv1", "bn1", "layer1", "layer4"}
