"""The evidence of one table in one archive: for a review, or an appendix.

The same records and printed values give the same bytes, whenever it is made.
"""

from __future__ import annotations

import io
import shlex
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from repro import papers
from repro.core.files import write_atomic
from repro.evidence.check import check_records, check_tables
from repro.evidence.claims import judge
from repro.papers import published
from repro.papers.claim import papers_with_claims
from repro.papers.table import TableSpec
from repro.records.index import Index
from repro.records.schema import Record
from repro.report import FORMATS, findings, render
from repro.report import claims as claims_text

_ENDINGS = {"text": "txt", "markdown": "md", "latex": "tex", "html": "html", "csv": "csv"}
_ABOUT = """{name}: {title}

table.*        the table in its short form; table.full.csv every cell with its reason, table.full.md with all notes
findings.json  what the linter says of its printed numbers and of the records
claims.json    what the paper claims, held against its own numbers and against runs (papers alone)
records/       each measurement behind it: spec, seed, environment, command, results; scores by video where there are
printed.csv    what is printed
commands.txt   how each record was made, and how it is made again
"""
#: zip keeps a date for each file; this one tells nothing
_DATE = (1980, 1, 1, 0, 0, 0)


def write_bundle(out: Path, layout: TableSpec, index: Index, roots: Sequence[Path]) -> list[str]:
    """Write the archive and return the names of what is in it. `roots`: folders that records may lie in."""
    records = [record for record in index.of_table(layout.full_name, layout.ids) if not record.smoke]
    held = io.BytesIO()
    names = []
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in _files(layout, index, records, roots):
            archive.writestr(zipfile.ZipInfo(name, _DATE), data, zipfile.ZIP_DEFLATED)
            names.append(name)
    write_atomic(out, held.getvalue())
    return names


def _files(
    layout: TableSpec, index: Index, records: Sequence[Record], roots: Sequence[Path]
) -> Iterator[tuple[str, bytes]]:
    yield "README.txt", _ABOUT.format(name=layout.full_name, title=layout.title).encode()
    for form in FORMATS:
        yield f"table.{_ENDINGS[form]}", render(layout, form, index).encode()
    for form in ("csv", "markdown"):
        yield f"table.full.{_ENDINGS[form]}", render(layout, form, index, full=True).encode()
    printed = published.load(layout.published_csv)
    told = check_records(records)
    if printed.rows:
        told = [*check_tables({printed.stem: printed}, index.records()), *told]
        file = published.find(f"{printed.stem}.csv")
        yield "printed.csv", file.read_bytes() if file else b""
    yield "findings.json", findings.as_json(told).encode()
    if layout.paper in papers_with_claims():
        yield "claims.json", claims_text.as_json(judge(papers.claims(layout.paper), index)).encode()
    yield "commands.txt", "\n".join([*_commands(layout, records), ""]).encode()
    yield from _records(records, roots)


def _commands(layout: TableSpec, records: Iterable[Record]) -> Iterator[str]:
    yield "# the whole table, what is there already left as it is"
    yield layout.command("run", "--seeds all")
    yield "# one cell at a time"
    for row in layout.rows:
        for cell in row.cells:
            yield layout.command("run", f"--rows {row.key} --only {cell}")
    yield "# as the records were made"
    for record in sorted(records, key=lambda one: one.place):
        yield f"{shlex.join(record.command)}    # {record.place}"


def _records(records: Iterable[Record], roots: Sequence[Path]) -> Iterator[tuple[str, bytes]]:
    for record in sorted(records, key=lambda one: one.place):
        found = next((root / record.relative_path for root in roots if (root / record.relative_path).is_file()), None)
        if found is None:
            continue
        yield f"records/{record.place}", found.read_bytes()
        scores = found.with_name(record.scores.file) if record.scores else None
        if scores is not None and scores.is_file():
            yield f"records/{Path(record.place).with_name(scores.name)}", scores.read_bytes()
