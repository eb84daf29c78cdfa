"""The most accurate network whose view takes no longer than a budget on this machine.

Candidates are the rows of tables: printed accuracies, and those that were measured here. They are timed from the
cheapest up, by multiply-accumulates; one that is no more accurate than a cheaper one that fits is not timed, nor one
whose multiply-accumulates alone take longer than the budget at the best rate that was seen so far.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from repro.core.spec import Accuracy, Experiment, Model, Speed, Static, canonical_json, replace
from repro.core.words import many
from repro.cost.macs import count_gmacs
from repro.cost.speed import measure_speed
from repro.evidence.aggregate import Done
from repro.papers import elsewhere, published
from repro.papers.table import RowSpec, TableSpec

#: a network may use a processor better than any before it, by so much
_BETTER = 1.5


@dataclass(frozen=True)
class Candidate:
    """A network with an accuracy."""

    label: str
    model: Model
    size: int
    """Side of the crop in pixels."""
    top1: float
    """In percent."""
    views: int
    """Of the test that the accuracy is of."""
    source: str
    """Table, and whether it is printed or measured."""
    gmacs: float
    """Of one view."""


@dataclass(frozen=True)
class Timed:
    """A candidate and the forward time of one view here, in seconds."""

    candidate: Candidate
    p50: float
    p95: float
    form: str

    @property
    def rate(self) -> float:
        """GMACs in a second."""
        return self.candidate.gmacs / self.p50


@dataclass(frozen=True)
class Choice:
    """What was timed, in order, what was not, and what is left."""

    budget: float
    timed: tuple[Timed, ...]
    no_better: tuple[Candidate, ...]
    """Than a cheaper one that fits."""
    too_large: tuple[Candidate, ...]
    """For the budget, at the best rate that was seen."""

    @property
    def fitting(self) -> list[Timed]:
        """Those whose 95th percentile is within the budget, the most accurate first, of equal ones the faster."""
        found = [one for one in self.timed if one.p95 <= self.budget]
        return sorted(found, key=lambda one: (-one.candidate.top1, one.p95))

    @property
    def nearest(self) -> Timed:
        """The fastest."""
        return min(self.timed, key=lambda one: one.p95)

    @property
    def front(self) -> list[Timed]:
        """Those that no other is both faster and at least as accurate as."""
        return [
            one
            for one in self.timed
            if not any(other.p95 < one.p95 and other.candidate.top1 >= one.candidate.top1 for other in self.timed)
        ]


def candidates(layouts: Iterable[TableSpec], dataset: str, done: Done) -> list[Candidate]:
    """Every network of the tables with a top-1 on the dataset, printed, measured, or said by a user's file; the same
    network and crop once, with its best accuracy. Cheapest first.
    """
    found: dict[str, Candidate] = {}
    for layout in layouts:
        for row in layout.rows:
            for one in (made for kind in (_printed, _said, _measured) for made in kind(layout, row, dataset, done)):
                key = f"{_network(one.model)} {one.size}"
                if key not in found or one.top1 > found[key].top1:
                    found[key] = one
    return sorted(found.values(), key=lambda one: (one.gmacs, one.label))


def _network(model: Model) -> str:
    """What decides how long it takes."""
    return canonical_json(replace(model, pretrained="none", dropout=0.0, num_classes=1))


def _printed(layout: TableSpec, row: RowSpec, dataset: str, done: Done) -> Iterator[Candidate]:
    table = published.load(layout.published_csv)
    static = row.cells.get("input") or row.cells.get("static")
    key = row.published_row or ""
    if key not in table.rows or row.host or static is None or "top1" not in table.columns:
        return
    top1 = table.value(key, "top1")
    views = table.value(key, "views") if "views" in table.columns else None
    if table.dataset(key) != dataset or top1 is None or top1.number is None:
        return
    assert isinstance(static.measure, Static)
    size, count = static.measure.sizes[0], int(views.number) if views and views.number else 1
    gmacs = _gmacs(static, size, done)
    yield Candidate(row.label, static.model, size, top1.number, count, f"{layout.full_name}, printed", gmacs)


def _said(layout: TableSpec, row: RowSpec, dataset: str, done: Done) -> Iterator[Candidate]:
    """As a user's file says it of his own weights."""
    top1, one = row.accuracy.get(dataset.partition("@")[0]), next(iter(row.cells.values()), None)
    if top1 is None or one is None:
        return
    measure = one.measure
    size = measure.test.crop if isinstance(measure, Accuracy) else getattr(measure, "size", 0)
    size = measure.sizes[0] if isinstance(measure, Static) else size
    static = Experiment(model=one.model, measure=Static(sizes=(size,)))
    yield Candidate(row.label, one.model, size, top1, 1, f"{layout.full_name}, as it says", _gmacs(static, size, done))


def _measured(layout: TableSpec, row: RowSpec, dataset: str, done: Done) -> Iterator[Candidate]:
    for experiment in row.cells.values():
        measure = experiment.measure
        if not isinstance(measure, Accuracy) or experiment.model.name == elsewhere.PAPER:  # no network of ours
            continue
        if dataset not in (measure.dataset, measure.dataset.partition("@")[0]):
            continue
        rates = [float(record.results["top1"]) for record in done(experiment)]
        if rates:
            size, seeds = measure.test.crop, many(len(rates), "seed")
            static = Experiment(model=experiment.model, measure=Static(sizes=(size,)))
            told = f"{layout.full_name}, measured, {seeds}"
            gmacs = _gmacs(static, size, done)
            yield Candidate(row.label, experiment.model, size, fmean(rates), measure.test.count, told, gmacs)


def _gmacs(static: Experiment, size: int, done: Done) -> float:
    """As recorded, else counted now; no weights are needed."""
    for record in done(static):
        return float(record.results["sizes"][str(size)]["gmacs"])
    return count_gmacs(static.model, size)


def choose(
    found: Sequence[Candidate],
    budget: float,
    time: Callable[[Candidate], Timed],
    on_step: Callable[[Candidate, int], None] = lambda candidate, left: None,
) -> Choice:
    """Time candidates, given cheapest first, until none is left that could be better within `budget` seconds a view."""
    timed: list[Timed] = []
    no_better, too_large = [], []
    for at, one in enumerate(found):
        if any(other.p95 <= budget and other.candidate.top1 >= one.top1 for other in timed):
            no_better.append(one)
        elif timed and one.gmacs > budget * _BETTER * max(other.rate for other in timed):
            too_large.append(one)
        else:
            on_step(one, len(found) - at)
            timed.append(time(one))
    return Choice(budget, tuple(timed), tuple(no_better), tuple(too_large))


def timer(*, form: str, repeats: int, device: str, threads: int | None) -> Callable[[Candidate], Timed]:
    """A function that times one view of a candidate with random weights, in the form asked for (`eager` or `fast`)."""

    def time(one: Candidate) -> Timed:
        measure = Speed(size=one.size, repeats=repeats, form=form)  # type: ignore[arg-type]
        found = measure_speed(one.model, measure, device=device, threads=threads)
        p50, p95 = np.quantile(found["times_s"], [0.5, 0.95], method="higher")
        chosen = (found["form_detail"] or {}).get("chosen", form)
        return Timed(one, float(p50), float(p95), str(chosen))

    return time
