"""What the papers claim, held against their own numbers: arithmetic, and what chance allows.

A claim is data (`<paper>_claims.toml`): where it stands, what it says in our words, and the statements that decide it.
The printed numbers decide arithmetic (holds / does not hold / cannot be checked) and, of accuracies, whether what they
show is beyond what single runs may do or within. A threshold is the sentence's own; where it has none the number is
shown without a verdict. Counts measured here stand beside what is printed of costs. Probes stand beside a claim about a
mechanism as "on the probe: yes / no / undecided", and never decide a sentence about a real dataset.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache

import numpy as np

from repro import papers
from repro.core.errors import BadOption, UnknownName
from repro.evidence.aggregate import numbers
from repro.evidence.arithmetic import Lookup, evaluate, value
from repro.evidence.chance import chance
from repro.evidence.questions import Answer, answers
from repro.papers import published
from repro.papers.claim import Claim
from repro.papers.questions import find as question
from repro.records.index import Index, finishing
from repro.records.schema import Record

HOLDS, FAILS, OPEN = "holds", "does not hold", "cannot be checked"
BEYOND, WITHIN = "beyond", "within"
YES, NO, UNDECIDED = "yes", "no", "undecided"
#: all that a reading of a claim may be called
READINGS = (HOLDS, FAILS, OPEN, BEYOND, WITHIN, YES, NO, UNDECIDED)


@dataclass(frozen=True)
class Finding:
    """One piece of evidence."""

    verdict: str
    """One of `READINGS`; empty: a number, of which the sentence names no threshold."""
    told: str


@dataclass(frozen=True)
class Judged:
    """A claim with its readings and what each rests on."""

    claim: Claim
    arithmetic: tuple[Finding, ...]
    chance: tuple[Finding, ...]
    here: tuple[Finding, ...]
    """Statements on counts that were measured here."""
    probes: tuple[Finding, ...]

    @property
    def by_arithmetic(self) -> str:
        """Of the printed numbers: holds, does not hold, cannot be checked; empty without a threshold."""
        return together(self.arithmetic, FAILS, OPEN, HOLDS) if self.arithmetic else OPEN

    @property
    def by_chance(self) -> str:
        """beyond, within; empty where no accuracies are compared."""
        return together(self.chance, WITHIN, BEYOND)

    @property
    def by_counts(self) -> str:
        """Of counts measured here: holds, does not hold, cannot be checked; empty where none are asked for."""
        return together(self.here, FAILS, OPEN, HOLDS)

    @property
    def on_probe(self) -> str:
        """yes, no, undecided; empty where no probe asks it."""
        return together(self.probes, NO, UNDECIDED, YES)

    @property
    def findings(self) -> tuple[tuple[str, Finding], ...]:
        """All that it rests on, each with the reading that it belongs to."""
        kinds = (("arithmetic", self.arithmetic), ("chance", self.chance), ("here", self.here))
        found = [(kind if one.verdict else "shown", one) for kind, own in kinds for one in own]
        return (*found, *(("on the probe", one) for one in self.probes))


def together(findings: Sequence[Finding], *order: str) -> str:
    """The first word of `order` that any has, the worst first: all parts have to hold."""
    words = {one.verdict for one in findings}
    return next((word for word in order if word in words), "")


def judge(claims: Iterable[Claim], records: Index | Iterable[Record]) -> list[Judged]:
    """Each claim with its readings, in order. Probes are read where an index tells where their scores lie."""
    known = list(claims)
    index = records if isinstance(records, Index) else None
    cells = _cells(index.records() if index else records)  # type: ignore[arg-type]
    asked = [question(name) for claim in known for name in claim.probes]
    found = {one.question.full_name: one for one in answers(asked, index)} if index else {}

    def here(parts: Sequence[str]) -> Decimal | None:
        return _measured(parts, cells) if parts[0] == "here" else printed_value(parts)

    return [
        Judged(
            claim,
            (
                *(_statement(printed, printed_value) for printed in claim.printed),
                *(Finding("", value(shown, here).told) for shown in claim.shows),
            ),
            tuple(part for statement in claim.printed for part in _chance(statement)),
            tuple(_statement(measured, here) for measured in claim.measured),
            tuple(_on_probe(name, found.get(question(name).full_name)) for name in claim.probes),
        )
        for claim in known
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


def _statement(statement: str, lookup: Lookup) -> Finding:
    outcome = evaluate(statement, lookup)
    if outcome.holds is None:
        return Finding(OPEN, f"{statement.strip()}: no number for {', '.join(outcome.missing)}")
    return Finding(HOLDS if outcome.holds else FAILS, outcome.told)


def _chance(statement: str) -> list[Finding]:
    found = chance(statement, printed_value, lambda parts: published.load(f"{parts[0]}_{parts[1]}").dataset(parts[2]))
    return [Finding(found.word, found.told)] if found else []


def _on_probe(name: str, answer: Answer | None) -> Finding:
    """What the declared question answers, as far as it goes."""
    asks = f"{question(name).asks} ({question(name).full_name}"
    if answer is None or answer.state == "open":
        return Finding(UNDECIDED, f"{asks}: not run)")
    if answer.state == "empty":
        return Finding(UNDECIDED, f"{asks}: {answer.why})")
    seeds = answer.found.seeds if answer.found else None
    assert seeds is not None
    digits = answer.question.digits
    told = f"{seeds.value:+.{digits}f}, {seeds.low:+.{digits}f} to {seeds.high:+.{digits}f} over {seeds.n} seeds"
    return Finding(answer.on_probe, f"{asks}: {answer.word}, {told})")


def find(claims: Sequence[Claim], key: str) -> Claim:
    """The claim of this key; an unknown key names the nearest."""
    for claim in claims:
        if claim.key == key:
            return claim
    raise UnknownName("claim", key, [claim.key for claim in claims])
