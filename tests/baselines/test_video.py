"""Properties that the four networks share."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from repro.registry import models

NAMES = ("tsn", "tsm", "tanet", "tdn")


def network(name, frames=8, backbone="tiny_resnet", classes=5, **options):
    torch.manual_seed(0)
    return models[name].load()(backbone, num_classes=classes, frames=frames, dropout=0.0, **options).double().eval()


def clips(name, number=2, frames=8, size=32):
    generator = torch.Generator().manual_seed(1)
    inner = (5, 3) if name == "tdn" else (3,)
    return torch.randn(number, frames, *inner, size, size, generator=generator, dtype=torch.float64)


def difference(a, b):
    return float((a - b).detach().abs().max() / b.detach().abs().max())


@pytest.mark.parametrize("head", ["frame", "clip"])
@pytest.mark.parametrize("name", NAMES)
def test_mean_of_frame_logits_is_the_forward(name, head):
    net = network(name, head=head)
    x = clips(name)
    assert net.frame_logits(x).shape == (2, 8, 5)
    assert difference(net.frame_logits(x).mean(1), net(x)) < 1e-12


@pytest.mark.parametrize("name", NAMES)
def test_order_of_frames_matters_to_all_but_tsn(name):
    net, x = network(name), clips(name)
    changed = difference(net(x[:, torch.randperm(8, generator=torch.Generator().manual_seed(3))]), net(x))
    assert changed < 1e-12 if name == "tsn" else changed > 1e-6


@pytest.mark.parametrize("name", NAMES)
def test_a_clip_scores_the_same_in_any_batch(name):
    net, x = network(name), clips(name, 3)
    with torch.inference_mode():
        assert difference(torch.cat([net(x[:1]), net(x[1:])]), net(x)) < 1e-12


@pytest.mark.parametrize("name", NAMES)
def test_memory_layout_changes_nothing(name):
    net, x = network(name), clips(name)
    wanted = net(x)
    assert difference(net.to(memory_format=torch.channels_last)(x), wanted) < 1e-12


@pytest.mark.parametrize("name", NAMES)
def test_sixteen_frames(name):
    net = network(name, frames=16)
    assert net(clips(name, 1, 16)).shape == (1, 5)


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_input_is_told(name):
    with pytest.raises(ValueError, match=r"allowed: \(N, 8,"):
        network(name)(clips(name, frames=4))


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_learns_but_the_frozen(name):
    net = network(name).train()
    net(clips(name)).square().sum().backward()
    silent = {key for key, p in net.named_parameters() if p.grad is None}
    assert silent == ({"conv1_temp.weight", "conv1_temp.bias"} if name == "tdn" else set())


@pytest.mark.parametrize("name", NAMES)
def test_traced_on_one_batch_size_it_serves_another(name):
    net = network(name)
    with torch.no_grad():
        traced = torch.jit.trace(net, clips(name, 1))
        assert difference(traced(clips(name, 3)), net(clips(name, 3))) < 1e-12


@pytest.mark.parametrize("name, backbone, parameters, gmacs", [
    ("tsn", "resnet50", 24_327_632, 32.704),
    ("tsm", "resnet50", 24_327_632, 32.704),
    ("tanet", "resnet50", 25_590_320, 32.760),
    ("tdn", "resnet50", 24_883_120, 35.642),
    ("tsn", "resnet101", 43_319_760, 62.401),
    ("tsm", "resnet18", 11_381_712, 14.510),
    ("tdn", "resnet101", 44_144_800, 65.846),
])  # fmt: skip
def test_parameters_and_multiply_accumulates(name, backbone, parameters, gmacs):
    """As counted on the authors' code with 400 classes and 8 frames of 224x224."""
    with torch.device("meta"):
        net = models[name].load()(backbone, num_classes=400, frames=8).eval()
        inner = (5, 3) if name == "tdn" else (3,)
        with FlopCounterMode(display=False) as counter:
            net(torch.empty(1, 8, *inner, 224, 224))
    assert sum(p.numel() for p in net.parameters()) == parameters
    assert counter.get_total_flops() / 2e9 == pytest.approx(gmacs, abs=6e-4)


@pytest.mark.parametrize("name", ["tanet", "tdn"])
def test_no_network_is_made_up_for_basic_blocks(name):
    with pytest.raises(ValueError, match="is not published"):
        network(name, backbone="resnet18")


@pytest.mark.parametrize("options, said", [
    ({"blockz": 2}, "did you mean 'blocks'"),
    ({"blocks": 0}, "whole number of at least 1"),
    ({"head": "video"}, "allowed: frame, clip"),
    ({"frames": 0}, "whole number of at least 1"),
])  # fmt: skip
def test_bad_options_are_told(options, said):
    with pytest.raises(ValueError, match=said):
        network("tsn", **options)


def test_dropout_outside_its_range_is_told():
    with pytest.raises(ValueError, match=r"dropout 1\.5"):
        models["tsn"].load()("tiny_resnet", num_classes=2, frames=2, dropout=1.5)


def test_weights_of_another_backbone_are_refused():
    net = network("tsn")
    with pytest.raises(ValueError, match=r"no 'layer9\.weight'"):
        net.load_backbone({"layer9.weight": torch.zeros(1)})


def test_heads_drop_features_per_frame_or_per_clip():
    x = clips("tsn", 1)[:, :1].expand(-1, 8, -1, -1, -1)
    for head, same in (("frame", False), ("clip", True)):
        net = network("tsn", head=head)
        net.dropout.p = 0.5
        net.dropout.train()
        net.fc.weight.data.normal_()
        seen = []
        net.dropout.register_forward_hook(lambda module, given, out, seen=seen: seen.append(out))
        net(x)
        assert (seen[0].dim() == 2) is same


def test_width_of_the_tiny_network_is_that_of_its_first_stage():
    wide, narrow = (network("tsn", width=width) for width in (16, 8))
    assert (wide.num_features, narrow.num_features) == (256, 128)
    assert narrow.conv1.out_channels == 16
    assert narrow.layer3[0].conv2.out_channels == 32
    assert {key: value.shape for key, value in network("tsn").state_dict().items()} == {
        key: value.shape for key, value in wide.state_dict().items()
    }
