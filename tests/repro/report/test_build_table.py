"""From layout, printed values and records to the table: what is shown, what is marked, why a cell is empty."""

from __future__ import annotations

import subprocess
import sys

import pytest

from repro.core.spec import replace
from repro.evidence.metric import look_up
from repro.papers import TABLES, find, published
from repro.papers.table import ColumnSpec, TableSpec
from repro.records.schema import Record
from repro.report.build_table import table_view
from repro.report.table import Cell, Table, mark
from tests.repro.made_table import accuracy, record_of, speed, static


def cell(table: Table, row: str, column: str) -> Cell:
    index = [c.key for c in table.columns].index(column)
    return next(r for r in table.rows if r.key == row).cells[index]


def test_printed_values_stand_as_printed(layout: TableSpec, records: list[Record]) -> None:
    table = table_view(layout, records)
    assert cell(table, "tsn_r50_dnr", "top1").text == "74.35"
    assert cell(table, "tsn_r50", "gflops").text == "33 × 30"
    assert cell(table, "tsn_r50_dnr", "gain").text == "+2.70"
    assert cell(table, "tsn_r50_dnr", "slow_printed").text == "1.43"
    assert cell(table, "tsn_r50", "gain").text == "n/a"


@pytest.mark.parametrize("name", TABLES)
def test_every_printed_value_is_shown_whatever_else_its_row_leaves_out(name: str) -> None:
    """PSN's Table 5 prints 108 GFLOPs of I3D, and no number of views."""
    layout = find(name)
    table = table_view(layout, [])
    for column in layout.columns:
        kind, _, names = column.source.partition(":")
        if kind != "published" or ":" in names:
            continue
        for row in (row for row in layout.rows if row.published_row):
            parts = [published.load(layout.published_csv).value(row.published_row, one) for one in names.split("*")]
            told = cell(table, row.key, column.key).text
            assert all(part is None or part.text in told for part in parts), (row.key, column.key, told)


def test_measured_values_are_scaled_rounded_and_linked(layout: TableSpec, records: list[Record]) -> None:
    table = table_view(layout, records)
    assert cell(table, "tsn_r50", "gmacs224").text == "32.70"
    assert cell(table, "tsn_r50_dnr", "params").text == "28.37"
    slow = cell(table, "tsn_r50_dnr", "slow")
    assert (slow.text, slow.spread, slow.kind) == ("1.40", "(0.05)", "measured")
    assert slow.records == (records[4].name,)
    assert cell(table, "tsn_r50", "slow").text == "n/a"
    assert cell(table, "tsn_r50", "slow").records == (records[3].name,)


def test_several_seeds_are_mean_and_deviation(layout: TableSpec, records: list[Record]) -> None:
    shown = cell(table_view(layout, records), "tsn_r50", "order")
    assert (shown.text, shown.spread) == ("13.50", "±0.71 (n=2)")
    assert len(shown.records) == 2


def test_every_empty_cell_says_why(layout: TableSpec, records: list[Record]) -> None:
    running = {layout.row("tsm_r50").cells["speed"].id}
    table = table_view(layout, records, running=running)
    assert all(c.reason for r in table.rows for c in r.cells if c.kind == "reason")
    assert all(c.reason == "" for r in table.rows for c in r.cells if c.kind != "reason")
    expected = {
        ("tsn_r50", "k400"): "not run: kinetics400 is not configured (python -m repro data add kinetics400)",
        ("tsm_r50", "order"): "failed: MemoryError: <i>none</i> left",
        ("tsm_r50", "speed"): "running, or interrupted: a second start of the same command resumes it",
        ("tsm_r50_mine", "speed"): "not run: python -m repro run dnr/table6",
        ("tsm_r50_mine", "top1"): "not published: no paper prints this row",
        ("tsm_r50_lit", "speed"): "not run: the paper quotes this row from another publication",
        ("tsm_r50", "gain"): "not applicable",
    }
    for (row, column), reason in expected.items():
        assert cell(table, row, column).reason == reason
    for row in table.rows:
        for c in row.cells:
            if c.kind == "reason" and c.reason != "not applicable":
                assert table.footnotes[c.notes[0]] == c.reason
    assert cell(table, "tsm_r50", "order").records == (records[8].name,)


