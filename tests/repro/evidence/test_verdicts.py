"""Verdicts: each word where it belongs, none stronger than the evidence."""

from __future__ import annotations

import numpy as np
import pytest

from repro.evidence.noise import RUN_DEVIATION, doubt, single_runs
from repro.evidence.verdicts import (
    DOUBT,
    EQUAL,
    LEGEND,
    UNEQUAL,
    WORDS,
    Verdict,
    of_accuracy,
    of_count,
    of_gain,
    tally,
)
from repro.papers.published import Value

K400 = 19_772


def _value(text: str) -> Value:
    return Value(text, float(text))


@pytest.mark.parametrize(
    ("measured", "printed", "word"),
    [
        (32.70, "33", "reproduced"),
        (32.76, "36", "differs"),
        (24.327, "24.3", "reproduced"),
        (24.36, "24.3", "differs"),
        (36.194, "36.19", "reproduced"),
    ],
)
def test_a_count_has_the_printed_digits_or_not(measured, printed, word):
    assert of_count({"fvcore": measured}, _value(printed), "8 frames").word == word


def test_a_count_is_held_against_the_nearest_of_its_counters():
    found = of_count({"gmacs": 69.08, "fvcore": 69.49, "ptflops": 69.75}, _value("70"), "16 frames of 224x224")
    assert found.word == "reproduced" and found.told.startswith(
        "69.75 by ptflops, gmacs 69.08, fvcore 69.49; 16 frames"
    )


def test_a_difference_says_why_or_that_nobody_knows():
    assert "not explained" in of_count({"fvcore": 2.0}, _value("1.0"), "8 frames").told
    assert of_count({"fvcore": 2.0}, _value("1.0"), "8 frames", "another crop").told.endswith("another crop")


def test_a_gain_of_065_on_kinetics_is_within_the_noise_of_one_run():
    found = of_gain(76.93, 76.28, doubt((76.93, 76.28), "kinetics400"))
    assert (found.word, found.sign) == ("within", "?")
    # by hand: 1.96 * sqrt((76.93 * 23.07 + 76.28 * 23.72) / 19772 + 2 * 0.3^2) = 1.18
    assert "±1.18" in found.told and "19,772" in found.told and "Wilson" in found.told


def test_a_gain_of_27_on_kinetics_is_beyond_it():
    assert of_gain(74.35, 71.65, doubt((74.35, 71.65), "kinetics400")).word == "beyond"


@pytest.mark.parametrize(
    ("measured", "word"),
    [
        ([71.0, 71.3, 70.9], "reproduced"),
        ([60.0, 60.2, 59.9], "differs"),
        ([65.0, 71.0, 77.0], "incomparable"),  # the seeds spread so far that anything fits
        ([71.3], "incomparable"),
        ([60.0], "differs"),
    ],
)
def test_an_accuracy_is_held_against_seeds_test_set_and_digits(measured, word):
    assert of_accuracy(measured, K400, _value("71.10")).word == word


def test_one_seed_never_reproduces():
    assert of_accuracy([71.10], K400, _value("71.10")).word == "incomparable"


def test_another_protocol_cannot_be_compared_however_near():
    found = of_accuracy([71.1, 71.1, 71.2], K400, _value("71.10"), ["test.clips 10 in the paper, 1 here"])
    assert found.word == "incomparable"
    assert "test.clips 10" in found.told


def test_a_small_test_set_leaves_more_open():
    assert of_accuracy([73.0], K400, _value("71.10")).word == "differs"
    assert of_accuracy([73.0], 500, _value("71.10")).word == "incomparable"


def test_equal_networks_are_seldom_called_different():
    """Two single runs of one recipe, 2,000 times: `differs` in about 5 % at most, the margin's own error."""
    rng = np.random.default_rng(0)
    videos, truth = 5_000, 72.0
    runs = truth + rng.normal(0, RUN_DEVIATION, (2_000, 2))
    scored = 100 * rng.binomial(videos, runs / 100) / videos
    words = [of_accuracy([here], videos, _value(f"{there:.2f}")).word for here, there in scored]
    assert 0.02 < words.count("differs") / len(words) < 0.07


def test_seeds_of_one_recipe_are_seldom_called_different():
    rng = np.random.default_rng(1)
    videos, truth = 5_000, 72.0
    runs = truth + rng.normal(0, RUN_DEVIATION, (2_000, 4))
    scored = 100 * rng.binomial(videos, runs / 100) / videos
    words = [of_accuracy(list(own), videos, _value(f"{there:.2f}")).word for *own, there in scored]
    assert words.count("differs") / len(words) < 0.05


def test_the_margin_is_that_of_single_runs():
    assert doubt((74.35, 71.65), "kinetics400") == single_runs((74.35, 71.65), K400)


def test_counts_stand_in_the_order_of_the_words():
    found = tally([Verdict("incomparable", "a"), None, *[of_count({"fvcore": 1.0}, _value("1"), "8 frames")] * 2])
    assert list(found) == ["reproduced", "incomparable"]
    assert tally([None]) == {}


def test_a_sign_is_of_one_kind_of_number_alone():
    """`=` and `≠` of counts, `?` of printed gains, a word of accuracies; no sign where nothing is compared."""
    count = [of_count({"fvcore": 1.0}, _value(text), "8 frames") for text in ("1", "2")]
    assert [one.sign for one in count] == [EQUAL, UNEQUAL]
    gains = [of_gain(*pair, doubt(pair, "kinetics400")) for pair in ((76.93, 76.28), (74.35, 71.65))]
    assert [one.sign for one in gains] == [DOUBT, ""]
    rates = [of_accuracy(own, K400, _value("71.10")) for own in ([71.0, 71.3, 70.9], [60.0, 60.2, 59.9], [71.1])]
    assert [one.sign for one in rates] == ["reproduced", "differs", ""]
    assert all(sign in LEGEND for sign in (EQUAL, UNEQUAL, DOUBT)) and "≈" not in LEGEND
    assert {one.word for one in (*count, *gains, *rates)} <= set(WORDS)
