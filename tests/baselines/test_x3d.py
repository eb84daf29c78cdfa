import pytest
import torch

from baselines.squeeze_excitation import SqueezeExcitation
from baselines.x3d import SHAPES, squeezed_channels, x3d


@pytest.mark.parametrize(
    ("name", "frames", "size", "params", "gmacs"),
    [
        ("x3d_s", 13, 160, 3_794_322, 1.963),
        ("x3d_s", 13, 182, 3_794_322, 2.722),
        ("x3d_m", 16, 224, 3_794_322, 4.732),
        ("x3d_m", 16, 256, 3_794_322, 6.181),
        ("x3d_l", 16, 356, 6_153_432, 24.764),
        ("x3d_xl", 16, 312, 11_095_904, 35.838),
        ("x3d_xl", 16, 356, 11_095_904, 48.407),
    ],
)
def test_size_and_cost(cost, name, frames, size, params, gmacs):
    assert cost(name, name, frames, size) == (params, gmacs)


def test_squeezed_channels():
    assert [squeezed_channels(width) for width in (54, 108, 216, 432, 630)] == [8, 8, 16, 32, 40]


def test_every_second_block_squeezes_and_depths_are_those_of_the_paper():
    net = x3d("x3d_m", num_classes=2, frames=4)
    assert [block.se is not None for block in net.layer2] == [True, False, True, False, True]
    assert [len(net.get_submodule(f"layer{k}")) for k in (1, 2, 3, 4)] == list(SHAPES["x3d_m"][2])
    with pytest.raises(ValueError, match="x3d_s, x3d_m"):
        x3d("resnet50", num_classes=2, frames=4)


def test_excitation_is_a_factor_for_each_clip_and_channel():
    block, x = SqueezeExcitation(4, 2), torch.rand(2, 4, 3, 5, 5) + 0.1
    factor = block(x) / x
    assert (factor.flatten(2).std(2) < 1e-6).all() and ((factor > 0) & (factor < 1)).all()
