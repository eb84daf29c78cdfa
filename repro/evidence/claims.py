"""What the papers claim, held against their own numbers and against runs.

A claim is data (`repro.papers.claims_*`): where it stands, what it says in our words, and what decides it. The printed
numbers decide arithmetic, and effects as far as single runs can. Runs here decide as far as they speak to it: static
counts to what is printed of costs, the twins to mechanisms, never to Kinetics.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Literal

import numpy as np

from repro import papers
from repro.core.errors import BadOption, UnknownName
from repro.evidence import published
from repro.evidence.arithmetic import evaluate, references
from repro.evidence.metric import number
from repro.evidence.noise import doubt
from repro.evidence.stats import Interval, t_interval, welch
from repro.papers.claim import Claim, Contest, Effect
from repro.records.index import finishing
from repro.records.schema import Record

Verdict = Literal["supported", "contradicted", "undecided", "untested"]
VERDICTS: tuple[Verdict, ...] = ("supported", "contradicted", "undecided", "untested")


@dataclass(frozen=True)
class Finding:
    """One piece of evidence."""

    verdict: Verdict
    told: str


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

    return [
        Judged(
            claim,
            (*_statements(claim.printed, lookup), *(_effect(effect) for effect in claim.effects)),
            (*_statements(claim.measured, lookup), *(_contest(contest, cells) for contest in claim.contests)),
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


def values(cells: Cells, table: str, row: str, cell: str, path: str) -> list[float]:
    """One number a seed."""
    return list(_by_seed(cells, table, row, cell, path).values())


def _by_seed(cells: Cells, table: str, row: str, cell: str, path: str) -> dict[int, float]:
    found = ((record.seed, number(record.results, path)) for record in cells.get((table, row, cell), []))
    return {seed: value for seed, value in found if value is not None}


def _measured(parts: Sequence[str], cells: Cells) -> Decimal | None:
    if len(parts) < 6:
        raise BadOption(f"cell {'.'.join(parts)!r}", allowed="here.PAPER.TABLE.ROW.CELL.PATH")
    _, paper, table, row, cell, *path = parts
    found = values(cells, f"{paper}/{table}", row, cell, ".".join(path))
    return Decimal(repr(float(np.mean(found)))) if found else None


def _statements(statements: Sequence[str], lookup: Callable[[Sequence[str]], Decimal | None]) -> list[Finding]:
    return [_statement(statement, lookup) for statement in statements]


def _statement(statement: str, lookup: Callable[[Sequence[str]], Decimal | None]) -> Finding:
    outcome = evaluate(statement, lookup)
    if outcome.holds is None:
        return Finding("untested", f"{statement}: no number for {', '.join(outcome.missing)}")
    return Finding("supported" if outcome.holds else "contradicted", outcome.told)


def _effect(effect: Effect) -> Finding:
    pairs = [(effect.better, effect.worse), *([effect.beyond] if effect.beyond else [])]
    cells = [references(side)[0] for pair in pairs for side in pair]
    numbers = [printed_value(cell) for cell in cells]
    if None in numbers:
        return Finding("untested", "not printed: " + ", ".join(".".join(cell) for cell in cells))
    found = doubt(
        [float(number) for number in numbers if number is not None],
        published.load("_".join(cells[0][:2])).dataset(cells[0][2]),
    )
    verdict: Verdict = "undecided" if not found.decided else "supported" if found.difference > 0 else "contradicted"
    told = " - ".join(
        f"({a} - {b})" if effect.beyond else f"{a} - {b}" for a, b in zip(numbers[::2], numbers[1::2], strict=True)
    )
    return Finding(verdict, f"{told}: {found.told()}")


def _contest(contest: Contest, cells: Cells) -> Finding:
    name = _name(contest)
    if contest.beyond is not None:
        return _growth(contest, cells, f"{name}, beyond {' against '.join(contest.beyond)}")
    other = (contest.worse_cell or contest.cell, contest.worse_metric or contest.metric)
    better = values(cells, contest.table, contest.better, contest.cell, contest.metric)
    worse = values(cells, contest.table, contest.worse, *other)
    if not better or not worse:
        return Finding("untested", f"{name}: not run")
    if min(len(better), len(worse)) < 2:
        told = _amount(float(np.mean(better) - np.mean(worse)), contest)
        return Finding("undecided", f"{name}: {told}, one seed of each")
    interval, _ = welch(np.array(worse), np.array(better))
    return _decided(interval, contest, name, f"{len(better)} and {len(worse)} seeds")


def _name(contest: Contest) -> str:
    """What is compared; cells and metrics where they are not the usual ones."""
    metric = "" if contest.metric == "top1" else f", {contest.metric}"
    there = "".join(f" {part}" for part in (contest.worse_cell, contest.worse_metric) if part)
    beyond = f" (beyond on {contest.beyond_cell})" if contest.beyond_cell else ""
    return f"{contest.table} {contest.cell}{metric}, {contest.better} against {contest.worse}{there}{beyond}"


def _amount(value: float, contest: Contest) -> str:
    return f"{value:+.1f} points" if contest.metric == "top1" else f"{value:+.3f}"


def _growth(contest: Contest, cells: Cells, name: str) -> Finding:
    """The difference of two differences, seed by seed: what a seed shares between its runs falls out."""
    first = [(row, contest.cell) for row in (contest.better, contest.worse)]
    second = [(row, contest.beyond_cell or contest.cell) for row in contest.beyond or ()]
    runs = [_by_seed(cells, contest.table, row, cell, contest.metric) for row, cell in (*first, *second)]
    seeds = sorted(set.intersection(*(set(run) for run in runs)))
    if not seeds:
        return Finding("untested", f"{name}: no seed of which all four were run")
    better, worse, *other = (np.array([run[seed] for seed in seeds]) for run in runs)
    growth = (better - worse) - (other[0] - other[1])
    if len(seeds) < 2:
        return Finding("undecided", f"{name}: {_amount(float(growth.mean()), contest)}, one seed")
    return _decided(t_interval(growth), contest, name, f"{len(seeds)} seeds")


def _decided(interval: Interval, contest: Contest, name: str, seeds: str) -> Finding:
    digits = 1 if contest.metric == "top1" else 3
    ends = f"{interval.low:+.{digits}f} to {interval.high:+.{digits}f}"
    told = f"{name}: {_amount(interval.value, contest)}, 95 % interval {ends} ({seeds})"
    if interval.low > contest.least:
        return Finding("supported", told)
    return Finding("contradicted" if interval.high < contest.least else "undecided", told)


def find(claims: Sequence[Claim], key: str) -> Claim:
    """The claim of this key; an unknown key names the nearest."""
    for claim in claims:
        if claim.key == key:
            return claim
    raise UnknownName("claim", key, [claim.key for claim in claims])
