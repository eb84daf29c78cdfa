import copy
import dataclasses
import json
from pathlib import Path

import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from baselines.arnet_policy import SKIPS, looked_at
from methods.adafuse import insert as adafuse
from methods.dnr import insert as dnr
from methods.psn import insert as psn
from repro.core.errors import BadOption
from repro.core.spec import Model, frozen
from repro.engine.train.step import own_losses
from repro.models.build import build, build_meta
from repro.models.verify import verify

GOLDEN = Path(__file__).parents[1] / "golden" / "arnet_r50_r34_r18.json"


def spec(**more) -> Model:
    given = {"name": "arnet", "backbone": "tiny_resnet", "frames": 6, "num_classes": 5, "dropout": 0.0, **more}
    return Model(**given)


@pytest.fixture
def net():
    torch.manual_seed(0)
    return build(spec()).double().eval()


def clips(count=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, 6, 3, 32, 32, dtype=torch.float64, generator=generator)


@pytest.mark.parametrize(
    ("classes", "frames", "params", "gmacs"),
    [(174, 8, 62_495_103, 54.969), (200, 16, 62_588_391, 109.939), (27, 8, 61_967_667, 54.964)],
)
def test_size_and_cost_of_all_networks(cost, classes, frames, params, gmacs):
    assert cost("arnet", "resnet50", frames, 224, classes) == (params, gmacs)


def test_operations_equal_the_public_code():
    data = json.loads(GOLDEN.read_text())
    net = build_meta(Model(name="arnet", backbone="resnet50", frames=8, num_classes=174)).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(torch.empty(data["input"]["shape"], device="meta"))
    assert counter.get_total_flops() // 2 == data["macs"]


def test_costs_of_a_frame_are_those_of_the_networks():
    net = build_meta(Model(name="arnet", backbone="resnet50", frames=1, num_classes=174)).eval()
    net(torch.empty(1, 1, 3, 224, 224, device="meta"))
    costs = net.policy.costs()
    assert [round(macs / 1e9, 4) for macs in costs.networks] == pytest.approx([4.0871, 2.2444, 0.4848], abs=5e-4)
    assert costs.policy_network / 1e9 == pytest.approx(0.0504, abs=1e-4)
    assert (costs.policy - costs.policy_network) / 1e9 == pytest.approx(0.0037 + 0.0001, abs=1e-4)
    ceiling = (costs.networks[0] + costs.policy) / 1e9
    assert round(8 * ceiling, 1) == 33.1 and 8 * ceiling < 41.4 < 16 * ceiling


def by_hand(wanted):
    """Skips as the paper tells them: (actions that stand, frames that the policy looks at)."""
    stand, looks, inside = [], [], 0
    for action in wanted:
        looks.append(inside == 0)
        if inside == 0:
            stand.append(action)
            inside = SKIPS[action - 4] if action >= 4 else 0
        else:
            stand.append(stand[-1])
        inside = max(0, inside - 1)
    return stand, looks


@settings(max_examples=30)
@given(wanted=st.lists(st.lists(st.integers(0, 6), min_size=6, max_size=6), min_size=1, max_size=3))
def test_a_skip_holds_for_its_length(wanted):
    with torch.no_grad():
        torch.manual_seed(0)
        net = build(spec()).eval()
        net.policy.force({"frames": torch.tensor(wanted)})
        net(torch.randn(len(wanted), 6, 3, 32, 32))
    expected = [by_hand(actions) for actions in wanted]
    assert net.policy.decisions()["frames"].tolist() == [stand for stand, _ in expected]
    assert looked_at(net.policy.ledger.decisions).bool().tolist() == [looks for _, looks in expected]


