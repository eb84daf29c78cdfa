import pytest
import torch

from baselines.r2plus1d import FactorizedConv3d, middle_channels, r2plus1d


@pytest.mark.parametrize(
    ("frames", "size", "options", "params", "gmacs"),
    [
        (8, 224, {}, 63_759_281, 40.561),
        (8, 256, {}, 63_759_281, 52.978),
        (8, 112, {"form": "vmz"}, 63_697_175, 38.089),
        (32, 112, {"form": "vmz"}, 63_697_175, 152.356),
    ],
)
def test_size_and_cost(cost, frames, size, options, params, gmacs):
    assert cost("r2plus1d", "resnet34", frames, size, **options) == (params, gmacs)


def test_the_pair_has_about_the_parameters_of_the_whole_kernel():
    assert middle_channels(3, 64, (3, 7, 7)) == 83 and middle_channels(64, 128, (1, 1, 1)) == 54
    for channels, out in ((64, 64), (64, 128), (256, 512)):
        pair = FactorizedConv3d(channels, out, (3, 3, 3))
        weights = pair.conv_s.weight.numel() + pair.conv_t.weight.numel()
        assert 0.99 < weights / (27 * channels * out) <= 1


def test_time_ends_at_an_eighth_and_norms_have_the_form_s_eps():
    lengths = []
    net = r2plus1d("resnet18", num_classes=2, frames=8).eval()
    for name in ("layer1", "layer2", "layer3", "layer4"):
        net.get_submodule(name).register_forward_hook(lambda _, __, y: lengths.append(y.shape[2]))
    with torch.no_grad():
        net(torch.randn(1, 8, 3, 32, 32))
    assert lengths == [8, 4, 2, 1]
    assert net.bn1.eps == net.layer2[0].downsample[1].eps == 1e-3 and net.conv1.bn_s.eps == 1e-5
    vmz = r2plus1d("resnet18", num_classes=2, frames=8, form="vmz")
    assert vmz.conv1.bn_s.eps == 1e-3 and vmz.bn1.momentum == 0.9
