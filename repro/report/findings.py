"""Findings of the linter: on a terminal, as Markdown, as JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from repro.evidence.check_rules import Finding
from repro.report.markdown import escape

_STYLES = {"error": "red", "warning": "yellow", "note": "dim"}


def summary(findings: Sequence[Finding]) -> str:
    """One line."""
    counts = Counter(finding.severity for finding in findings)
    return ", ".join(
        f"{counts[name]} {name}{'s' if counts[name] != 1 else ''}" for name in ("error", "warning", "note")
    )


def print_findings(findings: Sequence[Finding], console: Console) -> None:
    """A line a finding, and how many."""
    table = Table(show_edge=False, pad_edge=False)
    for title in ("", "rule", "cells", "arithmetic", "means"):
        table.add_column(title, overflow="fold")
    for finding in findings:
        severity = Text(finding.severity, style=_STYLES[finding.severity])
        table.add_row(severity, *map(Text, (finding.rule, "\n".join(finding.cells), finding.arithmetic, finding.means)))
    if findings:
        console.print(table)
    console.print(summary(findings), markup=False)


def markdown(findings: Sequence[Finding]) -> str:
    """A table."""
    lines = ["| severity | rule | cells | arithmetic | means |", "| --- | --- | --- | --- | --- |"]
    for found in findings:
        cells = "<br>".join(map(escape, found.cells))
        parts = [found.severity, escape(found.rule), cells, escape(found.arithmetic), escape(found.means)]
        lines.append("| " + " | ".join(parts) + " |")
    return "\n".join([*lines, "", summary(findings)])


def as_json(findings: Sequence[Finding]) -> str:
    """A list of objects."""
    return json.dumps([asdict(finding) for finding in findings], indent=1, ensure_ascii=False)


FORMATS: dict[str, Callable[..., Any]] = {"text": print_findings, "markdown": markdown, "json": as_json}
