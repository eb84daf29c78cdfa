"""First weights by name: arms of every question share what they have in common, and nothing else changes."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn

from repro.core.spec import Model, frozen
from repro.models.build import build
from repro.models.named_start import built_by_name
from repro.papers.questions import declared, experiments

ONE_A_PROBE = [one for one in declared() if one.vary in ("", "efficiency_weight")]


class Odd(nn.Module):
    """What a network may do while it is built."""

    def __init__(self, before: int = 0) -> None:
        super().__init__()
        self.extra = nn.Linear(before, 3) if before else None
        self.plain = nn.Linear(8, 8)
        nn.init.zeros_(self.plain.bias)
        self.twice = nn.Linear(8, 8)
        nn.init.normal_(self.twice.weight, 0.5, 1e-3)
        self.cut = nn.Parameter(nn.init.trunc_normal_(torch.empty(50, 50), std=0.02))
        self.lstm = nn.LSTM(4, 4)
        with torch.no_grad():
            self.lstm.bias_ih_l0[4:8].fill_(1.0)
        self.register_buffer("noise", torch.empty(5).uniform_())


def state(before: int, seed: int) -> dict[str, torch.Tensor]:
    torch.manual_seed(123 + before)  # of no matter
    return built_by_name(lambda: Odd(before), seed).state_dict()


def test_a_tensor_is_a_matter_of_seed_and_name_alone():
    here, there, other = state(0, 1), state(5, 1), state(0, 2)
    assert set(here) < set(there)
    assert all(torch.equal(value, there[name]) for name, value in here.items())
    drawn = [name for name in here if name != "plain.bias"]
    assert not any(torch.equal(here[name], other[name]) for name in drawn)
    assert len({float(here[f"{name}.weight"].sum()) for name in ("plain", "twice")}) == 2


def test_distributions_are_those_of_the_networks_own_code():
    found = state(0, 3)
    assert not found["plain.bias"].any()
    assert found["twice.weight"].mean() == pytest.approx(0.5, abs=1e-3) and found["twice.weight"].std() < 2e-3
    assert found["cut"].std() == pytest.approx(0.02, rel=0.1) and found["cut"].abs().max() < 2
    assert (found["lstm.bias_ih_l0"][4:8] == 1).all() and (found["lstm.bias_ih_l0"][:4] != 1).all()
    assert found["plain.weight"].abs().max() <= 8**-0.5 and found["plain.weight"].std() == pytest.approx(0.204, rel=0.3)


@pytest.mark.parametrize("one", ONE_A_PROBE, ids=lambda one: one.full_name)
def test_the_arms_of_every_question_share_what_both_have(one):
    found = [
        built_by_name(lambda term=term: build(term.experiment.model), 0).state_dict()
        for term in experiments(one).values()
    ]
    for first, second in itertools.pairwise(found):
        common = [name for name in first if name in second and first[name].shape == second[name].shape]
        assert len(common) > 20
        assert [name for name in common if not torch.equal(first[name], second[name])] == []


def test_a_network_starts_as_wide_as_before():
    model = Model(name="tsn", backbone="tiny_resnet", method="dnr", options=frozen(blocks=2, pool=True))
    torch.manual_seed(0)
    usual = build(model).state_dict()
    named = built_by_name(lambda: build(model), 0).state_dict()
    for name, value in usual.items():
        if value.is_floating_point() and value.numel() > 500 and value.std() > 0:
            assert named[name].std() == pytest.approx(float(value.std()), rel=0.2), name
