import pytest
import timm
import torch
from torch import nn

from baselines.gsm import gsm
from baselines.inceptionv3 import MODULES, inceptionv3
from baselines.video import VideoResNet


def layers_in_turn(net, x) -> list[nn.Module]:
    """Convolutions and normalizations as a forward pass meets them."""
    met: list[nn.Module] = []
    hooks = [
        part.register_forward_hook(lambda module, inputs, output: met.append(module))
        for part in net.modules()
        if isinstance(part, nn.Conv2d | nn.BatchNorm2d)
    ]
    with torch.no_grad():
        net(x)
    for hook in hooks:
        hook.remove()
    return met


def test_equals_timms_but_for_biases_epsilon_and_the_last_pooling():
    """This network's kernels are timm's turned over: 7x1 where timm has 1x7. At 91x91 no pooling has to round."""
    torch.manual_seed(0)
    theirs = timm.create_model("inception_v3", pretrained=False, num_classes=0, aux_logits=False).double().eval()
    ours = VideoResNet(inceptionv3(), num_classes=2, frames=1).double().eval()
    ours.layer4[2].pool = nn.AvgPool2d(3, 1, padding=1)
    x = torch.randn(1, 1, 3, 91, 91, dtype=torch.float64)
    pairs = list(zip(layers_in_turn(ours, x), layers_in_turn(theirs, x[:, 0]), strict=True))
    for mine, other in pairs:
        assert type(mine).__name__ in (type(other).__name__, "Conv2d", "BatchNorm2d")
        if isinstance(mine, nn.Conv2d):
            nn.init.normal_(mine.weight, std=(2 / mine.weight[0].numel()) ** 0.5)
            nn.init.zeros_(mine.bias)
            other.weight.data = mine.weight.data.transpose(2, 3)
        else:
            nn.init.uniform_(mine.weight, 0.5, 1.5)
            nn.init.normal_(mine.running_mean, std=0.1)
            other.load_state_dict(mine.state_dict())
            other.eps = mine.eps
    with torch.no_grad():
        expected = theirs(x[:, 0].transpose(2, 3))
        assert torch.allclose(ours.features(x)[:, 0], expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("size", "maps"), [(229, (27, 13, 6)), (224, (26, 12, 5)), (299, (35, 17, 8))])
def test_maps(size, maps):
    with torch.device("meta"):
        net = VideoResNet(inceptionv3(), num_classes=2, frames=1).eval()
        x = net.layer1(net.act1(net.bn1(net.conv1(torch.empty(1, 3, size, size)))))
        for stage, channels, side in zip((net.layer2, net.layer3, net.layer4), (288, 768, 2048), maps, strict=True):
            x = stage(x)
            assert x.shape == (1, channels, side, side)


def test_the_last_pooling_is_a_maximum():
    net = inceptionv3()
    assert isinstance(net.layer4[2].pool, nn.MaxPool2d) and isinstance(net.layer4[1].pool, nn.AvgPool2d)
    assert [len(plans) for plans in MODULES.values()] == [3, 5, 3]


def test_runs_and_learns_on_small_crops():
    torch.manual_seed(0)
    net = gsm("inceptionv3", num_classes=3, frames=2)
    net(torch.randn(2, 2, 3, 75, 75)).square().sum().backward()
    assert [name for name, p in net.named_parameters() if p.grad is None] == []
