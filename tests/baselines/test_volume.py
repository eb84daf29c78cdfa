import pytest
import torch
from torch import nn

from baselines.volume import VolumeNetwork, conv3d
from repro.core.errors import BadOption
from repro.core.spec import Model, frozen
from repro.models.build import build, build_meta
from repro.registry import models

#: every registered network of volumes -> frames and size of a small clip that fits it
SMALL = {
    "slowfast_4x16": ("resnet50", 16, 32),
    "slowfast_8x8": ("resnet18", 8, 32),
    "slowfast_nl_16x8": ("resnet101", 8, 32),
    "i3d": ("resnet50", 4, 32),
    "i3d_res5s1": ("resnet50", 4, 32),
    "i3d_nl": ("resnet50", 4, 32),
    "i3d_nl_dot": ("resnet50", 8, 32),
    "i3d_nl_embedded_gaussian": ("resnet50", 8, 32),
    "i3d_nl_gaussian": ("resnet50", 8, 32),
    "r2plus1d": ("resnet34", 8, 32),
    "x3d_s": ("x3d_s", 4, 32),
    "x3d_m": ("x3d_m", 4, 32),
    "x3d_l": ("x3d_l", 4, 32),
    "x3d_xl": ("x3d_xl", 4, 32),
    "eco": ("bninception", 4, 64),
    "eco_lite": ("bninception", 4, 64),
    "eco_en_lite": ("bninception", 92, 32),
    "i3d_inceptionv1": ("inceptionv1", 16, 32),
    "s3d": ("inceptionv1", 16, 32),
    "s3dg": ("inceptionv1", 16, 32),
    "s3dg_s2d": ("inceptionv1", 16, 32),
    "c3d": ("c3d", 16, 112),
    "p3d63": ("resnet50", 16, 32),
    "c3d_resnet50": ("resnet50", 4, 32),
    "p3d_resnet50": ("resnet50", 4, 32),
    "corrnet101": ("corrnet101", 4, 32),
    "region_graph": ("resnet50", 4, 32),
}
_SLOW = ("c3d", "eco_en_lite", "slowfast_nl_16x8", "corrnet101", "x3d_xl", "x3d_l")


def small(name, **changes):
    backbone, frames, _ = SMALL[name]
    return Model(**{"name": name, "backbone": backbone, "frames": frames, "num_classes": 5, **changes})


def test_every_network_of_volumes_is_listed_here():
    assert {entry.name for entry in models if "input_frames" in entry.facts} == set(SMALL)


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n in _SLOW else n for n in SMALL])
def test_every_parameter_learns(name):
    torch.manual_seed(0)
    net = build(small(name)).train()
    for part in net.modules():
        if part.__class__.__name__ == "NonLocal":
            nn.init.ones_(part.bn.weight)  # zero at the start, so that the block begins as the identity
    _, frames, size = SMALL[name]
    logits = net(torch.randn(2, frames, 3, size, size))
    assert logits.shape == (2, 5) and logits.isfinite().all()
    nn.functional.cross_entropy(logits, torch.tensor([1, 3])).backward()
    without = [key for key, value in net.named_parameters() if value.grad is None or not value.grad.isfinite().all()]
    assert not without


@pytest.mark.parametrize("name", SMALL)
def test_wrong_input_and_options_are_refused(name):
    net = build_meta(small(name))
    _, frames, size = SMALL[name]
    with pytest.raises(ValueError, match=rf"allowed: \(N, {frames}, 3, H, W\)"):
        net(torch.empty(1, frames + 1, 3, size, size, device="meta"))
    with pytest.raises(BadOption, match="has no option 'lenght'"):
        build_meta(small(name, options=frozen({"lenght": 3})))


def test_a_2d_network_does_not_take_a_3d_backbone():
    with pytest.raises(BadOption, match="not published"):
        build_meta(Model(name="tsn", backbone="x3d_m"))


def test_2d_kernels_are_inflated():
    net = build(small("i3d"))
    flat = {"conv1.weight": torch.randn(64, 3, 7, 7), "layer1.0.bn1.weight": torch.rand(64), "fc.weight": torch.ones(1)}
    before = net.fc.weight.clone()
    net.load_backbone(flat)
    torch.testing.assert_close(net.conv1.weight.sum(2), flat["conv1.weight"])
    assert (net.conv1.weight[:, :, 0] == net.conv1.weight[:, :, 4]).all()
    assert torch.equal(net.layer1[0].bn1.weight, flat["layer1.0.bn1.weight"]) and torch.equal(net.fc.weight, before)
    with pytest.raises(ValueError, match="allowed: pretrained none"):
        build(small("x3d_s")).load_backbone(flat)


def test_scores_of_several_places_are_averaged():
    class Frames(VolumeNetwork):
        def features(self, x):
            return x.mean((3, 4)).transpose(1, 2)

    net = Frames(3, num_classes=2, frames=4, dropout=0.0)
    x = torch.randn(2, 4, 3, 5, 5)
    torch.testing.assert_close(net(x), net.fc(x.mean((1, 3, 4))))


@pytest.mark.parametrize(
    ("change", "message"),
    [({"frames": 6}, "multiples of 4"), ({"dropout": 1.0}, "dropout"), ({"num_classes": 0}, "num")],
)
def test_impossible_sizes_are_refused(change, message):
    class Nothing(VolumeNetwork):
        def features(self, x):
            return x.mean((2, 3, 4))

    with pytest.raises(ValueError, match=message):
        Nothing(3, frames_multiple_of=4, **{"num_classes": 2, "frames": 4, "dropout": 0.5, **change})


def test_kernels_are_padded_by_half():
    assert conv3d(1, 1, (5, 3, 7)).padding == (2, 1, 3)
