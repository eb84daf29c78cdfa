import pytest
import torch

from baselines.i3d import i3d


@pytest.mark.parametrize(
    ("name", "backbone", "frames", "size", "options", "params", "gmacs"),
    [
        ("i3d", "resnet50", 32, 224, {}, 28_043_472, 113.628),
        ("i3d", "resnet50", 8, 224, {}, 28_043_472, 28.408),
        ("i3d", "resnet50", 32, 224, {"form": "mmaction2"}, 28_043_472, 33.128),
        ("i3d_res5s1", "resnet50", 32, 224, {}, 28_043_472, 152.472),
        ("i3d_nl", "resnet50", 32, 224, {}, 35_401_936, 182.015),
        ("i3d_nl", "resnet101", 32, 256, {}, 59_112_656, 353.765),
        ("i3d_nl_dot", "resnet50", 32, 256, {}, 35_397_840, 59.107),
        ("i3d_nl_embedded_gaussian", "resnet50", 32, 224, {}, 35_397_840, 44.339),
        ("i3d_nl_gaussian", "resnet50", 32, 224, {}, 31_723_728, 41.723),
    ],
)
def test_size_and_cost(cost, name, backbone, frames, size, options, params, gmacs):
    assert cost(name, backbone, frames, size, **options) == (params, gmacs)


def test_time_is_halved_after_the_first_stage_and_in_the_other_form_before():
    lengths = {}
    for form in ("pyslowfast", "mmaction2"):
        net = i3d("resnet50", num_classes=2, frames=16, form=form).eval()
        net.layer4.register_forward_hook(lambda _, __, y, form=form: lengths.update({form: y.shape[2]}))
        with torch.no_grad():
            net(torch.randn(1, 16, 3, 32, 32))
    assert lengths == {"pyslowfast": 8, "mmaction2": 2}


def test_temporal_kernels_alternate():
    net = i3d("resnet101", num_classes=2, frames=8)
    assert [block.conv1.kernel_size[0] for block in net.layer3][:5] == [3, 1, 3, 1, 3]
    assert [block.conv1.kernel_size[0] for block in net.layer4] == [1, 3, 1]
