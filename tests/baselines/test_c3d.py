import pytest
import torch

from baselines.c3d import c3d


def test_size_and_cost(cost):
    assert cost("c3d", "c3d", 16, 112) == (79_634_576, 38.549)


def test_only_16_frames_of_112_fit():
    with pytest.raises(ValueError, match="allowed: 16"):
        c3d("c3d", num_classes=2, frames=8)
    with torch.device("meta"):
        net, x = c3d("c3d", num_classes=2, frames=16), torch.empty(1, 16, 3, 128, 128)
    with pytest.raises(ValueError, match="allowed: 112 x 112"):
        net(x)
