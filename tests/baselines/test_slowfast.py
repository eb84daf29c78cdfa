import pytest
import torch

from baselines.slowfast import _slow_frames, slowfast_4x16
from repro.core.errors import BadOption
from repro.core.spec import Model, frozen
from repro.models.build import build_meta


@pytest.mark.parametrize(
    ("name", "backbone", "frames", "size", "options", "params", "gmacs"),
    [
        ("slowfast_4x16", "resnet50", 32, 256, {}, 34_480_216, 36.099),
        ("slowfast_4x16", "resnet50", 32, 224, {"form": "mmaction2"}, 34_479_288, 27.639),
        ("slowfast_8x8", "resnet18", 32, 224, {}, 33_777_400, 33.638),
        ("slowfast_8x8", "resnet50", 32, 224, {}, 34_565_560, 50.309),
        ("slowfast_8x8", "resnet101", 32, 256, {}, 53_774_808, 106.511),
        ("slowfast_8x8", "resnet101", 32, 256, {"form": "mmaction2"}, 62_912_312, 126.317),
        ("slowfast_nl_16x8", "resnet101", 64, 256, {}, 60_080_088, 242.012),
        ("slowfast_nl_16x8", "resnet101", 64, 256, {"nonlocal_pool": 2}, 60_080_088, 233.959),
    ],
)
def test_size_and_cost(cost, name, backbone, frames, size, options, params, gmacs):
    assert cost(name, backbone, frames, size, **options) == (params, gmacs)


def test_slow_frames_of_both_codes():
    assert _slow_frames(32, 4, "pyslowfast").tolist() == [0, 4, 8, 13, 17, 22, 26, 31]
    assert _slow_frames(32, 4, "mmaction2").tolist() == [0, 4, 8, 12, 16, 20, 24, 28]
    for frames, alpha in ((32, 8), (64, 4), (32, 4), (16, 2)):
        exact = torch.linspace(0, frames - 1, frames // alpha, dtype=torch.float64).long()
        assert _slow_frames(frames, alpha, "pyslowfast").tolist() == exact.tolist()


def test_only_slow_frames_reach_the_slow_pathway():
    net = slowfast_4x16("resnet50", num_classes=3, frames=16, form="mmaction2").eval()
    for index in range(1, 5):  # without laterals the slow pathway sees its own frames alone
        torch.nn.init.zeros_(net.get_submodule(f"lateral{index}").conv.weight)
    x = torch.randn(1, 3, 16, 32, 32)
    changed = x.clone()
    changed[:, :, 1:8] += 1
    with torch.no_grad():
        old, new = net.features(x), net.features(changed)
    fast, slow = slice(0, 256), slice(256, None)
    assert torch.equal(old[:, slow], new[:, slow]) and not torch.allclose(old[:, fast], new[:, fast])


@pytest.mark.parametrize(
    ("backbone", "frames", "options", "message"),
    [
        ("resnet18", 32, {"form": "pyslowfast"}, "allowed: form mmaction2"),
        ("resnet50", 30, {}, "multiples of 4"),
        ("resnet50", 32, {"form": "caffe2"}, "pyslowfast, mmaction2"),
        ("resnet34", 32, {}, "not published"),
    ],
)
def test_impossible_choices_are_refused(backbone, frames, options, message):
    with pytest.raises(BadOption, match=message):
        build_meta(Model(name="slowfast_8x8", backbone=backbone, frames=frames, options=frozen(options)))
