"""The short form of every table: its limits, what it must not hide, and what can be asked of it."""

from __future__ import annotations

import csv
import io
import re
from functools import cache

import pytest

from repro import papers
from repro.cli.parser import build_parser
from repro.core import paths
from repro.core.errors import UnknownName
from repro.evidence.counts import COLUMNS
from repro.records.index import Index
from repro.report import build, chosen, render, render_csv_notes
from repro.report.build_table import table_view
from repro.report.csv_table import render_csv
from repro.report.html import render_html
from repro.report.latex import render_latex
from repro.report.markdown import render_markdown
from repro.report.short_form import short_form
from repro.report.short_lines import SIGNS
from repro.report.table import Table
from repro.report.text import render_text

TABLES = list(papers.TABLES)
OWN = ("adafuse/speed", "suite/matrix")


@cache
def reference() -> Index:
    return Index(paths.published().parent / "records")


@cache
def full(name: str) -> Table:
    return build(papers.find(name), reference())


def short(name: str, **more: object) -> Table:
    return short_form(full(name), papers.find(name), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", TABLES)
def test_a_table_fits_on_a_screen(name):
    lines = render_text(short(name), 160).splitlines()
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 100


@pytest.mark.parametrize("name", TABLES)
def test_footnotes_are_few_and_short_and_numbered(name):
    table = short(name)
    assert len(table.footnotes) <= 5
    assert [sign for sign, _ in table.noted()] == [str(n) for n in range(1, len(table.footnotes) + 1)]
    assert all(len(note) <= 95 and "\n" not in note and not note.endswith("…") for note in table.footnotes)


@pytest.mark.parametrize("name", TABLES)
def test_latex_is_one_float(name):
    text = render_latex(short(name))
    assert text.count(r"\begin{table*}") == text.count(r"\begin{tabular}") == 1


@pytest.mark.parametrize("name", TABLES)
def test_no_difference_from_print_is_hidden(name):
    """Each printed number that all of our counts miss has its sign, with --rows quoted, and is counted without it."""
    layout, table = papers.find(name), full(name)
    missed = set()
    for row in table.rows:
        for spec, cell in zip(layout.columns, row.cells, strict=True):
            if spec.key in COLUMNS and cell.verdict is not None and cell.verdict.word == "differs":
                missed.add((row.key, spec.key))
    opened = short(name, rows=["quoted"])
    signs = sum(cell.spread == "≠" for row in opened.rows for cell in row.cells)
    told = dict(opened.told).get("DIFFERS", "0").partition(",")[0]
    assert (0 if told == "none" else int(told)) >= len(missed)
    if not layout.across:  # there a line may stand for the rows of several datasets
        assert signs >= len(missed)
    assert dict(short(name).told).get("DIFFERS") == dict(opened.told).get("DIFFERS")


@pytest.mark.parametrize("name", TABLES)
def test_no_column_is_empty(name):
    table = short(name)
    assert table.columns
    for index in range(len(table.columns)):
        assert any(row.cells[index].kind != "reason" for row in table.rows)


@pytest.mark.parametrize("name", TABLES)
def test_every_cell_leads_to_one_of_the_full_table(name):
    table = full(name)
    known = {f"{name}/{row.key}/{column.key}" for row in table.rows for column in table.columns}
    for row in short(name, rows=["quoted"]).rows:
        assert {cell.place for cell in row.cells if cell.place} <= known


def test_table6_says_what_was_reproduced_and_why_36_is_not_32_8():
    text = render_text(short("dnr/table6"), 100)
    assert "36 × 30  33.1 ≠1" in text and "33 × 30  33.0 =" in text
    assert "  1 36 is true at no crop, by no counter: 32.8 to 33.1 at 224, 42.8 to 43.2 at 256" in text
    assert "REPRODUCED   14 of 20 printed counts" in text and "DIFFERS      6, all explained" in text
    assert "GAINS        1 of 4 printed gains beyond what two single runs may differ by" in text
    assert "NOT TESTED   top-1, top-5 on kinetics400: no data here" in text
    assert "explain dnr/table6/tanet_r50/gflops" in text


@pytest.mark.parametrize("name", TABLES)
def test_the_commands_under_a_table_are_commands(name):
    """All three ways on, and what a line suggests, are understood as they stand; the number to explain is shown."""
    table = short(name)
    told = [text for _, text in (*table.told, *table.further)] + list(table.footnotes)
    found = [line for text in told for line in re.findall(r"python -m repro ([^()]*)", text)]
    assert len(found) >= 3
    for line in found:
        build_parser().parse_args(line.split())
    place = dict(table.further)["why a number"].split()[-1]
    assert place.split("/")[2] in {row.key for row in table.rows} | {
        cell.place.split("/")[2] for row in table.rows for cell in row.cells if cell.place
    }


@pytest.mark.parametrize("name", TABLES)
def test_the_legend_tells_the_signs_that_stand_and_no_other(name):
    table = short(name)
    stand = {part for row in table.rows for cell in row.cells for part in (cell.text, *cell.spread.split())}
    told = {part.split()[0] for part in table.legend.split("; ") if part}
    assert told & set(SIGNS) == stand & set(SIGNS)


def test_adafuse_table_5_has_datasets_side_by_side():
    table = short("adafuse/table5")
    groups = [title for title, _, _ in table.groups()]
    assert groups[-2:] == ["Something-Something V1", "Something-Something V2"]
    assert [row.label for row in table.rows].count("AdaFuse TSM+Last") == 1
    assert {"backbone", "T"} <= {column.title for column in table.columns}


def test_quoted_rows_open_and_rows_are_chosen():
    assert [row.key for row in short("dnr/table6", rows=["tdn_r50*"]).rows] == ["tdn_r50_lit", "tdn_r50", "tdn_r50_dnr"]
    assert len(short("dnr/table6", rows=["quoted"]).rows) == 20
    with pytest.raises(UnknownName, match="tanet_r50"):
        short("dnr/table6", rows=["tanet_r5"])
    with pytest.raises(UnknownName, match="top1"):
        short("dnr/table6", columns=["top"])


def test_columns_are_chosen_with_ours_beside():
    table = short("dnr/table6", columns=["gflops", "params"])
    assert [(column.group, column.title) for column in table.columns] == [
        ("GFLOPs x views", "printed"), ("GFLOPs x views", "here"), ("here", "params M"),
    ]  # fmt: skip


def test_best_is_marked_only_beyond_the_noise_of_single_runs():
    """Table 6's best, 77.05 and 76.93, may differ by chance; 40.7 and 40.3 too; PSN's 53.6 not."""
    for name, expected in (("dnr/table6", set()), ("adafuse/table2", set()), ("psn/table4", {"53.6"})):
        table = short(name)
        top1 = [row.cells[[column.title for column in table.columns].index("top-1")] for row in table.rows]
        assert {cell.text for cell in top1 if cell.best} == expected


def test_notes_none_short_and_full():
    for form in (short("psn/table1", notes="none"), chosen(full("psn/table1"), papers.find("psn/table1"), full=True,
                                                           notes="none")):  # fmt: skip
        assert not form.footnotes and not form.deviations and not form.further
        assert not any(cell.notes for row in form.rows for cell in row.cells)
    longer = short("psn/table1", notes="full")
    assert longer.deviations and max(map(len, longer.footnotes)) > 95


def test_full_selection_keeps_only_the_notes_that_are_used():
    layout = papers.find("dnr/table6")
    table = chosen(full("dnr/table6"), layout, full=True, rows=["tanet_r50"], columns=["gflops"])
    assert [row.key for row in table.rows] == ["tanet_r50"]
    used = {note for row in table.rows for cell in row.cells for note in cell.notes}
    used |= {note for column in table.columns for note in column.notes}
    used |= {note for row in table.rows for note in row.notes}
    assert used == set(range(len(table.footnotes)))
    assert any("true at no crop" in note for note in table.footnotes)
    assert chosen(full("dnr/table6"), layout, full=True) == full("dnr/table6")


@pytest.mark.parametrize("name", TABLES)
def test_full_tells_verdicts_first_and_each_deviation_once_under_its_network(name):
    table = full(name)
    heads = [line for line in table.deviations if line.startswith("Deviations of ")]
    assert len({head.split()[2] for head in heads}) == len(heads)
    numbers = [int(line.split()[1][:-1]) for line in table.deviations if line not in heads]
    assert numbers == list(range(1, len(numbers) + 1)) and table.deviations[:1] == tuple(heads[:1])
    for text in (render_text(table), render_markdown(table), render_latex(table), render_html(table)):
        text = " ".join(text.split())
        row = text.index(f"{table.rows[0].label.split()[0]}", 400)
        assert row < text.index("Deviation 1:")
        assert name in OWN or text.index("REPRODUCED:") < row  # of those no paper prints a number
        assert all(text.count(f"Deviation {number}:") == 1 for number in numbers)


@pytest.mark.parametrize("name", TABLES)
def test_csv_is_numbers_and_its_notes_lie_beside(name):
    layout = papers.find(name)
    lines = list(csv.DictReader(io.StringIO(render(layout, "csv", reference()))))
    assert [line["row"] for line in lines] == [row.key for row in layout.rows]
    for column in layout.columns:
        if column.measured:
            assert all(re.fullmatch(r"([+-]?\d+(\.\d+)?)?", line[column.key]) for line in lines), column.key
    notes = list(csv.DictReader(io.StringIO(render_csv_notes(layout, reference()))))
    assert {note["row"] for note in notes} <= {"", *(row.key for row in layout.rows)}
    assert {note["kind"] for note in notes} <= {"note", "deviations", "spread", "verdict", "reason", "finding",
                                                "remark", "deviation"}  # fmt: skip
    assert render(layout, "csv", reference(), full=True) == render_csv(full(name))


@pytest.mark.parametrize("name", ["dnr/table6", "adafuse/table5", "psn/table4"])
def test_markdown_has_the_short_form(name):
    text = render_markdown(short(name))
    assert "REPRODUCED" in text and "--full" in text
    bars = {len(re.findall(r"(?<!\\)\|", line)) for line in text.splitlines() if line.startswith("|")}
    assert len(bars) == 1


def test_what_failed_stands_in_its_cell():
    from dataclasses import replace

    table = full("dnr/table6")
    at = [column.key for column in table.columns].index("slowdown")
    row = table.rows[-1]
    cells = list(row.cells)
    cells[at] = replace(cells[at], kind="reason", text="failed", reason="failed: no memory", value=None, verdict=None)
    broken = replace(table, rows=(*table.rows[:-1], replace(row, cells=tuple(cells))))
    text = render_text(short_form(broken, papers.find("dnr/table6")), 100)
    assert "failed !2" in text and "2 failed: no memory" in text


@pytest.mark.parametrize("name", OWN)
def test_a_table_that_no_paper_prints_has_no_signs(name):
    text = render_text(short(name), 100)
    assert "printed =" not in text and "≠" not in text


@pytest.mark.parametrize("name", TABLES)
def test_every_format_of_a_table_of_which_nothing_was_measured(name):
    """Printed values alone; where nothing is printed, the command that measures."""
    layout, nothing = papers.find(name), table_view(papers.find(name), [])
    table = short_form(nothing, layout)
    text = render_text(table, 100)
    for shown in (text, render_latex(table), render_markdown(table), render_html(table, linked=True)):
        assert f"repro explain {name}/" in shown.replace("\\_", "_")
    assert f"NOT TESTED   nothing was measured yet: python -m repro run {name}" in text
    assert len(text.splitlines()) <= 40 and max(map(len, text.splitlines())) <= 100
    assert "≠" not in text.replace("≠ differs", "")
    place = dict(table.further)["why a number"].split()[-1]
    row, column = place.removeprefix(f"{name}/").split("/")
    assert row in [one.key for one in layout.rows] and column
