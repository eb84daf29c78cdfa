"""The declared questions of all tables, and the experiments that each of them is a contrast of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from repro import papers
from repro.core.errors import UnknownName
from repro.core.spec import Experiment
from repro.papers import probe_cells
from repro.papers.probes import MARKS, Control, controls
from repro.papers.question import BATCH, GRADE, Question


@dataclass(frozen=True, kw_only=True)
class Term:
    """One of the values that a question adds up, and where its records lie."""

    weight: float
    label: str
    table: str
    row: str
    cell: str
    experiment: Experiment
    grade: str = ""
    """Of which part of the test videos; empty: of all."""


def declared(paper: str = "", table: str = "") -> list[Question]:
    """All questions, or those of a paper or a table, in the order of the tables."""
    if paper and paper not in (known := {name.partition("/")[0] for name in papers.TABLES}):
        raise UnknownName("paper", paper, known)
    names = (
        [papers.full_name(table)] if table else [n for n in papers.TABLES if n.startswith(f"{paper}/" * bool(paper))]
    )
    return [one for name in names for one in papers.find(name).questions]


def find(name: str) -> Question:
    """The question `paper/table/key`, or `key` where only one has it."""
    known = declared()
    found = [one for one in known if name in (one.full_name, one.key)]
    if len(found) != 1:
        raise UnknownName("question", name, [one.full_name for one in known], fix="python -m repro questions")
    return found[0]


@cache
def terms(one: Question) -> tuple[Term, ...]:
    """What a question adds up: its arms, at each of its points."""
    signs = (1.0, -1.0)[: len(one.arms)]
    weights = _along(len(one.points)) if len(one.points) > 1 else (1.0,)
    found = [
        _term(one, number, point, sign * weight)
        for weight, point in zip(weights, one.points or (None,), strict=True)
        for number, sign in enumerate(signs)
    ]
    return tuple(found)


def experiments(one: Question) -> dict[str, Term]:
    """Content id -> where it is measured, each experiment once."""
    return {term.experiment.id: term for term in reversed(terms(one))}


def contrast_of(one: Question) -> frozenset[tuple[str, str, float]]:
    """What is compared, whichever way round: two questions that ask the same are one in a family."""
    parts = [(term.experiment.id, f"{one.metric} {term.grade}", term.weight) for term in terms(one)]
    sign = 1.0 if sorted(parts)[0][2] > 0 else -1.0
    return frozenset((id_, what, sign * weight) for id_, what, weight in parts)


def controls_of(one: Question) -> tuple[Control, ...]:
    """What has to hold for its probe to say anything."""
    return controls(one.probe) if one.probe else ()


def waits_for(one: Question) -> str:
    """What has to be chosen before it can be run: what is declared of it and of its probe, and missing marks."""
    return "; ".join(filter(None, [*probe_cells.waits(one), without_mark(one)]))


def without_mark(one: Question) -> str:
    """Which of its networks have no mark of being trained; empty where none lacks one.

    A network that has not begun to learn is on a plateau too. Those that a probe is to be out of reach for need no
    mark; in small batches, where it is asked whether a network learns at all, nor do others.
    """
    if not one.probe or one.vary == BATCH:
        return ""
    beyond = {control.experiment.model.name for control in controls_of(one) if control.out_of_reach_of(one.probe)}
    names = sorted({term.experiment.model.name for term in terms(one)} - beyond)
    lacking = [name for name in names if (one.probe, name) not in MARKS]
    return f"a mark of {' and '.join(lacking)} on {one.probe}" if lacking else ""


def told_of_probe(name: str) -> str:
    """How a probe's dial, recipe and small forms were chosen."""
    return str(probe_cells.about().get(name, {}).get("chosen", ""))


def _along(points: int) -> tuple[float, ...]:
    """Weights of the fitted change from the first of equally spaced points to the last."""
    centred = [number - (points - 1) / 2 for number in range(points)]
    squares = sum(level**2 for level in centred)
    return tuple(level * (points - 1) / squares for level in centred)


def _term(one: Question, number: int, point: Any, weight: float) -> Term:
    table, _, key = one.arms[number].rpartition("/")
    layout = papers.find(table or one.table)
    row = layout.row(key)
    label = one.labels[number] if one.labels else row.label
    label += f", {one.vary} {point}" if point is not None else ""
    grade = str(point) if one.vary == GRADE else ""
    cell = one.cell
    if one.cell:
        if one.cell not in row.cells:
            raise UnknownName(f"cell of {layout.full_name} {key}", one.cell, row.cells)
        experiment = row.cells[one.cell]
    else:
        experiment, cell = probe_cells.experiment(one, row, point), probe_cells.name_of(one, point)
    return Term(
        weight=weight, label=label, table=layout.full_name, row=key, cell=cell, experiment=experiment, grade=grade
    )


def needed(questions: Sequence[Question]) -> frozenset[str]:
    """Content ids of all that answers these questions: their arms, and the controls of their probes."""
    arms = {id_ for one in questions for id_ in experiments(one)}
    return frozenset(arms | {control.experiment.id for one in questions for control in controls_of(one)})
