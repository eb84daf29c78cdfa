"""The kernel: the values of plain PyTorch for any list of channels; where it cannot be, the reason is told."""

from __future__ import annotations

import copy
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from torch import nn

from methods import native
from methods.adafuse.compact.compact import Wanted, blocks_of, compact, executed_gmacs
from methods.adafuse.compact.native import NativePair, load
from methods.adafuse.compact.pair import Source, TorchPair
from methods.adafuse.compact.stream import Stream
from methods.adafuse.insert import insert
from methods.native import CannotCompile
from repro.cost.compact_bench import parts_for
from repro.registry import models
from tests.methods.kernels import compiled, near

FRAMES = 4


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    return compiled(load, tmp_path_factory.mktemp("native"))


@contextmanager
def working(count):
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def convolutions(inputs=32, middle=64, outputs=64, stride=1):
    torch.manual_seed(0)
    return nn.Conv2d(inputs, middle, 1), nn.Conv2d(middle, outputs, 3, padding=1, stride=stride)


def both(kernel, relu=True, **sizes):
    pair = convolutions(**sizes)
    made = kernel.pair(*pair, relu)
    assert isinstance(made, NativePair)
    return made, TorchPair(*pair, relu)


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (7, 7), (8, 8), (9, 13), (14, 6), (15, 22)])
@pytest.mark.parametrize("stride", [1, 2])
@torch.no_grad()
def test_clips_of_any_size(kernel, size, stride):
    own, plain = both(kernel, stride=stride)
    x = torch.randn(2 * FRAMES, 32, *size)
    wanted = [Wanted.of(np.random.default_rng(n).integers(0, 3, (FRAMES, 64))) for n in range(2)]
    near(own.clips(x, wanted), plain.clips(x, wanted))


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 16, 17, 31, 40, 63, 64])
@torch.no_grad()
def test_any_number_of_channels(kernel, count):
    own, plain = both(kernel, relu=count % 2 == 0, outputs=128)
    rows = np.sort(np.random.default_rng(count).permutation(64)[:count])
    x = torch.randn(1, 32, 9, 9)
    mine, theirs = own.rows(x, rows), plain.rows(x, rows)
    if count:
        near(mine.y[:, :count].t().reshape(1, count, 9, 9), theirs)
    near(own.reduce([Source(mine, None, rows)], x), plain.reduce([Source(theirs, None, rows)], x))
    half = np.arange(0, count, 2)
    sources = [[Source(y, half, rows[half]), Source(y, half[:1], rows[half[:1]])] for y in (mine, theirs)]
    near(own.reduce(sources[0], x), plain.reduce(sources[1], x))


@torch.no_grad()
def test_more_outputs_than_a_block(kernel):
    own, plain = both(kernel, inputs=48, middle=192, outputs=192)
    x = torch.randn(FRAMES, 48, 5, 10)
    for shares in ((0.1, 0.1, 0.8), (0.9, 0.05, 0.05), (1.0, 0.0, 0.0)):
        wanted = [Wanted.of(np.random.default_rng(0).choice(3, (FRAMES, 192), p=shares))]
        near(own.clips(x, wanted), plain.clips(x, wanted))


