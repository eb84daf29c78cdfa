"""What the report shows only when asked: records, an index of them, and tables as files, packed into its HTML.

A pack is JSON, raw-deflated, in base64. The browser unpacks one when a cell or record is opened
(`DecompressionStream`), so that a page over thousands of records opens as fast as its tables do.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import to_json

from repro.records.schema import Record
from repro.report.csv_table import render_csv
from repro.report.latex import render_latex
from repro.report.markdown import render_markdown
from repro.report.provenance import again, headline
from repro.report.table import Table

#: records in one pack: opening one record unpacks as many
BLOCK = 64


@dataclass(frozen=True)
class Pack:
    """One script element of data."""

    id: str
    text: str


def packs(tables: Sequence[Table], records: Sequence[Record]) -> Iterator[Pack]:
    """The index, each table's files, and all records, in the order given."""
    yield Pack("pack-index", pack(_index(tables, records)))
    for table in tables:
        files = {"csv": render_csv(table), "tex": render_latex(table), "md": render_markdown(table)}
        yield Pack(f"pack-files-{table.full_name}", pack(files))
    for number in range(0, len(records), BLOCK):
        block = [document(record) for record in records[number : number + BLOCK]]
        yield Pack(f"pack-records-{number // BLOCK}", pack(block))


def pack(value: object) -> str:
    """JSON, raw deflate, base64. What JSON has no word for (NaN, infinities) becomes its name as text."""
    text = to_json(value, inf_nan_mode="strings")
    squeezer = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    return base64.b64encode(squeezer.compress(text) + squeezer.flush()).decode()


def document(record: Record) -> dict[str, Any]:
    """The record as plain data; its values are so already, and are not copied."""
    fields = {name: getattr(record, name) for name in type(record).model_fields}
    scores = record.scores.model_dump() if record.scores else None
    return fields | {"name": record.name, "path": record.place, "scores": scores, "again": again(record)}


def _index(tables: Sequence[Table], records: Sequence[Record]) -> dict[str, Any]:
    """`records`: a line each, in the order of the packs; `cells`: table -> row -> column -> positions in `records`;
    `verdicts`: address of a cell -> its verdict in full.
    """
    places = {record.name: number for number, record in reversed(list(enumerate(records)))}
    cells: dict[str, dict[str, dict[str, list[int]]]] = {}
    verdicts: dict[str, str] = {}
    for table in tables:
        rows = cells.setdefault(table.full_name, {})
        for row, column, cell in table.cells():
            if cell.records:
                found = [places[name] for name in cell.records if name in places]
                rows.setdefault(row.key, {})[column.key] = found
            if cell.verdict is not None:
                verdicts[f"{table.full_name}/{row.key}/{column.key}"] = cell.verdict.full
    lines = [_line(record) for record in records]
    return {"block": BLOCK, "records": lines, "cells": cells, "verdicts": verdicts}


def _line(record: Record) -> list[Any]:
    place = f"{record.paper}/{record.table}"
    return [
        record.name, place, record.row, record.cell, record.seed, record.status, headline(record), record.finished[:10],
    ]  # fmt: skip
