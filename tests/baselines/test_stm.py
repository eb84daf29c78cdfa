import pytest
import torch

from baselines.stm import ChannelMotion, stm


@pytest.mark.parametrize("size", [8, 7])
@pytest.mark.parametrize("stride", [1, 2])
def test_motion_by_definition(size, stride):
    torch.manual_seed(0)
    module = ChannelMotion(32, 4, stride).double()
    x = torch.randn(8, 32, size, size, dtype=torch.float64)
    f, k = module.squeeze(x), module.move
    frames = [k(f[i + 1 : i + 2]) - f[i : i + 1] if i % 4 < 3 else torch.zeros_like(f[:1]) for i in range(8)]
    expected = module.expand(module.pool(torch.cat(frames)))
    assert module(x).shape == (8, 32, -(-size // stride), -(-size // stride))
    assert torch.allclose(module(x), expected, rtol=1e-12, atol=1e-12)


def test_starts_from_a_2d_network_and_the_sum_of_both_modules_is_normalized():
    torch.manual_seed(0)
    net = stm("tiny_resnet", num_classes=3, frames=2).eval()
    block = net.get_submodule("layer2.0")
    x = torch.randn(4, block.conv1.out_channels, 8, 8)
    assert torch.equal(block.middle(x), block.conv2(block.temporal(x)) + block.cmm(x))
    state = {name: torch.rand_like(value.float()) for name, value in net.state_dict().items()}
    plain = {name: value for name, value in state.items() if ".cmm." not in name and ".temporal." not in name}
    net.load_backbone(plain)
    assert torch.equal(net.state_dict()["layer2.0.conv2.weight"], plain["layer2.0.conv2.weight"])
