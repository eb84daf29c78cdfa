from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from repro.core.errors import ReproError
from repro.records import metrics


def test_top_k_by_hand() -> None:
    scores = np.array([[0.1, 0.7, 0.2], [0.5, 0.4, 0.1], [0.2, 0.3, 0.5], [0.3, 0.4, 0.3]])
    labels = np.array([1, 1, 0, 2])
    assert metrics.rank_of_label(scores, labels).tolist() == [0, 1, 2, 2]
    assert metrics.top_k(scores, labels, 1) == 25.0
    assert metrics.top_k(scores, labels, 2) == 50.0
    assert metrics.rates(scores, labels) == {"top1": 25.0, "top5": 100.0}


def test_of_equal_scores_the_lower_class_is_first() -> None:
    equal = np.zeros((4, 4))
    assert metrics.rank_of_label(equal, np.arange(4)).tolist() == [0, 1, 2, 3]
    assert metrics.top_k(equal, np.arange(4), 1) == 25.0
    assert metrics.predictions(equal).tolist() == [0, 0, 0, 0]


@given(st.integers(0, 2**31), st.integers(1, 7), st.integers(2, 9))
def test_rank_agrees_with_a_stable_sort(seed: int, count: int, classes: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 4, (count, classes)).astype(float)
    labels = rng.integers(0, classes, count)
    order = np.argsort(-scores, axis=1, kind="stable")
    expected = [order[i].tolist().index(labels[i]) for i in range(count)]
    assert metrics.rank_of_label(scores, labels).tolist() == expected
    hits = np.mean(metrics.predictions(scores) == labels)
    assert metrics.top_k(scores, labels, 1) == pytest.approx(100 * hits)


@given(st.integers(0, 2**31), st.lists(st.integers(1, 5), min_size=1, max_size=6))
def test_accuracy_does_not_depend_on_how_videos_were_batched(seed: int, sizes: list[int]) -> None:
    rng = np.random.default_rng(seed)
    logits, labels = rng.normal(size=(sum(sizes), 6, 4)), rng.integers(0, 4, sum(sizes))
    whole = metrics.aggregate(logits, "softmax", 2, 3)
    ends = np.cumsum([0, *sizes])
    parts = [metrics.aggregate(logits[a:b], "softmax", 2, 3) for a, b in pairwise(ends)]
    assert np.array_equal(np.concatenate(parts), whole)
    hits = [metrics.top_k(p, labels[a:b], 1) * (b - a) for p, (a, b) in zip(parts, pairwise(ends), strict=True)]
    assert metrics.top_k(whole, labels, 1) == pytest.approx(sum(hits) / sum(sizes))


def test_aggregations_by_hand() -> None:
    logits = np.array([[[4.0, 0.0], [0.0, 1.0], [0.0, 1.0], [0.0, 9.0], [0.0, 9.0], [2.0, 0.0]]])
    both = dict(clips=2, crops=3)
    assert metrics.aggregate(logits, "logits", **both).tolist() == [[1.0, 20 / 6]]
    assert np.array_equal(metrics.aggregate(logits, "features", **both), metrics.aggregate(logits, "logits", **both))
    one = metrics.aggregate(logits, "logits", **both, one_clip=True, one_crop=True)
    assert one.tolist() == [[0.0, 1.0]]  # clip 0 of two, the third crop
    assert metrics.aggregate(logits, "logits", **both, one_crop=True).tolist() == [[1.0, 0.5]]
    assert metrics.aggregate(logits, "logits", **both, one_clip=True).tolist() == [[4 / 3, 2 / 3]]
    soft = metrics.aggregate(logits, "softmax", **both)
    assert soft.sum() == pytest.approx(1.0)
    by_hand = np.mean([1 / (1 + np.exp(b - a)) for a, b in logits[0]])
    assert soft[0, 0] == pytest.approx(by_hand)


def test_logits_and_softmax_can_disagree() -> None:
    logits = np.array([[[9.0, 0.0], [0.0, 2.0], [0.0, 2.0]]])
    assert metrics.aggregate(logits, "logits", 3, 1).argmax() == 0
    assert metrics.aggregate(logits, "softmax", 3, 1).argmax() == 1


def test_centre_view() -> None:
    assert [metrics.centre_clip(clips) for clips in (1, 2, 3, 10)] == [0, 0, 1, 4]
    assert [metrics.centre_crop(crops) for crops in (1, 3, 5, 10)] == [0, 2, 4, 8]
    with pytest.raises(ReproError, match="4 crops"):
        metrics.centre_crop(4)


def test_all_aggregations_of_ten_by_three() -> None:
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(20, 30, 7)), rng.integers(0, 7, 20)
    found = metrics.all_aggregations(logits, labels, 10, 3, "features")
    names = {f"{clips}x{crops}/{kind}" for clips in (1, 10) for crops in (1, 3) for kind in metrics.FUSIONS}
    assert set(found) == names | {"view"}
    assert found["10x3/features"] == found["10x3/logits"]
    assert found["1x1/logits"] == metrics.rates(logits[:, 4 * 3 + 2], labels)
    assert found["1x1/logits"] == found["1x1/softmax"]
    hits = [metrics.top_k(logits[:, view], labels, 1) for view in range(30)]
    assert found["view"]["top1"] == pytest.approx(np.mean(hits))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_are_an_error(value: float) -> None:
    logits = np.zeros((3, 2, 4))
    logits[1, 1, 2] = value
    with pytest.raises(ReproError, match=r"1 of 3 videos .* not finite, first 'b'"):
        metrics.check_finite(logits, ["a", "b", "c"])
    for call in (
        lambda: metrics.aggregate(logits, "softmax", 2, 1),
        lambda: metrics.rank_of_label(logits[:, 1], np.zeros(3, int)),
        lambda: metrics.predictions(logits[:, 1]),
    ):
        with pytest.raises(ReproError, match="not finite"):
            call()


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ReproError, match="mean"):
        metrics.aggregate(np.zeros((1, 1, 2)), "mean", 1, 1)
    with pytest.raises(ReproError, match="2 clips x 3 crops"):
        metrics.aggregate(np.zeros((1, 5, 2)), "logits", 2, 3)
    with pytest.raises(ReproError, match="labels from 0 to 2"):
        metrics.top_k(np.zeros((2, 2)), np.array([0, 2]), 1)
    with pytest.raises(ReproError, match="labels of shape"):
        metrics.top_k(np.zeros((2, 2)), np.array([0]), 1)
    with pytest.raises(ReproError, match="no scored video"):
        metrics.top_k(np.zeros((0, 2)), np.zeros(0, int), 1)


def test_confusion_and_mean_class_accuracy() -> None:
    labels, predicted = np.array([0, 0, 0, 2]), np.array([0, 0, 1, 1])
    assert metrics.confusion(predicted, labels, 3).tolist() == [[2, 1, 0], [0, 0, 0], [0, 1, 0]]
    assert metrics.mean_class_accuracy(predicted, labels, 3) == pytest.approx(100 * (2 / 3 + 0) / 2)
