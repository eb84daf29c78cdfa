"""Axes with round ticks, scatter plots and training curves as SVG."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repro.papers.layout import FigureSpec, TableSpec
from repro.record import Record
from repro.report.figures import axis, curves, scatter
from repro.report.table import Table
from repro.report.view import table_view
from repro.spec import replace

SVG = "{http://www.w3.org/2000/svg}"
numbers = st.floats(min_value=-1e6, max_value=1e6, allow_nan=False).map(lambda x: round(x, 3))


@given(st.lists(numbers, min_size=1, max_size=20))
def test_an_axis_holds_its_values_and_few_ticks(values: list[float]) -> None:
    made = axis(values, 0, 100)
    assert all(-1e-6 <= made(value) <= 100 + 1e-6 for value in values)
    assert 2 <= len(made.ticks) <= 40
    assert list(made.ticks) == sorted(set(made.ticks))


def test_a_wide_range_is_logarithmic() -> None:
    assert axis([1, 1000], 0, 1).log and not axis([30, 47], 0, 1).log
    assert axis([30.0, 47.0], 0, 1).ticks == (25.0, 30.0, 35.0, 40.0, 45.0, 50.0)


@pytest.fixture
def table(layout: TableSpec, records: list[Record]) -> Table:
    figures = (FigureSpec(title="A & <b>", x="gmacs224", y="top1"), FigureSpec(title="none", x="k400", y="top1"))
    return table_view(replace(layout, figures=figures), records)


def _parsed(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(str(svg).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1))


def test_a_point_for_each_row_with_both_values(table: Table) -> None:
    drawn = scatter(table, table.figures[0], "f0")
    assert drawn is not None
    root = _parsed(drawn)
    assert len(root.findall(f".//{SVG}circle")) == 3
    assert root.attrib["role"] == "img"
    title = root.find(f"{SVG}title")
    assert title is not None and title.text == "A & <b>" and title.attrib["id"] in root.attrib["aria-labelledby"]
    assert len(root.findall(f".//{SVG}path[@class='pair']")) == 1  # TSN to TSN + DNR


def test_no_plot_without_points(table: Table) -> None:
    assert scatter(table, table.figures[1], "f1") is None


def test_hostile_labels_stay_text(table: Table) -> None:
    rows = tuple(replace(row, label="</text><script>x</script>") for row in table.rows)
    drawn = scatter(replace(table, rows=rows), table.figures[0], "f")
    assert drawn is not None and "<script" not in drawn
    _parsed(drawn)


def test_a_curve_for_each_number_that_is_followed() -> None:
    points = [{"epoch": e, "loss": 1 / (e + 1), "lr": 0.1, "note": "x", "flag": True} for e in range(4)]
    drawn = curves([*points, {"epoch": 4, "loss": float("nan"), "lr": 0.1}], "c")
    assert len(drawn) == 2
    assert [len(_parsed(svg).find(f"{SVG}polyline").attrib["points"].split()) for svg in drawn] == [4, 5]  # type: ignore[union-attr]
    assert curves([], "c") == [] and curves([{"loss": 1.0}], "c") == []


def test_figures_name_existing_columns(layout: TableSpec) -> None:
    with pytest.raises(ValueError, match="no such column"):
        replace(layout, figures=(FigureSpec(title="x", x="top1", y="nothing"),))
