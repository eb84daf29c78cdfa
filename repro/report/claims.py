"""The claims of the papers with their verdicts: on a terminal, as Markdown, as JSON, and what the report shows."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.text import Text

from repro.evidence.claims import BEYOND, FAILS, HOLDS, NO, OPEN, READINGS, WITHIN, YES, Finding, Judged
from repro.report.markdown import escape, grid
from repro.report.text import listing

_STYLES = {HOLDS: "green", YES: "green", FAILS: "red", NO: "red", WITHIN: "yellow", BEYOND: "", OPEN: "dim"}
#: heading -> the reading of a claim below it
_COLUMNS: dict[str, Callable[[Judged], str]] = {
    "arithmetic": lambda one: one.by_arithmetic,
    "chance": lambda one: one.by_chance,
    "counts here": lambda one: one.by_counts,
    "on the probe": lambda one: one.on_probe,
}
LEGEND = (
    "Arithmetic: of the printed numbers, against the sentence's own threshold; without one nothing stands there. "
    "Chance: beyond or within what single runs may differ by. Probes speak of mechanisms, never of a real dataset."
)


def counts(judged: Sequence[Judged]) -> list[tuple[str, list[int]]]:
    """A word and how many claims have it in each reading, in the order of `columns`."""
    tallies = [Counter(read(one) for one in judged) for read in _COLUMNS.values()]
    return [(word, [tally[word] for tally in tallies]) for word in READINGS if any(tally[word] for tally in tallies)]


def columns() -> list[str]:
    """The readings of a claim."""
    return list(_COLUMNS)


def readings(one: Judged) -> list[tuple[str, str]]:
    """The readings that a claim has, each with its word."""
    return [(name, read(one)) for name, read in _COLUMNS.items() if read(one)]


def summary(judged: Sequence[Judged]) -> str:
    """One line."""
    told = [
        f"{name}: {', '.join(_counted(numbers[index], word) for word, numbers in counts(judged) if numbers[index])}"
        for index, name in enumerate(_COLUMNS)
    ]
    return f"{len(judged)} claims; " + "; ".join(text for text in told if not text.endswith(": "))


def _counted(count: int, word: str) -> str:
    """`1 holds`, `26 hold`, `8 do not hold`."""
    several = {"holds": "hold", "does not hold": "do not hold"}
    return f"{count} {several.get(word, word) if count != 1 else word}"


def print_claims(judged: Sequence[Judged], console: Console) -> None:
    """A line a claim; a single claim with all its evidence."""
    lines = []
    for one in judged:
        words = [Text(word, style=_STYLES.get(word, "")) for word in (read(one) for read in _COLUMNS.values())]
        lines.append([Text(one.claim.key), Text(one.claim.where), Text(one.claim.says), *words])
    console.print(listing(("claim", "where", "says", *_COLUMNS), lines))
    if len(judged) == 1:
        for line in _evidence(judged[0]):
            console.print(line, markup=False)
    else:
        console.print(summary(judged), markup=False)
        console.print(LEGEND + " Evidence of one: python -m repro claims KEY", markup=False)


def _evidence(one: Judged) -> list[str]:
    lines = [f"  {kind}: {_told(finding)}" for kind, finding in one.findings]
    lines += [f"  note: {one.claim.note}"] if one.claim.note else []
    lines += [f"  would decide: {one.claim.would_decide}"] if one.claim.would_decide else []
    return lines


def _told(finding: Finding) -> str:
    return f"{finding.verdict}: {finding.told}" if finding.verdict else finding.told


def markdown(judged: Sequence[Judged]) -> str:
    """A table with the evidence in its last column."""
    lines = []
    for one in judged:
        evidence = "<br>".join(escape(line.strip()) for line in _evidence(one))
        cells = [escape(one.claim.key), escape(one.claim.where), escape(one.claim.says)]
        lines.append([*cells, *(read(one) for read in _COLUMNS.values()), evidence])
    made = grid(["claim", "where", "says", *_COLUMNS, "evidence"], lines)
    return "\n".join([*made, "", summary(judged), "", LEGEND])


def as_json(judged: Sequence[Judged]) -> str:
    """A list of objects."""
    found = [
        {
            "key": one.claim.key,
            "paper": one.claim.paper,
            "where": one.claim.where,
            "says": one.claim.says,
            **{name.replace(" ", "_"): read(one) for name, read in _COLUMNS.items()},
            "evidence": [{"reading": kind, **asdict(finding)} for kind, finding in one.findings],
            "note": one.claim.note,
            "would_decide": one.claim.would_decide,
        }
        for one in judged
    ]
    return json.dumps(found, indent=1, ensure_ascii=False)


FORMATS: dict[str, Callable[..., Any]] = {"text": print_claims, "markdown": markdown, "json": as_json}
