"""Classes by name: one spelling, numbers, and the classes of a network among those of a dataset."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repro.core.errors import DataError, ReproError
from repro.data.class_names import differ_in_case, looks_like_number, match, normal, number_of, require_different

FRUIT = ("apple", "banana", "grape", "lime")


def test_one_name_in_its_unicode_forms() -> None:
    spellings = ["caf\u00e9 run", "cafe\u0301 run", " caf\u00e9  run ", "caf\u00e9\u00a0run", "caf\u00e9 \u200brun"]
    assert {normal(name) for name in spellings} == {"caf\u00e9 run"}
    require_different(["Run", "run"], "x")
    for one, alike in (
        ("run", "ru\uff4e"), ("run", "\uff52un"), ("pop", "\u0440\u043ep"), ("TAP", "T\u0391P"), ("sip", "s\u0131p"),
        ("tie-up", "tie\u2013up"), ("tie-up", "tie\u2011up"), ("don't", "don\u2019t"),
    ):  # fmt: skip
        with pytest.raises(DataError, match="look alike"):
            require_different([one, alike], "x")
    require_different(["рыба", "pblba", "тур", "typ?"], "x")


@pytest.mark.parametrize("text", ["-1", "1.5", "1,000", "nan", "1e0", "0x1F", '="1"', "'1", "١", "１", "#1"])
def test_what_looks_like_a_number_is_no_name(text: str) -> None:
    assert looks_like_number(text) and number_of(text) is None


@pytest.mark.parametrize("text", ["run", "class 1", "3 steps", "走", "0xrun", "-"])
def test_names_do_not_look_like_numbers(text: str) -> None:
    assert not looks_like_number(text)


def test_a_class_that_looks_like_one_of_the_weights_is_told() -> None:
    with pytest.raises(DataError, match=r"'\\u0430pple', which looks like 'apple' of the weights and is not"):
        match(["apple", "lime"], ["lime", "\u0430pple"], 2, "d")


def test_names_that_differ_in_case_are_told() -> None:
    assert differ_in_case(["run", "jump"]) is None
    assert differ_in_case(["run", "jump", "Run"]) == "'run' and 'Run' are two classes, and differ in case alone"
    assert "case or `_` alone" in (differ_in_case(["a cup", "A_cup"]) or "")


@pytest.mark.parametrize("unseen", ["\u200b", "\ufe0f", "\u034f", "\u3164", "\u2800", "\x07", "\u202e", "\U000e0100"])
def test_what_cannot_be_seen_is_no_part_of_a_name(unseen: str) -> None:
    assert normal(f"e{unseen}\u0301 x{unseen}") == "é x"


@given(st.text())
def test_normal_names_stay_as_they_are(name: str) -> None:
    assert normal(normal(name)) == normal(name) == normal(unicodedata.normalize("NFD", name))


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("2", 2),
        ("2.0", 2),
        ("2,0", 2),
        ("+1", 1),
        ("01", 1),
        ("0.000", 0),
        (" 3 ", 3),
        ("7.", 7),
        ("999999999", 999_999_999),
    ],
)
def test_numbers(text: str, number: int) -> None:
    assert number_of(text) == number


@pytest.mark.parametrize("text", ["-1", "1.5", "1e3", "²", "٣", "nan", "", "a", "1 2", "9" * 5000, "1_0", "1,000"])
def test_no_numbers_of_classes(text: str) -> None:
    assert number_of(text) is None


def test_the_same_classes_need_no_word() -> None:
    assert match(FRUIT, FRUIT, 4, "d") == match((), (), 0, "d").__class__((0, 1, 2, 3))
    assert match((), ("0", "1", "2", "3"), 4, "d").note == ""


def test_another_order_is_mapped_and_told() -> None:
    found = match(FRUIT, FRUIT[::-1], 4, "mine")
    assert found.order == (3, 2, 1, 0) and found.moved
    assert "mine has the classes of the weights in another order" in found.note and "4 moved" in found.note


def test_some_of_the_classes_are_scored_among_all() -> None:
    found = match(FRUIT, ("lime", "banana"), 4, "mine")
    assert found.order == (3, 1, 0, 2) and "2 of the 4 classes" in found.note


def test_other_names_are_errors_that_show_the_first() -> None:
    with pytest.raises(DataError, match="do not know: 'pear'; the weights have 'apple', 'banana', 'grape'"):
        match(FRUIT, ("lime", "pear"), 4, "mine")
    with pytest.raises(DataError, match="'Lime'"):
        match(FRUIT, ("apple", "Lime"), 4, "mine")


def test_by_number_where_one_side_has_no_names() -> None:
    assert "numbers its classes" in match(FRUIT, ("0", "1"), 4, "mine").note
    assert "hold no names" in match((), FRUIT, 4, "mine").note
    with pytest.raises(DataError, match=r"names 2 classes.*which of them"):
        match((), FRUIT[:2], 4, "mine")
    with pytest.raises(DataError, match="5 classes"):
        match((), tuple("01234"), 4, "mine")
    for wrong in ((*FRUIT, "pear"), ("apple", "apple", "grape", "lime")):
        with pytest.raises(ReproError):
            match(wrong, FRUIT, 4, "mine")


@given(st.permutations(FRUIT), st.integers(1, 4))
def test_every_class_of_the_dataset_finds_its_output(order: list[str], count: int) -> None:
    dataset = order[:count]
    found = match(FRUIT, dataset, 4, "d")
    assert [FRUIT[place] for place in found.order[:count]] == dataset
    assert sorted(found.order) == [0, 1, 2, 3]
