import pytest
import torch

from baselines.bninception import MODULES, InceptionModule
from baselines.tsm import tsm
from baselines.tsn import tsn


@pytest.mark.parametrize(
    ("name", "backbone", "params", "gmacs"),
    [
        ("tsn", "bninception", 10_680_240, 16.256),
        ("tsm", "bninception", 10_680_240, 16.256),
        ("tsn", "resnext101", 42_948_304, 63.750),
        ("tsm", "resnext101", 42_948_304, 63.750),
    ],
)
def test_size_and_cost(cost, name, backbone, params, gmacs):
    assert cost(name, backbone, 8, 224) == (params, gmacs)


@pytest.mark.parametrize("name", MODULES)
def test_channels_and_sizes_of_the_modules(name):
    module = InceptionModule(name, 40).eval()
    y = module(torch.randn(1, 40, 14, 14))
    side = 7 if name in ("3c", "4e") else 14
    assert y.shape == (1, module.out_channels, side, side)


def test_sizes_other_than_224_work_and_give_the_map_of_the_ceil_mode_pools():
    net = tsn("bninception", num_classes=3, frames=2).eval()
    with torch.no_grad():
        assert net.maps(torch.randn(1, 2, 3, 224, 224)).shape == (2, 1024, 7, 7)
        assert net(torch.randn(1, 2, 3, 96, 96)).shape == (1, 3)


def test_tsm_shifts_every_input_but_the_image():
    torch.manual_seed(0)
    plain, shifted = (make("bninception", num_classes=3, frames=4, dropout=0.0).eval() for make in (tsn, tsm))
    shifted.load_state_dict(plain.state_dict())
    x = torch.randn(1, 4, 3, 64, 64)
    order = [2, 0, 3, 1]
    with torch.no_grad():
        assert torch.allclose(plain(x[:, order]), plain(x), atol=1e-6)
        assert not torch.allclose(shifted(x[:, order]), shifted(x), atol=1e-6)
        assert not torch.allclose(shifted(x), plain(x), atol=1e-6)
    moved = [name for name, part in shifted.named_modules() if type(part).__name__ == "TemporalShift"]
    assert len(moved) == 11 and "layer1.before" in moved
