"""What the papers claim, held against their own numbers and against runs.

A claim is data (`<paper>_claims.toml`): where it stands, what it says in our words, and what decides it. The printed
numbers decide arithmetic, and effects as far as single runs can. Runs here decide as far as they speak to it: static
counts to what is printed of costs, the twins to mechanisms, never to Kinetics.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache

import numpy as np

from repro import papers
from repro.core.errors import BadOption, UnknownName
from repro.evidence.aggregate import numbers
from repro.evidence.arithmetic import evaluate
from repro.evidence.comparisons import Finding, Verdict, of_print, of_runs
from repro.papers import published
from repro.papers.claim import Claim
from repro.records.index import finishing
from repro.records.schema import Record

VERDICTS: tuple[Verdict, ...] = ("supported", "contradicted", "undecided", "untested")


@dataclass(frozen=True)
class Judged:
    """A claim with its evidence."""

    claim: Claim
    print: tuple[Finding, ...]
    runs: tuple[Finding, ...]

    @property
    def by_print(self) -> Verdict:
        """By the published numbers alone."""
        return together(self.print)

    @property
    def by_runs(self) -> Verdict:
        """By runs of this suite alone."""
        return together(self.runs)


def together(findings: Sequence[Finding]) -> Verdict:
    """All parts have to hold: one contradiction contradicts, one doubt leaves the claim undecided."""
    if not findings:
        return "untested"
    for verdict in ("contradicted", "undecided", "untested"):
        if any(finding.verdict == verdict for finding in findings):
            return verdict  # type: ignore[return-value]
    return "supported"


def judge(claims: Iterable[Claim], records: Iterable[Record]) -> list[Judged]:
    """Each claim with its verdicts, in order."""
    cells = _cells(records)

    def lookup(parts: Sequence[str]) -> Decimal | None:
        return _measured(parts, cells) if parts[0] == "here" else printed_value(parts)

    def runs(table: str, row: str, cell: str) -> Sequence[Record]:
        return cells.get((table, row, cell), [])

    return [
        Judged(
            claim,
            (*_statements(claim.printed, lookup), *(of_print(one) for one in claim.compares if one.printed)),
            (*_statements(claim.measured, lookup), *(of_runs(one, runs) for one in claim.compares if one.cell)),
        )
        for claim in claims
    ]


def printed_value(parts: Sequence[str]) -> Decimal | None:
    """The number at `paper, table, row, column`; None where the cell is empty or text."""
    if len(parts) != 4:
        raise BadOption(
            f"cell {'.'.join(parts)!r}", allowed="PAPER.TABLE.ROW.COLUMN, or here.PAPER.TABLE.ROW.CELL.PATH"
        )
    found = published.load(f"{parts[0]}_{parts[1]}").value(parts[2], parts[3])
    return Decimal(found.text) if found is not None and found.number is not None else None


Cells = Mapping[tuple[str, str, str], list[Record]]


def _cells(records: Iterable[Record]) -> Cells:
    """Finished records by table, row and cell, one a seed, the last measured; rows that share an experiment share them.

    A record whose row no table has stands under its own name.
    """
    by_id: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        if record.status == "done" and not record.smoke:
            by_id[record.id].append(record)
    found: dict[tuple[str, str, str], list[Record]] = defaultdict(list)
    for id_, own in by_id.items():
        stored = {(f"{one.paper}/{one.table}", one.row, one.cell) for one in own}
        for place in stored | _places().get(id_, set()):
            found[place] += finishing(own)
    return found


@cache
def _places() -> dict[str, set[tuple[str, str, str]]]:
    """Experiment -> table, row and cell of every place that shows it."""
    found: dict[str, set[tuple[str, str, str]]] = {}
    for name in papers.TABLES:
        for row in papers.find(name).rows:
            for cell, experiment in row.cells.items():
                found.setdefault(experiment.id, set()).add((name, row.key, cell))
    return found


def _measured(parts: Sequence[str], cells: Cells) -> Decimal | None:
    if len(parts) < 6:
        raise BadOption(f"cell {'.'.join(parts)!r}", allowed="here.PAPER.TABLE.ROW.CELL.PATH")
    _, paper, table, row, cell, *path = parts
    found = numbers(cells.get((f"{paper}/{table}", row, cell), []), ".".join(path))
    return Decimal(repr(float(np.mean(found)))) if found else None


def _statements(statements: Sequence[str], lookup: Callable[[Sequence[str]], Decimal | None]) -> list[Finding]:
    return [_statement(statement, lookup) for statement in statements]


def _statement(statement: str, lookup: Callable[[Sequence[str]], Decimal | None]) -> Finding:
    outcome = evaluate(statement, lookup)
    if outcome.holds is None:
        return Finding("untested", f"{statement}: no number for {', '.join(outcome.missing)}")
    return Finding("supported" if outcome.holds else "contradicted", outcome.told)


def find(claims: Sequence[Claim], key: str) -> Claim:
    """The claim of this key; an unknown key names the nearest."""
    for claim in claims:
        if claim.key == key:
            return claim
    raise UnknownName("claim", key, [claim.key for claim in claims])
