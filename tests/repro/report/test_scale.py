"""Ten times the records cost ten times the work, told by counts: no record is looked at again for every table."""

from __future__ import annotations

from collections import Counter

import pytest

from repro.papers.table import TableSpec
from repro.records.schema import Record
from repro.report import build_table, embedded_data, tables
from repro.report.page import Content, render_page

from .many import copy


def _copies(layout: TableSpec, records: list[Record], number: int) -> tuple[list[TableSpec], list[Record]]:
    made = [copy([layout], records, one) for one in range(number)]
    return [table for found, _ in made for table in found], [record for _, found in made for record in found]


def test_a_table_is_given_its_own_records(
    layout: TableSpec, records: list[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("repro.report._unconfigured", lambda layout: set())
    looked: Counter[int] = Counter()
    inner = build_table.table_view

    def counted(layout: TableSpec, records: list[Record], **more: object) -> object:
        looked[len(records)] += 1
        return inner(layout, records, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(build_table, "table_view", counted)
    made = tables(*_copies(layout, records, 12))
    assert looked == {len(records): 12}
    assert {cell.text for row in made[-1].rows for cell in row.cells} >= {"32.70", "1.40"}


def test_a_record_of_another_experiment_is_still_told(layout: TableSpec, records: list[Record]) -> None:
    changed, _ = copy([layout], [], 3)
    found = tables([changed[0].__class__(**{**changed[0].__dict__, "name": layout.name})], records)[0]
    reasons = [cell.reason for row in found.rows for cell in row.cells]
    assert any(reason.startswith("protocol differs: the stored record") for reason in reasons)


def test_page_and_packs_grow_in_step(layout: TableSpec, records: list[Record], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("repro.report._unconfigured", lambda layout: set())
    calls: Counter[str] = Counter()
    inner = embedded_data.document
    monkeypatch.setattr(embedded_data, "document", lambda record: calls.update(["record"]) or inner(record))
    sizes = []
    for number in (2, 20):
        calls.clear()
        layouts, many = _copies(layout, records, number)
        page = render_page(Content(layouts=layouts, tables=tables(layouts, many), records=many))
        assert calls["record"] == len(many) == number * len(records)
        sizes.append(len(page))
    assert sizes[1] < 10 * sizes[0]
