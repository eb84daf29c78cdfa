"""Findings of the linter: on a terminal, as Markdown, as JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.text import Text

from repro.evidence.check_rules import Finding
from repro.report.markdown import escape, grid
from repro.report.text import listing

_TITLES = ("rule", "cells", "arithmetic", "means")
_STYLES = {"error": "red", "warning": "yellow", "note": "dim"}


def summary(findings: Sequence[Finding]) -> str:
    """One line."""
    counts = Counter(finding.severity for finding in findings)
    return ", ".join(
        f"{counts[name]} {name}{'s' if counts[name] != 1 else ''}" for name in ("error", "warning", "note")
    )


def print_findings(findings: Sequence[Finding], console: Console) -> None:
    """A line a finding, and how many."""
    lines = [
        [
            Text(one.severity, _STYLES[one.severity]),
            *map(Text, (one.rule, "\n".join(one.cells), one.arithmetic, one.means)),
        ]
        for one in findings
    ]
    if findings:
        console.print(listing(("", *_TITLES), lines))
    console.print(summary(findings), markup=False)


def markdown(findings: Sequence[Finding]) -> str:
    """A table."""
    lines = [
        [one.severity, escape(one.rule), "<br>".join(map(escape, one.cells)), escape(one.arithmetic), escape(one.means)]
        for one in findings
    ]
    return "\n".join([*grid(["severity", *_TITLES], lines), "", summary(findings)])


def as_json(findings: Sequence[Finding]) -> str:
    """A list of objects."""
    return json.dumps([asdict(finding) for finding in findings], indent=1, ensure_ascii=False)


FORMATS: dict[str, Callable[..., Any]] = {"text": print_findings, "markdown": markdown, "json": as_json}
