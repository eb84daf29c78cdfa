"""LSTM over the frames: against torch's own LSTM, its size, what order does."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from repro.registry import models


def network(**options):
    torch.manual_seed(0)
    made = models["lstm"].load()("tiny_resnet", num_classes=5, frames=4, dropout=0.0, hidden=24, **options)
    return made.eval()


def clips():
    return torch.randn(3, 4, 3, 32, 32, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def test_states_are_those_of_torchs_lstm_and_their_scores_are_averaged():
    net = network()
    reference = nn.LSTM(net.num_features, 24, batch_first=True)
    reference.load_state_dict({f"{name}_l0": value for name, value in net.rnn.state_dict().items()})
    states, _ = reference(net.features(clips()))
    torch.testing.assert_close(net(clips()), net.fc(states).mean(1), rtol=1e-5, atol=1e-6)


@torch.no_grad()
def test_it_reads_the_order_of_frames():
    net = network()
    nn.init.normal_(net.fc.weight)
    assert not torch.allclose(net(clips()), net(clips().flip(1)), atol=1e-4)


@pytest.mark.parametrize("classes, millions", [(27, 28.77), (174, 28.84)])
def test_512_units_on_resnet50_are_the_printed_size(classes, millions):
    with torch.device("meta"):
        net = models["lstm"].load()("resnet50", num_classes=classes, frames=8)
    assert sum(p.numel() for p in net.parameters()) / 1e6 == pytest.approx(millions, abs=0.005)


@pytest.mark.parametrize("options", [{"hidden": 0}, {"head": "clip"}, {"units": 3}])
def test_bad_options(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        models["lstm"].load()("tiny_resnet", num_classes=5, frames=4, **options)
