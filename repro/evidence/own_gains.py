"""The gains of a user's own table: paired seed by seed, and corrected for their number.

A row and the one it is compared with share their seeds, so that what a seed decides for both falls out. The interval is
Student's t over the seeds; a gain is called higher or lower where Holm's correction over all gains of the table leaves
it under 5 %, each pair of experiments counted once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from repro.core.spec import Accuracy, Experiment
from repro.evidence.metric import number
from repro.evidence.paired import Contrast, Word, contrast
from repro.evidence.stats import LEVEL, holm
from repro.papers.table import TableSpec
from repro.records.schema import Record

Done = Callable[[Experiment | None], Sequence[Record]]


@dataclass(frozen=True)
class OwnGain:
    """One gain over paired seeds."""

    value: float
    half: float
    """Half of its 95 % interval."""
    seeds: int
    word: Word
    """After the correction."""


def own_gains(layout: TableSpec, done: Done) -> Mapping[tuple[str, str], OwnGain]:
    """(row, column) -> gain, of each column of accuracies' gains whose two rows have two seeds in common."""
    found: dict[tuple[str, str], tuple[tuple[str, str], Contrast]] = {}
    for column in layout.columns:
        kind, cell, path = [*column.source.split(":"), "", ""][:3]
        for row in layout.rows if kind == "gain" else ():
            here = row.cells.get(cell)
            there = layout.row(row.baseline).cells.get(cell) if row.baseline else None
            if here is None or there is None or not isinstance(here.measure, Accuracy):
                continue
            differences = _paired(done(here), done(there), path)
            if len(differences) > 1:
                found[row.key, column.key] = ((here.id, there.id), contrast(np.array(differences)))
    ps = {pair: one.p for pair, one in found.values()}
    corrected = dict(zip(ps, holm(np.array(list(ps.values()))), strict=True)) if ps else {}
    return {place: _gain(one, corrected[pair]) for place, (pair, one) in found.items()}


def _paired(here: Sequence[Record], there: Sequence[Record], path: str) -> list[float]:
    base = {record.seed: number(record.results, path) for record in there}
    pairs = [(number(record.results, path), base.get(record.seed)) for record in here]
    return [own - other for own, other in pairs if own is not None and other is not None]


def _gain(one: Contrast, p: float) -> OwnGain:
    word: Word = "undecided" if p >= LEVEL else "higher" if one.seeds.value > 0 else "lower"
    return OwnGain(one.seeds.value, one.half, one.seeds.n, word)
