import pytest
import timm
import torch

from baselines.gst import FramesConv3d, gst
from repro.core.errors import BadOption
from repro.core.spec import Model
from repro.cost.macs import count_macs
from repro.models.build import build, build_meta


def spec(backbone="tiny_resnet", **more) -> Model:
    return Model(**{"name": "gst", "backbone": backbone, "num_classes": 174, "dropout": 0.3, **more})


def test_convolution_over_folded_frames_is_a_3d_convolution():
    conv = FramesConv3d(4, 3, frames=5, stride=2).double()
    x = torch.randn(2 * 5, 4, 9, 9, dtype=torch.float64)
    clips = x.unflatten(0, (2, 5)).transpose(1, 2)
    expected = torch.nn.functional.conv3d(clips, conv.weight, stride=(1, 2, 2), padding=1).transpose(1, 2).flatten(0, 1)
    assert torch.allclose(conv(x), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("backbone", "options", "params"),
    [("resnet50", {}, 21_035_246), ("resnet101", {}, 37_520_622), ("resnet50", {"large": True}, 29_523_182)],
)
def test_parameters_are_the_authors(backbone, options, params):
    net = build_meta(spec(backbone, options=options))
    assert sum(p.numel() for p in net.parameters()) == params


@pytest.mark.parametrize(("frames", "size", "gmacs"), [(8, 224, 29.001), (16, 224, 58.001), (8, 112, 7.632)])
def test_cost(frames, size, gmacs):
    net = build_meta(spec("resnet50", frames=frames)).eval()
    macs = count_macs(net, torch.empty(1, frames, 3, size, size, device="meta"))
    assert round(macs / 1e9, 3) == gmacs


def test_order_of_frames_matters_and_clips_do_not_mix():
    torch.manual_seed(0)
    net = build(spec()).eval()
    x = torch.randn(2, 8, 3, 32, 32)
    with torch.no_grad():
        both, alone, backwards = net(x), net(x[:1]), net(x.flip(1))
    assert torch.allclose(both[:1], alone, atol=1e-5)
    assert not torch.allclose(both, backwards, atol=1e-4)


def test_starts_from_a_2d_network():
    net = gst("resnet50", num_classes=5, frames=2)
    state = timm.create_model("resnet50", pretrained=False).state_dict()
    kept = net.get_submodule("layer2.1.Tconv").weight.clone()
    net.load_backbone(state)
    own = net.state_dict()
    assert torch.equal(own["layer2.1.conv2.weight"], state["layer2.1.conv2.weight"][:96, :64])
    assert torch.equal(own["layer2.1.conv1.weight"], state["layer2.1.conv1.weight"])
    assert torch.equal(own["layer2.1.Tconv.weight"], kept)


def test_all_parameters_learn():
    torch.manual_seed(0)
    net = build(spec(frames=4))
    net(torch.randn(2, 4, 3, 32, 32)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())


@pytest.mark.parametrize(
    ("backbone", "options", "message"),
    [
        ("resnet18", {}, "not published"),
        ("tiny_resnet", {"large": 2}, "large 2"),
        ("tiny_resnet", {"lrge": True}, "lrge"),
    ],
)
def test_bad_options(backbone, options, message):
    with pytest.raises(BadOption, match=message):
        build(spec(backbone, options=options))
