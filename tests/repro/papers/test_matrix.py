"""The matrix: shared experiments, one protocol, and what can and cannot be combined."""

from __future__ import annotations

import pytest
import torch

from repro.core.errors import BadOption
from repro.core.spec import diff, replace, to_dict
from repro.models.build import build
from repro.papers import TABLES, find, full_name
from repro.report.build_table import table_view

HOSTS = ("tsn", "tsm", "tanet", "tdn")


def test_it_is_found_by_its_short_name():
    assert full_name("matrix") == "suite/matrix" in TABLES


@pytest.mark.parametrize(
    ("row", "cell", "table", "other", "there"),
    [
        ("tsn", "probe-order", "dnr/table1a", "baseline", "probe-order"),
        ("tsm", "probe-order", "dnr/table6", "tsm_r50", "probe-order"),
        ("tdn_dnr", "probe-order", "dnr/table6", "tdn_r50_dnr", "probe-order"),
        ("tdn_dnr", "static", "dnr/table6", "tdn_r50_dnr", "static"),
        ("tanet_dnr", "speed", "dnr/table6", "tanet_r50_dnr", "speed"),
    ],
)
def test_a_row_of_another_table_is_the_same_experiment(row, cell, table, other, there):
    assert find("matrix").row(row).cells[cell].id == find(table).row(other).cells[there].id


def test_rows_differ_in_the_network_alone():
    rows = [row for row in find("matrix").rows if "probe-order" in row.cells]
    for row in rows:
        changed = set(diff(to_dict(rows[0].cells["probe-order"].measure), to_dict(row.cells["probe-order"].measure)))
        # TDN reads five frames around each of the same eight
        assert changed <= ({"train.sampling", "test.sampling"} if row.key.startswith("tdn") else set())


@pytest.mark.parametrize("host", HOSTS)
def test_a_method_adds_nothing_else_to_its_host(host):
    table = find("matrix")
    for row in table.rows:
        if row.baseline == host and row.cells:
            plain = table.row(host).cells["static"].model
            with_method = row.cells["static"].model
            assert replace(with_method, method=None, method_options=plain.method_options) == plain
            assert row.cells["speed"].measure.against == plain


@pytest.mark.parametrize("row", [row for row in find("matrix").rows if row.cells], ids=lambda row: row.key)
def test_every_cell_that_is_defined_can_be_built(row):
    for name in ("static", "probe-order"):
        with torch.device("meta"):
            build(replace(row.cells[name].model, pretrained="none"))


@pytest.mark.parametrize("host", HOSTS)
def test_a_combination_is_left_out_only_where_the_method_itself_refuses_it(host):
    table = find("matrix")
    model = table.row(host).cells["static"].model
    row = table.row(f"{host}_adafuse")
    with torch.device("meta"):
        if row.cells:
            build(replace(model, method="adafuse"))
            return
        with pytest.raises(BadOption) as refused:
            build(replace(model, method="adafuse"))
    shown = table_view(table, [])
    cells = next(one.cells for one in shown.rows if one.key == row.key)
    reasons = {cell.reason for cell in cells}
    assert len(reasons) == 1
    own_words = reasons.pop().removeprefix("not defined: ").split(": ")[0]
    assert own_words in str(refused.value)


@pytest.mark.parametrize("method", ["DNR", "AdaFuse", "PSN"])
def test_every_host_has_a_row_of_every_method(method):
    assert {row.baseline for row in find("matrix").rows if row.key.endswith(method.lower())} == set(HOSTS)


def test_it_is_shown_without_any_record():
    table = table_view(find("matrix"), [])
    assert {cell.kind for row in table.rows for cell in row.cells} == {"reason"}
    assert all(cell.reason for row in table.rows for cell in row.cells)
