"""Of the table that `tox -e bench` ends in; takes no time itself."""

import pytest

from . import compare

BEFORE = {"a": [1.0, 1.1, 0.9], "b": [2.0, 2.0, 2.0], "c": [1.0, 9.0, 1.0]}


def test_a_regression_is_named_and_noise_is_none():
    now = {"a": [1.05, 1.1, 1.0], "b": [2.5, 2.6, 2.4], "c": [1.3, 0.7, 9.0], "d": [1.0]}
    shown = compare.lines(now, BEFORE, "2026-01-01")
    assert [line for line in shown if "SLOWER" in line] == ["SLOWER by 25 %: b"]
    assert any(line.startswith("a ") and "1.05 (" in line for line in shown)
    assert any(line.startswith("d ") and line.endswith("new") for line in shown)


def test_the_spread_of_a_ratio_holds_it():
    middle, low, high = compare.ratio([1.0, 1.2, 1.1], [1.0, 1.0, 1.0])
    assert (low, middle, high) == pytest.approx((1.0, 1.1, 1.2))


def test_the_last_runs_are_kept(tmp_path):
    assert compare.last(tmp_path) is None
    for day in range(7):
        compare.store(tmp_path, f"2026-01-0{day}", {"a": [float(day)]})
    assert compare.last(tmp_path) == ("2026-01-06", {"a": [6.0]})
    assert len(list(tmp_path.iterdir())) == 5
