from __future__ import annotations

import numpy as np
import pytest

from repro.core.errors import BadOption
from repro.data import sampling
from repro.evidence.subviews import choose, places, sibling


@pytest.mark.parametrize(
    ("smaller", "larger", "expected"),
    [
        ("mmaction2.uniform_test_8", "mmaction2.uniform_test_8_twice", (0,)),
        ("tsm.uniform_test_8", "tsm.twice_test_8", (0,)),
        ("tam.dense3_test_8", "tam.dense5_test_8", (0, 2, 4)),
        ("tdn.kinetics_test_8x10", "tdn.kinetics_test_8x10", tuple(range(10))),
        ("mmaction2.clip_8x8_test_1", "mmaction2.clip_8x8_test_10", None),
        ("tam.dense1_test_8", "tam.dense10_test_8", None),
        ("mmaction1_dnr_8x8.test_5", "mmaction1_dnr_8x8.test_10", None),
    ],
)
def test_where_the_clips_of_a_smaller_test_are(smaller, larger, expected):
    found = places(smaller, larger)
    assert found == expected
    for n in (7, 64, 65, 250, 333, 1024) if found else ():
        assert np.array_equal(sampling.indices(smaller, n), sampling.indices(larger, n)[list(found)])


def test_siblings():
    assert sibling("mmaction1_dnr_8x8.test_10", 1) == "mmaction1_dnr_8x8.test_1"
    assert sibling("tam.uniform2_test_8", 1) == "tam.uniform1_test_8"
    assert sibling("mmaction2.dense_test_8", 1) is None, "mmaction2 has no dense test of one clip"
    assert sibling("tsm.twice_test_8", 3) is None


def test_one_view_is_always_to_be_had_and_says_which_it_is():
    dense = choose("mmaction2.dense_test_8", 10, 3, 1, 1)
    assert (dense.clips, dense.crops, dense.of(3)) == ((4,), (2,), [14])
    assert "clip 5 of 10" in dense.notes[0] and "no form of one clip" in dense.notes[0]
    windows = choose("mmaction2.clip_8x8_test_10", 10, 3, 1, None)
    assert windows.clips == (4,) and "mmaction2.clip_8x8_test_1 takes another one" in windows.notes[0]
    exact = choose("mmaction2.uniform_test_8_twice", 2, 3, 1, 1)
    assert exact.clips == (0,) and "the clips of mmaction2.uniform_test_8" in exact.notes[0]
    assert choose(None, 10, 1, 1, None).clips == (4,)


def test_draws_of_a_random_rule_are_alike():
    chosen = choose("tdn.kinetics_random_8x10", 10, 3, 4, 3)
    assert chosen.clips == (0, 1, 2, 3) and "first 4 of 10" in chosen.notes[0]


def test_ten_crops_hold_five_and_the_middle():
    assert choose("mmaction2.uniform_test_8", 1, 10, 1, 5).crops == (0, 2, 4, 6, 8)
    one = choose("mmaction2.uniform_test_8", 1, 10, 1, 1)
    assert one.crops == (8,) and "one pixel" in one.notes[0]


@pytest.mark.parametrize(
    ("rule", "held", "wanted", "why"),
    [
        ("mmaction2.dense_test_8", (10, 3), (3, 3), "3 clips cannot be read from a test of 10"),
        ("mmaction2.clip_8x8_test_10", (10, 3), (5, 3), "mmaction2.clip_8x8_test_5 lie elsewhere"),
        (None, (10, 3), (2, 3), "not known"),
        ("mmaction2.dense_test_8", (10, 3), (11, 3), "11 clips of a file that holds 10"),
        ("mmaction2.dense_test_8", (10, 1), (10, 3), "3 crops cannot be read from a test of 1"),
        ("mmaction2.dense_test_8", (10, 5), (10, 3), "elsewhere in the picture"),
    ],
)
def test_what_cannot_be_told_is_refused_with_the_reason(rule, held, wanted, why):
    with pytest.raises(BadOption, match=why):
        choose(rule, *held, *wanted)
