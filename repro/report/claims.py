"""The claims of the papers with their verdicts: on a terminal, as Markdown, as JSON, and what the report shows."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from repro.evidence.claims import VERDICTS, Finding, Judged
from repro.report.markdown import escape

_STYLES = {"supported": "green", "contradicted": "red", "undecided": "yellow", "untested": "dim"}
LEGEND = (
    "By print: the paper's own numbers, and whether a difference exceeds what single runs may give by chance. "
    "By runs: what was run here; the twins speak of mechanisms, never of Kinetics."
)


def counts(judged: Sequence[Judged]) -> list[tuple[str, int, int]]:
    """Verdict, how many claims have it by print, how many by runs."""
    printed, run = Counter(one.by_print for one in judged), Counter(one.by_runs for one in judged)
    return [(verdict, printed[verdict], run[verdict]) for verdict in VERDICTS]


def summary(judged: Sequence[Judged]) -> str:
    """One line."""
    told = [f"{printed} {verdict} by print ({run} by runs)" for verdict, printed, run in counts(judged)]
    return f"{len(judged)} claims: " + ", ".join(told)


def print_claims(judged: Sequence[Judged], console: Console) -> None:
    """A line a claim; a single claim with all its evidence."""
    table = Table(show_edge=False, pad_edge=False)
    for title in ("claim", "where", "says", "by print", "by runs"):
        table.add_column(title, overflow="fold")
    for one in judged:
        verdicts = [Text(verdict, style=_STYLES[verdict]) for verdict in (one.by_print, one.by_runs)]
        claim = one.claim
        table.add_row(Text(claim.key), Text(claim.where), Text(claim.says), *verdicts)
    console.print(table)
    if len(judged) == 1:
        for line in _evidence(judged[0]):
            console.print(line, markup=False)
    else:
        console.print(summary(judged), markup=False)
        console.print(LEGEND + " Evidence of one: python -m repro claims KEY", markup=False)


def _evidence(one: Judged) -> list[str]:
    lines = [f"  print: {finding.verdict}: {finding.told}" for finding in one.print]
    lines += [f"  runs:  {finding.verdict}: {finding.told}" for finding in one.runs]
    lines += [f"  note: {one.claim.note}"] if one.claim.note else []
    lines += [f"  would decide: {one.claim.would_decide}"] if _open(one) else []
    return lines


def _open(one: Judged) -> bool:
    return bool(one.claim.would_decide) and {one.by_print, one.by_runs} != {"supported"}


def markdown(judged: Sequence[Judged]) -> str:
    """A table with the evidence in its last column."""
    lines = ["| claim | where | says | by print | by runs | evidence |", "| --- | --- | --- | --- | --- | --- |"]
    for one in judged:
        evidence = "<br>".join(escape(line.strip()) for line in _evidence(one))
        cells = [escape(one.claim.key), escape(one.claim.where), escape(one.claim.says), one.by_print, one.by_runs]
        lines.append("| " + " | ".join([*cells, evidence]) + " |")
    return "\n".join([*lines, "", summary(judged), "", LEGEND])


def as_json(judged: Sequence[Judged]) -> str:
    """A list of objects."""

    def told(findings: Sequence[Finding]) -> list[dict[str, Any]]:
        return [{"verdict": finding.verdict, "told": finding.told} for finding in findings]

    found = [
        {
            "key": one.claim.key,
            "paper": one.claim.paper,
            "where": one.claim.where,
            "says": one.claim.says,
            "by_print": one.by_print,
            "by_runs": one.by_runs,
            "print": told(one.print),
            "runs": told(one.runs),
            "note": one.claim.note,
            "would_decide": one.claim.would_decide,
        }
        for one in judged
    ]
    return json.dumps(found, indent=1, ensure_ascii=False)


FORMATS: dict[str, Callable[..., Any]] = {"text": print_claims, "markdown": markdown, "json": as_json}
