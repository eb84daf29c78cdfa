"""Markdown, LaTeX, CSV and HTML: the same values in each, and hostile names stay text."""

from __future__ import annotations

import csv
import html.parser
import io
import re
from pathlib import Path

import pytest

from repro.core import paths
from repro.core.errors import BadOption
from repro.core.spec import replace
from repro.papers.table import TableSpec
from repro.records import store
from repro.records.index import Index
from repro.records.schema import Record
from repro.report import FORMATS, render, write_report
from repro.report.build_table import table_view
from repro.report.csv_table import render_csv
from repro.report.html import render_html
from repro.report.latex import escape as escape_latex
from repro.report.latex import render_latex
from repro.report.markdown import escape as escape_markdown
from repro.report.markdown import render_markdown
from repro.report.table import Table
from tests.repro.made_table import record_of, speed

HOSTILE = "</td><script>alert(1)</script> | \\input{/etc/passwd} `x` **b** \"q\" 'a' $1$ & % _ # ~ ^ \x1b[31m\n=cmd|x"


class Cells(html.parser.HTMLParser):
    """Texts of table cells, and all tags."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.tags: list[str] = []
        self.depth = 0
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")
            self.depth += 1

    def handle_endtag(self, tag: str) -> None:
        self.depth -= tag in {"td", "th"}

    def handle_data(self, data: str) -> None:
        if self.depth:
            self.rows[-1][-1] += data


@pytest.fixture
def table(layout: TableSpec, records: list[Record]) -> Table:
    return table_view(layout, records)


@pytest.fixture
def hostile(layout: TableSpec, records: list[Record]) -> Table:
    rows = tuple(replace(row, label=HOSTILE, note=HOSTILE) for row in layout.rows)
    columns = tuple(replace(column, title=HOSTILE, group=HOSTILE, unit=HOSTILE) for column in layout.columns)
    return table_view(replace(layout, rows=rows, columns=columns, title=HOSTILE, caption=HOSTILE), records)


def test_html_holds_every_cell(table: Table) -> None:
    found = Cells(render_html(table))
    body = [row for row in found.rows if len(row) == len(table.columns) + 1 and not row[0].startswith("Network")]
    assert len(body) == len(table.rows)
    for row, texts in zip(table.rows, body, strict=True):
        assert texts[0].startswith(row.label)
        assert all(text.startswith(cell.text) for cell, text in zip(row.cells, texts[1:], strict=True))


def test_html_marks_best_and_second_and_links_records(table: Table) -> None:
    text = render_html(table, linked=True)
    assert "<strong>74.35</strong>" in text and "<u>73.78</u>" in text
    places = {
        f"{table.full_name}/{row.key}/{column.key}"
        for row in table.rows
        for column, cell in zip(table.columns, row.cells, strict=True)
        if cell.records
    }
    assert len(places) > 5 and all(f'href="#{place}"' in text and f'id="{place}"' in text for place in places)
    assert "href" not in re.sub(r'href="#note-', "", render_html(table))


def test_html_keeps_hostile_names_as_text(hostile: Table) -> None:
    found = Cells(render_html(hostile, linked=True))
    assert "script" not in found.tags
    assert any("<script>alert(1)</script>" in text for row in found.rows for text in row)


def test_csv_comes_back_by_a_reader(table: Table) -> None:
    lines = list(csv.DictReader(io.StringIO(render_csv(table))))
    rows = [line for line in lines if line["row"] not in ("finding", "deviation")]
    assert len(rows) == len(table.rows)
    assert [line["label"] for line in lines if line["row"] == "deviation"] == list(table.deviations)
    for row, read in zip(table.rows, rows, strict=True):
        for column, cell in zip(table.columns, row.cells, strict=True):
            assert read[column.key] == (cell.reason or cell.text)
    assert rows[1]["order_spread"] == "±0.71 (n=2)"


def test_csv_runs_no_formula(hostile: Table) -> None:
    rows = tuple(
        replace(row, label=label) for row, label in zip(hostile.rows, "=A1 +B @c -d +2.70".split(), strict=True)
    )
    read = list(csv.DictReader(io.StringIO(render_csv(replace(hostile, rows=rows)))))
    assert [row["label"] for row in read if row["row"] != "deviation"] == ["'=A1", "'+B", "'@c", "'-d", "+2.70"]


def test_latex_has_booktabs_and_even_rows(table: Table) -> None:
    text = render_latex(table)
    assert all(rule in text for rule in ("\\toprule", "\\midrule", "\\cmidrule", "\\bottomrule", "\\multicolumn{5}{c}"))
    for tabular in re.findall(r"\\begin\{tabular\}\{@\{\}l(r+)@\{\}\}(.*?)\\end\{tabular\}", text, re.DOTALL):
        rows = [line for line in tabular[1].splitlines() if " & " in line and "multicolumn" not in line]
        assert len(rows) == 1 + len(table.rows)  # no two neighbours have the same reasons only
        assert {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {len(tabular[0])}
    assert sum(map(len, re.findall(r"l(r+)@\{\}\}", text))) == len(table.columns)
    assert "\\textbf{74.35}" in text and "\\underline{73.78}" in text


def test_latex_keeps_hostile_names_as_text(hostile: Table) -> None:
    escaped = escape_latex(HOSTILE)
    assert "\\input" not in escaped and "\x1b" not in escaped and "\n" not in escaped
    unescaped = re.sub(r"\\[{}&%$#_]|\\text[a-z]+\{\}|\{\[\}", "", escaped)
    assert not re.search(r"[\\{}&%$#_^~<>|]", unescaped)
    text = render_latex(hostile)
    bare = re.sub(r"\\[{}]", "", text)
    assert bare.count("{") == bare.count("}")


def test_markdown_rows_are_even(table: Table, hostile: Table) -> None:
    for shown in (table, hostile):
        lines = [line for line in render_markdown(shown).splitlines() if line.startswith("|")]
        assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {len(table.columns) + 2}


def test_markdown_keeps_hostile_names_as_text() -> None:
    escaped = escape_markdown(HOSTILE)
    assert "<" not in escaped and "\n" not in escaped and "\x1b" not in escaped
    assert not re.search(r"(?<!\\)[`*_|$]", escaped)
    assert escape_markdown("# x").startswith("\\#") and escape_markdown("1. x") == "1\\. x"
    assert escape_markdown("Kinetics-400, (8 x 3), 1.5") == "Kinetics-400, (8 x 3), 1.5"


def test_all_formats_are_rendered_and_others_refused(
    layout: TableSpec, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REPRO_RESULTS", str(tmp_path))
    monkeypatch.setattr("repro.data.datasets.is_configured", lambda name: name != "kinetics400")
    for form in FORMATS:
        assert "TSN" in render(layout, form, Index())
    with pytest.raises(BadOption, match="markdown"):
        render(layout, "pdf", Index())


def test_the_report_is_made_of_what_lies_in_the_results_folder(
    layout: TableSpec, records: list[Record], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REPRO_RESULTS", str(tmp_path))
    monkeypatch.setenv("REPRO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("repro.data.datasets.is_configured", lambda name: name != "kinetics400")
    written = [store.write(made) for made in records]
    written[0].write_text("{")
    paths.work(layout.row("tsm_r50").cells["speed"].id, 0).mkdir(parents=True)
    write_report(tmp_path / "report.html", [layout], Index())
    page = (tmp_path / "report.html").read_text()
    assert written[0].relative_to(tmp_path / "own").as_posix() in page and "not readable as JSON" in page
    assert "28.37" in page and "24.33" in page
    assert "running, or interrupted" in page


def test_control_characters_of_a_record_stand_escaped_in_html(layout):
    made = record_of(layout, "tsn_r50", "speed", speed(2.0))
    made = made.model_copy(update={"results": {**made.results, "device": "\u202egpj\x1b[31m"}})
    shown = render_html(table_view(layout, [made]))
    assert "\\u202egpj\\x1b[31m" in shown and not {"\u202e", "\x1b"} & set(shown)
