"""What a reader sees of the committed records: each measured number is in a record, and stands where it belongs."""

from __future__ import annotations

import csv
import html.parser
import io
import json
import statistics
from functools import cache
from pathlib import Path

import pytest

from repro.papers import TABLES, find
from repro.records import store
from repro.records.store import load_all
from repro.report.build_table import table_view
from repro.report.csv_table import render_csv
from repro.report.html import render_html
from repro.report.latex import escape as latex
from repro.report.latex import render_latex
from repro.report.markdown import escape as markdown
from repro.report.markdown import render_markdown
from repro.report.table import Cell, Column, Row, Table
from repro.report.text import render_text

ROOT = Path(__file__).resolve().parent.parent / "results" / "records"
NAMES = sorted(TABLES)


@cache
def _stored() -> dict[str, dict]:
    """Every record file by the name that cells give, read as plain JSON: no code of ours between file and test."""
    return {
        path.stem: json.loads(path.read_text()) for path in ROOT.rglob("*-s*.json") if "superseded" not in path.parts
    }


@cache
def _table(name: str) -> Table:
    return table_view(find(name), load_all(ROOT).records)


def _cells(name: str) -> list[tuple[Row, Column, Cell]]:
    table = _table(name)
    return [(row, column, cell) for row in table.rows for column, cell in zip(table.columns, row.cells, strict=True)]


def _at(document: dict, path: str) -> float:
    found = document["results"]
    while path:
        if path.startswith("*"):  # the only key of its place
            (key,) = found
            found, path = found[key], path[2:]
            continue
        key = next(key for key in sorted(found, key=len, reverse=True) if path == key or path.startswith(f"{key}."))
        found, path = found[key], path[len(key) + 1 :]
    return float(found)


@pytest.mark.parametrize("name", NAMES)
def test_every_measured_number_is_that_of_its_records(name):
    columns = {column.key: column for column in find(name).columns}
    for row, column, cell in _cells(name):
        if cell.kind != "measured":
            continue
        spec = columns[column.key]
        kind, place, path = spec.source.split(":")
        assert cell.records, (row.key, column.key)
        documents = [_stored()[made] for made in cell.records]
        own_id = find(name).row(row.key).cells[place].id
        own = {document["seed"]: _at(document, path) for document in documents if document["id"] == own_id}
        value = statistics.fmean(own.values())
        if kind != "record":
            base_id = find(name).row(row.baseline).cells[place].id
            base = {document["seed"]: _at(document, path) for document in documents if document["id"] == base_id}
            common = own.keys() & base.keys()
            if kind == "ratio":
                value /= statistics.fmean(base.values())
            elif len(common) > 1:  # seed by seed
                value = statistics.fmean(own[seed] - base[seed] for seed in common)
            else:
                value -= statistics.fmean(base.values())
        if kind != "ratio":
            value *= spec.scale
        assert cell.value == pytest.approx(value, rel=1e-12, abs=1e-9), (row.key, column.key)
        assert float(cell.text) == pytest.approx(value, abs=0.5 * 10**-spec.digits + 1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_no_smoke_run_and_no_probe_stands_in_a_column_of_a_real_dataset(name):
    for row, column, cell in _cells(name):
        for made in cell.records:
            document = _stored()[made]
            assert not document["smoke"], (row.key, column.key, made)
            if document["kind"] == "accuracy":
                probe = document["spec"]["measure"]["dataset"].startswith("probe-")
                assert probe == ("probe" in column.group), (row.key, column.key, made)


@pytest.mark.parametrize("name", NAMES)
def test_each_format_shows_the_table_s_values_under_their_groups(name):
    """Every value, with its spread, in every format, in the same order; a probe's group is named in each."""
    table = _table(name)
    groups = [title for title, *_ in table.groups() if "probe" in title]
    rows = list(csv.DictReader(io.StringIO(render_csv(table))))
    for row, shown in zip(table.rows, rows, strict=False):
        for column, cell in zip(table.columns, row.cells, strict=True):
            if cell.kind == "measured":
                assert float(shown[column.key].lstrip("'")) == float(cell.text)
    text, page, tex, md = render_text(table), _Texts(render_html(table)), render_latex(table), render_markdown(table)
    for row in table.rows:
        values = [cell for cell in row.cells if cell.kind == "measured"]
        told = [" ".join(part for part in (cell.text, cell.spread) if part) for cell in values]
        assert all(value in text for value in told)
        assert _in_order(told, page.texts)
        label = markdown(row.label)
        line = next(one for one in md.splitlines() if one.startswith((f"| {label} |", f"| {label} <sup>")))
        assert _in_order([markdown(cell.text) for cell in values], [line])
        assert all(latex(cell.text) in tex for cell in values)
    for title in groups:
        assert markdown(title) in md
        assert latex(title) in tex
        assert any(title in found for found in page.texts)


class _Texts(html.parser.HTMLParser):
    """Texts of a page's elements, in order, spaces folded."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag in ("td", "th", "tr", "li"):
            self.texts.append("")

    def handle_data(self, data: str) -> None:
        if self.texts:
            self.texts[-1] = " ".join(f"{self.texts[-1]} {data}".split())


def _in_order(wanted: list[str], texts: list[str]) -> bool:
    """Whether each wanted text is found, none before the one in front of it."""
    whole, place = "\n".join(texts), 0
    for value in wanted:
        place = whole.find(value, place)
        if place < 0:
            return False
        place += len(value)
    return True


@pytest.fixture
def probe() -> store.Record:
    """A finished record of a probe of the headline table."""
    made = [r for r in load_all(ROOT).records if r.table == "table6" and r.cell == "probe-order"]
    return next(r for r in made if r.row == "tsm_r50_dnr" and r.status == "done")


def test_a_probe_that_claims_to_be_kinetics_is_not_shown_there(probe):
    forged = probe.model_copy(update={"cell": "kinetics400", "row": "tsm_r50"})
    table = table_view(find("dnr/table6"), [forged])
    shown = [cell for row in table.rows if row.key == "tsm_r50" for cell in row.cells if cell.kind == "measured"]
    assert shown == []


def test_a_smoke_record_is_shown_nowhere(probe):
    smoke = probe.model_copy(update={"smoke": True})
    for name in ("dnr/table6", "suite/matrix"):
        table = table_view(find(name), [smoke])
        assert not [cell for row in table.rows for cell in row.cells if cell.kind == "measured" or cell.records]
