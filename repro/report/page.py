"""The report: one HTML file that needs no network. The same tables, records and problems give the same bytes.

What a reader sees at once is HTML: front page, tables, claims, findings. Records are packed (`embedded_data`) and
unpacked by the browser when a cell is opened.
"""

from __future__ import annotations

import base64
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from markupsafe import Markup

from repro.core.files import writing
from repro.core.plain_text import shown
from repro.evidence.check_rules import Finding
from repro.evidence.claims import Judged
from repro.evidence.differences import Difference
from repro.papers.table import TableSpec
from repro.records.figures import Figure
from repro.records.schema import Record
from repro.records.store import Problem
from repro.report.claims import LEGEND, columns, counts, readings
from repro.report.differences import render_differences_html
from repro.report.embedded_data import packs
from repro.report.figures import Source, drawings, sources
from repro.report.findings import summary as findings_summary
from repro.report.html import environment, render_html
from repro.report.networks import networks
from repro.report.short_form import DATASETS, short_form
from repro.report.summary import front
from repro.report.table import Table

#: papers in the table of contents -> how they are called there
PAPERS = {"dnr": "DNR", "adafuse": "AdaFuse", "psn": "PSN", "suite": "This suite"}


@dataclass(frozen=True, kw_only=True)
class Content:
    """All that the report is made of."""

    layouts: Sequence[TableSpec]
    tables: Sequence[Table]
    """The same as they are rendered."""
    records: Sequence[Record]
    problems: Sequence[Problem] = ()
    """Files that are no usable records or figures."""
    judged: Sequence[Judged] = ()
    findings: Sequence[Finding] = ()
    pictures: Sequence[Figure] = ()
    """Stored figures."""
    protocols: Mapping[str, Sequence[Difference]] = field(default_factory=dict)
    """Full name of a table -> how its protocols differ."""


def write_page(path: Path, content: Content) -> None:
    """Write the report; a reader never sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with writing(path) as file:
        file.writelines(shown(part).encode() for part in parts(content))


def parts(content: Content) -> Iterator[str]:
    """The page piece by piece: of thousands of records, no two copies are held. Smoke records are no results."""
    records = sorted((record for record in content.records if not record.smoke), key=_order)
    template = environment().get_template("page.html")
    made = sources(content.layouts, content.tables, records)
    yield from template.generate(
        tables=(_table_view(source, content) for source in made),
        networks=networks(made),
        datasets=DATASETS,
        contents=_contents(content.tables),
        front=front(content.tables, records, content.judged, content.findings),
        failures=[record for record in records if record.status == "failed"],
        problems=content.problems,
        pictures=[_picture_view(figure) for figure in content.pictures],
        judged=content.judged,
        verdicts=counts(content.judged),
        claims_legend=LEGEND,
        claims_columns=columns(),
        readings=readings,
        findings=content.findings,
        places=_places(content.layouts),
        findings_summary=findings_summary(content.findings),
        records=len(records),
        packs=packs(content.tables, records),
    )
    yield "\n"


def _order(record: Record) -> tuple[object, ...]:
    kind = ("static", "speed", "accuracy").index(record.kind)
    return record.paper, record.table, record.row, kind, record.cell, record.seed, record.id


def _places(layouts: Sequence[TableSpec]) -> dict[str, str]:
    """Row of a published file, as findings name it -> address of the first row of the report that shows it."""
    found: dict[str, str] = {}
    for layout in layouts:
        for row in layout.rows:
            if row.published_row is not None:
                found.setdefault(f"{layout.published_csv}/{row.published_row}", f"{layout.full_name}/{row.key}")
    return found


def _contents(tables: Sequence[Table]) -> dict[str, list[Table]]:
    """Tables by paper, in order."""
    groups: dict[str, list[Table]] = {}
    for table in tables:
        groups.setdefault(PAPERS.get(table.paper, table.paper), []).append(table)
    return groups


def _table_view(source: Source, content: Content) -> dict[str, Any]:
    """A table's short and full fragments, its figures, and how protocols differ, folded."""
    table = source.table
    made = drawings(source)
    return {
        "table": table,
        "short": Markup(render_html(short_form(table, source.layout), linked=True)),
        "html": Markup(render_html(table, linked=True)),
        "figures": [drawing for drawing in made if not drawing.folded],
        "folded": [drawing for drawing in made if drawing.folded],
        "differences": Markup(render_differences_html(content.protocols.get(table.full_name, ()))),
    }


def _picture_view(figure: Figure) -> dict[str, Any]:
    """A stored figure, its PNG as a data URL, and its width and height in pixels."""
    return {
        "facts": figure.facts,
        "anchor": f"figure-{figure.name}",
        "source": f"data:image/png;base64,{base64.b64encode(figure.png).decode()}",
        "command": shlex.join(figure.facts.command),
        "size": (int.from_bytes(figure.png[16:20], "big"), int.from_bytes(figure.png[20:24], "big")),
    }
