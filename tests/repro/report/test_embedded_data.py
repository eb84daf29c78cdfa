"""Packs come back as they were, say every record's headline, and grow with the number of records alone."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from repro.papers.table import TableSpec
from repro.records.schema import Record
from repro.report.build_table import table_view
from repro.report.embedded_data import BLOCK, document, pack, packs
from repro.report.provenance import headline
from tests.repro.made_table import unpack

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(plain)
def test_what_is_packed_comes_back(value: object) -> None:
    text = pack(value)
    assert unpack(text) == value
    assert "<" not in text


def test_what_json_has_no_word_for_is_told_as_text() -> None:
    assert unpack(pack({"a": [float("nan"), 1.5], "b": float("-inf")})) == {"a": ["NaN", 1.5], "b": "-Infinity"}


def test_a_record_is_packed_whole(records: list[Record]) -> None:
    for record in records:
        packed = unpack(pack(document(record)))
        assert Record.model_validate({k: v for k, v in packed.items() if k not in {"name", "path", "again"}}) == record
        assert packed["path"].endswith(f"{record.row}/{packed['name']}.json")


def test_a_pack_for_each_table_and_each_block_of_records(layout: TableSpec, records: list[Record]) -> None:
    table = table_view(layout, records)
    many = [records[0].model_copy(update={"seed": seed}) for seed in range(BLOCK + 1)]
    found = [one.id for one in packs([table], many)]
    assert found == ["pack-index", "pack-files-dnr/table6", "pack-records-0", "pack-records-1"]


def test_headlines(records: list[Record]) -> None:
    told = [headline(record) for record in records]
    assert told[0] == "24,327,632 parameters, 32.704 GMACs at 224"
    assert told[4] == "1.43 views/s, median 0.7 s, 1.400 times its host's time"
    assert told[5] == "top-1 13.00 %, top-5 100.00 % of 256 videos"
    assert told[-1] == "failed: MemoryError: <i>none</i> left"
    assert json.dumps(told)
