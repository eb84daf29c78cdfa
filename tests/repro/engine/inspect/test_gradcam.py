"""Grad-CAM++ against cases derived on paper, against its own definition, and its invariances on real networks."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from repro.core.errors import BadOption, UnknownName
from repro.core.spec import Model, frozen
from repro.engine.inspect import gradcam, layers
from repro.models.build import build
from repro.models.device import seed_all


class Linear(nn.Module):
    """Maps are the input's three channels; the score is a weighted sum of their means, averaged over the frames."""

    def __init__(self, weights):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1, bias=False)
        self.conv.weight.data = torch.eye(3, dtype=torch.float64)[:, :, None, None]
        self.fc = nn.Linear(3, len(weights), bias=False)
        self.fc.weight.data = torch.tensor(weights, dtype=torch.float64)

    def forward(self, x):
        maps = self.conv(x.flatten(0, 1))
        return self.fc(maps.mean((2, 3))).unflatten(0, (len(x), -1)).mean(1)


def test_hand_computed_weights_of_a_linear_network():
    """One frame of 2x2, channels A1 = 4 at the upper left, A2 = 8 at the lower right, A3 = 9 at the upper right.

    S = 1 mean(A1) + 2 mean(A2) - 1 mean(A3), so g = 1/4, 2/4, -1/4 at every place. By (19), alpha = 1 / (2 + g sum(A)):
        A1: 1 / (2 + 1/4 * 4) = 1/3        A2: 1 / (2 + 1/2 * 8) = 1/6
    By (7), w = sum over 4 places of alpha * relu(g):
        w1 = 4 * 1/3 * 1/4 = 1/3           w2 = 4 * 1/6 * 1/2 = 1/3          w3 = 0, its gradient is negative
    L = w1 A1 + w2 A2: 4/3 at the upper left, 8/3 at the lower right, 0 elsewhere; divided by its maximum 1/2 and 1.
    (Grad-CAM, whose weights are the mean gradients 1/4 and 1/2, would give 1/4 and 1.)
    """
    x = torch.zeros(1, 1, 3, 2, 2, dtype=torch.float64)
    x[0, 0, 0, 0, 0], x[0, 0, 1, 1, 1], x[0, 0, 2, 0, 1] = 4.0, 8.0, 9.0
    net = Linear([[0.0, 0.0, 0.0], [1.0, 2.0, -1.0]])
    heat = gradcam.explain(net, x, "conv", target=1)
    assert heat.logits[0, 1] == pytest.approx(1 + 4 - 9 / 4)
    expected = torch.tensor([[0.5, 0.0], [0.0, 1.0]], dtype=torch.float64)
    torch.testing.assert_close(heat.maps, expected[None, None], rtol=1e-12, atol=1e-12)


def test_hand_computed_weights_of_a_gradient_that_varies():
    """A = 1 2 3 4 (sum 10), g = 1, 1/10, 0, -1: alpha = 1/12, 1/3, 0 (g is 0), -1/8; w = 1/12 + 1/30 = 7/60."""
    maps = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]], dtype=torch.float64)
    gradient = torch.tensor([[[[1.0, 0.1], [0.0, -1.0]]]], dtype=torch.float64)
    torch.testing.assert_close(gradcam.combine(maps, gradient), maps[:, 0] * 7 / 60)
    # of a volume the sums run over time as well: the same numbers, one frame above the other
    in_time = gradcam.combine(maps.unflatten(2, (2, 1)), gradient.unflatten(2, (2, 1)))
    torch.testing.assert_close(in_time, (maps[:, 0] * 7 / 60).unflatten(1, (2, 1)))


@settings(max_examples=30)
@given(seed=st.integers(0, 10_000), channels=st.integers(1, 4), side=st.integers(1, 3))
def test_weights_are_those_of_the_derivatives_of_exp_s(seed, channels, side):
    """(10), (7): alpha from the first three derivatives of Y = exp(S) by autograd; ours differs by exp(S) alone."""
    torch.manual_seed(seed)
    maps = torch.rand(channels, side, side, dtype=torch.float64, requires_grad=True)
    head = torch.randn(channels, side, side, dtype=torch.float64)
    y = (maps * head).sum().exp()
    (first,) = torch.autograd.grad(y, maps, create_graph=True)
    second = torch.empty_like(maps)
    third = torch.empty_like(maps)
    for place in torch.cartesian_prod(*map(torch.arange, maps.shape)).tolist():
        one = tuple(place)
        (of_first,) = torch.autograd.grad(first[one], maps, create_graph=True)
        (of_second,) = torch.autograd.grad(of_first[one], maps, retain_graph=True)
        second[one], third[one] = of_first[one].detach(), of_second[one]
    alpha = second / (2 * second + maps.detach().sum((1, 2), keepdim=True) * third)
    weights = (alpha * first.detach().relu()).sum((1, 2), keepdim=True)
    expected = (weights * maps.detach()).sum(0).relu() / y.detach()
    found = gradcam.combine(maps.detach()[None], head[None])[0]
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)


def test_no_evidence_stays_0_and_each_clip_has_its_own_maximum():
    heat = torch.zeros(2, 2, 1, 2)
    heat[0, 0, 0, 0], heat[0, 1, 0, 1] = 4.0, 2.0
    by_clip = gradcam.scaled(heat)
    assert by_clip[0].tolist() == [[[1.0, 0.0]], [[0.0, 0.5]]]
    assert by_clip[1].abs().sum() == 0
    assert gradcam.scaled(heat, "frame")[0].tolist() == [[[1.0, 0.0]], [[0.0, 1.0]]]