@settings(max_examples=8, phases=(Phase.explicit, Phase.generate))
@given(wanted=st.lists(st.integers(0, 6), min_size=6, max_size=6))
def test_cost_is_the_sum_of_what_was_chosen(wanted):
    torch.manual_seed(0)
    net = build(spec()).eval()
    net.policy.force({"frames": torch.tensor([wanted])})
    with torch.no_grad():
        net(torch.randn(1, 6, 3, 32, 32))
    costs, (stand, looks) = net.policy.costs(), by_hand(wanted)
    chosen = sum(costs.networks[action] for action in stand if action < 3)
    assert float(net.policy.gmacs()) * 1e9 == pytest.approx(chosen + sum(looks) * costs.policy)
    parts = sum(1 / SKIPS[action - 4] if action >= 4 else 1.0 for action in stand)
    authors = chosen + parts * (costs.policy_network + 2 * 1280**2)
    assert float(net.policy.gmacs("authors")) * 1e9 == pytest.approx(authors)


def test_evaluation_runs_only_what_was_chosen(net):
    x = clips()
    with torch.no_grad():
        net.policy.force({"frames": torch.tensor([[0, 1, 2, 3, 6, 6], [4, 1, 1, 5, 5, 0]])})
        with FlopCounterMode(display=False) as counter:
            sparse = net(x)
        costs = net.policy.costs()
        networks = (
            float(net.policy.gmacs().sum()) * 1e9 - float(looked_at(net.policy.ledger.decisions).sum()) * costs.policy
        )
        assert counter.get_total_flops() / 2 == pytest.approx(networks + 12 * costs.policy)
        every = torch.stack([part.frame_logits(net.resized(x, i)) for i, part in enumerate(net.networks)], 2)
        own = net.policy(net.resized(x, -1))[1][:, :, None]
        chosen = net.policy.ledger.decisions[:, :, :4]
        expected = (torch.cat([every, own], 2) * chosen[..., None]).sum((1, 2)) / chosen.sum((1, 2))[:, None]
    torch.testing.assert_close(sparse, expected, rtol=1e-10, atol=1e-10)


def test_a_clip_that_is_skipped_has_zero_scores(net):
    net.policy.force({"frames": torch.full((2, 6), 6)})
    with torch.no_grad():
        assert (net(clips()) == 0).all()


def test_order_of_frames_matters_and_clips_do_not_mix(net):
    x = clips(3)
    noise = torch.randn(3, 6, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        net.policy.set_noise(noise)
        every = net(x)
        decided = net.policy.decisions()["frames"]
        net.policy.set_noise(noise[:1])
        torch.testing.assert_close(net(x[:1]), every[:1], rtol=1e-10, atol=1e-12)
        assert torch.equal(net.policy.decisions()["frames"], decided[:1]) and len(decided.unique()) > 2
        net.policy.set_noise(None)
        net.policy.force({"frames": torch.full((3, 6), 3)})  # the policy's scores come from its LSTM
        assert not torch.allclose(net(x), net(x.flip(1)), rtol=1e-6, atol=0)


def test_sampling_at_test_is_the_same_in_every_clip_and_batch():
    torch.manual_seed(0)
    net = build(spec(options=frozen(policy="sample"))).double().eval()
    x = clips()
    with torch.no_grad():
        both, again = net(x), net(x)
        decided = net.policy.decisions()["frames"]
        assert torch.equal(both, again)
        torch.testing.assert_close(net(x[1:]), both[1:], rtol=1e-10, atol=1e-12)
    assert len(decided.unique()) > 1
    other = build(spec(options=frozen(policy="sample", noise_seed=3)))
    assert not torch.equal(other.policy._noise(), net.policy._noise())


def test_every_parameter_learns():
    torch.manual_seed(0)
    net = build(spec(options=frozen(efficiency_scale="share")))
    loss = net(torch.randn(4, 6, 3, 32, 32)).square().sum() + sum(own_losses(net))
    loss.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())
    assert net.policy.choice.weight.grad.abs().sum() > 0 and net.policy.features[0][0].weight.grad.abs().sum() > 0


