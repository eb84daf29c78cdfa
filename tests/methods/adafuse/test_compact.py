"""Compact AdaFuse: the masked network's values, with no more arithmetic than eq. 5 counts."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from methods.adafuse.compact.compact import Wanted, blocks_of, calibrate, compact, executed_gmacs, kinds_of
from methods.adafuse.compact.costs import KINDS, Costs, Line
from methods.adafuse.compact.stream import Stream
from methods.adafuse.insert import ACTION_SETS, insert
from repro.registry import models

FRAMES = 5
POINTS = ((0.370, 0.258, 0.372), (0.596, 0.172, 0.232), (0.712, 0.105, 0.183))


def network(backbone="tiny_resnet", name="tsn", dtype=torch.float64, frames=FRAMES, **options):
    torch.manual_seed(0)
    net = insert(models[name].load()(backbone, num_classes=4, frames=frames), {"hidden": 16, **options})
    with torch.no_grad():
        for key, value in [*net.named_parameters(), *net.named_buffers()]:
            if key.endswith(("fc0.weight", "fc1.weight")):
                value.normal_(0, 0.5)
            elif key.endswith(("running_mean", "bn1.bias")):
                value.normal_(0, 0.2)
            elif key.endswith("running_var"):
                value.uniform_(0.5, 1.5)
    return net.to(dtype).eval()


def clips_for(net, count=2, size=32):
    torch.manual_seed(1)
    return torch.randn(count, net.frames, 3, size, size, dtype=next(net.parameters()).dtype)


def drawn(net, shares, seed=0):
    torch.manual_seed(seed)
    chances = torch.tensor(shares)
    return {
        block: torch.multinomial(chances, net.frames * gate.decided, replacement=True).view(net.frames, gate.decided)
        for block, gate in net.adafuse.gates.items()
    }


@pytest.mark.parametrize("kind", [*KINDS, None])
@pytest.mark.parametrize("actions", ACTION_SETS)
@torch.no_grad()
def test_values_are_those_of_the_masked_network(kind, actions):
    net = network(actions=actions)
    x = clips_for(net)
    torch.testing.assert_close(compact(net, kind=kind)(x), net(x), rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("backbone", "name"), [("resnet18", "tsn"), ("tiny_resnet", "tsm"), ("resnet18", "tsm")])
@torch.no_grad()
def test_on_basic_blocks_and_shifted_input(backbone, name, kind):
    net = network(backbone, name)
    x = clips_for(net, 1)
    torch.testing.assert_close(compact(net, kind=kind)(x), net(x), rtol=0, atol=1e-11)


@torch.no_grad()
def test_where_only_the_last_stage_is_gated():
    net = network("resnet18", "tsm", stages=(4,))
    x = clips_for(net, 1)
    small = compact(net)
    assert set(blocks_of(small)) == {"layer4.0", "layer4.1"}
    torch.testing.assert_close(small(x), net(x), rtol=0, atol=1e-11)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("code", [0, 1, 2])
@torch.no_grad()
def test_all_channels_alike(kind, code):
    net = network()
    codes = {block: torch.full((FRAMES, gate.decided), code) for block, gate in net.adafuse.gates.items()}
    net.adafuse.force(codes)
    x = clips_for(net)
    torch.testing.assert_close(compact(net, kind=kind)(x), net(x), rtol=0, atol=1e-12)


@pytest.mark.parametrize("shares", POINTS)
@torch.no_grad()
def test_arithmetic_executed_is_what_eq_5_counts(shares):
    """Counted by torch while it runs, by the executor itself, and by the rule."""
    net = network("resnet50", frames=4, dtype=torch.float32)
    codes = drawn(net, shares)
    for frames in codes.values():
        frames[0][frames[0] == 1] = 0  # nothing can be reused before the first frame, whatever the rule says
    net.adafuse.force(codes)
    x = clips_for(net, 1, 64)
    net(x)
    rule = float(net.adafuse.gmacs("real", rule="macs"))
    small = compact(net, kind="compact")
    with FlopCounterMode(display=False) as counter:
        small(x)
    own = executed_gmacs(small, (64, 64))
    assert own == pytest.approx(counter.get_total_flops() / 2e9, rel=1e-3)
    assert own == pytest.approx(rule, rel=1e-6)
    assert own < 0.8 * net.adafuse.base((64, 64)).total("macs") * 4 / 1e9


@torch.no_grad()
def test_reuse_before_the_first_frame_is_all_that_the_rule_counts_more():
    net = network()
    net.adafuse.force(drawn(net, POINTS[0]))
    x = clips_for(net)
    net(x)
    rule, small = float(net.adafuse.gmacs("real", rule="macs")[0]), compact(net, kind="compact")
    small(x)
    zeros = sum(
        float((gate.forced[0] == 1).sum()) * small_block.pair.macs(small_block.shape[2:])[1]
        for gate, small_block in zip(net.adafuse.gates.values(), blocks_of(small).values(), strict=True)
    )
    assert executed_gmacs(small, (32, 32)) + zeros / 1e9 == pytest.approx(rule, rel=1e-9)


@torch.no_grad()
def test_other_ways_execute_more():
    net = network()
    net.adafuse.force(drawn(net, POINTS[2]))
    x, counted = clips_for(net), {}
    for kind in KINDS:
        small = compact(net, kind=kind)
        with FlopCounterMode(display=False) as counter:
            small(x)
        counted[kind] = executed_gmacs(small, (32, 32))
        assert counted[kind] == pytest.approx(counter.get_total_flops() / 4e9, rel=2e-2)
        assert set(kinds_of(small).values()) == {kind}
    assert counted["compact"] < counted["union"] <= counted["dense"]
    assert counted["dense"] == pytest.approx(net.adafuse.base((32, 32)).total("macs") * FRAMES / 1e9)


@torch.no_grad()
def test_calibrated_blocks_go_the_way_that_costs_least():
    net = network()
    small, x = compact(net), clips_for(net)
    assert calibrate(small, x, repeats=1) > 0
    blocks = blocks_of(small)
    assert all(block.costs is not None and block.costs.dense > 0 for block in blocks.values())
    free, dear = Line(0.0, 0.0), Line(1.0, 0.0)
    ways = {"compact": (free, dear, 1.0), "union": (dear, free, 1.0), "dense": (dear, dear, 0.0)}
    for kind, (parts, union, dense) in ways.items():
        for block in blocks.values():
            block.costs = Costs(frames=10, compact=parts, union=union, dense=dense)
        torch.testing.assert_close(small(x), net(x), rtol=0, atol=1e-12)
        assert set(kinds_of(small).values()) == {kind}


def test_lines_and_estimates():
    line = Line.through({10: 1.0, 30: 2.0})
    assert line(50) == pytest.approx(3.0) and Line.through({10: 2.0, 30: 1.0}).slope == 0.0
    costs = Costs(frames=2, compact=Line(1.0, 0.5), union=Line(0.0, 1.0), dense=8.0)
    assert costs.estimate(2, 6.0, 5) == {"compact": 4.0, "union": 5.0, "dense": 8.0}
    assert costs.estimate(4, 12.0, 5) == {"compact": 8.0, "union": 10.0, "dense": 16.0}
    assert costs.best(2, 6.0, 5) == "compact" and costs.best(2, 100.0, 5) == "union"


def test_what_decisions_ask_for():
    wanted = Wanted.of(np.array([[1, 2, 0], [1, 0, 1], [0, 1, 2]]))
    assert wanted.read.tolist() == [[False, True, False], [True, False, True], [False, True, True]]
    assert wanted.made.tolist() == [[True, True, True], [False, True, False], [False, False, True]]


@pytest.mark.parametrize("actions", ACTION_SETS)
@pytest.mark.parametrize("backbone", ["tiny_resnet", "resnet18"])
@torch.no_grad()
def test_a_stream_gives_the_logits_of_the_clip(backbone, actions):
    net = network(backbone, actions=actions)
    small, clip = compact(net), clips_for(net, 1)[0]
    stream = Stream(small)
    frames = torch.stack([stream.step(frame) for frame in clip])
    torch.testing.assert_close(frames, net.frame_logits(clip[None])[0], rtol=0, atol=1e-11)
    torch.testing.assert_close(stream.logits, net(clip[None])[0], rtol=0, atol=1e-11)
    if "reuse" in actions:
        assert all(carried.late > 0 for carried in stream.carried.values())


@torch.no_grad()
def test_the_network_itself_stays_as_it_is():
    net = network()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    small, x = compact(net), clips_for(net)
    small(x)
    assert net.state_dict().keys() == before.keys()
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_what_cannot_be_compact():
    with pytest.raises(ValueError, match=r"methods\.adafuse\.insert"):
        compact(models["tsn"].load()("tiny_resnet", num_classes=2, frames=2))
    with pytest.raises(ValueError, match="does not fit"):
        compact(network("bninception"))
    with pytest.raises(ValueError, match="training mode"):
        compact(network().train())
    with pytest.raises(ValueError, match="kind 'sparse'"):
        compact(network(), kind="sparse")
    with pytest.raises(ValueError, match="reads the next frame"):
        Stream(compact(network(name="tsm")))
