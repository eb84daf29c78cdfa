import torch

from baselines.teinet import EnhancementInteraction, teinet
from baselines.tsm import ShiftConv2d, tsm


def test_enhancement_and_interaction_by_definition():
    torch.manual_seed(0)
    module = EnhancementInteraction(16, 4).double()
    torch.nn.init.normal_(module.tim.conv.weight)
    x = torch.randn(8, 16, 3, 3, dtype=torch.float64)
    clips, mem = x.unflatten(0, (2, 4)), module.mem
    pooled = clips.mean((3, 4))
    gated = clips.clone()
    for t in range(3):
        a = mem.expand(mem.here(pooled[:, t]) - mem.next(pooled[:, t + 1])).sigmoid()
        gated[:, t] = clips[:, t] * a[..., None, None]
    before, here, after = module.tim.conv.weight[:, 0, :, None, None].unbind(1)
    expected = gated * here
    expected[:, 1:] += gated[:, :-1] * before
    expected[:, :-1] += gated[:, 1:] * after
    assert torch.allclose(module(x), expected.flatten(0, 1), rtol=1e-12, atol=1e-12)


def test_without_the_gate_it_starts_as_tsm():
    torch.manual_seed(0)
    shifted = tsm("tiny_resnet", num_classes=3, frames=4).double().eval()
    assert isinstance(shifted.get_submodule("layer1.0.conv1"), ShiftConv2d)
    net = teinet("tiny_resnet", num_classes=3, frames=4).double().eval()
    net.load_state_dict(shifted.state_dict(), strict=False)
    for name, part in net.named_modules():
        if name.endswith("mem"):
            torch.nn.init.constant_(part.expand.bias, 50.0)  # sigmoid(50) is 1
            torch.nn.init.zeros_(part.expand.weight)
    x = torch.randn(2, 4, 3, 32, 32, dtype=torch.float64)
    with torch.no_grad():
        assert torch.allclose(net(x), shifted(x), rtol=1e-9, atol=1e-12)
