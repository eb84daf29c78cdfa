"""The answers to the declared questions, out of records: paired, corrected, and empty where nothing may be said.

A question is open until all its trainings and its probe's controls have records. It is empty where a control fails or
an arm is not trained. Else it is answered: `higher`, `lower`, or `undecided` where Holm's correction over the declared
questions of its paper leaves no difference, or the interval is wider than was declared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from repro.core.errors import ReproError
from repro.core.spec import Accuracy, Experiment
from repro.evidence.aggregate import of_now
from repro.evidence.metric import number
from repro.evidence.paired import Contrast, Word, contrast, corrected, verdict
from repro.evidence.sample import sample_of
from repro.evidence.stats import Interval
from repro.evidence.trained import untrained
from repro.evidence.video_scores import VideoScores
from repro.papers.probes import CHANCE, MARKS, Control, seconds_of
from repro.papers.question import Question
from repro.papers.questions import Term, contrast_of, controls_of, declared, experiments, terms, without_mark
from repro.records.index import Index, finishing
from repro.records.schema import Record

#: percent of a probe's scale, chance to 100, between which hosts are to stand
RANGE = (55.0, 90.0)


@dataclass(frozen=True)
class Arm:
    """One value that a question adds up."""

    label: str
    mean: float | None
    seeds: int
    """How many of those declared have a record."""
    ends: tuple[float, float] | None = None
    """The lowest and the highest seed."""


@dataclass(frozen=True)
class Check:
    """A control and what came of it."""

    control: Control
    mean: float | None
    seeds: int

    @property
    def holds(self) -> bool | None:
        """None as long as it has not been run."""
        if self.mean is None or self.seeds < self.control.seeds:
            return None
        return self.control.holds(self.mean)


@dataclass(frozen=True)
class Answer:
    """What is known of a question."""

    question: Question
    state: Literal["answered", "open", "empty"]
    arms: tuple[Arm, ...]
    checks: tuple[Check, ...]
    why: str = ""
    """Of an empty one."""
    found: Contrast | None = None
    videos: Interval | None = None
    """The bootstrap over test videos, where the metric is a share of them."""
    p: float = 1.0
    """By Holm over the questions of the paper."""
    family: int = 0
    word: Word = "undecided"
    left: int = 0
    """Trainings that an open one lacks, its controls' among them, and about how long they take."""
    seconds: float = 0.0
    out_of_range: tuple[str, ...] = ()
    """Hosts that stand outside 55 to 90 % of the probe's scale, where little can be seen."""

    @property
    def on_probe(self) -> Literal["yes", "no", "undecided"]:
        """Whether what the paper says is so on the probe; `undecided` also where it says neither, or nothing is known.

        That the reverse is so says no.
        """
        if self.state != "answered" or self.word == "undecided" or not self.question.says:
            return "undecided"
        return "yes" if self.word == self.question.says else "no"


def answers(questions: Sequence[Question], index: Index) -> list[Answer]:
    """Of these questions, in order; corrected within all that their papers declare."""
    scores = VideoScores(index)
    found: dict[Question, Answer] = {}
    for paper in dict.fromkeys(one.paper for one in questions):
        family = declared(paper)
        found |= dict(zip(family, _decided([_answer(one, index, scores) for one in family]), strict=True))
    return [found[one] for one in questions]


def records_of(term: Term | Control, seeds: int, index: Index) -> list[Record]:
    """The finished records of an arm or a control, of its declared seeds, in whichever folder each lies, and of the
    videos that its probe has now.

    A seed may be published while the next ones are trained: together they are one sample.
    """
    return [
        one for one in finishing(of_now(index.everywhere(term.experiment.id))) if one.seed < seeds and not one.smoke
    ]


def _seconds(experiment: Experiment, index: Index) -> float:
    """How long a training took, or about takes."""
    walls = [record.wall_s for record in finishing(index.everywhere(experiment.id))]
    assert isinstance(experiment.measure, Accuracy)
    return float(np.median(walls)) if walls else seconds_of(experiment.measure)


