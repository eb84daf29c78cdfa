"""Columns by name: what the registry says of one, what a paper's file changes, and what the table's own does."""

from __future__ import annotations

from pathlib import Path

import pytest

from repro.core.errors import RecordError
from repro.papers.columns import columns, require_named
from repro.papers.table import ColumnSpec
from repro.papers.text import read


def shown(folder: Path, text: str, paper: str = "") -> dict[str, ColumnSpec]:
    (folder / "x.toml").write_text(paper, encoding="utf-8")
    (folder / "x_table1.toml").write_text(text, encoding="utf-8")
    told = read(folder / "x_table1.toml")
    found = columns(told)
    require_named(found, told)
    return {column.key: column for column in found}


def group(items: str, more: str = "") -> str:
    return f'[[groups]]\ntitle = "g"\ncolumns = "{items}"\n{more}\n'


@pytest.mark.parametrize(
    ("item", "key", "source"),
    [
        ("top1", "top1", "published:top1"),
        ("gflops*views", "gflops", "published:gflops*views"),
        ("top1@kinetics400", "kinetics400_top1", "record:kinetics400:top1"),
        ("k400=top1@kinetics400", "k400", "record:kinetics400:top1"),
        ("probe@probe-batch-2", "probe_batch_2", "record:probe-batch-2:top1"),
        ("slowdown@speed", "slowdown", "record:speed:against.ratio_median"),
        ("slowdown@speed-224x8", "slowdown_224x8", "record:speed-224x8:against.ratio_median"),
        ("added=params_method", "added", "record:static:params_method"),
    ],
)
def test_an_item_names_a_column_of_a_cell_under_a_key(tmp_path: Path, item: str, key: str, source: str) -> None:
    (column,) = shown(tmp_path, group(item)).values()
    assert (column.key, column.source, column.group) == (key, source, "g")


def test_a_group_s_cell_stands_where_none_is_named(tmp_path: Path) -> None:
    found = shown(tmp_path, group("top1@ top5@sthv2 params", 'cell = "sthv1"'))
    assert list(found) == ["sthv1_top1", "sthv2_top5", "params"]


def test_the_table_has_the_last_word_then_the_paper_then_the_registry(tmp_path: Path) -> None:
    paper = '[texts]\nhost = "n/a: the host"\n[columns."gain_* delta"]\nabsent = "@host"\ntitle = "gain here"\n'
    table = group("delta gain@probe-order gain@probe-sight") + '[columns.delta]\ntitle = "gain of it"\n'
    found = shown(tmp_path, table, paper)
    assert [column.title for column in found.values()] == ["gain of it", "gain here", "gain here"]
    assert {column.absent for column in found.values()} == {"n/a: the host"}
    assert {column.unit for column in found.values()} == {"points"}


def test_a_table_may_have_columns_of_its_own(tmp_path: Path) -> None:
    own = '[columns.fps]\ntitle = "frames/s"\nsource = "record:speed:frames_per_s"\nscale = 1e-3\ndigits = 1\n'
    column = shown(tmp_path, group("fps") + own)["fps"]
    assert (column.cell, column.scale, column.digits) == ("speed", 1e-3, 1)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (group("top2"), "x_table1.toml line 3: unknown column 'top2'; did you mean"),
        (group("top1@"), "unknown source|record::top1"),
        (group("top1") + '[columns.top2]\ntitle = "t"\n', "line 5: no column 'top2'; allowed: top1"),
        (group("own") + '[columns.own]\ntitle = "t"\n', "line 3: column 'own' has no source"),
        (group("top1") + "[columns.top1]\ndigits = 40\n", "line 3: column 'top1': digits 40"),
        (group("top1") + '[columns.top1]\nbetter = "more"\n', "better 'more'; allowed: higher, lower"),
        (group("top1") + '[columns.top1]\nnote = "@nobody"\n', "line 6: no text '@nobody'"),
    ],
)
def test_a_fault_is_told_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(RecordError) as error:
        shown(tmp_path, text)
    assert any(part in str(error.value) for part in told.split("|")), error.value
