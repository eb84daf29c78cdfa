"""Samplers: equal to public code at every recorded length; in range, deterministic and distinct at any other."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repro.data import sampling
from repro.errors import BadOption, DataError, UnknownName

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


@pytest.mark.parametrize("rule", ALL)
@settings(max_examples=40, deadline=None)
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