def test_best_and_second_are_of_the_run_rows_and_ties_share(layout: TableSpec, records: list[Record]) -> None:
    table = table_view(layout, records)
    assert cell(table, "tsn_r50_dnr", "top1").best
    assert cell(table, "tsm_r50", "top1").second
    assert not cell(table, "tsm_r50_lit", "top1").second
    assert not any(cell(table, row.key, "gmacs224").best for row in table.rows)  # all equal as shown
    assert cell(table, "tsn_r50", "speed").best and cell(table, "tsn_r50_dnr", "speed").second


def test_ties_share_the_mark(layout: TableSpec) -> None:
    made = [record_of(layout, row, "static", static(1, gmacs)) for row, gmacs in
            (("tsn_r50", 32.7036), ("tsm_r50", 32.7012), ("tsn_r50_dnr", 33.0))]  # fmt: skip
    table = table_view(layout, made)
    assert [cell(table, r, "gmacs224").best for r in ("tsn_r50", "tsm_r50", "tsn_r50_dnr")] == [True, True, False]
    assert cell(table, "tsn_r50_dnr", "gmacs224").second


def test_different_conditions_are_told_and_forbid_a_best(layout: TableSpec, records: list[Record]) -> None:
    records[4] = record_of(layout, "tsn_r50_dnr", "speed", speed(0.7, 1.4, threads=2))
    table = table_view(layout, records)
    assert not any(cell(table, row.key, "speed").best for row in table.rows)
    notes = [table.footnotes[n] for n in next(c for c in table.columns if c.key == "speed").notes]
    assert "different conditions" in notes[0] and "1 thread;" in notes[0] and "2 threads" in notes[0]


def test_conditions_stand_under_the_table(layout: TableSpec, records: list[Record]) -> None:
    table = table_view(layout, records)
    assert any("A CPU <7> (cpu), 1 thread" in note for note in table.footnotes)
    assert any("probe-order (val), tiny_resnet" in note for note in table.footnotes)
    assert any(note.startswith("trained 2 epochs") for note in table.footnotes)


def test_different_recipes_are_told_and_still_compared(layout: TableSpec) -> None:
    row = layout.row("tsn_r50_dnr")
    probe = row.cells["probe-order"]
    other = replace(probe, measure=replace(probe.measure, train=replace(probe.measure.train, epochs=7)))
    rows = (layout.row("tsn_r50"), replace(row, cells={"probe-order": other}))
    changed = replace(layout, rows=rows)
    made = [record_of(changed, r.key, "probe-order", accuracy(top1)) for r, top1 in zip(rows, (13, 97), strict=True)]
    table = table_view(changed, made)
    assert cell(table, "tsn_r50_dnr", "order").best
    assert any(note.startswith("TSN: trained 2 epochs") and "TSN + DNR: trained 7" in note for note in table.footnotes)


def test_videos_left_out_and_failed_seeds_are_told(layout: TableSpec, records: list[Record]) -> None:
    records.append(record_of(layout, "tsn_r50", "probe-order", {}, status="failed", reason="killed", seed=2))
    table = table_view(layout, records)
    told = [table.footnotes[n] for n in cell(table, "tsn_r50_dnr", "order").notes]
    assert told == ["1 of 257 videos could not be read and are left out (named in the record)"]
    assert [table.footnotes[n] for n in cell(table, "tsn_r50", "order").notes] == ["seed 2 failed: killed"]


def test_smoke_records_are_never_shown(layout: TableSpec) -> None:
    smoke = record_of(layout, "tsn_r50", "static", static(1, 1.0), smoke=True)
    assert cell(table_view(layout, [smoke]), "tsn_r50", "gmacs224").kind == "reason"


