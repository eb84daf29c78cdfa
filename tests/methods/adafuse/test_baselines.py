"""AdaFuse's baselines with gates: random actions, thresholds, channel gating."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from methods.adafuse import cgnet, random_policy, threshold
from methods.adafuse.policy import KEEP, REUSE, SKIP
from repro.registry import models

CLASSES, FRAMES = 5, 4


def plain(backbone="tiny_resnet", **options):
    torch.manual_seed(0)
    return models["tsn"].load()(backbone, num_classes=CLASSES, frames=FRAMES, dropout=0.0, **options).eval()


def clips(number=3, size=32):
    return torch.randn(number, FRAMES, 3, size, size, generator=torch.Generator().manual_seed(1))


def put(module, net, options=None):
    return module.insert(net, options or {}).eval()


# Random policy ---------------------------------------------------------------------------------------------------


@torch.no_grad()
def test_actions_are_drawn_by_their_ratios_frame_by_frame():
    net = put(random_policy, plain(blocks=2), {"ratios": [0.2, 0.3, 0.5]})
    net(clips())
    codes = torch.cat([c[0] for c in net.random_policy.decisions().values()], dim=1)
    for code, ratio in ((SKIP, 0.2), (REUSE, 0.3), (KEEP, 0.5)):
        assert float((codes == code).float().mean()) == pytest.approx(ratio, abs=0.05)
    assert (codes[1:] != codes[:-1]).float().mean() > 0.5, "new in each frame"


@torch.no_grad()
def test_a_clip_is_scored_alike_whatever_stands_beside_it_and_training_draws_anew():
    net, x = put(random_policy, plain()), clips()
    together = net(x)
    torch.testing.assert_close(together[1:2], net(x[1:2]), rtol=0, atol=1e-6)
    other = put(random_policy, plain(), {"noise_seed": 1})
    assert not torch.allclose(other(x), together)
    net.train()
    net(x)
    first = net.random_policy.decisions()["layer1.0"]
    net(x)
    assert not torch.equal(first, net.random_policy.decisions()["layer1.0"])


def test_a_random_policy_has_no_parameters_and_the_hosts_base():
    host, net = plain(), put(random_policy, plain())
    assert [p.shape for p in net.parameters()] == [p.shape for p in host.parameters()]
    base = net.random_policy.base((32, 32))
    assert base.policy == {"authors": 0.0, "macs": 0.0}


@torch.no_grad()
def test_a_sure_action_is_always_taken():
    net, host = put(random_policy, plain(), {"ratios": (0, 0, 1)}), plain()
    torch.testing.assert_close(net(clips()), host(clips()), rtol=0, atol=1e-6)
    assert float(net.random_policy.shares()[:, KEEP].min()) == 1


@torch.no_grad()
def test_the_default_ratios_cost_resnet18_the_printed_gmacs():
    """10.4 G are printed: on average over draws 10.35, by the decisions' expectation."""
    net = put(random_policy, plain("resnet18"))
    base, saved = net.random_policy.base((224, 224)), 0.0
    for stage, (block, gate) in enumerate(net.random_policy.gates.items()):
        side = 56 // 2 ** (stage // 2)
        first = gate.around.before[0][2].macs((side, side))
        second = gate.around.after[0].macs((side, side))
        saved += (0.5 * 0.75 * 3 + 0.5) / 4 * first + 0.25 * second
        assert block.startswith("layer")
    assert (base.total("authors") - saved) * 8 / 1e9 == pytest.approx(10.3, abs=0.1)


@pytest.mark.parametrize(
    "options, told",
    [
        ({"ratios": (0.5, 0.5)}, "three numbers"),
        ({"ratios": (0.5, 0.6, 0.5)}, "add up to 1"),
        ({"ratios": (-0.5, 1.0, 0.5)}, "from 0"),
        ({"noise_seed": 0.5}, "whole number"),
        ({"stages": (5,)}, "stages 5"),
        ({"ratio": 1}, "no option 'ratio'|unknown option 'ratio'|ratio"),
    ],
)
def test_bad_options_of_the_random_policy(options, told):
    with pytest.raises(ValueError, match=told):
        random_policy.insert(plain(), options)


# Threshold -------------------------------------------------------------------------------------------------------


