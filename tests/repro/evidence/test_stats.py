from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as reference

from repro.core.errors import BadOption
from repro.evidence import stats

ONE = np.array([71.2, 70.8, 72.0, 71.5])


#: by statsmodels 0.15.0 (DescrStatsW, CompareMeans, proportion_confint, mcnemar, multipletests, TTestIndPower)
STATSMODELS = {
    "t": (70.5701598117734, 72.1798401882266),
    "wilson": {
        (81, 263): (0.2552885198782742, 0.36620957698280004),
        (15083, 19772): (0.7568670926694699, 0.7687236904910578),
        (0, 10): (0.0, 0.27753279986288926),
        (10, 10): (0.7224672001371106, 1.0),
    },
    "mcnemar": {(10, 2): 0.03857421875, (61, 40): 0.046044066929342785},
    "holm": ([0.01, 0.04, 0.03, 0.005, 0.2, 0.0011], [0.04, 0.09, 0.09, 0.025, 0.2, 0.0066]),
    "seeds": {1.0: 16.714722446954024, 0.65 / 0.3: 4.538038492762843, 0.5: 63.76561058891169},
}


def test_intervals_equal_those_of_statsmodels():
    found = stats.t_interval(ONE)
    assert (found.low, found.high) == pytest.approx(STATSMODELS["t"], rel=1e-9)
    for (correct, total), ends in STATSMODELS["wilson"].items():
        share = stats.wilson_interval(correct, total)
        assert (share.low / 100, share.high / 100) == pytest.approx(ends, abs=1e-12)


def test_tests_and_corrections_equal_those_of_statsmodels():
    for (gained, lost), p in STATSMODELS["mcnemar"].items():
        a = np.array([1] * gained + [0] * lost + [1] * 40, bool)
        b = np.array([0] * gained + [1] * lost + [1] * 40, bool)
        assert stats.mcnemar(a, b) == pytest.approx(p, rel=1e-9)
    raw, corrected = STATSMODELS["holm"]
    assert stats.holm(np.array(raw)) == pytest.approx(corrected, rel=1e-9)
    for shift, seeds in STATSMODELS["seeds"].items():
        assert stats.seeds_needed(shift, 1.0) == int(np.ceil(seeds))


def test_the_prediction_interval_by_hand():
    found = stats.prediction_interval(ONE)
    half = 3.182446305284263 * np.std(ONE, ddof=1) * np.sqrt(1 + 1 / 4)  # t of 3 degrees of freedom, 97.5 %
    assert (found.low, found.high) == pytest.approx((ONE.mean() - half, ONE.mean() + half))


def test_t_interval_equals_scipy():
    found = stats.t_interval(ONE)
    low, high = reference.t.interval(0.95, 3, loc=ONE.mean(), scale=reference.sem(ONE))
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))


def test_wilson_against_a_known_value():
    found = stats.wilson_interval(81, 263)  # Newcombe 1998, Table I: 0.2553 to 0.3662
    assert (round(found.low, 2), round(found.high, 2)) == (25.53, 36.62)


def test_mcnemar_counts_only_videos_that_differ():
    a = np.array([1] * 10 + [0] * 2 + [1] * 50, bool)
    b = np.array([0] * 10 + [1] * 2 + [1] * 50, bool)
    assert stats.mcnemar(a, b) == pytest.approx(reference.binomtest(10, 12).pvalue)
    assert stats.mcnemar(a, a) == 1.0


def test_holm_by_hand():
    assert stats.holm(np.array([0.01, 0.04, 0.03, 0.005])).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_never_lowers_a_p_and_keeps_the_order(p):
    corrected = stats.holm(np.array(p))
    assert (corrected >= np.array(p) - 1e-12).all()
    assert (np.diff(corrected[np.argsort(p, kind="stable")]) >= -1e-12).all()


def _holds(interval: stats.Interval, value: float) -> bool:
    return interval.low <= value <= interval.high


@pytest.mark.parametrize("kind", ["t", "wilson", "paired", "prediction"])
def test_95_percent_intervals_cover_93_to_97(kind):
    rng = np.random.default_rng(7)
    tables, hits = 2000, 0
    for _ in range(tables):
        if kind == "t":
            hits += _holds(stats.t_interval(rng.normal(70, 2, 4)), 70)
        elif kind == "wilson":
            hits += _holds(stats.wilson_interval(int(rng.binomial(1000, 0.7)), 1000), 70)
        elif kind == "prediction":
            *seen, ahead = rng.normal(70, 2, 4)
            hits += _holds(stats.prediction_interval(np.array(seen)), ahead)
        else:
            a = rng.random(800) < 0.7
            b = np.where(rng.random(800) < 0.8, a, rng.random(800) < 0.75)
            hits += _holds(stats.paired_difference(a, b, rng, resamples=400), 1.0)
    assert 0.93 <= hits / tables <= 0.97


def test_seeds_needed_agrees_with_a_known_power_table():
    assert stats.seeds_needed(1.0, 1.0) == 17  # d = 1, power 0.8, two sides: 17 a group
    assert stats.seeds_needed(0.65, 0.3) < stats.seeds_needed(0.65, 0.6)


@pytest.mark.parametrize(
    "call",
    [
        lambda: stats.t_interval(np.array([1.0])),
        lambda: stats.wilson_interval(5, 4),
        lambda: stats.mcnemar(np.ones(3, bool), np.ones(4, bool)),
        lambda: stats.holm(np.array([1.2])),
        lambda: stats.t_interval(np.array([np.nan, 1.0])),
        lambda: stats.seeds_needed(0, 1),
    ],
)
def test_impossible_input_is_refused(call):
    with pytest.raises(BadOption):
        call()


def test_seeds_do_not_lessen_what_the_test_set_leaves_open():
    alone = stats.seeds_needed(0.65, 0.3)
    assert stats.seeds_needed(0.65, 0.3, fixed=0.0) == alone
    assert stats.seeds_needed(0.65, 0.3, fixed=0.15) > alone
    assert stats.seeds_needed(0.65, 0.3, fixed=0.65) is None
    # of no deviation between seeds, the normal test's bound is left: 1.96 + 0.84 deviations
    assert stats.seeds_needed(2.81, 0.0, fixed=1.0) == 2
    assert stats.seeds_needed(2.79, 0.0, fixed=1.0) is None


def test_the_planned_power_is_the_power_of_simulated_tests():
    difference, deviation, fixed, rng = 1.0, 0.8, 0.2, np.random.default_rng(0)
    n = stats.seeds_needed(difference, deviation, fixed=fixed)
    a = rng.normal(0, deviation, (20_000, n)).mean(1)
    b = rng.normal(0, deviation, (20_000, n)).mean(1) + rng.normal(difference, fixed, 20_000)
    found = np.abs(b - a) / np.sqrt(2 * deviation**2 / n + fixed**2) > 1.96
    assert 0.79 < found.mean() < 0.90


@given(st.floats(0.2, 5), st.floats(0.05, 1), st.floats(0, 0.5))
def test_one_seed_less_than_needed_is_too_few(difference, deviation, fixed):
    n = stats.seeds_needed(difference, deviation, fixed=fixed)
    if n is not None:
        assert stats.power_of(n, difference, deviation, fixed) >= 0.8
        assert n == 2 or stats.power_of(n - 1, difference, deviation, fixed) < 0.8
    else:
        assert difference < 3 * fixed or difference < 0.05 * deviation
