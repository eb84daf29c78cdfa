import pytest
import torch
from torch import nn

from baselines.blvnet_tam import Aggregation, Bottleneck
from methods.adafuse import insert as adafuse
from methods.dnr import insert as dnr
from methods.psn import insert as psn
from repro.core.errors import BadOption
from repro.core.spec import Model, frozen, replace
from repro.models.build import build


def spec(**more) -> Model:
    given = {"name": "blvnet_tam", "backbone": "tiny_resnet", "frames": 8, "num_classes": 5, "dropout": 0.0, **more}
    return Model(**given)


def awake(net):
    """With the last normalizations of the blocks away from their start at zero."""
    for part in net.modules():
        if isinstance(part, Bottleneck):
            nn.init.normal_(part.bn3.weight, 1.0, 0.2)
    return net


@pytest.mark.parametrize(
    ("depth", "frames", "size", "classes", "params", "gmacs"),
    [
        (50, 48, 224, 400, 25_483_216, 71.565),
        (50, 48, 256, 400, 25_483_216, 93.467),
        (50, 16, 224, 174, 25_020_142, 23.851),
        (50, 32, 224, 174, 25_020_142, 47.703),
        (50, 64, 224, 174, 25_020_142, 95.405),
        (50, 16, 256, 174, 25_020_142, 31.152),
        (101, 64, 224, 174, 40_177_134, 128.597),
    ],
)
def test_size_and_cost(cost, depth, frames, size, classes, params, gmacs):
    assert cost("blvnet_tam", f"blresnet{depth}", frames, size, classes) == (params, gmacs)


def test_aggregation_is_three_depthwise_convolutions():
    torch.manual_seed(0)
    tam = Aggregation(3, frames=4).double()
    x = torch.randn(2 * 4, 3, 5, 5, dtype=torch.float64)
    clips = x.unflatten(0, (2, 4))
    none = torch.zeros_like(clips[:, :1])
    before, after = torch.cat([none, clips[:, :-1]], 1), torch.cat([clips[:, 1:], none], 1)
    parts = zip((tam.prev, tam.curr, tam.next), (before, clips, after), strict=True)
    expected = sum(conv(value.flatten(0, 1)) for conv, value in parts).relu()
    torch.testing.assert_close(tam(x), expected, rtol=1e-12, atol=1e-12)


def test_every_parameter_learns():
    torch.manual_seed(0)
    net = awake(build(spec()))
    net(torch.randn(3, 8, 3, 32, 32)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())


def test_blocks_start_as_their_shortcuts():
    net = build(spec())
    assert all((part.bn3.weight == 0).all() for part in net.modules() if isinstance(part, Bottleneck))


def test_order_of_frames_matters_and_clips_do_not_mix():
    torch.manual_seed(0)
    net = awake(build(spec())).double().eval()
    x = torch.randn(2, 8, 3, 32, 32, dtype=torch.float64)
    with torch.no_grad():
        both, alone = net(x), net(x[:1])
        pairs_backwards, frames_of_pairs_swapped = net(x.flip(1)), net(x[:, [1, 0, 3, 2, 5, 4, 7, 6]])
    torch.testing.assert_close(both[:1], alone, rtol=1e-12, atol=1e-12)
    for other in (pairs_backwards, frames_of_pairs_swapped):
        assert not torch.allclose(both, other, rtol=1e-3)


def test_methods_insert_or_refuse():
    x = torch.randn(1, 8, 3, 32, 32)
    placed = psn.insert(build(spec()), {"insert_after": ("conv1", "conv2", "conv3", "conv4")})
    assert placed.eval()(x).shape == (1, 5)
    with pytest.raises(ValueError, match="allowed: conv1, conv2, conv3, conv4"):
        psn.insert(build(spec()), {"insert_after": ("conv5",)})
    with pytest.raises(ValueError, match="each of the 8 frames of a clip once"):
        dnr.insert(build(spec()), {})
    with pytest.raises(ValueError, match="allowed: tsn or tsm"):
        adafuse.insert(build(spec()), {})


def test_a_resnets_weights_do_not_fit():
    with pytest.raises(ValueError, match="Big-Little Net's ImageNet weights"):
        build(spec()).load_backbone({})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"frames": 7}, "frames 7"),
        ({"backbone": "resnet50"}, "not published"),
        ({"options": frozen(haed="clip")}, "haed"),
        ({"name": "tsn", "backbone": "blresnet50"}, "not published"),
    ],
)
def test_bad_options(change, message):
    with pytest.raises(BadOption, match=message):
        build(replace(spec(), **change))
