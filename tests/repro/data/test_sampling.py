"""Samplers: equal to public code at every recorded length; in range, deterministic and distinct at any other."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repro.core.errors import BadOption, DataError, UnknownName
from repro.data import sampling

GOLDEN = Path(__file__).parents[2] / "golden" / "sampling.json"
RULES = {name: lengths for name, lengths in json.loads(GOLDEN.read_text()).items() if name[0] != "_"}
OTHERS = (
    "mmaction2.uniform_test_25",
    "mmaction2.dense_test_16",
    "mmaction2.clip_16x4_test_3",
    "mmaction2_v015.clip_8x8_test_10",
    "mmaction2_v015.clip_32x2_test_1",
    "tsm.uniform_train_16",
    "tam.uniform2_test_16",
    "tam.uniform3_test_8",
    "tam.dense4_test_16",
    "tdn.train_16",
    "tdn.train_3",
    "tdn.kinetics_random_8x10",
    "tdn.kinetics_test_16x10",
    "mmaction1_dnr_4x16.test_3",
    "mmaction1_dnr_16x4.train",
    "repro.centred5_train_8",
    "repro.centred5_test_8",
)
ALL = (*RULES, *OTHERS)


@pytest.mark.parametrize("rule", RULES)
def test_equals_public_code(rule):
    for length, expected in RULES[rule].items():
        made = sampling.indices(rule, int(length), np.random.RandomState(int(length)))
        assert made.ravel().tolist() == expected, f"{rule} at {length} frames"


def paused(start, n):
    """mmaction's pointer, counted from 1: it stops once its next step would reach the end."""
    at, made = start + 1, []
    for _ in range(8):
        made.append(at - 1)
        if at + 8 < n:
            at += 8
    return made


def middles(n, count, window=1):
    tick = (n - window + 1) / count
    return [int(tick / 2 + tick * i) for i in range(count)] if n >= window else [0] * count


