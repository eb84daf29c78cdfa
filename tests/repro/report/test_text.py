"""The terminal's table: nothing is cut at any width, and no name steers the terminal."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from repro.core.spec import replace
from repro.papers.table import TableSpec
from repro.records.schema import Record
from repro.report.build_table import table_view
from repro.report.text import render_text


@pytest.mark.parametrize("width", [60, 80, 120, 400])
def test_no_value_is_cut_at_any_width(layout: TableSpec, records: list[Record], width: int) -> None:
    table = table_view(layout, records)
    text = render_text(table, width)
    words = text.split()
    for row in table.rows:
        for cell in row.cells:
            assert all(part in words for part in cell.text.split()), cell
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    folded = " ".join(words)
    assert all(note.split()[0] in folded for note in table.footnotes)


def test_a_wide_terminal_has_one_block_and_a_narrow_one_several(layout: TableSpec, records: list[Record]) -> None:
    table = table_view(layout, records)
    assert render_text(table, 400).count("TSN + DNR") == 1
    assert render_text(table, 60).count("Run by the paper") > 3


def test_markup_and_control_characters_stay_text(layout: TableSpec) -> None:
    rows = tuple(replace(row, label="[red]x[/red]\x1b[31m\n") for row in layout.rows)
    text = render_text(table_view(replace(layout, rows=rows), []))
    assert "[red]x[/red]\\x1b[31m\\x0a" in text
    assert "\x1b" not in text


@pytest.mark.parametrize("width", [60, 80, 120])
def test_long_labels_are_folded_and_no_line_is_wider_than_the_terminal(
    layout: TableSpec, records: list[Record], width: int
) -> None:
    words = [f"word{letter}" for letter in "abcdefghijkl"]
    rows = tuple(replace(row, label=" ".join(words)) if row.key == "tsn_r50" else row for row in layout.rows)
    shown = render_text(table_view(replace(layout, rows=rows), records), width)
    assert max(map(cell_len, shown.splitlines())) <= width
    assert all(shown.count(word) == shown.count(words[0]) > 1 for word in words)
