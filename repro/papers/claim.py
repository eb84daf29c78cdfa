"""The form in which a claim of a paper is written down: where it stands, what it says, and what decides it.

Statements are arithmetic on cells, as `repro.evidence.arithmetic` reads them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Effect:
    """Printed: `better` has a higher top-1 than `worse`, references as in `repro.evidence.arithmetic`."""

    better: str
    worse: str
    beyond: tuple[str, str] | None = None
    """A second such pair, whose difference this one has to exceed: an effect that grows."""


@dataclass(frozen=True, kw_only=True)
class Contest:
    """Run here: row `better` of a table exceeds row `worse` in one cell by more than `least`, over the seeds."""

    table: str
    better: str
    worse: str
    cell: str = "twin-temporal"
    metric: str = "top1"
    """A number of the results, or the quotient of two: `cost.mean.reuse / cost.mean.keep`."""
    least: float = 0.0
    beyond: tuple[str, str] | None = None
    """A second pair (better, worse), whose difference this one has to exceed: an effect that grows."""
    worse_cell: str = ""
    """Cell of `worse`, if it is another one."""
    worse_metric: str = ""
    """Metric of `worse`, if it is another one."""
    beyond_cell: str = ""
    """Cell of the second pair, if it is another one."""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One checkable sentence, or one part of a compound one."""

    key: str
    paper: str
    where: str
    """Section, table or caption."""
    says: str
    """In our words."""
    printed: tuple[str, ...] = ()
    """Statements that have to hold on what is printed."""
    effects: tuple[Effect, ...] = ()
    """Differences that have to exceed the noise of single runs, if the claim is about more than print."""
    measured: tuple[str, ...] = ()
    """Statements that have to hold on records of this suite."""
    contests: tuple[Contest, ...] = ()
    """Comparisons of runs over seeds; all have to come out."""
    would_decide: str = ""
    """What would decide an open claim."""
    note: str = ""


def gain(paper: str, table: str, row: str, base: str, column: str = "top1") -> str:
    """The printed difference of two rows as a statement's side."""
    return f"{paper}.{table}.{row}.{column} - {paper}.{table}.{base}.{column}"


def effect(paper: str, table: str, better: str, worse: str) -> Effect:
    """Two rows of one table, by top-1."""
    return Effect(better=f"{paper}.{table}.{better}.top1", worse=f"{paper}.{table}.{worse}.top1")