#: rule -> its clips at n frames, as the sources' formulas say it, one index at a time
FORMULAS = {
    "mmaction2.uniform_test_7": lambda n: [[int(i * (n / 7) + n / 7 / 2) % n for i in range(7)]],
    "mmaction2.uniform_test_7_twice": lambda n: [
        [int(i * (n / 7) + part) % n for i in range(7)] for part in (n / 7 / 2, 0)
    ],
    "mmaction2.dense_test_8": lambda n: [
        [(int(k * ((max(1, n - 63) - 1) / 9)) + 8 * i) % n for i in range(8)] for k in range(10)
    ],
    "mmaction2.clip_8x8_test_1": lambda n: [[(max(n - 57, 0) // 2 + 8 * i) % n for i in range(8)]],
    "mmaction2.clip_8x8_test_5": lambda n: [
        [(round(k * (max(n - 57, 0) / 4)) + 8 * i) % n for i in range(8)] for k in range(5)
    ],
    "mmaction2_v015.clip_8x8_test_5": lambda n: [
        [(int(k * ((n - 63) / 5) + (n - 63) / 5 / 2) * (n >= 64) + 8 * i) % n for i in range(8)] for k in range(5)
    ],
    "tsm.uniform_val_7": lambda n: [middles(n, 7) if n > 7 else [0] * 7],
    "tsm.uniform_test_7": lambda n: [middles(n, 7)],
    "tsm.twice_test_7": lambda n: [middles(n, 7), [int(n / 7 * i) for i in range(7)]],
    "tdn.sthsth_test_7": lambda n: [
        [min(start + step, n - 1) for start in (middles(n, 7, 5) if n > 11 else [0] * 7) for step in range(5)]
    ],
    "mmaction1_dnr_8x8.test_3": lambda n: [paused(start, n) for start in middles(n, 3, 64)],
}


@pytest.mark.parametrize("rule", FORMULAS)
def test_equals_its_formula_at_every_length(rule):
    for n in (*range(1, 160), 243, 250, 299, 300, 301, 997):
        assert sampling.indices(rule, n).tolist() == FORMULAS[rule](n), f"{rule} at {n} frames"


@pytest.mark.parametrize(
    ("rule", "window"), [("mmaction2.uniform_train_7", 1), ("tsm.uniform_train_7", 1), ("tdn.train_7", 5)]
)
def test_training_draws_one_start_in_each_equal_part(rule, window):
    for n in range(1, 120):
        starts = sampling.indices(rule, n, np.random.default_rng(n)).reshape(7, window)[:, 0]
        part = (n - window + 1) // 7
        if part > 0:
            assert (starts // part == np.arange(7)).all(), f"{rule} at {n} frames"
        elif rule.startswith("mmaction2"):
            assert starts.tolist() == [round(i * n / 7) % n for i in range(7)]
        elif n <= 7:
            assert not starts.any()


@pytest.mark.parametrize("rule", ALL)
@settings(max_examples=40)
@given(n=st.integers(1, 700), seed=st.integers(0, 2**32 - 1))
def test_in_range_and_of_its_shape(rule, n, seed):
    made = sampling.indices(rule, n, np.random.default_rng(seed))
    frames = sampling.frames_of(rule) * sampling.clip_length_of(rule)
    assert made.shape == (sampling.clips_of(rule), frames) and made.dtype == np.int64
    assert made.min() >= 0 and made.max() < n


@pytest.mark.parametrize("rule", ALL)
def test_one_frame_gives_that_frame(rule):
    assert not sampling.indices(rule, 1, np.random.default_rng(0)).any()


@pytest.mark.parametrize("rule", ALL)
def test_only_random_rules_need_a_generator(rule):
    if sampling.is_random(rule):
        with pytest.raises(BadOption, match="draws at random"):
            sampling.indices(rule, 100)
        one, same, other = (sampling.indices(rule, 500, np.random.default_rng(seed)) for seed in (1, 1, 2))
        assert np.array_equal(one, same) and not np.array_equal(one, other)
    else:
        assert np.array_equal(sampling.indices(rule, 100), sampling.indices(rule, 100, np.random.default_rng(3)))


@pytest.mark.parametrize("rule", [rule for rule in ALL if sampling.clips_of(rule) > 1])
def test_clips_differ_in_a_long_video(rule):
    clips = sampling.indices(rule, 400, np.random.default_rng(0))
    assert len({tuple(clip) for clip in clips.tolist()}) == len(clips)


def test_deterministic_tdn_covers_what_the_random_one_draws():
    n, segments = 244, 8
    low, high = (n - 4) // segments, 5
    starts = sampling.indices("tdn.kinetics_test_8x10", n).reshape(10, segments, high)[:, :, 0]
    assert np.array_equal(starts // low, np.tile(np.arange(segments), (10, 1)))
    assert np.array_equal(np.diff(np.sort(starts[:, 0])), np.full(9, 3))


def test_tdn_segments_are_consecutive():
    for rule in ("tdn.train_8", "tdn.kinetics_test_8x2", "tdn.kinetics_random_8x2"):
        segments = sampling.indices(rule, 300, np.random.default_rng(0)).reshape(-1, 5)
        assert (np.diff(segments, axis=1) == 1).all()


def test_mmaction2_versions_differ():
    old, new = (sampling.indices(f"mmaction2{tag}.clip_8x8_test_10", 300) for tag in ("_v015", ""))
    assert old[0, 0] == 11 and new[0, 0] == 0


@pytest.mark.parametrize("frames", [0, -1])
def test_no_frames_is_an_error(frames):
    with pytest.raises(DataError, match="nothing to sample"):
        sampling.indices("mmaction2.uniform_test_8", frames)


@pytest.mark.parametrize("rule", ["mmaction2.uniform_tset_8", "mmaction2.uniform_test_0", "x", "", "tdn.train_8 "])
def test_unknown_rules_are_refused_with_the_known_ones(rule):
    with pytest.raises(UnknownName, match=re.escape("mmaction2.clip_LxS_test_K")):
        sampling.clips_of(rule)


def test_absurd_numbers_are_refused():
    for rule in ("mmaction2.uniform_test_99999999", "mmaction2.clip_8x8_test_1024"):
        with pytest.raises(BadOption):
            sampling.indices(rule, 10)
