import pytest
import torch
from torch.nn.functional import conv3d, relu

from baselines.gsm import GatedConvNorm, GateShift, gsm
from repro.core.spec import Model
from repro.models.build import build


def gated(backbone) -> dict[str, int]:
    """Path of each gated convolution -> its channels."""
    with torch.device("meta"):
        net = gsm(backbone, num_classes=2, frames=2)
    return {name: part.conv.out_channels for name, part in net.named_modules() if isinstance(part, GatedConvNorm)}


def test_gate_and_shift_by_definition():
    torch.manual_seed(0)
    frames, channels = 4, 12
    module = GateShift(channels, frames).double()
    for value in module.parameters():
        torch.nn.init.normal_(value)
    x = torch.randn(2 * frames, channels, 5, 6, dtype=torch.float64)
    volume = relu(module.bn(x)).unflatten(0, (2, frames)).transpose(1, 2)
    gates = conv3d(volume, module.conv.weight, module.conv.bias, padding=1, groups=2).tanh()  # (N, 2, T, H, W)
    clips = x.unflatten(0, (2, frames))
    expected = torch.zeros_like(clips)
    half = channels // 2
    for c in range(channels):
        first = c < half
        y = gates[:, 0 if first else 1] * clips[:, :, c]
        moved = torch.zeros_like(y)
        if first:
            moved[:, :-1] = y[:, 1:]
        else:
            moved[:, 1:] = y[:, :-1]
        i = c % half  # (2, C / 4) -> (C / 4, 2)
        place = (0 if first else half) + 2 * (i % (half // 2)) + i // (half // 2)
        expected[:, :, place] = moved + clips[:, :, c] - y
    assert torch.allclose(module(x), expected.flatten(0, 1), rtol=1e-12, atol=1e-12)


def test_at_first_it_permutes_channels():
    x = torch.arange(8.0)[None, :, None, None].expand(3, 8, 2, 2)
    assert GateShift(8, 3)(x)[1, :, 0, 0].tolist() == [0, 2, 1, 3, 4, 6, 5, 7]


def test_works_in_half_precision_and_keeps_the_type():
    module = GateShift(8, 2).to(torch.bfloat16)
    assert module(torch.randn(4, 8, 3, 3, dtype=torch.bfloat16)).dtype is torch.bfloat16


def test_places_are_the_authors():
    channels = (64, 64, 128, 224, 192, 160, 96, 128, 352, 352)
    assert tuple(gated("bninception").values()) == channels
    reduced = [name for name in gated("bninception") if name.endswith("3x3_reduce")]
    assert reduced == ["layer2.2.conv_3x3_reduce", "layer3.4.conv_3x3_reduce"]
    v3 = gated("inceptionv3")
    assert tuple(v3.values()) == (64, 64, 64, 64, 192, 192, 192, 192, 320, 320)
    assert [name for name in v3 if "tower" in name] == ["layer3.0.tower_conv", "layer4.0.tower_conv"]
    assert not any(name.startswith("layer3.3") for name in v3)


def test_normalizations_move_as_in_the_authors_files():
    net = gsm("tiny_inception", num_classes=2, frames=2)
    assert {part.momentum for part in net.modules() if isinstance(part, torch.nn.BatchNorm2d)} == {0.1}


def test_plain_networks_have_no_place_for_it():
    with pytest.raises(ValueError, match="gsm on backbone 'tiny_resnet' is not published"):
        gsm("tiny_resnet", num_classes=2, frames=2)


def test_adafuse_still_gates_plain_inception_modules():
    net = build(Model(name="tsm", backbone="tiny_inception", num_classes=3, frames=4, method="adafuse"))
    assert len(net.adafuse.gates) == 4
