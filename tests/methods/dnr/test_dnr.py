"""DNR's fast form against a plain one: group by group, one torch batch_norm and one cell evaluation each."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from baselines.tsm import tsm
from baselines.tsn import tsn
from methods.dnr.insert import insert
from methods.dnr.norm import CrossLayerNorm, CrossTemporalNorm
from repro.registry import models

CLASSES, FRAMES = 5, 8


def network(name="tsn", blocks=2, frames=FRAMES, **options):
    torch.manual_seed(0)
    builder = models[name].load()
    net = builder("tiny_resnet", num_classes=CLASSES, frames=frames, dropout=0.0, blocks=blocks)
    insert(net, options)
    with torch.no_grad():
        for key, value in [*net.named_parameters(), *net.named_buffers()]:
            if key.endswith(("running_var", "bn3.weight", "downsample.1.weight")):
                value.uniform_(0.5, 1.5)
            elif key.endswith(("running_mean", ".bias", "fc.weight")):
                value.normal_(0, 0.3)
    return net.double()


def clips(number=3, frames=FRAMES, name="tsn"):
    generator = torch.Generator().manual_seed(1)
    inner = (5, 3) if name == "tdn" else (3,)
    return torch.randn(number, frames, *inner, 32, 32, generator=generator, dtype=torch.float64)


# The plain form -------------------------------------------------------------------------------------------------


class Plain:
    """A TSN with DNR, computed step by step from the tensors of a network built by `insert`."""

    def __init__(self, net, *, distance=4, cl="bn1", ct="bn2", shifted=True):
        self.tensors = dict(net.named_parameters())
        self.stats = {key: value.clone() for key, value in net.named_buffers()}
        self.training, self.frames = net.training, net.frames
        self.distance, self.cl, self.ct, self.shifted = distance, cl, ct, shifted
        self.blocks = {
            name: len([n for n, _ in stage.named_children() if n != "cl_cell"]) for name, stage in net.stages()
        }

    def batch_norm(self, x, name):
        weight, bias = self.tensors.get(f"{name}.weight"), self.tensors.get(f"{name}.bias")
        mean, var = self.stats[f"{name}.running_mean"], self.stats[f"{name}.running_var"]
        return F.batch_norm(x, mean, var, weight, bias, self.training, 0.1, 1e-5)

    def phi(self, v, name):
        w1, b1, w2, b2 = (self.tensors[f"{name}.{end}"] for end in ("0.weight", "0.bias", "2.weight", "2.bias"))
        return torch.relu(v @ w1.T + b1) @ w2.T + b2

    def cell(self, x, h, c, name):
        i, f, g, o = (self.phi(x, f"{name}.x") + self.phi(h, f"{name}.h")).split(x.shape[1], dim=1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.sigmoid(c), c

    def cross_temporal(self, x, name):
        clip = x.reshape(-1, self.frames, *x.shape[1:])
        h = c = x.new_zeros(clip.shape[0], x.shape[1])
        out = []
        for start in range(0, self.frames, self.distance):
            group = clip[:, start : start + self.distance]
            h, c = self.cell(group.mean((1, 3, 4)), h, c, f"{name}.cell")
            normal = self.batch_norm(group.flatten(0, 1), name).reshape(group.shape)
            out.append(normal * h[:, None, :, None, None] + c[:, None, :, None, None])
        return torch.cat(out, 1).flatten(0, 1)

    def cross_layer(self, x, name, cell, state):
        clip = x.reshape(-1, self.frames, *x.shape[1:])
        h, c = self.cell(clip.mean((1, 3, 4)), *state, cell)
        normal = self.batch_norm(x, name).reshape(clip.shape)
        return (normal * h[:, None, :, None, None] + c[:, None, :, None, None]).flatten(0, 1), (h, c)

    def shift(self, x):
        clip = x.reshape(-1, self.frames, *x.shape[1:])
        fold = x.shape[1] // 8
        nothing = torch.zeros_like(clip[:, :1])
        later, sooner = torch.cat([clip[:, 1:], nothing], 1), torch.cat([nothing, clip[:, :-1]], 1)
        return torch.cat([later[:, :, :fold], sooner[:, :, fold : 2 * fold], clip[:, :, 2 * fold :]], 2).flatten(0, 1)

    def block(self, x, name, stage, stride, state):
        shortcut = x
        if f"{name}.downsample.0.weight" in self.tensors:
            shortcut = F.conv2d(x, self.tensors[f"{name}.downsample.0.weight"], stride=stride)
            shortcut = self.batch_norm(shortcut, f"{name}.downsample.1")
        x = self.shift(x) if self.shifted else x
        for number, (step, padding) in enumerate([(1, 0), (stride, 1), (1, 0)], start=1):
            x = F.conv2d(x, self.tensors[f"{name}.conv{number}.weight"], stride=step, padding=padding)
            norm = f"bn{number}"
            if norm == self.cl:
                if state is None:
                    zeros = x.new_zeros(x.shape[0] // self.frames, x.shape[1])
                    state = (zeros, zeros)
                x, state = self.cross_layer(x, f"{name}.{norm}", f"{stage}.cl_cell", state)
            elif norm == self.ct:
                x = self.cross_temporal(x, f"{name}.{norm}")
            else:
                x = self.batch_norm(x, f"{name}.{norm}")
            x = torch.relu(x if number < 3 else x + shortcut)
        return x, state

    def __call__(self, x):
        x = F.conv2d(x.flatten(0, 1), self.tensors["conv1.weight"], stride=2, padding=1)
        x = torch.relu(self.batch_norm(x, "bn1"))
        for stage, blocks in self.blocks.items():
            state = None
            for index in range(blocks):
                stride = 2 if index == 0 and stage != "layer1" else 1
                x, state = self.block(x, f"{stage}.{index}", stage, stride, state)
        logits = x.mean((2, 3)) @ self.tensors["fc.weight"].T + self.tensors["fc.bias"]
        return logits.reshape(-1, self.frames, CLASSES).mean(1)


def relative(a, b):
    a, b = a.detach(), b.detach()
    return float((a - b).abs().max() / b.abs().max().clamp_min(1e-30))


CASES = [
    {},
    {"relay_distance": 2},
    {"relay_distance": 8, "channel_interlacing": False},
    {"relay_distance": 1},
    {"cl": None, "relay_distance": 2},
    {"ct": None},
    {"cl": "bn2", "ct": "bn1", "relay_distance": 2},
    {"cl": "bn1", "ct": "bn3"},
]


@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=["nchw", "nhwc"])
@pytest.mark.parametrize("options", CASES, ids=lambda o: ",".join(f"{k}={v}" for k, v in o.items()) or "default")
def test_equals_the_plain_form(options, layout, training):
    net = network(**options).to(memory_format=layout).train(training)
    names = {"relay_distance": "distance", "channel_interlacing": "shifted"}
    plain = Plain(net, **{names.get(key, key): value for key, value in options.items()})
    x = clips().requires_grad_()
    wanted, got = plain(x), net(x)
    assert relative(got, wanted) < 1e-12
    leaves = [x, *net.parameters()]
    weight = torch.linspace(-1, 1, wanted.numel(), dtype=torch.float64).view_as(wanted)
    ours = torch.autograd.grad((got * weight).sum(), leaves, materialize_grads=True)
    theirs = torch.autograd.grad((wanted * weight).sum(), leaves, materialize_grads=True)
    for mine, reference in zip(ours, theirs, strict=True):
        assert float((mine - reference).abs().max()) < 1e-11 * max(1.0, float(reference.abs().max()))
    for key, value in net.named_buffers():
        if key.endswith(("running_mean", "running_var")):
            assert relative(value, plain.stats[key]) < 1e-12, key


def test_second_training_step_updates_running_statistics_again():
    net = network(relay_distance=2).train()
    plain = Plain(net, distance=2)
    for _ in range(2):
        plain(clips())
        net(clips())
    assert relative(net.layer2[1].bn2.running_var, plain.stats["layer2.1.bn2.running_var"]) < 1e-12
    assert int(net.layer1[0].bn1.num_batches_tracked) == 0


# Structure ------------------------------------------------------------------------------------------------------


def test_parameters_that_it_adds_to_resnet50():
    with torch.device("meta"):
        plain = tsn("resnet50", num_classes=400, frames=8)
        before = sum(p.numel() for p in plain.parameters())
        net = insert(plain, {})
    own = sum(p.numel() for name, p in net.named_parameters() if "cell." in name)
    assert own == 4_054_336
    assert sum(p.numel() for p in net.parameters()) - before == 4_039_232


def test_names_of_the_tensors():
    net = network()
    keys = [key for key in net.state_dict() if key.startswith("layer1.") and ("cell" in key or ".bn1." in key)]
    cell = [f"{part}.{index}.{kind}" for part in "xh" for index in (0, 2) for kind in ("weight", "bias")]
    stats = ["running_mean", "running_var", "num_batches_tracked"]
    assert sorted(keys) == sorted(
        [f"layer1.cl_cell.{key}" for key in cell]
        + [f"layer1.{block}.bn2.cell.{key}" for block in (0, 1) for key in cell]
        + [f"layer1.{block}.bn1.{key}" for block in (0, 1) for key in stats]
    )


def test_one_cell_a_stage_for_cl_and_one_a_block_for_ct():
    net = network()
    first, second = net.layer2[0], net.layer2[1]
    assert isinstance(first.bn1, CrossLayerNorm) and isinstance(first.bn2, CrossTemporalNorm)
    assert first.bn1.relay is second.bn1.relay and first.bn1.relay is not net.layer1[0].bn1.relay
    assert first.bn1.relay.cell is net.layer2.cl_cell
    assert first.bn2.cell is not second.bn2.cell


def test_stages_that_are_not_named_stay():
    net = network(stages=[3])
    assert isinstance(net.layer1[0].bn1, nn.BatchNorm2d) and isinstance(net.layer2[1].bn2, nn.BatchNorm2d)
    assert isinstance(net.layer3[0].bn1, CrossLayerNorm)


def test_interlacing_of_tsm_is_not_done_twice():
    net = network("tsm")
    bare = tsm("tiny_resnet", num_classes=CLASSES, frames=FRAMES, dropout=0.0, blocks=2)
    insert(bare, {"channel_interlacing": False})
    bare.double().load_state_dict(net.state_dict())
    assert torch.equal(net.eval()(clips()), bare.eval()(clips()))
    interlaced = network("tsn")
    interlaced.load_state_dict(net.state_dict())
    assert torch.equal(net(clips()), interlaced.eval()(clips()))


@pytest.mark.parametrize(
    "options, said",
    [
        ({"relay_distence": 2}, "did you mean 'relay_distance'"),
        ({"relay_distance": 3}, "does not divide 8 frames; allowed: 1, 2, 4, 8"),
        ({"relay_distance": 0}, "whole number of at least 1"),
        ({"relay_distance": True}, "whole number of at least 1"),
        ({"cl": "bn2"}, "two different layers"),
        ({"cl": None, "ct": None}, "nothing to insert"),
        ({"cl": "bn4"}, "allowed: None, bn1, bn2, bn3"),
        ({"stages": [4]}, "allowed: 1, 2, 3"),
        ({"stages": 3}, "numbers from 1 to 4"),
        ({"reduction": 5}, "does not divide 16 channels"),
    ],
)
def test_bad_options_are_told(options, said):
    net = tsn("tiny_resnet", num_classes=CLASSES, frames=FRAMES)
    with pytest.raises(ValueError, match=said):
        insert(net, options)


def test_inserting_twice_is_refused():
    with pytest.raises(ValueError, match="replaces a normalization"):
        insert(network(), {})


def test_basic_blocks_take_it_too():
    net = insert(tsn("resnet18", num_classes=CLASSES, frames=4), {"relay_distance": 2}).eval()
    assert net(torch.randn(1, 4, 3, 32, 32)).shape == (1, CLASSES)


# Behaviour ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["tsn", "tsm", "tanet", "tdn"])
def test_evaluation_does_not_depend_on_the_batch(name):
    net, x = network(name).eval(), clips(4, name=name)
    with torch.inference_mode():
        whole = net(x)
        parts = torch.cat([net(x[:1]), net(x[1:])])
    assert relative(parts, whole) < 1e-12


@pytest.mark.parametrize("name", ["tsn", "tsm", "tanet", "tdn"])
def test_every_parameter_has_a_gradient(name):
    net = network(name, blocks=1).train()
    net(clips(2, name=name)).sum().backward()
    assert [key for key, p in net.named_parameters() if p.grad is None and p.requires_grad] == []


def test_time_matters_only_through_the_relay_and_the_shift():
    order = torch.tensor([3, 0, 2, 1, 7, 5, 6, 4])  # within groups of four
    inside = network(channel_interlacing=False).eval()
    assert relative(inside(clips()[:, order]), inside(clips())) < 1e-12
    assert relative(inside(clips().flip(1)), inside(clips())) > 1e-6
    shifted = network().eval()
    assert relative(shifted(clips()[:, order]), shifted(clips())) > 1e-6


def test_no_state_outlives_a_forward():
    net = network().train()
    for number in (3, 1):
        net(clips(number)).sum().backward()
        assert all(net.get_submodule(f"layer{n}")[0].bn1.relay.state is None for n in (1, 2, 3))


def test_a_failed_forward_leaves_nothing_for_the_next():
    net = network().eval()
    wanted = net(clips())
    handle = net.layer2[1].register_forward_pre_hook(lambda *_: (_ for _ in ()).throw(RuntimeError("stopped")))
    with pytest.raises(RuntimeError, match="stopped"):
        net(clips(2))
    handle.remove()
    assert torch.equal(net(clips()), wanted)


def test_a_copy_relays_by_itself():
    net = network().eval()
    twin = copy.deepcopy(net)
    assert twin.layer1[0].bn1.relay is twin.layer1[1].bn1.relay is not net.layer1[0].bn1.relay
    assert twin.layer1[0].bn1.relay.cell is twin.layer1.cl_cell
    assert torch.equal(twin(clips()), net(clips()))


def test_traced_on_one_batch_size_it_serves_another():
    net = network().eval()
    with torch.no_grad():
        traced = torch.jit.trace(net, clips(1))
        assert relative(traced(clips(3)), net(clips(3))) < 1e-12


@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
def test_under_autocast_statistics_stay_in_float32(training):
    net = network().float().train(training)
    exact = copy.deepcopy(net)(clips().float())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = net(clips().float())
    out.float().square().sum().backward()
    assert relative(out.float(), exact) < 0.1
    assert net.layer1[0].bn1.running_var.dtype == torch.float32
    assert all(torch.isfinite(p.grad).all() for p in net.parameters())


def test_sixteen_frames():
    net = network(frames=16)
    assert relative(net.eval()(clips(2, 16)), Plain(net)(clips(2, 16))) < 1e-12


@pytest.mark.slow
def test_compiled_in_one_graph():
    net = network().float().eval()
    with torch.no_grad():
        assert relative(torch.compile(net, fullgraph=True)(clips().float()), net(clips().float())) < 1e-5


@pytest.mark.gpu
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=["nchw", "nhwc"])
@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
def test_cuda_equals_cpu(training, layout):
    net = network().train(training)
    there = copy.deepcopy(net).cuda().to(memory_format=layout)
    assert relative(there(clips().cuda()).cpu(), net(clips())) < 1e-10
    for key, value in net.named_buffers():
        if value.is_floating_point():
            assert relative(there.get_buffer(key).cpu(), value) < 1e-10, key


@pytest.mark.gpu
def test_cuda_forward_and_backward_never_wait_for_the_device():
    net, x = network().float().cuda().train(), clips().float().cuda()
    net(x).sum().backward()
    torch.cuda.set_sync_debug_mode("error")
    try:
        net(x).sum().backward()
    finally:
        torch.cuda.set_sync_debug_mode("default")
