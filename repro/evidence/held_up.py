"""How the reference holds up on this machine: own records beside those of the lab that published its own.

Counts must be equal. A ratio of two times holds up where the two medians lie within the wider of their quartile ranges,
doubled; a time itself is a fact of a machine and is not compared. An accuracy of the same seed on another kind of
processor is another run of the same recipe: its last bits differ, and training carries them on.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from repro.core.spec import Experiment
from repro.evidence.noise import single_runs
from repro.papers.table import TableSpec
from repro.records.index import Index, finishing
from repro.records.schema import Record


@dataclass(frozen=True)
class Held:
    """One kind of measurement."""

    what: str
    """counts, time ratios, accuracies"""
    agreed: int
    compared: int
    words: str
    """What agreeing means."""
    others: tuple[str, ...]
    """Those that do not agree, each with both numbers."""


def held_up(table: TableSpec, own: Index, reference: Index) -> list[Held]:
    """What both have of a table's experiments, by kind; a kind that nothing is compared of is left out."""
    pairs = [
        (f"{row.label}, {cell}", here, there)
        for row in table.rows
        for cell, experiment in row.cells.items()
        for here, there in _pairs(experiment, own, reference)
    ]
    kinds: list[tuple[str, str, str, Callable[[Record, Record], str | None]]] = [
        ("static", "counts", "equal", _count),
        ("speed", "time ratios", "within the spread", _ratio),
        ("accuracy", "accuracies", "within what another processor may differ by", _accuracy),
    ]
    found = []
    for kind, what, words, differs in kinds:
        seen = {(here.id, here.seed): (name, differs(here, there)) for name, here, there in pairs if here.kind == kind}
        seen = {key: (name, told) for key, (name, told) in seen.items() if told != _NOTHING}
        others = tuple(f"{name}: {told}" for name, told in seen.values() if told)
        if seen:
            found.append(Held(what, len(seen) - len(others), len(seen), words, others))
    return found


#: told of a pair in which there is nothing to compare
_NOTHING = "nothing"


def _pairs(experiment: Experiment, own: Index, reference: Index) -> list[tuple[Record, Record]]:
    there = {record.seed: record for record in finishing(reference.of(experiment.id))}
    return [(record, there[record.seed]) for record in finishing(own.of(experiment.id)) if record.seed in there]


def _count(here: Record, there: Record) -> str | None:
    mine, theirs = ([one.results["params"], *_gmacs(one)] for one in (here, there))
    if mine == theirs:
        return None
    return f"{_counted(mine)} here, {_counted(theirs)} in the reference"


def _gmacs(record: Record) -> list[float]:
    return [size["gmacs"] for _, size in sorted(record.results["sizes"].items())]


def _counted(values: Sequence[float]) -> str:
    return f"{values[0]:,} parameters, {', '.join(f'{value:.6g}' for value in values[1:])} GMACs"


def _ratio(here: Record, there: Record) -> str | None:
    pairs = [one.results["against"] for one in (here, there) if one.results.get("against")]
    if len(pairs) < 2 or here.results["device"] != there.results["device"]:
        return _NOTHING
    mine, theirs = (pair["ratio_median"] for pair in pairs)
    room = max(_width(pair["ratios"]) for pair in pairs)
    if abs(mine - theirs) <= 2 * room:
        return None
    return f"{mine:.3f} times its host here, {theirs:.3f} in the reference"


def _width(ratios: Sequence[float]) -> float:
    """The range between the quartiles; of few values, between the ends."""
    if len(ratios) < 4:
        return max(ratios) - min(ratios)
    low, _, high = statistics.quantiles(ratios, n=4)
    return high - low


def _accuracy(here: Record, there: Record) -> str | None:
    mine, theirs = here.results["top1"], there.results["top1"]
    if not single_runs([mine, theirs], here.results["videos"]).decided:
        return None
    return f"top-1 {mine:.1f} here, {theirs:.1f} in the reference"
