"""Frame by frame and clip by clip are the same, with no more channels computed than eq. 5 counts."""

from __future__ import annotations

import pytest
import torch

from methods.adafuse.compact.stream import Stream
from methods.adafuse.cost import saved_before
from methods.adafuse.insert import ACTION_SETS, insert
from repro.registry import models

FRAMES = 5


def network(backbone="tiny_resnet", name="tsn", **options):
    torch.manual_seed(0)
    net = insert(models[name].load()(backbone, num_classes=4, frames=FRAMES), {"hidden": 16, **options})
    with torch.no_grad():
        for key, value in [*net.named_parameters(), *net.named_buffers()]:
            if key.endswith(("fc0.weight", "fc1.weight")):
                value.normal_(0, 0.5)
            elif key.endswith("running_mean"):
                value.normal_(0, 0.2)
            elif key.endswith("running_var"):
                value.uniform_(0.5, 1.5)
    return net.double().eval()


def streamed(net, clip):
    stream = Stream(net)
    return torch.stack([stream.step(frame) for frame in clip]), stream


@pytest.mark.parametrize("actions", ACTION_SETS)
@pytest.mark.parametrize("policy", ["argmax", "sample"])
@torch.no_grad()
def test_a_stream_gives_the_logits_of_the_clip(actions, policy):
    net = network(actions=actions, policy=policy)
    clip = torch.randn(FRAMES, 3, 32, 32, dtype=torch.float64)
    expected = net.frame_logits(clip[None])[0]
    frames, stream = streamed(net, clip)
    torch.testing.assert_close(frames, expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(stream.logits, net(clip[None])[0], rtol=0, atol=1e-12)


@pytest.mark.parametrize(("backbone", "size"), [("bninception", 64), ("efficientnet_b0", 32), ("resnet18", 32)])
@torch.no_grad()
def test_on_other_backbones(backbone, size):
    net = network(backbone)
    clip = torch.randn(FRAMES, 3, size, size, dtype=torch.float64)
    expected = net.frame_logits(clip[None])[0]
    frames, _ = streamed(net, clip)
    torch.testing.assert_close(frames, expected, rtol=0, atol=1e-11)


@torch.no_grad()
def test_each_channel_is_computed_once_and_only_if_wanted():
    net = network()
    clip = torch.randn(FRAMES, 3, 32, 32, dtype=torch.float64)
    net(clip[None])
    wanted = {
        b: (1 - saved_before(e.decisions, net.adafuse.settings.actions)) for b, e in net.adafuse.ledger.entries.items()
    }
    _, stream = streamed(net, clip)
    for block, carried in stream.carried.items():
        assert carried.now + carried.late == int(wanted[block].sum())
    assert all(carried.late > 0 for carried in stream.carried.values())


@torch.no_grad()
def test_streams_take_turns_and_begin_anew():
    net = network()
    clips = torch.randn(2, FRAMES, 3, 32, 32, dtype=torch.float64)
    alone = [streamed(net, clip)[1].logits for clip in clips]
    one, two = Stream(net), Stream(net)
    for a, b in zip(*clips, strict=True):
        one.step(a)
        two.step(b)
    assert torch.equal(one.logits, alone[0]) and torch.equal(two.logits, alone[1])
    one.reset()
    for frame in clips[1]:
        one.step(frame)
    assert torch.equal(one.logits, alone[1])
    torch.testing.assert_close(net(clips), torch.stack(alone), rtol=0, atol=1e-12)
    for frame in clips[0]:
        one.step(frame)
    assert one.seen == 2 * FRAMES and one.logits.isfinite().all()


@pytest.mark.parametrize("code", [0, 1, 2])
@torch.no_grad()
def test_forced_decisions(code):
    net = network()
    net.adafuse.force({b: torch.full((FRAMES, g.decided), code) for b, g in net.adafuse.gates.items()})
    clip = torch.randn(FRAMES, 3, 32, 32, dtype=torch.float64)
    frames, _ = streamed(net, clip)
    torch.testing.assert_close(frames, net.frame_logits(clip[None])[0], rtol=0, atol=1e-12)


def test_what_cannot_be_streamed():
    with pytest.raises(ValueError, match="reads the next frame"):
        Stream(network(name="tsm"))
    with pytest.raises(ValueError, match=r"methods\.adafuse\.insert"):
        Stream(models["tsn"].load()("tiny_resnet", num_classes=2, frames=2))
    stream = Stream(network())
    with pytest.raises(ValueError, match="no frame has come"):
        _ = stream.logits
    with pytest.raises(ValueError, match=r"\(3, H, W\)"):
        stream.step(torch.zeros(2, 3, 32, 32))
    stream.model.train()
    with pytest.raises(ValueError, match="training mode"):
        stream.step(torch.zeros(3, 32, 32))
