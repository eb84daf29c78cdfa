"""How TDN starts, and how its paths join."""

from __future__ import annotations

import pytest
import torch

from baselines.resnet import resnet50
from baselines.tdn import tdn


@pytest.mark.parametrize("frames, main, short", [(8, 0.5, 0.5), (16, 0.75, 0.25)])
def test_weights_of_the_two_paths(frames, main, short):
    with torch.device("meta"):
        net = tdn("tiny_resnet", num_classes=2, frames=frames)
    assert (net.apha, net.belta) == (main, short)


def test_short_term_stem_is_the_mean_over_colours():
    net = tdn("tiny_resnet", num_classes=2, frames=8)
    mean = net.conv1_temp.weight.mean(1)
    assert all(torch.equal(net.conv1_5[0].weight[:, c], mean) for c in range(12))


def test_image_weights_reach_both_paths():
    torch.manual_seed(0)
    state = resnet50().state_dict()
    net = tdn("resnet50", num_classes=2, frames=8)
    net.load_backbone(state)
    own = net.state_dict()
    assert torch.equal(own["layer1.0.conv2.weight"], state["layer1.0.conv2.weight"])
    assert torch.equal(own["resnext_layer1.0.conv2.weight"], state["layer1.0.conv2.weight"])
    assert torch.equal(own["conv1_5.0.weight"][:, 5], state["conv1.weight"].mean(1))


def test_a_still_clip_leaves_the_short_term_path_constant():
    net = tdn("tiny_resnet", num_classes=2, frames=8).eval()
    still = torch.randn(1, 1, 1, 3, 32, 32).expand(1, 8, 5, 3, 32, 32)
    seen = []
    net.conv1_5.register_forward_hook(lambda module, given, out: seen.append(given[0]))
    net(still)
    assert not seen[0].any()


def test_convolutions_have_biases_and_the_gate_has_none():
    with torch.device("meta"):
        net = tdn("resnet50", num_classes=2, frames=8)
    block = net.layer2[0]
    assert all(
        part.bias is not None for part in (net.conv1, block.conv2, block.downsample[0], net.resnext_layer1[1].conv3)
    )
    assert block.mse.conv1.bias is None and net.conv1_5[0].bias is None
    assert not net.conv1_temp.weight.requires_grad
