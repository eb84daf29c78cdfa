"""Holm's correction over the rows of a column of gains."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from repro.evidence.multiple_comparisons import told_correction
from repro.evidence.stats import welch
from repro.papers import find

TABLE = find("matrix")
GAIN = next(column for column in TABLE.columns if column.key == "gain_temporal")


def _done(values: dict[str, list[float]]):
    """Records of the rows named, with these top-1, one a seed."""
    by_id = {TABLE.row(key).cells["twin-temporal"].id: numbers for key, numbers in values.items()}

    def done(experiment):
        numbers = by_id.get(experiment.id, []) if experiment else []
        return [SimpleNamespace(kind="accuracy", seed=i, results={"top1": x}) for i, x in enumerate(numbers)]

    return done


def test_a_sure_gain_stays_and_what_one_comparison_alone_would_grant_does_not():
    plain = [13.0, 14.0, 12.5]
    values = {"tsn": plain, "tsn_dnr": [88.0, 86.0, 90.0], "tsn_psn": [14.6, 16.4, 15.8]}
    values |= {"tsm": plain, "tsm_dnr": [15.0, 16.6, 15.0]}
    told = told_correction(TABLE, GAIN, _done(values))
    assert "3 comparisons" in told
    assert "differs from 0 in 1 (TSN+DNR)" in told
    for own in (values["tsn_psn"], values["tsm_dnr"]):
        assert welch(np.array(plain), np.array(own))[1] < 0.05
    assert "undecided in 2 (TSN+PSN, TSM+DNR)" in told


@pytest.mark.parametrize(
    "values",
    [{}, {"tsn": [1.0, 2.0], "tsn_dnr": [3.0, 4.0]}, {"tsn": [1.0], "tsn_dnr": [3.0], "tsn_psn": [4.0]}],
)
def test_nothing_is_said_of_fewer_than_two_comparisons(values):
    assert told_correction(TABLE, GAIN, _done(values)) == ""


def test_costs_are_not_tested():
    added = next(column for column in TABLE.columns if column.key == "gmacs_added")
    assert told_correction(TABLE, added, _done({"tsn": [1.0, 2.0], "tsn_dnr": [3.0, 4.0], "tsn_psn": [3.0, 5.0]})) == ""
