"""The counts that the papers print: each has one verdict, by a counter and at an input that it names."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from repro.core.errors import RecordError
from repro.core.spec import replace
from repro.evidence.counts import COLUMNS, COUNTERS, Counted, counts
from repro.papers import TABLES, find, published
from repro.papers.layout import table
from repro.papers.table import Reading
from repro.records.index import Index, finishing
from tests.repro.made_table import accuracy, record_of

RECORDS = Path(__file__).resolve().parents[3] / "results" / "records"
#: rows that are no network here, and so cannot be counted
NO_NETWORK = {
    ("psn/table4", "gcn_nl"),
    *(("adafuse/table5", row) for row in ("trn_rgb_flow_sthv1", "trn_rgb_flow_sthv2", "i3d_gcn_nl_sthv1")),
}


@pytest.fixture(scope="module")
def done():
    index = Index(RECORDS)
    return lambda experiment: finishing(index.of(experiment.id)) if experiment else []


@pytest.fixture(scope="module")
def found(done) -> list[Counted]:
    return [one for name in TABLES for one in counts(find(name), done) if one.column in COLUMNS]


def test_every_printed_count_has_one_verdict(found) -> None:
    """240, and the second of the two rows with max pooling in PSN's Table 3."""
    printed = {
        (name, row.key, column)
        for name in TABLES
        for row in published.load(find(name).published_csv).rows.values()
        for column in COLUMNS
        if column in row.values
    }
    assert Counter((one.table, one.row, one.column) for one in found) == dict.fromkeys(printed, 1)
    assert len(printed) == 241
    assert {one.verdict.word for one in found} == {"reproduced", "differs", "data"}


def test_a_judged_count_names_its_counter_and_its_input_and_a_difference_its_reason(found) -> None:
    for one in found:
        if one.verdict.word != "data":
            told = one.verdict.told
            assert any(f" by {counter}" in told for counter in (*COUNTERS.values(), "numel")), one
            assert told.split("; ")[1] and one.printed.text in told
            assert not one.verdict.told.endswith("not explained"), one


def test_the_sign_is_arithmetic(found) -> None:
    for one in found:
        if one.verdict.word != "data":
            ours = float(one.verdict.told.split()[0])
            digits = len(one.printed.text.partition(".")[2])
            assert (round(ours, digits) == one.printed.number) == (one.verdict.word == "reproduced"), one


def test_what_needs_data_is_a_cost_that_is_decided_or_a_row_without_a_network(found) -> None:
    needing = [one for one in found if one.verdict.word == "data"]
    assert {(one.table, one.row) for one in needing if one.column == "params_m"} <= NO_NETWORK
    decided = [one for one in needing if (one.table, one.row) not in NO_NETWORK]
    for one in decided:
        model = find(one.table).row(one.row).cells["static"].model
        assert model.method in ("adafuse", "cgnet", "threshold", "random_policy") or model.name == "arnet", one
        assert "decided for each video" in one.verdict.told
    assert len(decided) == 40 and len(needing) == 47


def test_the_gflops_of_adafuse_are_all_judged(found) -> None:
    words = Counter(one.verdict.word for one in found if one.table.startswith("adafuse/") and one.column == "gflops")
    assert sum(words.values()) == 78
    assert words["reproduced"] + words["differs"] == 35


@pytest.mark.parametrize(
    ("table", "row", "column", "told"),
    [
        ("dnr/table6", "tea", "gflops", "69.75 by ptflops"),
        ("psn/table4", "stm_16", "gflops", "66.64 by ptflops"),
        ("psn/table4", "gst_16", "gflops", "58.70 by ptflops"),
        ("adafuse/table5", "i3d_sthv1", "gflops", "306.09 by fvcore"),
        ("adafuse/table2", "adafuse_b0", "params_m", "9.259 by numel"),
        ("adafuse/table2", "adafuse_b1", "params_m", "12.42"),
        ("adafuse/table2", "adafuse_b2", "params_m", "13.827 by numel"),
        ("adafuse/table2", "adafuse_b3", "params_m", "16.62"),
        ("psn/table2", "off", "params_m", "0.08627 by numel"),
    ],
)  # fmt: skip
def test_readings_that_make_a_printed_number_true(found, table, row, column, told) -> None:
    (one,) = [one for one in found if (one.table, one.row, one.column) == (table, row, column)]
    assert one.verdict.word == "reproduced"
    assert one.verdict.told.startswith(told), one.verdict.told


def test_what_ours_costs_on_a_probe_stands_beside_what_needs_data() -> None:
    layout, cost = find("adafuse/table1"), {"mean": {"gmacs": 0.02}, "facts": {"gmacs_base": 0.025}}
    made = record_of(layout, "adafuse_tsn_r18", "probe-order", accuracy(60.0, cost=cost))
    found = counts(layout, lambda experiment: [made] if experiment and experiment.id == made.id else [])
    (one,) = [one for one in found if (one.row, one.column) == ("adafuse_tsn_r18", "gflops")]
    assert "Of its cost with nothing saved our small network spends 80.0 % on probe-order (1 seed)." in one.verdict.told


def test_a_cell_that_is_not_measured_gives_no_verdict() -> None:
    assert counts(find("psn/table3"), lambda experiment: []) == []


def test_a_reading_is_checked(tmp_path, monkeypatch) -> None:
    (tmp_path / "other_table1.csv").write_text("row,label,gflops,note\na,A,33,\n")
    text = 'title = "t"\n[[readings]]\nrows = "a"\nat = "gflops"\n'
    monkeypatch.setattr(published, "folders", lambda: [tmp_path])
    published.load.cache_clear()
    row = replace(find("dnr/table6").row("tsn_r50"), key="a", published_row=None)
    for line, fault in (('plus = "b"\n', "no printed row 'b'"), ('at = "b"\n', "'b' fits nothing")):
        body = text.replace('at = "gflops"\n', "") + line if line.startswith("at") else text + line
        (tmp_path / "other_table1.toml").write_text(body)
        from repro.papers import text as texts

        texts.read.cache_clear()
        with pytest.raises(RecordError, match=fault):
            table("other/table1", [row])
    (tmp_path / "other_table1.toml").write_text(text + "times = 2\n")
    texts.read.cache_clear()
    made = table("other/table1", [row])
    assert made.rows[0].readings == {"gflops": Reading(times=2)}
    published.load.cache_clear()
    texts.read.cache_clear()
