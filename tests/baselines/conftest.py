"""Parameters and multiply-adds of a network, without memory for either."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from repro.core.spec import Model, frozen
from repro.models.build import build_meta, input_shape


@pytest.fixture
def cost():
    def measure(name, backbone, frames, size, classes=400, **options):
        """(parameters, GMACs to three digits) of one view."""
        model = Model(name=name, backbone=backbone, frames=frames, num_classes=classes, options=frozen(options))
        net = build_meta(model).eval()
        x = torch.empty(input_shape(model, size), device="meta")
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            assert net(x).shape == (1, classes)
        return sum(value.numel() for value in net.parameters()), round(counter.get_total_flops() / 2e9, 3)

    return measure
