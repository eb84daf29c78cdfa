"""No sign means two things, in any table, in the full and in the short form."""

from __future__ import annotations

from pathlib import Path

import pytest

from repro.evidence.verdicts import DOUBT, EQUAL, LEGEND, UNEQUAL, UNEXPLAINED
from repro.papers import TABLES, find
from repro.records.index import Index
from repro.report import build
from repro.report.short_form import short_form
from repro.report.text import render_text

ROOT = Path(__file__).resolve().parents[3]
SIGNS = (EQUAL, UNEQUAL, DOUBT, UNEXPLAINED)


@pytest.fixture(scope="module")
def index() -> Index:
    return Index(ROOT / "results" / "records")


@pytest.mark.parametrize("name", list(TABLES))
def test_each_sign_is_of_one_kind_of_value(index: Index, name: str) -> None:
    layout = find(name)
    table = build(layout, index)
    for row in table.rows:
        for column, cell in zip(layout.columns, row.cells, strict=True):
            sign = cell.spread.rpartition(" ")[2] if cell.spread else ""
            if sign in (EQUAL, UNEQUAL):
                assert cell.kind == "published" and cell.verdict and cell.verdict.value is not None, column.key
            elif sign == DOUBT:
                assert cell.kind == "derived" and column.source.startswith("difference:"), column.key
            elif sign == UNEXPLAINED:
                assert column.source.endswith("against.ratio_median") and (cell.value or 1) < 1, column.key
            elif cell.verdict is not None and cell.verdict.sign:
                assert cell.verdict.sign in ("reproduced", "differs") and layout.row(row.key), column.key
            if column.source.startswith("gain:"):
                assert cell.verdict is None, "what is measured on both sides has an interval and no verdict"
    for shown in (table, short_form(table, layout)):
        text = render_text(shown, 100 if shown.short else None)
        assert "≈" not in text
        assert not shown.short or all(sign not in _cells(shown) or sign in shown.legend for sign in SIGNS)


def _cells(table) -> set[str]:
    return {cell.spread.rstrip("0123456789") for row in table.rows for cell in row.cells}


def test_the_legend_names_every_sign() -> None:
    assert all(sign in LEGEND for sign in SIGNS) and "≈" not in LEGEND
