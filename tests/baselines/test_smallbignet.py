import pytest
import torch
from torch import nn
from torch.nn.functional import max_pool3d

from baselines.smallbignet import SmallBigBottleneck, neighbourhood_maximum
from methods.adafuse import insert as adafuse
from methods.dnr import insert as dnr
from methods.psn import insert as psn
from repro.core.errors import BadOption
from repro.core.spec import Model, frozen
from repro.models.build import build, build_meta


def spec(**more) -> Model:
    given = {"name": "smallbignet", "backbone": "tiny_resnet", "frames": 4, "num_classes": 5, "dropout": 0.0, **more}
    return Model(**given)


def awake(net):
    """With the normalizations of the big views away from their start at zero."""
    for name, part in net.named_modules():
        if ".big_bn" in name or name.endswith("context.bn"):
            nn.init.normal_(part.weight, 1.0, 0.2)
    return net


@pytest.mark.parametrize(
    ("backbone", "size", "classes", "options", "params", "gmacs"),
    [
        ("resnet50", 224, 174, {}, 23_907_566, 51.965),
        ("resnet50", 256, 400, {}, 24_370_640, 67.873),
        ("resnet50", 224, 174, {"extra": True}, 31_829_742, 62.656),
        ("resnet50", 256, 400, {"extra": True}, 32_292_816, 81.836),
        ("resnet50", 224, 174, {"stages": (1, 2, 3, 4)}, 23_909_870, 55.819),
        ("resnet101", 224, 174, {}, 42_951_918, 105.246),
        ("resnet101", 256, 400, {}, 43_414_992, 137.465),
    ],
)
def test_size_and_cost(cost, backbone, size, classes, options, params, gmacs):
    assert cost("smallbignet", backbone, 8, size, classes, **options) == (params, gmacs)


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_neighbourhood_is_that_of_a_3d_pool(frames):
    x = torch.randn(2 * frames, 3, 6, 7)
    volume = x.unflatten(0, (2, frames)).transpose(1, 2)
    expected = max_pool3d(volume, 3, stride=1, padding=1).transpose(1, 2).flatten(0, 1)
    assert torch.equal(neighbourhood_maximum(x, frames), expected)


def test_starts_as_a_resnet():
    torch.manual_seed(0)
    net, plain = build(spec(options=frozen(extra=True))).eval(), build(spec(name="tsn")).eval()
    plain.load_state_dict({k: v for k, v in net.state_dict().items() if k in plain.state_dict()})
    x = torch.randn(2, 4, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(net(x), plain(x))
        assert not torch.allclose(awake(net)(x), plain(x), atol=1e-3)


@pytest.mark.parametrize("extra", [False, True])
def test_every_parameter_learns(extra):
    torch.manual_seed(0)
    net = awake(build(spec(options=frozen(extra=extra))))
    net(torch.randn(3, 4, 3, 32, 32)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())


@pytest.mark.parametrize("extra", [False, True])
def test_order_of_frames_matters_and_clips_do_not_mix(extra):
    torch.manual_seed(0)
    net = awake(build(spec(options=frozen(extra=extra)))).double().eval()
    x = torch.randn(2, 4, 3, 32, 32, dtype=torch.float64)
    with torch.no_grad():
        both, alone, swapped = net(x), net(x[:1]), net(x[:, [0, 2, 1, 3]])
    torch.testing.assert_close(both[:1], alone, rtol=1e-12, atol=1e-12)
    assert not torch.allclose(both, swapped, atol=1e-4)


def test_big_views_are_in_the_stages_asked_for():
    net = build_meta(spec(backbone="resnet50", options=frozen(stages=(3,))))
    have = {name for name, stage in net.stages() if any(isinstance(block, SmallBigBottleneck) for block in stage)}
    assert have == {"layer3"}


def test_methods_insert_or_refuse():
    x = torch.randn(2, 4, 3, 32, 32)
    with pytest.raises(ValueError, match="SmallBigBottleneck layer2"):
        adafuse.insert(build(spec()), {})
    assert dnr.insert(build(spec()), {})(x).shape == (2, 5)
    assert psn.insert(build(spec()), {"insert_after": ("conv1", "conv2")})(x).shape == (2, 5)


@pytest.mark.parametrize(
    ("backbone", "options", "message"),
    [
        ("resnet18", {}, "not published"),
        ("tiny_resnet", {"extra": 1.5}, "extra 1.5"),
        ("tiny_resnet", {"stages": (5,)}, "stages 5"),
        ("tiny_resnet", {"stages": 3}, "stages 3"),
        ("tiny_resnet", {"extr": True}, "extr"),
    ],
)
def test_bad_options(backbone, options, message):
    with pytest.raises(BadOption, match=message):
        build(spec(backbone=backbone, options=frozen(options)))


def test_a_clip_of_another_length_is_refused():
    with pytest.raises(ValueError, match=r"allowed: \(N, 4, 3, H, W\)"):
        build_meta(spec())(torch.empty(1, 8, 3, 32, 32, device="meta"))
