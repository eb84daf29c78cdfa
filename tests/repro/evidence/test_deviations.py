"""Deviations from the papers: read out of the files that have them, numbered in the tables."""

from __future__ import annotations

import pytest

from repro import registry
from repro.evidence.deviations import deviations, of_row, parse, told_by_network, told_numbers
from repro.papers import TABLES, find
from repro.report.build_table import table_view
from repro.report.csv_table import render_csv
from repro.report.latex import render_latex
from repro.report.markdown import render_markdown
from repro.report.text import render_text

HEAD = """Name: a network (Somebody et al., ICCV 2019, arXiv 1).

Authors' code: some-body/some.code@0123abc:ops/file.py (an option).

Known differences
1. First,
   in two lines.
2. Second (Table 3).

Not a point.
3. Nor this.
"""


def test_points_are_numbered_lines_under_the_heading_with_paper_and_commit():
    first, second = parse("name", HEAD)
    assert list(told_by_network({first: 1, second: 2})) == [
        "Deviations of name (Somebody et al., ICCV 2019, arXiv 1; some-body/some.code@0123abc:ops/file.py):",
        "Deviation 1: First, in two lines",
        "Deviation 2: Second (Table 3)",
    ]
    assert second.says == "Second (Table 3)"


def test_a_file_without_such_a_list_has_none():
    assert parse("name", "Name: a network (Somebody et al., ICCV 2019).") == []


@pytest.mark.parametrize("name", sorted(TABLES))
def test_each_deviation_has_a_source_or_a_paper_s_row_explains_it(name):
    for one in deviations(find(name)):
        assert one.source or one.name == "lstm", one.says  # a baseline of AdaFuse without a paper of its own


@pytest.mark.parametrize("name", ["dnr", "adafuse", "psn"])
def test_the_three_methods_say_where_they_differ(name):
    rows = [row for table in TABLES if table.startswith(name) for row in find(table).rows]
    assert any(one.name == name for row in rows for one in of_row(row))
    assert name in registry.methods


def test_every_format_numbers_them():
    table = table_view(find("dnr/table6"), [])
    count = len(deviations(find("dnr/table6")))
    for shown in (render_text(table), render_csv(table), render_latex(table), render_markdown(table)):
        for number in range(1, count + 1):
            assert shown.count(f"Deviation {number}:") == 1
    dnr = next(row for row in table.rows if row.key == "tsn_r50_dnr")
    own = [number for number, one in enumerate(deviations(find("dnr/table6")), 1) if one.name in ("tsn", "dnr")]
    assert any(table.footnotes[note].startswith(f"deviations {told_numbers(own)}") for note in dnr.notes)


def test_networks_of_one_file_share_its_deviations():
    told = [one.says for one in deviations(find("dnr/table6"))]
    assert len(told) == len(set(told))


def test_numbers_are_told_as_runs():
    assert told_numbers([7, 1, 2, 2, 3]) == "1 to 3, 7"
    assert told_numbers([2]) == "2"