def _decided(found: Sequence[Answer]) -> list[Answer]:
    """With Holm's p and the words; the same contrast under two names is one member of the family."""
    family = len({contrast_of(one.question) for one in found})
    raw = {contrast_of(one.question): one.found.p for one in found if one.found is not None}
    p = dict(zip(raw, corrected(list(raw.values()), family), strict=True))
    made = []
    for one in found:
        if one.found is not None:
            own = p[contrast_of(one.question)]
            one = replace(one, p=own, family=family, word=verdict(one.found, own, one.question.width))
        made.append(one)
    return made


def _answer(one: Question, index: Index, scores: VideoScores) -> Answer:
    parts, needed = terms(one), experiments(one)
    records = {id_: records_of(term, one.seeds, index) for id_, term in needed.items()}
    checks = tuple(_check(control, index) for control in controls_of(one))
    arms = tuple(Arm(term.label, None, len(records[term.experiment.id])) for term in parts)
    missing = {id_: one.seeds - len(found) for id_, found in records.items()}
    for check in checks:
        id_ = check.control.experiment.id
        missing[id_] = max(missing.get(id_, 0), check.control.seeds - check.seeds)
    made, left = Answer(one, "open", arms, checks), sum(missing.values())
    if left:  # and nothing is to be seen before
        asked: list[Term | Control] = [*needed.values(), *(check.control for check in checks)]
        each = {part.experiment.id: _seconds(part.experiment, index) for part in asked if missing[part.experiment.id]}
        return replace(made, left=left, seconds=sum(missing[id_] * seconds for id_, seconds in each.items()))
    try:
        sample = sample_of(parts, one.metric, records, scores)
    except ReproError as error:
        return replace(made, state="empty", why=str(error))
    values = np.array(sample.values)
    arms = tuple(
        replace(arm, mean=float(own.mean()), ends=(float(own.min()), float(own.max())))
        for arm, own in zip(arms, values, strict=True)
    )
    made = replace(made, arms=arms, out_of_range=_out_of_range(one, arms))
    if why := _empty(one, records, checks):
        return replace(made, state="empty", why=why)
    found = contrast(np.array([term.weight for term in parts]) @ values, sample.of_videos)
    return replace(made, state="answered", found=found, videos=sample.videos)


def _empty(one: Question, records: dict[str, list[Record]], checks: Sequence[Check]) -> str:
    """Why nothing may be said although all was run; empty where something may."""
    if missing := without_mark(one):
        return f"not trained, as far as can be told: there is not yet {missing}"
    for check in checks:
        if check.holds is False:
            bound = f"{'at least' if check.control.positive else 'at most'} {check.control.bound:g}"
            return f"control fails: {check.control.says}: {check.mean:.1f} %, {bound} is needed"
    for id_, term in experiments(one).items():
        mark = MARKS.get((one.probe, term.experiment.model.name))
        why = untrained([record.curve for record in records[id_]], mark) if one.probe else None
        if why:
            return f"{term.label}: {why}"
    return ""


def _out_of_range(one: Question, arms: Sequence[Arm]) -> tuple[str, ...]:
    """Plain networks at the floor or the ceiling of a probe, those aside that are to be at chance there."""
    if not one.probe or one.metric != "top1":
        return ()
    floor = {control.experiment.id for control in controls_of(one) if not control.positive}
    scales = [
        (arm.label, 100 * ((arm.mean or 0.0) - CHANCE) / (100 - CHANCE))
        for arm, term in zip(arms, terms(one), strict=True)
        if term.experiment.model.method is None and term.experiment.id not in floor
    ]
    low, high = RANGE
    return tuple(
        f"{label} at {scale:.0f} % of the scale, not {low:g} to {high:g}"
        for label, scale in scales
        if not low <= scale <= high
    )


def _check(control: Control, index: Index) -> Check:
    records = records_of(control, control.seeds, index)
    path = control.metric if control.metric == "top1" else f"extra.{control.metric}"
    found = [value for record in records if (value := number(record.results, path)) is not None]
    return Check(control, float(np.mean(found)) if found else None, len(records))
