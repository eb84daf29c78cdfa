"""Gains over seeds with their interval, and what a table asks, as all formats show them."""

from __future__ import annotations

import csv
import io

import pytest

from repro.papers import find
from repro.papers.table import TableSpec
from repro.records.index import Index
from repro.records.schema import Record
from repro.report.build_table import table_view
from repro.report.csv_table import render_csv
from repro.report.html import render_html
from repro.report.latex import render_latex
from repro.report.markdown import render_markdown
from repro.report.questions import with_answers
from repro.report.table import Cell
from repro.report.text import render_text
from tests.repro.made_table import accuracy, record_of, static

GAIN = {"tanet": 1.0, "tdn": 2.0, "tsm": 3.04}


@pytest.fixture(scope="module")
def table6() -> TableSpec:
    return find("dnr/table6")


def runs(table: TableSpec, gains: dict[str, float], seeds: int = 3) -> list[Record]:
    """Rows whose gain is `gains` and, of one seed, a little more of it."""
    made = []
    for name, gain in gains.items():
        for seed in range(seeds):
            host = 60.0 + len(name) + seed
            made.append(record_of(table, f"{name}_r50", "probe-order", accuracy(host), seed=seed))
            more = host + gain * (1 + 0.05 * seed)
            made.append(record_of(table, f"{name}_r50_dnr", "probe-order", accuracy(more), seed=seed))
    return made


def shown(table: TableSpec, records: list[Record], row: str, column: str) -> Cell:
    view = table_view(table, records)
    index = [c.key for c in view.columns].index(column)
    return next(r for r in view.rows if r.key == row).cells[index]


def test_a_gain_is_the_difference_of_means_with_its_interval(table6):
    cell = shown(table6, runs(table6, GAIN), "tsm_r50_dnr", "gain_order")
    assert (cell.kind, cell.text) == ("measured", "+3.2")
    low, high = (float(part) for part in cell.spread.strip("()").split(" to "))
    assert low < 3.192 < high
    assert len(cell.records) == 6


def test_a_gain_is_over_the_seeds_that_both_have(table6):
    host = [record_of(table6, "tsm_r50", "probe-order", accuracy(50.0 + 10 * seed), seed=seed) for seed in range(4)]
    more = [
        record_of(table6, "tsm_r50_dnr", "probe-order", accuracy(52.0 + 10 * seed + seed % 2), seed=seed)
        for seed in range(1, 4)
    ]
    cell = shown(table6, host + more, "tsm_r50_dnr", "gain_order")
    assert (cell.text, cell.spread) == ("+2.7", "(+1.2 to +4.1)")  # 3, 2, 3: whatever the seeds themselves scatter


def test_one_seed_has_no_interval_and_a_missing_host_a_reason(table6):
    one = runs(table6, GAIN, seeds=1)
    assert shown(table6, one, "tanet_r50_dnr", "gain_order").spread == ""
    alone = [record for record in one if "dnr" in record.row]
    assert shown(table6, alone, "tanet_r50_dnr", "gain_order").reason.startswith("not run")
    assert shown(table6, one, "tanet_r50", "gain_order").reason.startswith("not applicable")


def test_what_a_method_adds_to_the_cost_is_a_gain_without_interval():
    table3 = find("dnr/table3")
    records = [
        record_of(table3, "bn_8", "static", static(24_000_000, 32.7036)),
        record_of(table3, "bn_dnr_8", "static", static(28_000_000, 32.7130)),
    ]
    cell = shown(table3, records, "bn_dnr_6", "gmacs_added")
    assert (cell.text, cell.spread) == ("+0.009", "")


def test_what_a_table_asks_stands_in_every_format(tmp_path):
    table3 = find("dnr/table3")
    view = with_answers(table_view(table3, []), table3, Index(tmp_path))
    on_bn, on_gn, *_ = view.findings
    assert "gain grow as the batch shrinks" in on_bn and " open: " in on_bn and "On GN" in on_gn
    count = len(view.findings)
    assert view.asked == (f"{count} questions, all open: python -m repro questions dnr/table3",)
    for text in (render_text(view), render_markdown(view), render_latex(view), render_html(view), render_csv(view)):
        assert "".join(on_bn.split()[-8:]) in "".join(text.split()).replace("\\_", "_")
    lines = list(csv.reader(io.StringIO(render_csv(view))))
    assert [line[0] for line in lines].count("finding") == count
    assert len({len(line) for line in lines}) == 1
