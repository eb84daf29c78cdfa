"""AdaFuse: what its gates do to the features, what their decisions cost, and that neither depends on the batch."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from baselines.tsm import ShiftConv2d
from methods.adafuse import cost
from methods.adafuse.gate import fuse
from methods.adafuse.insert import ACTION_SETS, insert
from methods.adafuse.policy import ACTIONS, KEEP, REUSE, SKIP, choose, from_codes, gumbel, sample, to_codes
from repro.registry import models

CLASSES, FRAMES = 5, 4
BLOCKS = ("layer1.0", "layer1.1", "layer2.0", "layer2.1", "layer3.0", "layer3.1")


def plain(name="tsn", backbone="tiny_resnet", frames=FRAMES):
    torch.manual_seed(0)
    options = {"blocks": 2} if backbone == "tiny_resnet" else {}
    net = models[name].load()(backbone, num_classes=CLASSES, frames=frames, dropout=0.0, **options)
    with torch.no_grad():
        for key, value in net.named_buffers():
            if key.endswith("running_mean"):
                value.normal_(0, 0.1)
    return net.eval()


def network(name="tsn", backbone="tiny_resnet", frames=FRAMES, **options):
    net = insert(plain(name, backbone, frames), {"hidden": 16, **options})
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for gate in net.adafuse.gates.values():
            for part in (gate._shared[0] if gate._shared else gate).children():
                if isinstance(part, torch.nn.Linear):
                    part.weight.normal_(0, 0.5, generator=generator)
    return net.eval()


def clips(number=3, frames=FRAMES, size=32):
    return torch.randn(number, frames, 3, size, size, generator=torch.Generator().manual_seed(1))


def everywhere(net, code):
    return {b: torch.full((net.frames, gate.decided), code) for b, gate in net.adafuse.gates.items()}


# What a gate does ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["tsn", "tsm"])
@torch.no_grad()
def test_all_kept_is_the_plain_network(name):
    reference, net = plain(name), network(name)
    if name == "tsm":  # the authors' TSM shifts what the downsampling convolutions read, too
        from methods.adafuse.blocks import shift_downsample

        for _, stage in reference.stages():
            for block in stage:
                shift_downsample(block)
    net.adafuse.force(everywhere(net, KEEP))
    torch.testing.assert_close(net(clips()), reference(clips()), rtol=0, atol=1e-6)
    torch.testing.assert_close(net.adafuse.shares(), torch.tensor([[0.0, 0.0, 1.0]]).double().repeat(3, 1))


def test_reuse_takes_the_raw_features_of_the_frame_before_and_does_not_chain():
    y = torch.rand(2 * FRAMES, 3, 4, 4) + 1
    codes = torch.tensor([[KEEP, REUSE, SKIP]]).repeat(FRAMES, 1)
    decisions = from_codes(codes, ACTIONS, torch.empty(2, FRAMES, 3, 3))
    fused = fuse(y, decisions, True).unflatten(0, (2, FRAMES))
    raw = y.unflatten(0, (2, FRAMES))
    assert torch.equal(fused[:, :, 0], raw[:, :, 0])
    assert torch.equal(fused[:, 1:, 1], raw[:, :-1, 1]), "reused in each frame: always the frame before, never older"
    assert (fused[:, 0, 1] == 0).all() and (fused[:, :, 2] == 0).all()


@torch.no_grad()
def test_skipping_all_leaves_the_second_convolution_nothing():
    net = network()
    seen = []
    net.get_submodule("layer2.1").conv2.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    net.adafuse.force(everywhere(net, SKIP))
    net(clips())
    assert (seen[0] == 0).all()
    net.adafuse.force(None)
    net(clips())
    assert (seen[1] != 0).any()


def plain_block(block, x, shifted: bool):
    """A gated bottleneck of one clip (T, C, H, W), frame by frame and channel by channel."""
    source = x
    if shifted:
        fold, source = x.shape[1] // 8, x.clone()
        for t in range(len(x)):
            source[t, :fold] = x[t + 1, :fold] if t + 1 < len(x) else 0
            source[t, fold : 2 * fold] = x[t - 1, fold : 2 * fold] if t else 0
    convolve = torch.nn.Conv2d.forward if not shifted else lambda conv, v: conv._conv_forward(v, conv.weight, None)
    gate, before, outputs = block.policy, None, []
    for t in range(len(x)):
        here = source[t : t + 1]
        y = block.bn1(convolve(block.conv1, here)).relu()[0]
        pooled = [torch.zeros_like(x[0, :, 0, 0]) if t == 0 else source[t - 1].mean((1, 2)), source[t].mean((1, 2))]
        layers = gate._shared[0]
        hidden = gate.bn(layers.fc0(torch.cat(pooled)[None])).relu()
        choices = layers.fc1(hidden)[0].view(-1, 3).argmax(1)
        fused = torch.zeros_like(y)
        for c, choice in enumerate(choices.tolist()):
            if choice == KEEP:
                fused[c] = y[c]
            elif choice == REUSE and before is not None:
                fused[c] = before[c]
        before = y
        out = block.bn3(block.conv3(block.bn2(block.conv2(fused[None])).relu()))
        shortcut = x[t : t + 1]
        if block.downsample is not None:
            shortcut = block.downsample[1](convolve(block.downsample[0], here))
        outputs.append((out + shortcut).relu())
    return torch.cat(outputs)


@pytest.mark.parametrize("name", ["tsn", "tsm"])
@pytest.mark.parametrize("place", ["layer1.0", "layer2.0", "layer2.1"])
@torch.no_grad()
def test_a_block_is_what_the_paper_says_of_each_channel(name, place):
    net = network(name).double()
    block = net.get_submodule(place)
    x = torch.randn(FRAMES, block.conv1.in_channels, 8, 8, dtype=torch.float64)
    torch.testing.assert_close(block(x), plain_block(block, x, name == "tsm"), rtol=0, atol=1e-12)


@torch.no_grad()
def test_stages_without_gates_shift_their_downsampling_too():
    net = network("tsm", stages=[3])
    assert isinstance(net.get_submodule("layer2.0.downsample.0"), ShiftConv2d)
    assert isinstance(net.get_submodule("layer3.0.downsample.0"), ShiftConv2d)
    assert not any(isinstance(part, ShiftConv2d) for part in network("tsn").modules())


@torch.no_grad()
def test_the_first_frame_knows_none_before_it():
    net, x = network(), clips(2)
    logits = net.frame_logits(x)
    later = x.clone()
    later[:, 1:] = 0
    assert torch.equal(net.frame_logits(later)[:, 0], logits[:, 0])
    swapped = net.frame_logits(x.flip(1))
    assert not torch.allclose(swapped.flip(1), logits), "decisions and reused features come from the frame before"


def test_gradients_reach_policy_and_reused_frame():
    net = network().train()
    x = clips().requires_grad_()
    net.frame_logits(x)[:, -1].sum().backward()
    assert x.grad[:, -2].abs().sum() > 0, "the last frame reuses features of the one before"
    for name, value in net.named_parameters():
        if "adafuse." in name or ".policy." in name:
            assert value.grad is not None and value.grad.isfinite().all(), name


@pytest.mark.parametrize("actions", ACTION_SETS)
@torch.no_grad()
def test_only_allowed_actions_are_taken(actions):
    net = network(actions=list(actions))
    net(clips())
    taken = {ACTIONS[int(code)] for codes in net.adafuse.decisions().values() for code in codes.unique()}
    assert taken == set(actions)
    width = 32 * (2 if "reuse" in actions else 1)
    assert net.adafuse.gates["layer1.0"].bn.num_features == 16
    assert f"{width}_{16 * len(actions)}" in net.adafuse.shared
    if "skip" not in actions:
        assert torch.equal(net.adafuse.gmacs("upb"), net.adafuse.gmacs("upb")[:1].expand(3))


def test_chosen_stages_and_own_policies():
    net = network("tsm", stages=[3], shared_policy=False)
    assert list(net.adafuse.gates) == ["layer3.0", "layer3.1"] and not net.adafuse.shared
    names = set(net.state_dict())
    assert {"layer3.0.policy.fc0.weight", "layer3.0.policy.bn.weight", "layer3.0.policy.fc1.bias"} <= names
    assert set(plain("tsm").state_dict()) <= names, "the network's own parts keep their names"
    shared = set(network().state_dict())
    assert {"layer3.0.policy.bn.weight", "adafuse.shared.256_192.fc0.weight"} <= shared
    assert "layer3.0.policy.fc0.weight" not in shared


def test_blocks_of_equal_widths_share_what_they_can():
    net = network("tsn", "tiny_resnet", hidden=None, hidden_quota=16 * 64)
    gates = net.adafuse.gates
    assert [gates[b].bn.num_features for b in BLOCKS[1::2]] == [64, 32, 16]
    assert set(net.adafuse.shared) == {"64_48", "128_48", "128_96", "256_96", "256_192", "512_192"}
    copied = copy.deepcopy(net)
    assert copied.adafuse.gates["layer1.1"]._shared[0] is copied.adafuse.shared["128_48"]
    assert copied.adafuse.gates["layer1.1"] is copied.get_submodule("layer1.1.policy")


# Choosing --------------------------------------------------------------------------------------------------------


@torch.no_grad()
def test_a_clip_is_decided_alone():
    for options in ({}, {"policy": "sample"}, {"policy": "sample", "noise_seed": 3}):
        net, x = network(**options), clips()
        together, alone = net(x), torch.cat([net(one[None]) for one in x])
        torch.testing.assert_close(together, alone, rtol=0, atol=1e-5)
        costs = torch.cat([(net(one[None]), net.adafuse.gmacs())[1] for one in x])
        net(x)
        torch.testing.assert_close(net.adafuse.gmacs(), costs)


@torch.no_grad()
def test_noise_comes_from_the_seed_or_is_given():
    x = clips()
    one, same, other = (network(policy="sample", noise_seed=s) for s in (1, 1, 2))
    assert torch.equal(one(x), same(x)) and torch.equal(one(x), one(x))
    assert not torch.equal(one(x), other(x))
    noise = {b: torch.from_numpy(gumbel(b, (FRAMES, g.decided, 3), 1)) for b, g in other.adafuse.gates.items()}
    other.adafuse.set_noise(noise)
    assert torch.equal(other(x), one(x))
    torch.manual_seed(7)
    free = network(policy="sample", noise_seed=None)
    assert not torch.equal(free(x), free(x))
    steady = network()
    assert torch.equal(steady(x), steady(x)) and not torch.equal(steady(x), one(x))
    assert not torch.equal(steady.train()(x), steady(x)), "training samples"


def test_noise_is_gumbels():
    noise = gumbel("layer1.0", (50, 400, 3))
    assert noise.mean() == pytest.approx(0.5772, abs=0.02) and noise.var() == pytest.approx(math.pi**2 / 6, abs=0.04)
    assert np.array_equal(noise, gumbel("layer1.0", (50, 400, 3)))
    assert not np.array_equal(noise, gumbel("layer1.1", (50, 400, 3)))


def test_sampling_follows_the_probabilities_and_its_gradient_the_softmax():
    logits = torch.tensor([0.1, 0.6, 0.3]).log().double().expand(1, 1, 20000, 3).clone().requires_grad_()
    noise = torch.from_numpy(gumbel("b", (1, 20000, 3)))
    drawn = sample(logits, noise, 0.67)
    torch.testing.assert_close(
        drawn.detach().mean((0, 1, 2)), torch.tensor([0.1, 0.6, 0.3]).double(), rtol=0, atol=0.02
    )
    assert set(drawn.detach().round(decimals=9).unique().tolist()) == {0.0, 1.0}
    weight = torch.tensor([1.0, 2.0, 5.0]).double()
    (own,) = torch.autograd.grad((drawn * weight).sum(), logits)
    soft = ((logits.softmax(-1).log() + noise) / 0.67).softmax(-1)
    (expected,) = torch.autograd.grad((soft * weight).sum(), logits)
    torch.testing.assert_close(own, expected)
    assert torch.equal(to_codes(choose(logits.detach()), ACTIONS).unique(), torch.tensor([REUSE]))


# Cost ------------------------------------------------------------------------------------------------------------


def eq5(codes: np.ndarray, first: float, second: float) -> float:
    """What one block of one clip does, after the paper: sums over frames and channels, one by one."""
    frames, channels = codes.shape
    done = 0.0
    for t in range(frames):
        for c in range(channels):
            wanted_later = t + 1 < frames and codes[t + 1, c] == REUSE
            done += first / channels * (codes[t, c] == KEEP or wanted_later)
            done += second / channels * (codes[t, c] != SKIP)
    return done


@settings(max_examples=25)
@given(st.integers(1, 6), st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_savings_are_what_eq_5_leaves_out(frames, channels, seed):
    codes = np.random.default_rng(seed).integers(0, 3, (frames, channels))
    decisions = from_codes(torch.from_numpy(codes), ACTIONS, torch.empty(1, frames, channels, 3, dtype=torch.float64))
    conv = cost.Conv(channels, 7.0, (1, 1), (1, 1), (0, 0))
    around = cost.Neighbours(((0, channels, conv),), (conv,))
    whole = conv.macs((2, 2))
    saved = around.first(cost.saved_before(decisions, ACTIONS), (2, 2)) + around.second(
        cost.skipped_after(decisions, ACTIONS), (2, 2)
    )
    assert frames * (2 * whole - float(saved)) == pytest.approx(eq5(codes, whole, whole))
    fault = cost.saved_before(decisions, ACTIONS, last_frame_fault=True)
    if frames > 1:
        assert np.array_equal(fault[0, -1].numpy(), (codes[-2] != KEEP).astype(float))


@torch.no_grad()
def test_costs_lie_between_all_skipped_and_all_kept():
    net, x = network(), clips()
    net(x)
    free = net.adafuse.gmacs()
    net.adafuse.force(everywhere(net, KEEP))
    net(x)
    most = net.adafuse.gmacs()
    net.adafuse.force(everywhere(net, SKIP))
    net(x)
    least = net.adafuse.gmacs()
    assert (least < free).all() and (free < most).all()
    base = net.adafuse.base()
    assert float(most[0]) == pytest.approx(FRAMES * base.total("authors") / 1e9)
    gates = net.adafuse.gates.values()
    saving = sum(
        g.around.before[0][2].macs(e.size) for g, e in zip(gates, net.adafuse.ledger.entries.values(), strict=True)
    )
    assert float((net.adafuse.gmacs("upb") - least)[0]) == pytest.approx(FRAMES * saving / 1e9)
    net.adafuse.force(everywhere(net, REUSE))
    net(x)
    expected = FRAMES * base.total("authors") / 1e9 - saving / 1e9  # only the last frame's features are wanted by none
    torch.testing.assert_close(net.adafuse.gmacs(), torch.full((3,), expected, dtype=net.adafuse.gmacs().dtype))


def test_the_base_is_what_torch_counts():
    from torch.utils.flop_counter import FlopCounterMode

    net = network()
    with FlopCounterMode(display=False) as counter:
        net(clips(1))
    assert net.adafuse.base((32, 32)).total("macs") * FRAMES == counter.get_total_flops() / 2
    with FlopCounterMode(display=False) as counter:
        plain()(clips(1))
    assert net.adafuse.base((32, 32)).network["macs"] * FRAMES == counter.get_total_flops() / 2


def test_counting_leaves_the_network_as_it_was():
    net = network().train()
    net.get_submodule("bn1").eval()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    net.adafuse.base((64, 32))
    assert net.training and not net.get_submodule("bn1").training and net.get_submodule("layer1.0.bn1").training
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())


@pytest.mark.parametrize("form", ["real", "upb"])
def test_the_loss_makes_networks_skip(form):
    net, x = network(efficiency=form, efficiency_weight=1.0, efficiency_scale="share").train(), clips()
    policies = [p for n, p in net.named_parameters() if "adafuse." in n or ".policy." in n]
    optimizer = torch.optim.Adam(policies, lr=0.02)
    seen = []
    for _ in range(15):
        net(x)
        (loss,) = net.adafuse.losses().values()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        seen.append(loss.item())
    assert 0 < seen[-1] < 0.9 * seen[0] < 0.9


def test_the_loss_has_the_authors_unit():
    net = network(efficiency_weight=0.125, efficiency="upb").train()
    net(clips())
    per_frame = net.adafuse.gmacs("upb").mean() / FRAMES
    torch.testing.assert_close(net.adafuse.losses()["efficiency"], 0.125 * per_frame)
    silent = network(efficiency_weight=0)
    assert silent.adafuse.losses() == {}


@torch.no_grad()
def test_figures_of_each_clip():
    net = network()
    net(clips())
    stats = net.adafuse.stats()
    shares = [f"{action}{ending}" for action in ACTIONS for ending in ("", "_constant")]
    blocks = {f"{block}.{share}" for block in BLOCKS for share in shares}
    assert set(stats) == {"gmacs", "gmacs_upb", "gmacs_macs", "gmacs_macs_without_policy", *shares} | blocks
    assert all(v.shape == (3,) for v in stats.values())
    torch.testing.assert_close(stats["skip"] + stats["reuse"] + stats["keep"], torch.ones(3).double())
    torch.testing.assert_close(torch.stack([stats[action] for action in ACTIONS], 1), net.adafuse.shares())
    assert (stats["gmacs"] < stats["gmacs_upb"]).all()
    assert all((stats[f"{share}_constant"] <= stats[share]).all() for share in ACTIONS)


@torch.no_grad()
def test_what_stays_constant_over_the_clip():
    net, x = network(), clips(1)
    codes = everywhere(net, KEEP)
    codes["layer1.0"][:, :4] = SKIP
    codes["layer1.0"][2, 3] = REUSE
    net.adafuse.force(codes)
    net(x)
    stats = {name: float(value) for name, value in net.adafuse.stats().items()}
    decided = net.adafuse.gates["layer1.0"].decided
    assert stats["layer1.0.skip_constant"] == pytest.approx(3 / decided)
    assert stats["layer1.0.keep_constant"] == pytest.approx((decided - 4) / decided)
    assert stats["layer1.0.skip"] == pytest.approx((4 * FRAMES - 1) / (decided * FRAMES))
    assert stats["layer1.0.reuse_constant"] == stats["reuse_constant"] == 0 and stats["layer2.0.keep_constant"] == 1


@torch.no_grad()
def test_facts_are_the_base_with_and_without_the_policies():
    net = network()
    net(clips())
    facts, base = net.adafuse.facts(), net.adafuse.base()
    assert facts["gmacs_base"] == pytest.approx(base.total("authors") * FRAMES / 1e9)
    assert facts["gmacs_macs_base"] - facts["gmacs_macs_base_without_policy"] == pytest.approx(
        base.policy["macs"] * FRAMES / 1e9
    )


# Where it fits ---------------------------------------------------------------------------------------------------


@torch.no_grad()
def test_inception_modules_are_gated_at_their_output():
    net, reference = network(backbone="bninception", frames=2), plain(backbone="bninception", frames=2)
    assert len(net.adafuse.gates) == 10 and set(reference.state_dict()) <= set(net.state_dict())
    x = clips(1, 2, 64)
    free = net(x)
    net.adafuse.force(everywhere(net, KEEP))
    torch.testing.assert_close(net(x), reference(x), rtol=1e-5, atol=1e-6)
    assert not torch.allclose(free, reference(x), atol=1e-4)
    last = net.adafuse.gates["layer4.1"].around
    assert not last.after and last.before[-1][1] == 1024
    halving = net.adafuse.gates["layer2.2"].around
    assert halving.before[-1][1] == 256 and len(halving.after) == 4, "what the pooling hands on is saved by no gate"


def test_parameters_are_the_papers():
    from repro.core import spec
    from repro.models.build import build_meta

    def millions(**facts) -> float:
        return (
            sum(p.numel() for p in build_meta(spec.Model(num_classes=174, method="adafuse", **facts)).parameters())
            / 1e6
        )

    last = {"hidden": 2048, "shared_policy": False, "stages": (4,)}
    assert millions(name="tsm", backbone="resnet50", method_options=last) == pytest.approx(54.296, abs=5e-4)
    assert millions(name="tsn", backbone="resnet50") == pytest.approx(37.687, abs=5e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hiden": 3}, "did you mean 'hidden'"),
        ({"hidden": 0}, "hidden 0"),
        ({"hidden": 8, "hidden_quota": 64}, "one of them"),
        ({"hidden": None, "hidden_quota": 32}, "at least 64"),
        ({"stages": [5]}, "stages 5"),
        ({"stages": [4]}, "has room for a gate"),
        ({"stages": []}, "numbers from 1 to 4"),
        ({"actions": ["skip", "reuse"]}, "actions"),
        ({"policy": "random"}, "argmax, sample"),
        ({"temperature": 0}, "above 0"),
        ({"efficiency": "all"}, "real, upb"),
        ({"efficiency_weight": -1}, "at least 0"),
        ({"noise_seed": 1.5}, "whole number"),
        ({"last_frame_fault": "yes"}, "True, False"),
    ],
)
def test_bad_options_say_what_is_allowed(options, message):
    with pytest.raises(ValueError, match=message):
        insert(plain(), {"hidden": 16, **options})


def test_networks_without_room_are_refused():
    with pytest.raises(ValueError, match="allowed: tsn or tsm"):
        insert(models["tanet"].load()("tiny_resnet", num_classes=3, frames=4), {"hidden": 8})
    with pytest.raises(ValueError, match="TDN"):
        insert(models["tdn"].load()("tiny_resnet", num_classes=3, frames=4), {"hidden": 8})


def test_questions_before_the_first_pass_and_wrong_answers():
    net = network()
    with pytest.raises(ValueError, match="run the network"):
        net.adafuse.gmacs()
    with pytest.raises(ValueError, match=r"layer1\.9"):
        net.adafuse.force({"layer1.9": torch.zeros(1)})
    net = network(actions=["skip", "keep"])
    with pytest.raises(ValueError, match="not among skip, keep"):
        net.adafuse.force(everywhere(net, REUSE))
