"""DNR on every network it fits: other blocks, group normalization, Inception modules, volumes."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from methods.dnr.insert import insert
from methods.dnr.norm import CrossLayerNorm, CrossTemporalNorm, DynamicNorm
from methods.dnr.relay import RELAYS
from repro.core.errors import BadOption
from repro.core.spec import Model, frozen
from repro.models.build import build, build_meta
from repro.registry import models

CLASSES = 4
#: network, backbone, its options -> a small input that fits it
HOSTS = {
    ("tsn", "resnet18", ()): (4, 32),
    ("tsm", "resnet34", ()): (4, 32),
    ("tsn", "resnext101", ()): (4, 32),
    ("tsn", "bninception", ()): (4, 64),
    ("tsn", "tiny_inception", ()): (4, 32),
    ("tsn", "resnet18", (("norm", "gn"),)): (4, 32),
    ("tanet", "tiny_resnet", (("norm", "gn"),)): (4, 32),
    ("tdn", "tiny_resnet", (("norm", "gn"), ("blocks", 2))): (4, 32),
    ("r2plus1d", "resnet34", ()): (8, 32),
    ("r2plus1d", "tiny_resnet", ()): (8, 32),
    ("slowfast_8x8", "resnet18", ()): (16, 32),
    ("slowfast_8x8", "resnet50", ()): (16, 32),
    ("slowfast_8x8", "tiny_resnet", ()): (8, 32),
    ("i3d", "resnet50", ()): (4, 32),
}


def spec(name, backbone, options=(), frames=8, **method):
    return Model(
        name=name,
        backbone=backbone,
        num_classes=CLASSES,
        frames=frames,
        dropout=0.0,
        options=frozen(dict(options)),
        method="dnr",
        method_options=frozen(method),
    )


def made(name, backbone, options=(), frames=8, **method):
    torch.manual_seed(0)
    return build(spec(name, backbone, options, frames, **method))


def clips(name, frames, size, number=2):
    inner = (5, 3) if name == "tdn" else (3,)
    return torch.randn(number, frames, *inner, size, size, generator=torch.Generator().manual_seed(1))


def layers(net, kind=DynamicNorm):
    return {name: part for name, part in net.named_modules() if isinstance(part, kind)}


def close(a, b, within=1e-10):
    return bool((a - b).abs().max() <= within * b.abs().max())


@pytest.mark.parametrize("host", HOSTS, ids=lambda host: "-".join([*host[:2], *(str(v) for _, v in host[2])]))
def test_every_parameter_learns(host):
    name, backbone, options = host
    frames, size = HOSTS[host]
    net = made(name, backbone, options, frames).train()
    logits = net(clips(name, frames, size))
    F.cross_entropy(logits, torch.tensor([1, 3])).backward()
    assert logits.isfinite().all()
    assert [key for key, p in net.named_parameters() if p.requires_grad and p.grad is None] == []
    assert layers(net)


@pytest.mark.parametrize("direction, relay", [*(("uni", relay) for relay in RELAYS), ("bi", "lstm"), ("bi", "se")])
def test_every_relay_learns(relay, direction):
    net = made("tsn", "tiny_resnet", {"blocks": 2}, relay=relay, direction=direction).train()
    net(clips("tsn", 8, 32)).sum().backward()
    assert [key for key, p in net.named_parameters() if p.grad is None] == []


# Group normalization --------------------------------------------------------------------------------------------


def test_group_normalization_is_standardized_per_frame_as_the_host_does():
    net = made("tsn", "tiny_resnet", {"norm": "gn"}).double().eval()
    layer = net.layer2[0].bn2
    x = torch.randn(8, 32, 5, 5, dtype=torch.float64)
    standard = F.group_norm(x, 8, eps=layer.eps)
    scale, shift = layer.gates(x.view(1, 2, 4, 32, 5, 5).mean((2, 4, 5)))
    scale, shift = (v[0].repeat_interleave(4, 0)[..., None, None] for v in (scale, shift))
    assert close(layer(x), standard * scale + shift, 1e-12)
    assert "running_mean" not in dict(layer.named_buffers())


@pytest.mark.parametrize("training", [False, True])
def test_group_normalization_does_not_depend_on_the_batch(training):
    net = made("tsn", "tiny_resnet", {"norm": "gn", "blocks": 2}).double().train(training)
    x = clips("tsn", 8, 32, 3).double()
    assert close(torch.cat([net(x[:1]), net(x[1:])]), net(x))


def test_group_normalization_has_no_affine_part_left_in_changed_layers():
    plain = sum(
        p.numel() for p in build_meta(Model(name="tsn", backbone="resnet50", options=frozen(norm="gn"))).parameters()
    )
    net = build_meta(Model(name="tsn", backbone="resnet50", options=frozen(norm="gn"), method="dnr"))
    assert sum(p.numel() for p in net.parameters()) - plain == 4_039_232


# CL's distance --------------------------------------------------------------------------------------------------


def test_each_second_block_carries_cl_and_relays_to_the_next_but_one():
    net = made("tsn", "tiny_resnet", {"blocks": 3}, cl_distance=2, channel_interlacing=False).double().eval()
    first, between, third = (net.layer1[i].bn1 for i in range(3))
    assert isinstance(between, nn.BatchNorm2d) and first.relay is third.relay
    assert (first.first, first.last, third.first, third.last) == (True, False, False, True)
    pooled = torch.randn(2, 2, 1, 16, dtype=torch.float64)
    state = first.gates(pooled[0])
    cell = net.layer1.cl_cell
    wanted = cell.step(cell.project(pooled[1, :, 0]), tuple(v[:, 0] for v in state))
    torch.testing.assert_close(tuple(v[:, 0] for v in third.gates(pooled[1])), wanted)


# Inception modules ----------------------------------------------------------------------------------------------


def test_first_and_second_normalization_of_each_branch_of_an_inception_module():
    net = made("tsn", "bninception", frames=4)
    module = net.layer3[0]
    assert isinstance(module.conv_3x3_reduce.bn, CrossLayerNorm) and isinstance(module.conv_3x3.bn, CrossTemporalNorm)
    double = [module.conv_double_3x3_reduce.bn, module.conv_double_3x3_1.bn, module.conv_double_3x3_2.bn]
    assert [type(norm) for norm in double] == [CrossLayerNorm, CrossTemporalNorm, nn.BatchNorm2d]
    assert isinstance(module.conv_1x1.bn, nn.BatchNorm2d) and isinstance(module.conv_pool_proj.bn, nn.BatchNorm2d)
    assert len(layers(net, CrossTemporalNorm)) == len(layers(net, CrossLayerNorm)) == 20


def test_a_cell_for_each_branch_and_run_of_equal_channels():
    net = made("tsn", "bninception", frames=4)
    cells = sorted(name for name, _ in net.layer3.named_children() if name.startswith("cl_cell"))
    assert cells == [
        *(f"cl_cell_conv_3x3_reduce_{block}" for block in (0, 1, 2)),  # 64, 96, 128 three times
        *(f"cl_cell_conv_double_3x3_reduce_{block}" for block in (0, 2, 3, 4)),  # 96 twice, 128, 160, 192
    ]
    for layer in layers(net, CrossLayerNorm).values():
        assert next(layer.relay.cell.parameters()).shape[1] == layer.channels


def test_one_branch_by_its_name():
    net = made("tsn", "tiny_inception", cl="conv_double_3x3_1", ct="conv_double_3x3_2")
    assert len(layers(net)) == 8 and "cl_cell" in dict(net.layer2.named_children())
    with pytest.raises(BadOption, match="is nothing; allowed: bn1, bn2, bn3"):
        made("tsn", "tiny_resnet", cl="conv_3x3")


def test_interlacing_of_an_inception_network_is_tsms():
    shifted, net = (made(name, "tiny_inception").eval() for name in ("tsm", "tsn"))
    net.load_state_dict(shifted.state_dict())
    assert torch.equal(net(clips("tsn", 8, 32)), shifted(clips("tsn", 8, 32)))


# Volumes --------------------------------------------------------------------------------------------------------


def test_a_group_is_all_of_a_stage_that_has_fewer_frames():
    net = build_meta(spec("r2plus1d", "resnet34"))
    groups = [(net.get_submodule(f"layer{n}")[0].bn2.clip.frames, net.get_submodule(f"layer{n}")[0].bn2.group)
              for n in (1, 2, 3, 4)]  # fmt: skip
    assert groups == [(8, 4), (4, 4), (2, 2), (1, 1)]


def test_each_pathway_of_slowfast_counts_its_own_frames():
    net = build_meta(spec("slowfast_8x8", "resnet18", frames=32))
    slow, fast = net.layer1[1], net.fast.layer1[1]
    assert (slow.bn2.clip.frames, slow.bn2.group, fast.bn2.clip.frames, fast.bn2.group) == (8, 4, 32, 4)
    assert slow.bn1.relay is not fast.bn1.relay and fast.bn1.relay.cell is net.fast.layer1.cl_cell


def plain_volume(layer, x, training=False):
    """CT as written: group after group of (N, C, t, H, W) normalized, scaled, shifted."""
    mean, var = layer.running_mean.clone(), layer.running_var.clone()
    state, out = None, []
    for part in x.split(layer.group, dim=2):
        state = layer.cell.step(layer.cell.project(part.mean((2, 3, 4))), state)
        y = F.batch_norm(part, mean, var, training=training, momentum=layer.momentum, eps=layer.eps)
        out.append(y * state[-2][..., None, None, None] + state[-1][..., None, None, None])
    return torch.cat(out, 2), mean, var


@pytest.mark.parametrize("training", [False, True])
def test_volumes_equal_the_plain_form(training):
    net = made("r2plus1d", "tiny_resnet", relay_distance=2).double().train(training)
    layer, x = net.layer1[0].bn2, torch.randn(2, 16, 8, 3, 3, dtype=torch.float64)
    wanted, mean, var = plain_volume(layer, x, training)
    assert close(layer(x), wanted, 1e-12)
    assert close(layer.running_mean, mean, 1e-12) and close(layer.running_var, var, 1e-12)
    assert layer.eps == 1e-3


@pytest.mark.parametrize("name", ["r2plus1d", "slowfast_8x8"])
def test_volumes_do_not_depend_on_the_batch(name):
    net, x = made(name, "tiny_resnet").double().eval(), clips(name, 8, 32, 3).double()
    assert close(torch.cat([net(x[:1]), net(x[1:])]), net(x))


def test_sizes_of_the_networks_of_table_5():
    assert (
        sum(p.numel() for p in models["slowfast_8x8"].load()("resnet18", num_classes=400, frames=32).parameters())
        == 33_777_400
    )
    for name, backbone, frames in (("slowfast_8x8", "resnet18", 32), ("r2plus1d", "resnet34", 8)):
        with torch.device("meta"):
            net = models[name].load()(backbone, num_classes=CLASSES, frames=frames)
        before = sum(p.numel() for p in net.parameters())
        insert(net)
        ct, cl = layers(net, CrossTemporalNorm).values(), layers(net, CrossLayerNorm).values()
        cells = [layer.channels for layer in ct] + [layer.channels for layer in cl if layer.first]
        affine = sum(2 * layer.channels for layer in (*ct, *cl))
        assert sum(p.numel() for p in net.parameters()) - before == sum(5 * c * c + 17 * c for c in cells) // 2 - affine


@pytest.mark.parametrize(
    "host, options, said",
    [
        (("r2plus1d", "tiny_resnet"), {"channel_interlacing": True}, "not possible on volumes .* allowed: False"),
        (("r2plus1d", "tiny_resnet"), {"relay_distance": 3}, "2 and 4 and 8 frames; allowed: 1, 2, 4, 8"),
        (("c3d", "c3d"), {}, "does not fit a C3D"),
        (("tsn", "convnext_atto"), {}, "no batch or group normalization but LayerNorm"),
        (("tsn", "tiny_resnet"), {"cl_distance": 2}, "stages of at most 1; allowed: 1"),
        (("tsn", "tiny_resnet"), {"units": 0}, "units 0 is not possible; allowed: a whole number of at least 1"),
        (("tsn", "tiny_resnet"), {"units": 2, "relay": "se"}, "allowed: 1, or relay lstm"),
        (("tsn", "tiny_resnet"), {"relay": "gru"}, "allowed: lstm, se, fc, none"),
        (("tsn", "tiny_resnet"), {"direction": "back"}, "allowed: uni, bi"),
        (("tsn", "tiny_resnet"), {"direction": "bi", "ct": None}, "with ct None there is none; allowed: uni"),
        (("tsn", "tiny_resnet"), {"direction": "bi", "relay": "none"}, "allowed: uni"),
        (("tsn", "tiny_inception"), {"cl": "bn1", "ct": "conv_3x3_reduce"}, "cl and ct are both at layer2.0.conv_3x3_"),
        (("slowfast_8x8", "tiny_resnet"), {"reduction": 8}, "does not divide 4 channels of fast.layer1"),
    ],
)
def test_what_cannot_be_is_told(host, options, said):
    frames = 16 if host[0] == "c3d" else 8
    with pytest.raises(BadOption, match=said):
        build_meta(spec(*host, frames=frames, **options))


def test_a_refused_network_is_as_it_was():
    net = models["tsn"].load()("tiny_resnet", num_classes=CLASSES, frames=8)
    before = str(net)
    with pytest.raises(ValueError, match="does not divide 16 channels"):
        insert(net, {"reduction": 5})
    assert str(net) == before