def test_losses_make_cheap_decisions():
    torch.manual_seed(0)
    net = build(spec(options=frozen(efficiency_scale="share", efficiency_weight=0.5, uniform_weight=0.0)))
    steps = torch.optim.SGD(net.policy.choice.parameters(), lr=20.0)
    x = torch.randn(4, 6, 3, 32, 32)
    shares = []
    for _ in range(25):
        steps.zero_grad()
        net(x)
        sum(own_losses(net)).backward()
        steps.step()
        shares.append(float(net.policy.losses()["efficiency"].detach()))
    assert sum(shares[-5:]) < 0.5 * sum(shares[:5])


def test_uniform_loss_is_zero_when_all_actions_are_used_alike():
    net = build(spec(frames=7)).eval()
    x = torch.randn(1, 7, 3, 32, 32)
    with torch.no_grad():
        net(x)
    net.policy.ledger.decisions = torch.eye(7)[None]
    assert float(net.policy.losses()["uniform"]) == pytest.approx(0, abs=1e-6)
    net.policy.ledger.decisions = torch.eye(7)[None, [0] * 7]
    expected = 0.05 / 0.95 * 3 * (6 / 7) ** 0.5
    assert float(net.policy.losses()["uniform"]) == pytest.approx(expected)


def test_figures_of_each_clip(net):
    net.policy.force({"frames": torch.tensor([[0] * 6, [6, 6, 6, 6, 4, 3]])})
    with torch.no_grad():
        net(clips())
    figures, facts = net.policy.stats(), net.policy.facts()
    assert figures["gmacs"][0] > figures["gmacs"][1] > 0
    for rule in ("gmacs", "gmacs_macs"):  # the largest network on every frame saves nothing
        assert float(figures[rule][0]) == pytest.approx(facts[f"{rule}_base"])
    assert float(figures["gmacs_macs_without_policy"][0]) == pytest.approx(facts["gmacs_macs_base_without_policy"])
    assert float(figures["gmacs_macs_without_policy"][1]) == pytest.approx(0, abs=1e-12)
    assert figures["network 0"].tolist() == [1, 0]
    assert figures["skip 4"][1] == pytest.approx(4 / 6)


def test_a_copy_has_decided_nothing(net):
    with torch.no_grad():
        net(clips())
    with pytest.raises(ValueError, match="nothing was decided"):
        copy.deepcopy(net).policy.stats()


def test_one_other_action_is_a_miss(net):
    with torch.no_grad():
        net(clips())
    codes = net.policy.decisions()["frames"]
    told = torch.nn.functional.one_hot(codes, 7)
    case = verify.Case("g", {"decisions": told.tolist()}, spec(), net, net.state_dict(), None, clips())
    assert verify.CHECKS["decisions"](case)[0].passed
    told[0, 5] = told[0, 5].roll(1)
    missed = verify.CHECKS["decisions"](dataclasses.replace(case, data={"decisions": told.tolist()}))[0]
    assert not missed.passed and missed.note == "1 of 12 frames differ"


@pytest.mark.parametrize(
    ("insert", "message"),
    [(dnr.insert, "no stages layer1"), (psn.insert, "allowed: none"), (adafuse.insert, "does not fit")],
)
def test_methods_are_refused(net, insert, message):
    with pytest.raises(ValueError, match=message):
        insert(net, {})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"resize": "area"}, "resize 'area'"),
        ({"policy": "best"}, "policy 'best'"),
        ({"temperature": 0}, "temperature 0"),
        ({"efficiency_weight": 1}, "efficiency_weight 1"),
        ({"noise_seed": -1}, "noise_seed -1"),
        ({"polcy": "argmax"}, "did you mean 'policy'"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(BadOption, match=message):
        build_meta(spec(options=frozen(options)))


def test_input_of_another_shape_is_refused(net):
    with pytest.raises(ValueError, match=r"allowed: \(N, 6, 3, H, W\)"):
        net(torch.zeros(1, 8, 3, 32, 32, dtype=torch.float64))
