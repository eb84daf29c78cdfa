"""Slopes of a gain, their interval over seeds, and what that says of a claim."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from repro.core.errors import BadOption
from repro.evidence.stats import Interval
from repro.evidence.trends import slopes, trend, verdict

X = np.array([8.0, 6.0, 4.0])


def test_a_hand_computed_case():
    host = np.array([[70.0, 68.0, 65.0], [71.0, 69.0, 66.0], [69.0, 68.0, 66.0]])
    gains = np.array([[2.0, 3.0, 4.0], [1.0, 3.0, 5.0], [2.0, 2.0, 3.0]])
    found = trend(X, host, host + gains)
    each = np.array([-0.5, -1.0, -0.25])
    assert slopes(X, gains) == pytest.approx(each)
    assert found.value == pytest.approx(each.mean())
    half = stats.t.ppf(0.975, 2) * each.std(ddof=1) / np.sqrt(3)
    assert (found.low, found.high) == pytest.approx((each.mean() - half, each.mean() + half))


@given(st.lists(st.floats(-50, 50), min_size=3, max_size=3), st.floats(-30, 30))
def test_a_shift_of_all_gains_changes_no_slope(gains, shift):
    one, other = np.array([gains]), np.array([gains]) + shift
    assert slopes(X, one) == pytest.approx(slopes(X, other), abs=1e-9)
    assert slopes(X, one) == pytest.approx(stats.linregress(X, gains).slope, abs=1e-9)


@pytest.mark.parametrize(("low", "high", "told"), [(-2, -1, "supported"), (1, 2, "contradicted"), (-1, 1, "undecided")])
def test_the_verdict_needs_the_whole_interval(low, high, told):
    assert verdict(Interval((low + high) / 2, low, high, 3, "t"), -1) == told
    assert verdict(Interval(-(low + high) / 2, -high, -low, 3, "t"), 1) == told


def test_what_does_not_fit_is_refused():
    with pytest.raises(BadOption, match="same seeds"):
        trend(X, np.zeros((3, 3)), np.zeros((2, 3)))
    with pytest.raises(BadOption):
        slopes(X, np.zeros((3, 2)))
    with pytest.raises(BadOption):
        slopes(np.ones(3), np.zeros((2, 3)))
