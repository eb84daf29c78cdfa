"""Paired contrasts: by hand, against scipy, and by simulation of the whole chain from videos to words."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from repro.core.errors import BadOption
from repro.evidence.paired import contrast, corrected, over_videos, seen_at, verdict, video_variance

SEEDS, VIDEOS = 10, 300


def drawn(rng: np.random.Generator, runs: int, difference: float = 0.0, *, seeds: float = 2.0, videos: float = 25.0):
    """Percent right of two arms, b minus a, (runs, S, N): real coin flips, whose chances seeds and videos move."""
    hard = rng.uniform(35, 65, (runs, 1, VIDEOS))
    arms = []
    for shift in (0.0, difference):
        chance = hard + shift + rng.normal(0, seeds, (runs, SEEDS, 1)) + rng.normal(0, videos, (runs, 1, VIDEOS))
        arms.append(100.0 * (rng.random((runs, SEEDS, VIDEOS)) * 100 < chance))
    return (arms[1] - arms[0]).astype(np.float32)


def test_without_videos_it_is_the_paired_t_test():
    rng = np.random.default_rng(0)
    a, b = rng.normal(60, 2, 10), rng.normal(62, 2, 10)
    found, want = contrast(b - a), stats.ttest_rel(b, a)
    assert found.p == pytest.approx(want.pvalue)
    ends = want.confidence_interval()
    assert (found.seeds.low, found.seeds.high) == pytest.approx((ends.low, ends.high))
    assert found.half == pytest.approx((ends.high - ends.low) / 2)


def test_what_seeds_share_falls_out():
    shared = np.random.default_rng(1).normal(0, 20, 10)
    found = contrast((shared + 61.0) - (shared + 60.0))
    assert found.seeds.value == pytest.approx(1.0) and found.half < 1e-9


def test_no_difference_at_all_is_no_difference_and_one_that_never_varies_is_one():
    assert contrast(np.zeros(10)).p == 1.0
    assert contrast(np.ones(10)).p == 0.0


def test_test_videos_make_it_less_sure_and_are_not_counted_twice():
    """Where a video adds nothing of its own the variance is about none, however much a single seed's videos vary."""
    rng = np.random.default_rng(2)
    only_rest = 100.0 * rng.choice([-1, 0, 1], (SEEDS, 4096))
    assert video_variance(only_rest) < 0.2 * only_rest.mean(0).var() / 4096
    with_videos = drawn(rng, 1)[0]
    per_seed = with_videos.mean(1)
    assert contrast(per_seed, video_variance(with_videos)).p > contrast(per_seed).p
    with pytest.raises(BadOption, match="two of each"):
        video_variance(with_videos[:1])


def test_the_smallest_difference_is_found_four_times_in_five():
    """Of n = 10 normal seeds with deviation 1: simulated power at what is told, and what a declared width promises."""
    rng = np.random.default_rng(3)
    told = seen_at(2 * stats.t.ppf(0.975, 9) / np.sqrt(10), 10)  # the width that a deviation of 1 gives
    runs = rng.normal(told, 1, (20_000, 10))
    t = runs.mean(1) / (runs.std(1, ddof=1) / np.sqrt(10))
    assert (np.abs(t) > stats.t.ppf(0.975, 9)).mean() == pytest.approx(0.8, abs=0.03)
    assert seen_at(2.0, 10) == pytest.approx(1.39, abs=0.01)


def test_open_questions_count_in_the_correction():
    assert corrected([0.01, 0.04], 2) == pytest.approx([0.02, 0.04])
    assert corrected([0.01], 8) == pytest.approx([0.08])
    assert corrected([], 3) == []


@pytest.mark.parametrize(
    ("values", "p", "width", "word"),
    [
        ([1.0, 1.1, 0.9], 0.01, 2.0, "higher"),
        ([-1.0, -1.1, -0.9], 0.01, 2.0, "lower"),
        ([1.0, 1.1, 0.9], 0.06, 2.0, "undecided"),
        ([20.0, 25.0, 15.0], 0.01, 2.0, "undecided"),  # sure, and not as precise as was declared
        ([20.0, 25.0, 15.0], 0.01, 30.0, "higher"),
    ],
)
def test_a_word_needs_both_the_correction_and_the_declared_width(values, p, width, word):
    assert verdict(contrast(np.array(values)), p, width) == word


def test_coverage_of_the_interval_over_seeds():
    """Networks drawn anew, test videos held: the target is the mean over seeds on these videos."""
    rng = np.random.default_rng(4)
    runs, truth = 4000, 3.0
    per_seed = truth + rng.normal(0, 1.3, (runs, SEEDS)) * rng.uniform(0.2, 2, (runs, 1))
    inside = [contrast(row).seeds for row in per_seed]
    assert 0.93 <= np.mean([one.low <= truth <= one.high for one in inside]) <= 0.97


def test_coverage_of_the_bootstrap_over_videos():
    """Networks held, videos drawn anew: the target is the mean over all videos that there might be."""
    rng = np.random.default_rng(5)
    y = drawn(rng, 1000, 3.0, seeds=0.0)
    found = [over_videos(one, rng, resamples=600) for one in y]
    truth = np.mean([one.value for one in found])
    assert truth == pytest.approx(3.0, abs=0.4)  # chances are cut at 0 and 100
    assert 0.93 <= np.mean([one.low <= truth <= one.high for one in found]) <= 0.97


@pytest.mark.parametrize(("seeds", "videos"), [(3.0, 5.0), (1.0, 25.0), (3.0, 25.0)])
def test_coverage_of_both_together(seeds, videos):
    """Networks and videos drawn anew, whichever of them varies more."""
    y = drawn(np.random.default_rng(6), 2000, seeds=seeds, videos=videos)
    right = [contrast(one.mean(1), video_variance(one)).p >= 0.05 for one in y]
    assert 0.93 <= np.mean(right) <= 0.97


def test_false_positives_of_the_whole_chain_on_null_data():
    """A paper of eight questions without any effect: in 5 of 100 papers one gets a word."""
    rng, family, papers = np.random.default_rng(7), 8, 1000
    found = [[contrast(one.mean(1), video_variance(one)) for one in drawn(rng, papers)] for _ in range(family)]
    wrong = 0
    for answers in zip(*found, strict=True):
        p = corrected([one.p for one in answers], family)
        wrong += any(verdict(one, q, 100.0) != "undecided" for one, q in zip(answers, p, strict=True))
    assert 0.03 <= wrong / papers <= 0.07
