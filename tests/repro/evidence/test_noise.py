from __future__ import annotations

import math

import numpy as np
import pytest

from repro.core.errors import UnknownName
from repro.evidence.noise import RUN_DEVIATION, doubt


def test_two_runs_by_hand():
    found = doubt([76.93, 76.28], "kinetics400")
    sampling = (76.93 * 23.07 + 76.28 * 23.72) / 19_772
    assert found.difference == pytest.approx(0.65)
    assert found.margin == pytest.approx(1.959964 * math.sqrt(sampling + 2 * RUN_DEVIATION**2))
    assert not found.decided
    assert "within" in found.told()


def test_two_equal_networks_are_seldom_told_apart():
    """The margin holds what it says: independent test sets and runs, no true difference."""
    rng = np.random.default_rng(0)
    truth = rng.normal(70, RUN_DEVIATION, (4000, 2))
    seen = 100 * rng.binomial(5_000, truth / 100) / 5_000
    wrong = np.mean([doubt(list(pair), "kinetics200").decided for pair in seen])
    assert 0.03 < wrong < 0.07


def test_an_unknown_dataset_is_named():
    with pytest.raises(UnknownName, match="kinetics"):
        doubt([1.0, 2.0], "kinetics40")
