"""The report: one HTML file that needs no network. The same tables, records and problems give the same bytes."""

from __future__ import annotations

import base64
import json
import shlex
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from markupsafe import Markup

from repro.evidence.check_rules import Finding
from repro.evidence.claims import Judged
from repro.evidence.differences import Difference
from repro.figure_store import Facts, Figure
from repro.papers.layout import TableSpec
from repro.record import Problem, Record
from repro.report.claims import LEGEND, counts
from repro.report.differences import render_differences_html
from repro.report.figures import Drawing, Source, drawings, sources
from repro.report.findings import summary as findings_summary
from repro.report.html import environment, render_html
from repro.report.table import Table


@dataclass(frozen=True)
class TableView:
    """A table's fragment and its plots."""

    table: Table
    html: Markup
    figures: list[Drawing]
    anchor: str
    differences: Markup
    """How protocols differ, folded."""


@dataclass(frozen=True)
class RecordView:
    """A record as the page tells it."""

    record: Record
    anchor: str
    headline: str
    command: str
    spec: list[tuple[str, str]]
    environment: list[tuple[str, str]]
    effective: list[tuple[str, str]]
    results: str


@dataclass(frozen=True)
class Machine:
    """One combination of processor, device and versions, and how many records come from it."""

    name: str
    facts: str
    versions: str
    commits: str
    records: int


@dataclass(frozen=True)
class PictureView:
    """A stored figure as the page shows it."""

    facts: Facts
    anchor: str
    source: str
    """The PNG as a data URL."""
    command: str
    size: tuple[int, int]
    """Width and height in pixels."""


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
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        temporary.write_text(render_page(content), encoding="utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def render_page(content: Content) -> str:
    """The whole page. Smoke records are no results and are left out."""
    ordered = sorted((record for record in content.records if not record.smoke), key=_order)
    seen: Counter[str] = Counter()
    views = [_record_view(record, seen) for record in ordered]
    text = (
        environment()
        .get_template("page.html")
        .render(
            tables=[
                _table_view(source, content.protocols.get(source.table.full_name, ()))
                for source in sources(content.layouts, content.tables, content.records)
            ],
            groups=_groups(views),
            failures=[view for view in views if view.record.status == "failed"],
            problems=content.problems,
            pictures=[_picture_view(figure) for figure in content.pictures],
            machines=machines(ordered),
            summary=_summary(ordered),
            judged=content.judged,
            verdicts=counts(content.judged),
            claims_legend=LEGEND,
            findings=content.findings,
            findings_summary=findings_summary(content.findings),
        )
    )
    return f"{text.strip()}\n"


def _order(record: Record) -> tuple[object, ...]:
    kind = ("static", "speed", "accuracy").index(record.kind)
    return record.paper, record.table, record.row, kind, record.cell, record.seed, record.id


def machines(records: Iterable[Record]) -> list[Machine]:
    """Where the finished records come from, most frequent first."""
    counts: Counter[tuple[str, str, str]] = Counter()
    commits: dict[tuple[str, str, str], set[str]] = {}
    for record in records:
        if record.status != "done":
            continue
        facts = record.environment
        key = (str(facts.get("device_name", facts["device"])), _hardware(facts), _versions(facts))
        counts[key] += 1
        commits.setdefault(key, set()).add(_commit(facts["git"]))
    ordered = sorted(counts, key=lambda key: (-counts[key], key))
    return [Machine(*key, ", ".join(sorted(commits[key])), counts[key]) for key in ordered]


def _hardware(facts: Mapping[str, Any]) -> str:
    parts = [f"{facts['cores']} cores" if facts.get("cores") else "", str(facts.get("platform", ""))]
    memory = facts.get("memory_gib")
    return ", ".join(part for part in (parts[0], f"{memory:g} GiB" if memory else "", parts[1]) if part)


def _versions(facts: Mapping[str, Any]) -> str:
    packages = facts["packages"]
    named = [f"{name} {packages[name]}" for name in ("torch", "timm", "decord", "av", "numpy") if name in packages]
    return ", ".join([f"Python {facts['python']}", *named])


def _commit(git: Mapping[str, Any]) -> str:
    if not git.get("commit"):
        return "no git"
    return str(git["commit"])[:12] + (" with local changes" if git.get("dirty") else "")


def _summary(records: Sequence[Record]) -> dict[str, Any]:
    kinds = Counter(record.kind for record in records if record.status == "done")
    return {
        "done": sum(kinds.values()),
        "failed": sum(record.status == "failed" for record in records),
        "kinds": ", ".join(f"{kinds[kind]} {kind}" for kind in ("static", "speed", "accuracy") if kinds[kind]),
        "from": min((record.started for record in records), default="")[:10],
        "to": max((record.finished for record in records), default="")[:10],
        "hours": sum(record.wall_s for record in records) / 3600,
    }


def _table_view(source: Source, differences: Sequence[Difference]) -> TableView:
    table = source.table
    anchor = f"table-{table.paper}-{table.name}"
    folded = Markup(render_differences_html(differences))
    return TableView(table, Markup(render_html(table, linked=True)), drawings(source), anchor, folded)


def _picture_view(figure: Figure) -> PictureView:
    source = f"data:image/png;base64,{base64.b64encode(figure.png).decode()}"
    size = int.from_bytes(figure.png[16:20], "big"), int.from_bytes(figure.png[20:24], "big")
    return PictureView(figure.facts, f"figure-{figure.name}", source, shlex.join(figure.facts.command), size)


def _groups(views: Sequence[RecordView]) -> list[tuple[str, list[RecordView]]]:
    groups: dict[str, list[RecordView]] = {}
    for view in views:
        groups.setdefault(f"{view.record.paper}/{view.record.table}", []).append(view)
    return list(groups.items())


def _record_view(record: Record, seen: Counter[str]) -> RecordView:
    """The first record of a name has it as its anchor; the same experiment in another table gets a number behind it."""
    seen[record.name] += 1
    anchor = record.name if seen[record.name] == 1 else f"{record.name}-{seen[record.name]}"
    return RecordView(
        record=record,
        anchor=anchor,
        headline=headline(record),
        command=shlex.join(record.command),
        spec=flat(record.spec),
        environment=flat(record.environment),
        effective=flat(record.effective),
        results=json.dumps(record.results, indent=1, ensure_ascii=False),
    )


def headline(record: Record) -> str:
    """What a record found, in one line."""
    found = record.results
    if record.status == "failed":
        return f"failed: {record.reason}"
    if record.kind == "static":
        sizes = ", ".join(f"{count['gmacs']:.3f} GMACs at {size}" for size, count in found["sizes"].items())
        return f"{found['params']:,} parameters, {sizes}"
    if record.kind == "speed":
        against = found.get("against")
        ratio = f", {against['ratio_median']:.3f} times its host's time" if against else ""
        return f"{found['views_per_s']:.3g} views/s, median {found['median_s']:.4g} s{ratio}"
    return f"top-1 {found['top1']:.2f} %, top-5 {found['top5']:.2f} % of {found['videos']} videos"


def flat(data: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested data as (dotted name, text) lines."""
    lines: list[tuple[str, str]] = []
    for key, value in data.items():
        if isinstance(value, Mapping) and value:
            lines += flat(value, f"{prefix}{key}.")
        else:
            lines.append((f"{prefix}{key}", value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)))
    return lines