@pytest.mark.parametrize("size", [(1, 1), (7, 7), (3, 5)])
@pytest.mark.parametrize("in_place", [False, True])
@torch.no_grad()
def test_the_last_convolution_and_its_means(kernel, size, in_place):
    torch.manual_seed(0)
    conv = nn.Conv2d(64, 128, 1)
    y, other = torch.randn(FRAMES, 64, *size), torch.randn(FRAMES, 128, *size)
    other = other.contiguous(memory_format=torch.channels_last)
    expected = torch.relu(conv(y) + other)
    out, means = kernel.last(conv)(y, other, in_place=in_place)
    near(out, expected)
    near(means, expected.mean((2, 3)))
    assert (out.data_ptr() == other.data_ptr()) == in_place
    assert kernel.last(nn.Conv2d(64, 3 * kernel.block // 2, 1)) is None and kernel.last(conv.double()) is None


@torch.no_grad()
def test_several_threads_share_a_clip(kernel):
    own, _ = both(kernel)
    x, wanted = torch.randn(FRAMES, 32, 8, 8), [Wanted.of(np.random.default_rng(0).integers(0, 3, (FRAMES, 64)))]
    alone = own.clips(x, wanted)
    with working(3):
        assert torch.equal(own.clips(x, wanted), alone)


@torch.no_grad()
def test_several_threads_share_a_frame(kernel):
    own, _ = both(kernel, outputs=4 * kernel.block)
    x, rows = torch.randn(1, 32, 9, 7), np.arange(3, 60, 2)

    def second():
        first = own.rows(x, rows)
        return first.y, own.reduce([Source(first, None, rows)], x)

    alone = second()
    with working(3):
        for mine, expected in zip(second(), alone, strict=True):
            assert torch.equal(mine, expected)


def test_what_the_kernel_does_not_fit(kernel):
    for pair in (
        convolutions(middle=3 * kernel.block // 2, outputs=3 * kernel.block // 2),
        (nn.Conv2d(32, 64, 3, padding=1), convolutions()[1]),
        (convolutions()[0], nn.Conv2d(64, 64, 3, padding=2, dilation=2)),
        tuple(conv.double() for conv in convolutions()),
    ):
        assert isinstance(kernel.pair(*pair, True), TorchPair)


@torch.no_grad()
def test_a_whole_network_and_its_stream(kernel):
    torch.manual_seed(0)
    net = insert(models["tsn"].load()("resnet50", num_classes=4, frames=FRAMES), {"hidden": 8}).eval()
    codes = {b: torch.randint(0, 3, (FRAMES, gate.decided)) for b, gate in net.adafuse.gates.items()}
    net.adafuse.force(codes)
    x = torch.randn(2, FRAMES, 3, 64, 64)
    expected = net(x)
    for how in ({}, parts_for("cpu")[0]):
        small = copy.deepcopy(compact(net, **{**how, "pair": kernel.pair, "last": kernel.last}))
        assert all(isinstance(block.pair, NativePair) for block in blocks_of(small).values())
        near(small(x), expected)
        assert executed_gmacs(small, (64, 64)) == pytest.approx(executed_gmacs(_plain(net, x), (64, 64)))
        stream = Stream(small)
        for frame in x[0]:
            stream.step(frame)
        near(stream.logits, expected[0])


@torch.no_grad()
def test_policies_read_the_means_of_the_kernel(kernel, monkeypatch):
    net = insert(models["tsn"].load()("resnet50", num_classes=4, frames=2), {"hidden": 8}).eval()
    net.adafuse.force({b: torch.randint(0, 3, (2, gate.decided)) for b, gate in net.adafuse.gates.items()})
    x, read = torch.randn(1, 2, 3, 64, 64), []
    for how in ({}, {"pair": kernel.pair, "last": kernel.last}):
        small, seen = compact(net, **how), []
        for gate in small.adafuse.gates.values():
            monkeypatch.setattr(
                gate, "score", lambda pooled, own=gate.score, seen=seen: seen.append(pooled) or own(pooled)
            )
        small(x)
        read.append(seen)
    assert len(read[0]) == len(read[1]) == 16
    for theirs, mine in zip(*read, strict=True):
        near(mine, theirs)


def _plain(net, x):
    small = compact(net)
    small(x)
    return small


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("clips", [1, 2, 5])
@pytest.mark.parametrize("history", [True, False])
@torch.inference_mode()
def test_a_policys_layers(kernel, threads, clips, history):
    width = 40 * (1 + history)
    first, second = nn.Linear(width, 4 * kernel.group), nn.Linear(4 * kernel.group, 3 * kernel.group)
    made = kernel.scores(first, second, FRAMES if history else 0)
    pooled = torch.randn(clips * FRAMES, 40)
    joined = pooled
    if history:
        of_clip = pooled.unflatten(0, (clips, FRAMES))
        before = torch.cat([torch.zeros(clips, 1, 40), of_clip[:, :-1]], 1)
        joined = torch.cat([before, of_clip], 2).flatten(0, 1)
    with working(threads):
        expected = second(first(joined).relu())
        near(made(pooled), expected)
        near(made(joined), expected)
        near(made(joined[1:2]), expected[1:2])


def test_a_policy_of_another_width_stays_as_it_is(kernel):
    fitting = nn.Linear(8, kernel.group)
    for first, second in (
        (nn.Linear(8, kernel.group + 1), fitting),
        (fitting, nn.Linear(8, 24)),
        (fitting.double(),) * 2,
    ):
        assert kernel.scores(first, second, 0) is None


def test_the_library_is_compiled_once(kernel, tmp_path, monkeypatch):
    first = load(tmp_path)
    monkeypatch.setattr(native, "_FLAGS", (*native._FLAGS, "-no-such-flag"))
    assert load(tmp_path) is first
    load.cache_clear()
    with pytest.raises(CannotCompile, match="fails"):
        load(tmp_path)
    monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir()] == [path.name for path in tmp_path.glob("*.so")]
    load.cache_clear()


def test_without_a_compiler_the_reason_is_told(tmp_path, monkeypatch):
    load.cache_clear()
    monkeypatch.setattr(native, "_COMPILERS", ("no-such-compiler",))
    with pytest.raises(CannotCompile, match=r"no C\+\+ compiler \(no-such-compiler\)"):
        load(tmp_path)
    how, told = parts_for("cpu")
    assert "pair" not in how and "no C++ compiler" in told
    load.cache_clear()


def test_a_folder_that_cannot_be_written(kernel, tmp_path):
    (tmp_path / "file").write_text("")
    load.cache_clear()
    with pytest.raises(CannotCompile, match="cannot be written"):
        load(tmp_path / "file" / "inside")
    load.cache_clear()
