"""What is counted of a network and printed of it: equal at the printed digit, or the cell says why not."""

from __future__ import annotations

from pathlib import Path

import pytest

from repro.papers import TABLES, find
from repro.records import store
from repro.records.store import load_all
from repro.report.build_table import table_view
from repro.report.summary import differing

RECORDS = Path(__file__).resolve().parents[3] / "results" / "records"


@pytest.fixture(scope="module")
def static_records() -> list[store.Record]:
    return [made for made in load_all(RECORDS).records if made.kind == "static"]


@pytest.mark.parametrize("name", TABLES)
def test_what_differs_from_print_says_why(name: str, static_records: list[store.Record]) -> None:
    found = differing([table_view(find(name), static_records)])
    assert [f"{one.label}: {one.told}" for one in found if not one.explained] == []


@pytest.mark.parametrize("name", TABLES)
def test_every_row_that_is_a_network_is_counted(name: str, static_records: list[store.Record]) -> None:
    """A row without a static cell runs nothing and says why; `adafuse/speed` counts nothing."""
    known = {made.id for made in static_records}
    for row in find(name).rows:
        counted = [one for one in row.cells.values() if one.measure.kind == "static"]
        assert not [one.model for one in counted if one.id not in known], (name, row.key)
        if not counted and name != "adafuse/speed":
            assert not row.cells and (row.quoted_reason or row.reasons), (name, row.key)