TINY = frozen(blocks=1, pool=False)
NETWORKS = [
    *(Model(name=name, backbone="tiny_resnet", frames=4, num_classes=5, options=TINY)
      for name in ("tsn", "tsm", "tanet", "tdn", "gst")),
    *(Model(name="tsn", backbone="tiny_resnet", frames=4, num_classes=5, options=TINY, method=method)
      for method in ("dnr", "psn")),
    Model(name="tsm", backbone="resnet18", frames=4, num_classes=5, method="adafuse"),
    Model(name="r2plus1d", backbone="resnet18", frames=8, num_classes=5),
    Model(name="slowfast_8x8", backbone="resnet18", frames=8, num_classes=5),
    Model(name="x3d_s", backbone="x3d_s", frames=4, num_classes=5),
    Model(name="eco_lite", backbone="bninception", frames=4, num_classes=5),
]  # fmt: skip


def network(model):
    seed_all(1)
    net = build(model).double()
    for part in net.modules():
        if isinstance(part, nn.BatchNorm2d | nn.BatchNorm3d) and part.running_mean is not None:
            part.running_mean.normal_(0, 0.1)
            part.running_var.uniform_(0.5, 2)
    nn.init.normal_(net.fc.weight, 0, 0.5)
    return net


def clips(net, count=2, side=64):
    torch.manual_seed(2)
    inner = () if net.clip_length == 1 else (net.clip_length,)
    return torch.randn(count, net.frames, *inner, 3, side, side, dtype=torch.float64)


@pytest.mark.parametrize("model", NETWORKS, ids=lambda m: f"{m.name}-{m.backbone}-{m.method}")
def test_invariances_on_networks(model):
    net = network(model).train()
    x = clips(net)
    layer = layers.choose(net, layers.map_layers(net, x))
    learning = [p.requires_grad for p in net.parameters()]
    both = gradcam.explain(net, x, layer)
    assert both.maps.shape == (2, model.frames, 64, 64)
    assert both.maps.dtype == torch.float64
    assert 0 <= both.maps.min() and both.maps.amax((1, 2, 3)).tolist() == [1.0, 1.0]
    assert net.training and [p.requires_grad for p in net.parameters()] == learning
    assert all(p.grad is None for p in net.parameters())
    net.eval()
    with torch.no_grad():
        torch.testing.assert_close(both.logits, net(x), rtol=1e-9, atol=1e-9)
    assert both.targets.tolist() == both.logits.argmax(1).tolist()
    for number in range(2):
        alone = gradcam.explain(net, x[number : number + 1], layer)
        torch.testing.assert_close(alone.maps[0], both.maps[number], rtol=1e-6, atol=1e-8)


def test_another_class_gives_another_map():
    net = network(NETWORKS[0])
    x = clips(net, 1)
    one, other = (gradcam.explain(net, x, "layer3", target=target).maps for target in (0, 1))
    assert not torch.allclose(one, other)


def test_slowfast_shows_its_slow_pathway_and_interpolates_time():
    net = network(NETWORKS[9])
    x = clips(net, 1)
    found = layers.map_layers(net, x)
    assert layers.choose(net, found) == "layer4"
    heat = gradcam.explain(net, x, "layer4")
    assert heat.size[0] == 2 and heat.maps.shape[1] == 8


@pytest.mark.parametrize(
    ("change", "expected"),
    [({"target": 5}, "0 to 4"), ({"scale": "video"}, "clip, frame"), ({"layer": "layer1.0.conv1"}, None)],
)
def test_what_can_be_asked(change, expected):
    net = network(NETWORKS[0])
    asked = {"layer": "layer3", **change}
    if expected is None:
        assert gradcam.explain(net, clips(net), **asked).maps.max() == 1
        return
    with pytest.raises(BadOption, match=expected):
        gradcam.explain(net, clips(net), **asked)


def test_layers_that_cannot_be_are_told_with_those_that_can():
    net = network(NETWORKS[0])
    found = layers.map_layers(net, clips(net))
    assert list(found)[-1] == "layer4"
    with pytest.raises(UnknownName, match="layer3"):
        layers.choose(net, found, "layer33")
    with pytest.raises(BadOption, match=r"layer3 \(8x8\)"):
        layers.choose(net, found, "fc")


def test_a_layer_beside_the_way_to_the_head_or_run_twice_is_refused():
    class Odd(Linear):
        def forward(self, x):
            self.conv(x.flatten(0, 1))
            return super().forward(x)

    x = torch.ones(1, 1, 3, 2, 2, dtype=torch.float64)
    with pytest.raises(BadOption, match="2 times"):
        gradcam.explain(Odd([[1.0, 1.0, 1.0]]), x, "conv")
    beside = Linear([[1.0, 1.0, 1.0]])
    beside.aside = nn.Conv2d(3, 3, 1).double()
    beside.conv.register_forward_hook(lambda _, inputs, output: (beside.aside(inputs[0]), output)[1])
    with pytest.raises(BadOption, match="does not depend"):
        gradcam.explain(beside, x, "aside")


def test_an_ensemble_without_a_map_of_the_whole_clip_is_refused():
    class Ensemble(Linear):
        map_layer = None

    with pytest.raises(BadOption, match="whole clip"):
        layers.choose(Ensemble([[1.0] * 3]), {"conv": (1, 3, 2, 2)})
