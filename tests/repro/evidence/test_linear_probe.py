import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from repro.core.errors import BadOption, DataError
from repro.evidence.linear_probe import folds_of, probe


@given(
    groups=st.lists(st.sampled_from(["a", "b", "c", "d", "e", ""]), min_size=8, max_size=40),
    folds=st.integers(2, 4),
    data=st.data(),
)
def test_groups_are_whole_and_folds_are_the_same_again(groups, folds, data):
    labels = np.array(data.draw(st.lists(st.integers(0, 2), min_size=len(groups), max_size=len(groups))))
    try:
        fold = folds_of(labels, groups, folds)
    except (BadOption, DataError):
        return
    for name in set(groups) - {""}:
        assert len(set(fold[[group == name for group in groups]])) == 1
    assert set(fold) <= set(range(folds)) and np.array_equal(fold, folds_of(labels, groups, folds))
    for number in range(folds):
        assert set(labels) <= set(labels[fold != number]), "each class can be learnt without the fold"


def test_clips_without_groups_are_spread_evenly():
    labels = np.arange(24) % 3
    fold = folds_of(labels, [""] * 24, 4)
    assert np.bincount(fold).tolist() == [6] * 4


def test_many_clips_are_dealt_at_once():
    fold = folds_of(np.arange(30_000) % 3, [""] * 30_000, 5)
    assert np.bincount(fold).tolist() == [6000] * 5


def test_a_class_of_one_group_cannot_be_tested():
    with pytest.raises(DataError, match="class 1 stands in the groups of one fold alone"):
        folds_of(np.array([0, 0, 0, 1, 1]), ["a", "b", "c", "d", "d"], 2)
    with pytest.raises(BadOption, match="4 folds of 3 groups"):
        folds_of(np.array([0, 1, 0, 1]), ["a", "b", "c", "c"], 4)


def test_what_tells_the_class_is_found_and_what_tells_the_group_is_not():
    rng = np.random.default_rng(0)
    labels, groups = np.arange(120) % 2, [f"g{number // 20}" for number in range(120)]
    fold = folds_of(labels, groups, 3)
    own = np.eye(6)[[int(group[1:]) for group in groups]]
    noise = rng.normal(size=(120, 8))
    assert probe(np.hstack([noise, labels[:, None] + 0.1 * noise[:, :1]]), labels, fold).accuracy > 95
    of_group = probe(np.hstack([own, noise]), labels, fold)
    assert 30 < of_group.accuracy < 70 and of_group.folds == 3
    assert of_group.interval.low < of_group.accuracy < of_group.interval.high


def test_clips_without_classes_are_told():
    with pytest.raises(DataError, match="have no classes"):
        probe(np.zeros((4, 2)), np.array([-1, 0, 1, 0]), np.array([0, 0, 1, 1]))
