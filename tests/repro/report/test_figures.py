"""Axes with round ticks, scatter plots and training curves as SVG."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repro.core.spec import replace
from repro.papers.table import FigureSpec, TableSpec
from repro.records.schema import Record
from repro.report.build_table import table_view
from repro.report.figures import Source, drawings, sources
from repro.report.plots import Cheap, Dot, axis, front

SVG = "{http://www.w3.org/2000/svg}"
CHEAP: tuple[Cheap, ...] = ("lower", "higher")
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
def source(layout: TableSpec, records: list[Record]) -> Source:
    figures = (FigureSpec(title="A & <b>", x="gmacs224", y="top1"), FigureSpec(title="none", x="k400", y="top1"))
    layout = replace(layout, figures=figures)
    return sources([layout], [table_view(layout, records)], records)[0]


def _parsed(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(str(svg).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1))


def test_a_point_for_each_row_with_both_values(source: Source) -> None:
    drawn = [drawing for drawing in drawings(source) if not drawing.folded]
    assert [drawing.title for drawing in drawn] == ["A & <b>"]  # no row has both values of the second
    root = _parsed(drawn[0].svg)
    assert len(root.findall(f".//{SVG}circle")) == 3
    assert root.attrib["role"] == "img"
    title = root.find(f"{SVG}title")
    assert title is not None and title.text == "A & <b>" and title.attrib["id"] in root.attrib["aria-labelledby"]
    assert len(root.findall(f".//{SVG}path[@class='pair']")) == 1  # TSN to TSN + DNR
    assert len(root.findall(f".//{SVG}path[@class='pareto']")) == 1


def test_hostile_labels_stay_text(source: Source, layout: TableSpec, records: list[Record]) -> None:
    rows = tuple(replace(row, label="</text><script>x</script>") for row in source.layout.rows)
    hostile = replace(source.layout, rows=rows)
    for drawing in drawings(sources([hostile], [table_view(hostile, records)], records)[0]):
        assert "<script" not in drawing.svg
        _parsed(drawing.svg)


def test_a_line_for_each_seed_and_nothing_where_nothing_was_trained(layout: TableSpec, records: list[Record]) -> None:
    table = table_view(layout, records)
    source = sources([layout], [table], records)[0]
    drawn = {drawing.title: _parsed(drawing.svg) for drawing in drawings(source)}
    assert list(drawn) == ["Every seed, probe-order", "Training, probe-order"]
    assert len(drawn["Every seed, probe-order"].findall(f".//{SVG}circle")) == 3
    assert len(drawn["Every seed, probe-order"].findall(f".//{SVG}path[@class='mean']")) == 1
    lines = drawn["Training, probe-order"].findall(f".//{SVG}polyline")
    assert [len(line.attrib["points"].split()) for line in lines] == [5, 5, 5]
    smoke = [record.model_copy(update={"smoke": True}) for record in records]
    assert drawings(sources([layout], [table], smoke)[0]) == []


def test_numbers_that_are_none_are_not_drawn(layout: TableSpec, records: list[Record]) -> None:
    curve = [{"epoch": 1, "loss": 2.0}, {"epoch": 2, "loss": float("nan")}, {"epoch": 3, "loss": True}]
    odd = [record.model_copy(update={"curve": curve}) for record in records]
    drawn = drawings(sources([layout], [table_view(layout, odd)], odd)[0])
    assert [drawing.title for drawing in drawn] == ["Every seed, probe-order"]


def _dots(*places: tuple[float, float]) -> list[Dot]:
    return [Dot(str(number), f"n{number}", x, y, "", "host") for number, (x, y) in enumerate(places)]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=20), st.sampled_from(CHEAP))
def test_the_front_holds_what_nothing_beats(places: list[tuple[float, float]], cheap: Cheap) -> None:
    dots = _dots(*places)
    best = front(dots, cheap)
    sign = 1 if cheap == "lower" else -1

    def beats(a: Dot, b: Dot) -> bool:
        no_worse = sign * a.x <= sign * b.x and a.y >= b.y
        return no_worse and (a.x, a.y) != (b.x, b.y)

    assert best and {(dot.x, dot.y) for dot in best} == {
        (dot.x, dot.y) for dot in dots if not any(beats(other, dot) for other in dots)
    }


def test_figures_name_existing_columns(layout: TableSpec) -> None:
    with pytest.raises(ValueError, match="no such column"):
        replace(layout, figures=(FigureSpec(title="x", x="top1", y="nothing"),))