def test_a_record_of_another_protocol_is_no_value(layout: TableSpec, records: list[Record]) -> None:
    row = layout.row("tsn_r50")
    other = replace(row.cells["static"], model=replace(row.cells["static"].model, frames=16))
    changed = replace(layout, rows=(replace(row, cells={"static": other}),))
    found = cell(table_view(changed, records), "tsn_r50", "gmacs224")
    assert found.text == "differs"
    assert "model.frames 8 there, 16 here" in found.reason


def test_a_record_of_another_table_serves_the_same_experiment(layout: TableSpec, records: list[Record]) -> None:
    moved = records[0].model_copy(update={"table": "supp2", "row": "elsewhere"})
    assert cell(table_view(layout, [moved]), "tsn_r50", "gmacs224").text == "32.70"


def test_the_same_records_give_the_same_table(layout: TableSpec, records: list[Record]) -> None:
    assert table_view(layout, records) == table_view(layout, list(reversed(records)))


def test_layouts_are_checked(layout: TableSpec) -> None:
    for source in ("", "record:static", "published:", "guess:x", "record:a:b:c"):
        with pytest.raises(ValueError, match="source"):
            ColumnSpec(key="a", title="A", source=source)
    with pytest.raises(ValueError, match="stands twice"):
        replace(layout, rows=layout.rows + layout.rows[:1])
    with pytest.raises(ValueError, match="baseline"):
        replace(layout, rows=(layout.row("tsn_r50_dnr"),))


def test_values_are_found_by_dotted_path() -> None:
    results = accuracy(1.0, aggregations={"1x1/softmax": {"top1": 2.0}}, a={"b.c": {"d": 3}})
    assert look_up(results, "aggregations.1x1/softmax.top1") == 2.0
    assert look_up(results, "a.b.c.d") == 3
    assert look_up(results, "a.x") is None and look_up(results, "against.ratio") is None


def test_footnote_marks() -> None:
    assert [mark(n) for n in (0, 1, 25, 26, 51, 52, 701, 702)] == ["a", "b", "z", "aa", "az", "ba", "zz", "aaa"]


def test_the_reading_wing_imports_no_torch() -> None:
    code = "import sys, repro.report.build_table, repro.report.text; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_ratios_verdicts_on_print_and_their_reasons(layout: TableSpec) -> None:
    """Printed GFLOPs are 33 for both; 32.70 rounds to it, 36.00 does not."""
    columns = (
        ColumnSpec(
            key="ratio", title="ratio", source="ratio:static:sizes.224.gmacs", digits=3, absent="not applicable: it"
        ),
        ColumnSpec(key="own", title="GFLOPs", source="published:gflops"),
    )
    rows = tuple(
        replace(row, explained={"gflops": "because it is so"}) if row.key == "tsn_r50_dnr" else row
        for row in layout.rows
    )
    small = replace(layout, columns=columns, rows=rows)
    records = [
        record_of(small, "tsn_r50", "static", static(1, 32.7)),
        record_of(small, "tsn_r50_dnr", "static", static(1, 36.0)),
    ]
    table = table_view(small, records)
    found = {row.key: row.cells for row in table.rows}
    assert found["tsn_r50_dnr"][0].text == "1.101"
    assert found["tsn_r50"][0].text == "n/a"
    assert (found["tsn_r50"][1].spread, found["tsn_r50_dnr"][1].spread) == ("=", "≠")
    notes = [table.footnotes[note] for note in found["tsn_r50_dnr"][1].notes]
    assert any("because it is so" in note for note in notes)


def test_records_of_other_videos_of_a_probe_are_not_shown(layout):
    made = record_of(layout, "tsn_r50", "probe-order", accuracy(50.0))
    assert cell(table_view(layout, [made]), "tsn_r50", "order").kind == "measured"
    earlier = made.model_copy(update={"dataset": {"version": 1}})
    assert cell(table_view(layout, [earlier]), "tsn_r50", "order").kind == "reason"
