"""Networks of timm under video networks: timm's own features, public networks' values and counts, what does not fit."""

import pytest
import timm
import torch
import torchvision
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from baselines.timm_backbone import Outline
from baselines.tsm import ShiftConv2d, temporal_shift
from methods.adafuse.insert import insert
from repro.core import spec
from repro.core.errors import BadOption
from repro.models.build import build, build_meta
from repro.registry import backbones, models

FAMILIES = (
    "efficientnet_b0",
    "mobilenetv2_100",
    "tf_efficientnet_lite0",
    "regnety_002",
    "convnext_atto",
    "resnet18d",
    "mobilenetv3_small_050",
)


def _lively(net):
    """Normalizations as after a training: at their first weights some of these networks give next to nothing."""
    for part in net.modules():
        if isinstance(part, nn.BatchNorm2d) and part.affine:
            part.weight.data.uniform_(1.5, 2.5)
            part.bias.data.uniform_(-0.5, 0.5)
    return net.eval()


@pytest.mark.parametrize("name", FAMILIES)
@torch.no_grad()
def test_features_are_timms(name):
    torch.manual_seed(0)
    reference = timm.create_model(name, num_classes=0)
    torch.manual_seed(0)
    net = models["tsn"].load()(name, num_classes=3, frames=2).eval()
    own = {name: value for name, value in net.state_dict().items() if not name.startswith("fc.")}
    assert len(own) == len(reference.state_dict())
    net.load_backbone(reference.state_dict())
    torch.manual_seed(1)
    _lively(reference)
    net.load_backbone(reference.state_dict())
    x = torch.randn(2, 2, 3, 64, 64)
    torch.testing.assert_close(net.features(x).flatten(0, 1), reference(x.flatten(0, 1)))
    assert net.features(x).std() > 1e-3


@pytest.mark.parametrize(
    ("size", "gmacs", "plain", "fused"), [("b0", 3.08, 4.230, 8.189), ("b3", 7.69, 10.964, 15.585)]
)
def test_cost_and_parameters(size, gmacs, plain, fused):
    model = spec.Model(name="tsn", backbone=f"efficientnet_{size}", frames=8, num_classes=174)
    net = build_meta(model)
    assert net.num_features == {"b0": 1280, "b3": 1536}[size]
    assert sum(p.numel() for p in net.parameters()) / 1e6 == pytest.approx(plain, abs=1e-3)
    assert _gmacs(net, 8) == pytest.approx(gmacs, abs=5e-3)
    with torch.device("meta"):
        insert(net, {})
    assert sum(p.numel() for p in net.parameters()) / 1e6 == pytest.approx(fused, abs=1e-3)


def _gmacs(net, frames):
    with FlopCounterMode(display=False) as counter:
        net.eval()(torch.empty(1, frames, 3, 224, 224, device="meta"))
    return counter.get_total_flops() / 2e9


#: expansion, channels, blocks, first stride: Sandler et al., CVPR 2018, Table 2
MOBILENET_V2 = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def _mobilenet_v2_of_its_paper(classes, size=224):
    """Parameters and multiply-accumulates of one frame, block by block from the paper's table."""
    channels, side, parameters, macs = 32, size // 2, 27 * 32 + 64, 27 * 32 * (size // 2) ** 2

    def conv(weights, outputs, at):
        nonlocal parameters, macs
        parameters += weights + 2 * outputs
        macs += weights * at * at

    for expansion, out, blocks, first in MOBILENET_V2:
        for index in range(blocks):
            wide, before = channels * expansion, side
            side = side // first if index == 0 else side
            if expansion > 1:
                conv(channels * wide, wide, before)
            conv(9 * wide, wide, side)
            conv(wide * out, out, side)
            channels = out
    conv(320 * 1280, 1280, side)
    return parameters + 1280 * classes + classes, macs + 1280 * classes


def test_tsm_on_mobilenet_v2_has_the_public_codes_size_and_cost():
    """mit-han-lab/temporal-shift-module counts 2D MobileNetV2 on 8 frames: the shift has neither."""
    net = build_meta(spec.Model(name="tsm", backbone="mobilenetv2_100"))
    parameters, macs = _mobilenet_v2_of_its_paper(400)
    assert sum(p.numel() for p in net.parameters()) == parameters == 2_736_272
    assert _gmacs(net, 8) == pytest.approx(8 * macs / 1e9, rel=1e-9)


@torch.no_grad()
def test_tsm_on_mobilenet_v2_shifts_where_the_public_code_does():
    """torchvision's network, whose blocks are those of the authors' archs, shifted by their rule (ops/models.py)."""
    net = _lively(models["tsm"].load()("mobilenetv2_100", num_classes=5, frames=4)).double()  # rounding grows in it
    reference = torchvision.models.mobilenet_v2(num_classes=5)
    pairs = zip(reference.state_dict(), net.state_dict().values(), strict=True)
    reference.load_state_dict(dict(pairs))
    shifted = [
        part
        for part in reference.modules()
        if isinstance(part, torchvision.models.mobilenetv2.InvertedResidual)
        and len(part.conv) == 4  # theirs is 8 long: expansion and depthwise convolution are not yet one part each
        and part.use_res_connect
    ]
    for part in shifted:
        part.conv.register_forward_pre_hook(lambda _, inputs: (temporal_shift(inputs[0], 4),))
    assert len(shifted) == sum(isinstance(part, ShiftConv2d) for part in net.modules()) == 10
    x = torch.randn(2, 4, 3, 64, 64).double()
    expected = reference.double().eval()(x.flatten(0, 1)).unflatten(0, (2, 4)).mean(1)
    torch.testing.assert_close(net(x), expected)


