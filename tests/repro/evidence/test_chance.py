"""What chance allows of a statement: by hand, and of `min`, `max`, `abs`, `mean`, factors and chains."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repro.evidence.chance import chance
from repro.evidence.noise import single_runs

VALUES = {"a": "72.0", "b": "70.0", "c": "69.5", "d": "60.0"}


def read(statement: str, **values: str):
    known = {**VALUES, **values}
    return chance(
        statement, lambda parts: Decimal(known[parts[0]]) if parts[0] in known else None, lambda parts: "kinetics200"
    )


def cell(name: str) -> str:
    return f"{name}.t.r.top1"


def test_the_margin_is_that_of_single_runs():
    """1.96 sqrt((72 x 28 + 70 x 30) / 5000 + 2 x 0.3^2) = 1.96 on 5,000 videos."""
    found = read(f"{cell('a')} > {cell('b')}")
    assert (found.word, "+2.00 points, beyond the ±1.96" in found.told) == ("beyond", True)
    assert f"±{single_runs((72.0, 70.0), 5000).margin:.2f}" in found.told
    assert found.told.startswith("72.0 - 70.0: ")


@pytest.mark.parametrize(
    ("statement", "word"),
    [
        ("a > d", "beyond"),
        ("a > b", "beyond"),
        ("a > c > d", "beyond"),
        ("b > c", "within"),
        ("a > max(b, c)", "beyond"),
        ("min(a, b) > c", "within"),
        ("max(a, b) > c", "beyond"),
        ("a - b > 2", "within"),
        ("a - d > 2 and b - c > 0", "within"),
        ("abs(a - d) < 20", "beyond"),
        ("abs(a - d) < 13", "within"),
        ("mean(a, b) - d > 0", "beyond"),
        ("2 * a - 2 * b > 0", "beyond"),
        ("(a - b) - (c - d) > 0", "beyond"),
        ("(a - b) - (b - c) > 0", "within"),
        ("c > a", "beyond"),  # it fails, and by more than chance gives
        ("-a + b > 0", "beyond"),
        ("a - b == 2", "beyond"),
        ("b == c", "within"),
    ],
)
def test_statements(statement, word):
    written = "".join(cell(sign) if sign in VALUES and not near else sign for sign, near in _letters(statement))
    assert read(written).word == word


def _letters(text: str):
    """Each sign, and whether it is part of a longer word."""
    for number, sign in enumerate(text):
        yield sign, (text[number - 1 : number] + text[number + 1 : number + 2]).strip().strip("()-,").isalpha()


@pytest.mark.parametrize("statement", ["a.t.r.gflops > b.t.r.gflops", "a.t.r.top1 * b.t.r.top1 > 3", "x.t.r.top1 > 1"])
def test_nothing_is_said_of_counts_products_and_what_is_not_printed(statement):
    assert read(statement) is None


def test_nothing_is_said_of_an_unknown_test_set():
    assert chance("a.t.r.top1 > 1", lambda parts: Decimal(70), lambda parts: "") is None


@given(st.decimals(1, 99, places=2), st.decimals(1, 99, places=2))
def test_it_agrees_with_the_noise_of_two_runs(one: Decimal, other: Decimal):
    found = read(f"{cell('a')} - {cell('b')} > 0", a=str(one), b=str(other))
    doubt = single_runs((float(one), float(other)), 5000)
    if not math.isclose(abs(doubt.difference), doubt.margin, rel_tol=1e-6):
        assert (found.word == "beyond") == doubt.decided
