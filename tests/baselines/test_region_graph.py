"""GCN + Non-local: counts part by part, graphs against plain loops, regions of a detector."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from torchvision.ops import box_iou

from baselines.region_graph import detected, grid, neighbours
from repro.core import spec
from repro.models.build import build, build_meta


def _tiny(frames=4):
    torch.manual_seed(0)
    return build(spec.Model(name="region_graph", backbone="tiny_resnet", num_classes=3, frames=frames)).eval()


def _boxes(*shape):
    torch.manual_seed(1)
    low = 0.6 * torch.rand(*shape, 2)
    return torch.cat([low, low + 0.1 + 0.3 * torch.rand(*shape, 2)], -1)


def test_parameters_and_multiply_accumulates_part_by_part():
    net = build_meta(spec.Model(name="region_graph", backbone="resnet50", num_classes=174, frames=32)).eval()
    body = build_meta(spec.Model(name="i3d_nl", backbone="resnet50", num_classes=174, frames=32))
    own = sum(p.numel() for p in net.parameters())
    in_body = sum(p.numel() for name, p in body.named_parameters() if not name.startswith("fc."))
    # a reduction with bias, phi and psi, nine layers, six normalizations, the classifier
    more = (2048 * 512 + 512) + 2 * 512**2 + 9 * 512**2 + 6 * 2 * 512 + (1024 * 174 + 174)
    assert own == in_body + more == 38_699_502
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(torch.empty(1, 32, 3, 224, 224, device="meta"))
    nodes, pixels = 16 * 50, 16 * 14 * 14
    graph = 2 * nodes * 512**2 + nodes**2 * 512 + 9 * nodes * 512**2 + 9 * nodes**2 * 512
    assert counter.get_total_flops() / 2e9 == pytest.approx(220.858 + (pixels * 2048 * 512 + graph) / 1e9, abs=2e-3)


def test_graphs_are_overlaps_with_the_next_and_the_last_place():
    boxes = _boxes(2, 3, 5)
    front, back = neighbours(boxes)
    plain = torch.zeros(2, 3, 5, 3, 5)
    for clip in range(2):
        for place in range(2):
            plain[clip, place, :, place + 1] = box_iou(boxes[clip, place], boxes[clip, place + 1])
    plain = plain.reshape(2, 15, 15)
    for made, raw in ((front, plain), (back, plain.transpose(1, 2))):
        torch.testing.assert_close(made * raw.sum(-1, keepdim=True), raw)
        sums = made.sum(-1)
        assert torch.all(((sums - 1).abs() < 1e-5) | (sums == 0))


@torch.no_grad()
def test_regions_are_read_where_they_are():
    net, x = _tiny(), torch.randn(2, 4, 3, 64, 64)
    plain = net(x)
    net.use_regions(grid(x).expand(2, 2, -1, -1))
    torch.testing.assert_close(net(x), plain)
    net.use_regions(_boxes(2, 2, 5))
    assert not torch.allclose(net(x), plain)
    net.use_regions(_boxes(1, 2, 5))
    with pytest.raises(ValueError, match=r"regions of \(1, 2\) clips and places; allowed: \(2, 2\)"):
        net(x)
    with pytest.raises(ValueError, match="allowed: "):
        net.use_regions(torch.zeros(2, 5))


def test_every_parameter_learns():
    net = _tiny().train()
    for part in net.modules():
        if isinstance(part, torch.nn.BatchNorm3d):
            torch.nn.init.ones_(part.weight)  # a non-local block starts at nothing
    net(torch.randn(2, 4, 3, 64, 64)).square().sum().backward()
    assert [name for name, p in net.named_parameters() if p.grad is None] == []


def test_boxes_of_a_detector_and_windows_where_it_finds_fewer():
    class Finds(torch.nn.Module):
        def forward(self, frames):
            return [{"boxes": torch.tensor([[0.0, 0.0, 20.0, 10.0]])} for _ in frames]

    found = detected(Finds(), torch.rand(2, 3, 3, 20, 40))
    assert found.shape == (2, 3, 50, 4)
    assert found[1, 2, 0].tolist() == [0, 0, 0.5, 0.5]
    torch.testing.assert_close(found[0, 0, 1:], grid(found)[0, 0, :49])
