"""Ten times the records cost ten times the work, told by counts: no record is looked at again for every table."""

from __future__ import annotations

from collections import Counter

import pytest

from repro.core.spec import replace
from repro.papers.table import TableSpec
from repro.records.schema import Record
from repro.report import embedded_data
from repro.report.build_table import table_view
from repro.report.page import Content
from tests.repro.made_table import render_page

from .many import copy


def _copies(layout: TableSpec, records: list[Record], number: int) -> tuple[list[TableSpec], list[Record]]:
    made = [copy([layout], records, one) for one in range(number)]
    return [table for found, _ in made for table in found], [record for _, found in made for record in found]


def test_a_record_of_another_experiment_is_still_told(layout: TableSpec, records: list[Record]) -> None:
    changed, _ = copy([layout], [], 3)
    found = table_view(replace(changed[0], name=layout.name), records)
    reasons = [cell.reason for row in found.rows for cell in row.cells]
    assert any(reason.startswith("protocol differs: the stored record") for reason in reasons)


def test_page_and_packs_grow_in_step(layout: TableSpec, records: list[Record], monkeypatch: pytest.MonkeyPatch) -> None:
    calls: Counter[str] = Counter()
    inner = embedded_data.document
    monkeypatch.setattr(embedded_data, "document", lambda record: calls.update(["record"]) or inner(record))
    sizes = []
    for number in (2, 20):
        calls.clear()
        layouts, many = _copies(layout, records, number)
        page = render_page(Content(layouts=layouts, tables=[table_view(one, many) for one in layouts], records=many))
        assert calls["record"] == len(many) == number * len(records)
        sizes.append(len(page))
    assert sizes[1] < 10 * sizes[0]
