import timm
import torch
from torch.nn.functional import conv1d

from baselines.tea import AggregationBlock, MotionExcitation, tea
from baselines.temporal import LearnableShift
from repro.core.spec import Model
from repro.models.build import build


def test_excitation_reads_the_next_frame_and_the_last_frame_has_none():
    torch.manual_seed(0)
    module = MotionExcitation(32, 4).double().eval()
    x = torch.randn(8, 32, 6, 6, dtype=torch.float64)
    later = x.clone()
    later[2] = torch.randn_like(later[2])  # third frame of the first clip
    with torch.no_grad():
        changed = (module(x) != module(later)).flatten(1).any(1)
        last = module.bn3.bias.sigmoid() - 0.5  # sigmoid(BN(0)) - 1/2, with mean 0
        assert torch.allclose(module(x)[3], x[3] * (1 + last[:, None, None]))
    assert changed.tolist() == [False, True, True, False, False, False, False, False]


def test_shifts_start_as_identity_and_the_last_as_half_and_half():
    block = tea("resnet50", num_classes=2, frames=4).get_submodule("layer1.1")
    x = torch.randn(8, 26, 3, 3)
    clip = x.unflatten(0, (2, 4))
    for shift in block.shifts[:-1]:
        assert torch.equal(shift(x), x)
    moved = block.shifts[-1](x).unflatten(0, (2, 4))
    assert torch.equal(moved[:, :-1, :13], clip[:, 1:, :13]) and not moved[:, -1, :13].any()
    assert torch.equal(moved[:, 1:, 13:], clip[:, :-1, 13:]) and not moved[:, 0, 13:].any()


def test_the_filter_is_a_depthwise_convolution_over_time():
    shift = LearnableShift(6, 5, 2).double()
    torch.nn.init.normal_(shift.conv.weight)
    x = torch.randn(10, 6, 2, 3, dtype=torch.float64)
    rows = x.unflatten(0, (2, 5)).permute(0, 3, 4, 2, 1).flatten(0, 2)  # (N*H*W, C, T)
    expected = conv1d(rows, shift.conv.weight, padding=1, groups=6).unflatten(0, (2, 2, 3)).permute(0, 4, 3, 1, 2)
    assert torch.allclose(shift(x), expected.flatten(0, 1), rtol=1e-12, atol=1e-12)


def test_parts_of_the_first_block_do_not_feed_each_other():
    net = tea("tiny_resnet", num_classes=2, frames=2, blocks=2).double().eval()
    for name, feeds in (("layer1.0", False), ("layer1.1", True)):
        block = net.get_submodule(name)
        assert isinstance(block, AggregationBlock)
        width = block.convs[0].in_channels
        x = torch.rand(2, 4 * width, 8, 8, dtype=torch.float64, requires_grad=True)
        block.aggregate(x)[:, 2 * width : 3 * width].sum().backward()  # the third part's output
        assert bool(x.grad[:, :width].any()) is feeds and bool(x.grad[:, 2 * width : 3 * width].any())


def test_starts_from_res2net(monkeypatch):
    asked = []
    state = timm.create_model("res2net50_26w_4s", pretrained=False).state_dict()
    monkeypatch.setattr("repro.models.build.imagenet_state", lambda name: asked.append(name) or state)
    net = build(Model(name="tea", backbone="resnet50", num_classes=5, frames=2, pretrained="imagenet"))
    own = net.state_dict()
    assert asked == ["res2net50_26w_4s.in1k"]
    assert all(torch.equal(own[name], value) for name, value in state.items() if not name.startswith("fc."))
    assert torch.equal(own["layer1.1.shifts.0.conv.weight"][:, 0], torch.tensor([[0.0, 1.0, 0.0]]).expand(26, 3))
