from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repro.core.errors import BadOption
from repro.evidence.arithmetic import evaluate

CELLS = {"a": Decimal("78.39"), "b": Decimal("72.80"), "zero": Decimal(0)}


def lookup(parts):
    return CELLS.get(parts[-1])


@pytest.mark.parametrize(
    ("statement", "holds", "told"),
    [
        ("p.t.r.a - p.t.r.b >= 5.59", True, "78.39 - 72.80 (= 5.59) >= 5.59"),
        ("p.t.r.a - p.t.r.b > 5.59", False, "78.39 - 72.80 (= 5.59) > 5.59"),
        ("1 < p.t.r.a / p.t.r.b < 1.07", False, "1 < 78.39 / 72.80 (= 1.0768) < 1.07"),
        ("max(p.t.r.a, p.t.r.b) == 78.39 and p.t.r.b != 0", True, "max(78.39, 72.80) (= 78.39) = 78.39; 72.80 != 0"),
        ("-(p.t.r.a - 1) * 2 < mean(p.t.r.a, p.t.r.b)", True, None),
        ("here.p.t.r['odd-name']['x.a'] > 1", None, None),
    ],
)
def test_statements_are_decimal_and_read_with_their_numbers(statement, holds, told):
    found = evaluate(statement, lookup)
    assert found.holds is holds
    assert told is None or found.told == told


def test_a_missing_number_leaves_it_open_and_is_named():
    found = evaluate("p.t.r.a > p.t.row.nothing", lookup)
    assert (found.holds, found.missing) == (None, ("p.t.row.nothing",))


@pytest.mark.parametrize(
    "statement",
    ["p.t.r.a", "p.t.r.a >", "__import__('os').system('x') > 1", "open(1) > 2", "p.t.r.a in 3", "p.t.r.a ** 2 > 1",
     "[p.t.r.a] > 1", "p.t.r.a > 1 or p.t.r.b > 1", "p.t.r.a / p.t.r.zero > 1", "min() > 1", "True > 0", "p[0].r > 1"],
)  # fmt: skip
def test_anything_else_is_refused_in_words(statement):
    with pytest.raises(BadOption):
        evaluate(statement, lookup)


@given(st.decimals(-1000, 1000, places=2), st.decimals(-1000, 1000, places=2))
def test_differences_of_printed_digits_are_exact(a, b):
    cells = {"a": a, "b": b}
    found = evaluate(f"p.t.r.a - p.t.r.b == {a - b}".replace("== -", "== -"), lambda parts: cells[parts[-1]])
    assert found.holds