@pytest.mark.parametrize("backbone", ["efficientnet_b0", "mobilenetv2_100", "regnety_002"])
@pytest.mark.parametrize("model", ["tsn", "tsm"])
@torch.no_grad()
def test_adafuse_that_keeps_all_is_the_plain_network(backbone, model):
    plain = _lively(models[model].load()(backbone, num_classes=3, frames=2))
    net = models[model].load()(backbone, num_classes=3, frames=2)
    net.load_state_dict(plain.state_dict())
    net = insert(net, {"hidden": 8}).eval()
    x = torch.randn(1, 2, 3, 64, 64)
    blocks = {"efficientnet_b0": 15, "mobilenetv2_100": 16, "regnety_002": 13}
    assert len(net.adafuse.gates) == blocks[backbone], "all blocks but the one without expansion"
    free = net(x)
    net.adafuse.force({block: torch.full((2, gate.decided), 2) for block, gate in net.adafuse.gates.items()})
    torch.testing.assert_close(net(x), plain(x))
    assert not torch.allclose(free, plain(x))


@pytest.mark.parametrize("backbone", ["mobilenetv2_100", "regnety_002", "tf_efficientnet_lite0"])
@torch.no_grad()
def test_dnr_keeps_activations_and_the_rest_of_a_stage(backbone):
    """With cells that give the learned scale and shift of the host, DNR's network is the host's, shifted as TSM."""
    host = _lively(models["tsm"].load()(backbone, num_classes=3, frames=4))
    net = build(spec.Model(name="tsm", backbone=backbone, num_classes=3, frames=4, method="dnr")).eval()
    affine = dict(host.named_modules())
    replaced = 0
    for name, part in net.named_modules():
        if type(part).__name__ in ("CrossLayerNorm", "CrossTemporalNorm"):
            old = affine[name.removesuffix(".norm")]
            part.running_mean, part.running_var = old.running_mean, old.running_var
            part.gates = lambda pooled, old=old: tuple(v.expand_as(pooled) for v in (old.weight, old.bias))
            replaced += 1
    state = net.state_dict()
    net.load_state_dict({name: value for name, value in host.state_dict().items() if name in state}, strict=False)
    x = torch.randn(1, 4, 3, 64, 64)
    assert replaced == 2 * sum(len(stage) - (stage is host.layer4) * _others(stage) for _, stage in host.stages())
    torch.testing.assert_close(net(x), host(x), rtol=1e-4, atol=1e-4)


def _others(stage):
    return sum(not name.isdigit() for name, _ in stage.named_children())


@pytest.mark.parametrize("backbone", ["mobilenetv2_100", "convnext_atto", "regnety_002"])
def test_tanet_puts_tam_before_the_spatial_convolution_of_each_residual_branch(backbone):
    net = models["tanet"].load()(backbone, num_classes=3, frames=2)
    places = [name for name, part in net.named_modules() if type(part).__name__ == "TemporalAdaptive"]
    count = {"mobilenetv2_100": (10, "conv_dw"), "convnext_atto": (12, "conv_dw"), "regnety_002": (13, "conv2.conv")}
    assert len(places) == count[backbone][0] and all(f".{count[backbone][1]}.tam" in place for place in places)
    net.eval()(torch.randn(1, 2, 3, 64, 64)).sum().backward()
    assert all(p.grad is not None for p in net.parameters())


@pytest.mark.parametrize("backbone", ["mobilenetv2_100", "convnext_atto"])
@torch.no_grad()
def test_psn_that_adds_nothing_is_the_plain_network(backbone):
    options = spec.frozen(expand_scale=0.0)
    model = spec.Model(name="tsn", backbone=backbone, num_classes=3, frames=8)
    net = build(spec.replace(model, method="psn", method_options=options)).eval()
    plain = build(model).eval()
    assert set(plain.state_dict()) <= set(net.state_dict())
    plain.load_state_dict({name: value for name, value in net.state_dict().items() if name in plain.state_dict()})
    x = torch.randn(1, 8, 3, 64, 64)
    torch.testing.assert_close(net(x), plain(x))


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("vit_tiny_patch16_224", "pos_drop does not read the output of the part before it alone"),
        ("densenet121", "holds blocks that are no sequence"),
        ("dla34", "holds blocks that are no sequence"),
        ("swin_tiny_patch4_window7_224", r"its last maps are \(1, 7, 7, 768\)"),
    ],
)
def test_a_network_that_does_not_fit_is_refused_with_what_it_lacks(name, why):
    with pytest.raises(BadOption, match=f"backbone '{name}' does not fit: .*{why}"):
        build_meta(spec.Model(name="tsn", backbone=name))


@pytest.mark.parametrize(
    ("model", "method", "backbone", "why"),
    [
        ("tsn", "dnr", "convnext_atto", "no batch or group normalization but LayerNorm"),
        ("tsn", "adafuse", "convnext_atto", "two convolutions with a normalization between"),
        ("tsn", "adafuse", "seresnet50", "two convolutions with a normalization between"),
        ("tdn", None, "mobilenetv2_100", "tdn on backbone 'mobilenetv2_100' is not published"),
        ("tsm", None, "repvgg_a0", "no block of it has a residual branch"),
        ("tsm", None, "nf_resnet26", "cannot be worked into"),
    ],
)
def test_what_a_method_misses_is_named(model, method, backbone, why):
    with pytest.raises(BadOption, match=why):
        build_meta(spec.Model(name=model, backbone=backbone, method=method))


def test_any_name_of_timm_is_a_backbone_and_a_slip_is_none():
    assert "regnetx_032" in backbones and "resnet5" not in backbones
    assert backbones["regnetx_032"].code == "", "nothing of it is a user's own code"
    assert {name for name, _ in Outline("efficientnet_b0").named_children()} >= {"conv1", "bn1", "layer1", "layer4"}
