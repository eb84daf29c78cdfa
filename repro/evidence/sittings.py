"""A ratio of two times as evidence: all sittings of one measurement, and ratios that physics forbids.

Networks that differ in the classifier alone are one measurement, whichever tables they stand in: each record is a
sitting of it. Within a sitting the two networks take turns; the quartiles of its repeats are not the uncertainty of the
ratio, the spread over sittings is.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from repro import papers
from repro.core.spec import Experiment, Model, Speed, frozen, replace
from repro.evidence.verdicts import UNEXPLAINED, Verdict
from repro.records.schema import Record

PATH = "against.ratio_median"
#: networks whose time is that of another with work added, and no method of ours
_ADDS = {"tsm": "tsn"}


@dataclass(frozen=True)
class Sittings:
    """The ratio over all sittings on one machine."""

    ratio: float
    """The median of them."""
    low: float
    high: float
    records: tuple[Record, ...]

    @property
    def told(self) -> str:
        """Where and when they were."""
        return ", ".join(dict.fromkeys(f"{one.paper}/{one.table}/{one.row} {one.started[:10]}" for one in self.records))


def sittings(record: Record, others: Sequence[Record]) -> Sittings:
    """The sittings of a timed ratio: this record, and `others` of the same measurement on the same kind of machine."""
    place = _place(record)
    found = {(one.name, one.started): one for one in (record, *others) if _place(one) == place}
    ratios = [float(one.results["against"]["ratio_median"]) for one in found.values()]
    return Sittings(statistics.median(ratios), min(ratios), max(ratios), tuple(found.values()))


def same_measurement(experiment: Experiment) -> frozenset[str]:
    """Content ids, in all tables, of what differs from a timed ratio in the classifier alone."""
    return frozenset(one.id for one in _groups().get(_bare(experiment).id, ()))


def forbidden(experiment: Experiment, ratio: float) -> Verdict | None:
    """Less time than the host's although work was added; None where that is no contradiction."""
    measure = experiment.measure
    if not isinstance(measure, Speed) or measure.against is None or measure.form != "eager" or ratio >= 1:
        return None
    model, host = experiment.model, measure.against
    plain = replace(model, method=None, method_options=frozen(), name=_ADDS.get(host.name, model.name))
    inserted = model.method is not None and replace(host, name=plain.name) == plain and host.name == model.name
    if not inserted and not (_ADDS.get(model.name) == host.name and replace(model, name=host.name) == host):
        return None
    return Verdict(
        "forbidden",
        f"{ratio:.3f} times {host.name}'s time, with work added to it: no profile explains it yet",
        sign=UNEXPLAINED,
    )


def _place(record: Record) -> tuple[str, str, int]:
    results = record.results
    return results["device"], results["device_name"], int(results["threads"])


def _bare(experiment: Experiment) -> Experiment:
    """Without what only the classifier and the number of repeats tell apart."""
    measure = experiment.measure
    assert isinstance(measure, Speed) and measure.against is not None
    return Experiment(
        model=_body(experiment.model), measure=replace(measure, repeats=1, against=_body(measure.against))
    )


def _body(model: Model) -> Model:
    return replace(model, num_classes=1, dropout=0.0, pretrained="none")


@cache
def _groups() -> Mapping[str, list[Experiment]]:
    found: dict[str, list[Experiment]] = defaultdict(list)
    for name in papers.TABLES:
        for row in papers.find(name).rows:
            for experiment in row.cells.values():
                if isinstance(experiment.measure, Speed) and experiment.measure.against is not None:
                    found[_bare(experiment).id].append(experiment)
    return found


#: content id -> the records of an experiment
Of = Callable[[str], Sequence[Record]]


def shared(experiments: Sequence[Experiment], of: Of) -> dict[str, list[Record]]:
    """Content id of a timed ratio -> the finished records of its measurement under other ids, where there are any."""
    found: dict[str, list[Record]] = {}
    for one in experiments:
        if isinstance(one.measure, Speed) and one.measure.against is not None:
            others = sorted(same_measurement(one) - {one.id})
            records = [record for id_ in others for record in of(id_) if record.status == "done" and not record.smoke]
            if records:
                found[one.id] = records
    return found
