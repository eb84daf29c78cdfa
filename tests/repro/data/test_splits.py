"""How splits are spelled."""

from __future__ import annotations

import pytest

from repro.core.errors import UnknownName
from repro.data.splits import known_split, respelled, split_of, split_of_file_name

SPELLINGS = {
    "train": ["train", "Train", "TRAIN", "training", "train_set", "Training set"],
    "val": ["val", "Val", "VAL", "valid", "validation", "Validate", "dev", "validation-set"],
    "test": ["test", "Test", "testing", "test set"],
}


@pytest.mark.parametrize(("split", "text"), [(split, text) for split, all_ in SPELLINGS.items() for text in all_])
def test_known_spellings_are_one_split(split: str, text: str) -> None:
    assert known_split(text) == split_of(text) == split


@pytest.mark.parametrize(
    ("text", "near"), [("vall", "val"), ("trian", "train"), ("tset", "test"), ("validaton", "validation")]
)
def test_unknown_ones_are_errors_with_the_nearest(text: str, near: str) -> None:
    with pytest.raises(UnknownName, match=f"did you mean {near}"):
        split_of(text, "my.csv line 3")


@pytest.mark.parametrize("text", ["holdout", "val2", "test-dev", "", "1", "train/val", "тест"])
def test_what_may_mean_several_is_refused(text: str) -> None:
    with pytest.raises(UnknownName, match="allowed: dev, test, testing, train"):
        split_of(text)


def test_what_was_read_by_its_meaning_is_told() -> None:
    assert respelled(["train", "val", "val"]) is None
    assert respelled(["val", "Val", "dev"]) == "splits were read by their meaning: 'Val' as val, 'dev' as val"


def test_words_that_may_mean_something_else_are_not_taken_from_file_names() -> None:
    assert split_of_file_name("train_valid_ids") == "train" and split_of_file_name("dev_list") is None
