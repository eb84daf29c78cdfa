"""The printed values: every shipped file is valid, and a fault is told by file, line and column."""

from __future__ import annotations

from pathlib import Path

import pytest

from repro.core.errors import RecordError, UnknownName
from repro.papers import published


def test_all_files_are_valid() -> None:
    tables = published.load_all()
    assert len(tables) == 26
    assert all(table.rows for table in tables.values())


def test_headline_table_as_printed() -> None:
    table = published.load("dnr_table6")
    assert len(table.rows) == 20
    value = table.value("tsn_r50_dnr", "top1")
    assert value is not None and (value.text, value.number) == ("74.35", 74.35)
    assert table.value("tsm_r50_lit", "top5") is None
    assert "N/A" in table.rows["tsm_r50_lit"].note
    assert table.difference("tsn_r50_dnr", "tsn_r50", "top1") == pytest.approx(2.70)
    assert table.difference("tsm_r50_lit", "tsn_r50", "top5") is None


def test_printed_slow_down() -> None:
    speeds = published.load("dnr_supp_table2")
    assert speeds.ratio("tsn_r50_dnr", "tsn_r50", "videos_per_s") == pytest.approx(10.9 / 7.6)


def test_unknown_names_are_told_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="dnr_table6"):
        published.load("dnr_tabel6")
    with pytest.raises(UnknownName, match="top1"):
        published.load("dnr_table6").value("tsn_r50", "top_1")
    with pytest.raises(UnknownName, match="tsn_r50"):
        published.load("dnr_table6").value("tsn_r5", "top1")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("row,top1,note\na,101,\n", r"p_t.csv line 2, column top1: '101'.*0 to 100"),
        ("row,top1,note\na,x,\n", "line 2, column top1"),
        ("row,top1,note\na,nan,\n", "line 2, column top1"),
        ("row,top1,note\na,1e1,\n", "line 2, column top1"),
        ("row,top1,top5,note\nb,1,2,\na,80,70,\n", "line 3, column top1: '80'.*70"),
        ("row,gflops,note\na,0,\n", "line 2, column gflops"),
        ("row,views,note\na,2.5,\n", "line 2, column views"),
        ("row,delta_top1,note\na,-101,\n", "line 2, column delta_top1"),
        ("row,top1,note\na,1,\na,2,\n", "line 3, column row: 'a' stands twice"),
        ("row,top1,note\n../a,1,\n", "line 2, column row"),
        ("row,top1,note\na,1\n", "line 2: 2 fields for 3 columns"),
        ("row,top1,note\na, 1,\n", "line 2, column top1"),
        ("row,top1\na,1\n", "column 'note' is missing"),
        ("row,top1,top1,note\na,1,1,\n", "column 3: 'top1' stands twice"),
        ("row,top,note\na,1,\n", "line 1, column 2: unknown column 'top'; did you mean top1 or top5"),
        ("row,Top-1,note\na,1,\n", "line 1, column 2: unknown column 'Top-1'"),
        ("row,latency_ms,note\na,1.5,\nb,fast,\n", "line 3, column latency_ms: 'fast'; allowed: a number"),
        ("row,note\n", "no rows"),
        ("", "empty"),
        ('row,note\n"a,\n', "not readable as CSV"),
    ],
)
def test_a_fault_names_file_line_and_column(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "p_t.csv"
    file.write_text(text)
    with pytest.raises(RecordError, match=told):
        published.read(file)


def test_a_file_needs_a_fitting_name(tmp_path: Path) -> None:
    file = tmp_path / "Table6.csv"
    file.write_text("row,note\na,\n")
    with pytest.raises(RecordError, match="<paper>_<table>"):
        published.read(file)


def test_a_column_of_another_paper_holds_numbers_or_text(tmp_path: Path) -> None:
    file = tmp_path / "p_t.csv"
    file.write_text("row,latency_ms,sampler,note\na,,dense,\nb,-1.50,,\n")
    table = published.read(file)
    assert table.value("b", "latency_ms") == published.Value("-1.50", -1.5) and table.value("a", "latency_ms") is None
    assert table.value("a", "sampler") == published.Value("dense", None)
