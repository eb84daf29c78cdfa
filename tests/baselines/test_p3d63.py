import pytest
import torch

from baselines.p3d63 import p3d63
from baselines.resnet50_3d import c3d_resnet50


@pytest.mark.parametrize(
    ("name", "frames", "size", "classes", "params", "gmacs"),
    [
        ("p3d63", 16, 160, 400, 25_745_232, 8.442),
        ("c3d_resnet50", 8, 224, 174, 46_499_054, 62.295),
        ("p3d_resnet50", 8, 224, 174, 27_636_974, 37.632),
        ("p3d_resnet50", 16, 224, 174, 27_636_974, 75.265),
    ],
)
def test_size_and_cost(cost, name, frames, size, classes, params, gmacs):
    assert cost(name, "resnet50", frames, size, classes) == (params, gmacs)


def test_the_three_ways_follow_one_another_across_stages():
    net = p3d63("resnet50", num_classes=2, frames=16)
    ways = "".join(block.way for name in ("layer1", "layer2", "layer3") for block in net.get_submodule(name))
    assert ways == "ABCABCABCABCA"
    with pytest.raises(ValueError, match="allowed: 16"):
        p3d63("resnet50", num_classes=2, frames=32)


def test_c3d_on_resnet50_scores_frames():
    net = c3d_resnet50("resnet50", num_classes=2, frames=4).eval()
    with torch.no_grad():
        assert net.features(torch.randn(1, 3, 4, 32, 32)).shape == (1, 4, 2048)
