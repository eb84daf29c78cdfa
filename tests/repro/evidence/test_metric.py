"""Numbers by path."""

from __future__ import annotations

import pytest

from repro.evidence.metric import look_up, number

RESULTS = {
    "top1": 3,
    "sizes": {"224": {"gmacs": 33.0}},
    "against.ratio": 2.0,
    "aggregations": {"1x1/softmax": {"top1": 7.0}},
    "cost": {"mean": {"layer1.0.skip": 0.25, "keep": 0.5, "none": 0.0, "name": "x"}},
}


@pytest.mark.parametrize(
    "metric, value",
    [
        ("top1", 3.0),
        ("sizes.224.gmacs", 33.0),
        ("against.ratio", 2.0),
        ("aggregations.1x1/softmax.top1", 7.0),
        ("cost.mean.layer1.0.skip", 0.25),
        ("cost.mean.layer1.0.skip / cost.mean.keep", 0.5),
        ("cost.mean.keep / cost.mean.none", None),
        ("cost.mean.keep / cost.mean.missing", None),
        ("cost.mean.name", None),
        ("cost.mean", None),
        ("nothing", None),
    ],
)
def test_numbers_and_quotients(metric, value):
    assert number(RESULTS, metric) == value


def test_a_key_with_dots_is_found_below_another():
    assert look_up(RESULTS, "cost.mean.layer1.0.skip") == 0.25 and look_up(RESULTS, "cost.mean.layer1.0") is None