@torch.no_grad()
def test_the_strongest_channels_of_each_frame_are_kept():
    net = put(threshold, plain(blocks=2), {"keep": 0.5})
    gate = net.threshold.gates["layer1.0"]
    y = torch.rand(2 * FRAMES, gate.decided, 4, 4, generator=torch.Generator().manual_seed(3))
    kept = gate.strongest(y)[..., -1].flatten(0, 1).bool()
    norms = y.abs().mean((2, 3))
    assert (kept.sum(1) == gate.decided // 2).all()
    for frame, mask in zip(norms, kept, strict=True):
        assert frame[mask].min() > frame[~mask].max()


@torch.no_grad()
def test_all_kept_is_the_plain_network_and_frames_do_not_mix():
    net, x = put(threshold, plain(), {"keep": 1.0}), clips()
    torch.testing.assert_close(net(x), plain()(x), rtol=0, atol=1e-6)
    half = put(threshold, plain(), {"keep": 0.5})
    torch.testing.assert_close(half(x), half(x.flip(1)), rtol=0, atol=1e-5)


@torch.no_grad()
def test_the_default_share_costs_resnet18_the_printed_gmacs():
    net = put(threshold, plain("resnet18"))
    net(clips(1, 64))
    net.threshold.ledger.input_size = (64, 64)
    stats = net.threshold.stats()
    base = net.threshold.base((64, 64)).network["authors"] * FRAMES / 1e9
    share = float(stats["gmacs"][0]) / base
    assert share == pytest.approx(11.28 / 14.55, abs=0.01), "a share that hardly depends on the size"
    assert float(stats["gmacs_upb"][0]) > float(stats["gmacs"][0])


@pytest.mark.parametrize("options", [{"keep": 0}, {"keep": 1.1}, {"keep": True}, {"keeps": 0.5}, {"stages": ()}])
def test_bad_options_of_the_threshold(options):
    with pytest.raises(ValueError, match="method 'threshold'"):
        threshold.insert(plain(), options)


# CGNet -----------------------------------------------------------------------------------------------------------


def by_hand(conv, x):
    """Channel gating written down once more: masked weights as in the authors' file, all sums by full convolutions."""
    mask = torch.zeros_like(conv.weight)
    mask[:, : conv.in_channels // conv.settings.partitions] = 1
    how = {"stride": conv.stride, "padding": conv.padding}
    partial = nn.functional.conv2d(x, conv.weight * mask, **how)
    mean, var = conv.norm.running_mean, conv.norm.running_var
    normed = (partial - mean[:, None, None]) / torch.sqrt(var[:, None, None] + conv.norm.eps)
    gate = (torch.sigmoid(conv.settings.slope * (normed - conv.threshold)) > 0.5).to(x.dtype)
    return nn.functional.conv2d(x, conv.weight, **how) * gate + partial * (1 - gate), gate


@torch.no_grad()
def test_values_are_completed_where_the_gate_opens():
    net = put(cgnet, plain(blocks=2))
    conv = net.get_submodule("layer2.0.conv1")
    conv.norm.running_mean.normal_(generator=torch.Generator().manual_seed(4))
    x = torch.rand(FRAMES, conv.in_channels, 8, 8, generator=torch.Generator().manual_seed(5))
    expected, gate = by_hand(conv, x)
    torch.testing.assert_close(conv(x), expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(conv.opened, gate.flatten(1).mean(1))
    assert 0 < float(gate.mean()) < 1


@torch.no_grad()
def test_open_gates_are_the_plain_network_and_closed_ones_cost_a_quarter():
    net, x = put(cgnet, plain(), {"threshold": -1e9}), clips()
    torch.testing.assert_close(net(x), plain()(x), rtol=1e-5, atol=1e-5)
    facts = net.cgnet.facts()
    assert float(net.cgnet.stats()["open"].min()) == 1
    torch.testing.assert_close(net.cgnet.gmacs(), torch.full((3,), facts["gmacs_base"]).double())
    closed = put(cgnet, plain(), {"threshold": 1e9})
    closed(x)
    convs = sum(conv.saved() for conv in closed.cgnet._convs) * FRAMES / 1e9
    assert float(closed.cgnet.gmacs()[0]) == pytest.approx(facts["gmacs_base"] - convs)


def test_gradients_pass_the_gates_and_thresholds_go_to_their_target():
    net = put(cgnet, plain(), {"threshold_weight": 0.1}).train()
    net(clips()).square().sum().backward()
    assert all(conv.threshold.grad.abs().sum() > 0 for conv in net.cgnet._convs)
    (loss,) = net.cgnet.losses().values()
    channels = sum(conv.out_channels for conv in net.cgnet._convs)
    assert float(loss.detach()) == pytest.approx(0.1 * channels)
    assert cgnet.insert(plain(), {"threshold_weight": 0}).cgnet.losses() == {}


def test_parameters_are_the_hosts_and_a_threshold_a_channel():
    net = put(cgnet, plain("resnet18"))
    host = sum(p.numel() for p in plain("resnet18").parameters())
    assert sum(p.numel() for p in net.parameters()) - host == 2 * (64 + 128 + 256 + 512)


@pytest.mark.parametrize(
    "options, told",
    [
        ({"partitions": 0}, "partitions"),
        ({"partitions": 999}, "up to its 32"),
        ({"slope": "a"}, "slope"),
        ({"p": 4}, "p"),
    ],
)
def test_bad_options_of_cgnet(options, told):
    with pytest.raises(ValueError, match=told):
        cgnet.insert(plain(), options)


@pytest.mark.parametrize("module", [cgnet, random_policy, threshold])
def test_networks_that_do_not_fit(module):
    with pytest.raises(ValueError, match="does not fit a Linear"):
        module.insert(nn.Linear(2, 2), {})
    tdn = models["tdn"].load()("tiny_resnet", num_classes=3, frames=4, dropout=0.0, blocks=1)
    with pytest.raises(ValueError, match="does not fit"):
        module.insert(tdn, {})


@pytest.mark.parametrize("module", [cgnet, random_policy, threshold])
@torch.no_grad()
def test_a_copy_scores_alike_and_remembers_nothing(module):
    net, x = put(module, plain()), clips()
    before = net(x)
    twin = copy.deepcopy(net)
    torch.testing.assert_close(twin(x), before)
