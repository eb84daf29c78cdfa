"""The gains of a user's own table: paired seed by seed, and corrected for their number.

A row and the one it is compared with share their seeds, so that what a seed decides for both falls out. An accuracy's
interval counts seeds and test videos together (`evidence.paired`), these as if one video differed at the least, and is
no narrower than that of the seeds alone; a gain is called higher or lower where Holm's correction over all gains of the
table leaves it under 5 %, each pair of experiments counted once. Networks that differ on M test videos have no p below
2^(1 - M), the least of an exact test.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from repro.core.errors import ReproError
from repro.core.spec import Accuracy, Experiment
from repro.evidence.metric import number
from repro.evidence.paired import Contrast, Word, contrast
from repro.evidence.sample import sample_of
from repro.evidence.stats import LEVEL, holm
from repro.evidence.video_scores import RANKS, VideoScores
from repro.papers.questions import Term
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


def own_gains(layout: TableSpec, done: Done, scores: VideoScores) -> Mapping[tuple[str, str], OwnGain]:
    """(row, column) -> gain, of each column of accuracies' gains whose two rows have two seeds in common."""
    found: dict[tuple[str, str], tuple[tuple[str, str], Contrast, float]] = {}
    for column in layout.columns:
        kind, cell, path = [*column.source.split(":"), "", ""][:3]
        for row in layout.rows if kind == "gain" else ():
            here = row.cells.get(cell)
            there = layout.row(row.baseline).cells.get(cell) if row.baseline else None
            if here is None or there is None or not isinstance(here.measure, Accuracy):
                continue
            arms = _paired(done(here), done(there), path)
            if len(arms[0]) > 1:
                terms = [_term(layout, one, weight) for one, weight in ((here, 1.0), (there, -1.0))]
                found[row.key, column.key] = ((here.id, there.id), *_contrast(terms, arms, path, scores))
    ps = {pair: p for pair, _, p in found.values()}
    corrected = dict(zip(ps, holm(np.array(list(ps.values()))), strict=True)) if ps else {}
    return {place: _gain(one, corrected[pair]) for place, (pair, one, _) in found.items()}


def _paired(here: Sequence[Record], there: Sequence[Record], path: str) -> tuple[list[Record], list[Record]]:
    """The records of the seeds that both arms have."""
    own, base = ({one.seed: one for one in arm if number(one.results, path) is not None} for arm in (here, there))
    seeds = sorted(own.keys() & base.keys())
    return [own[seed] for seed in seeds], [base[seed] for seed in seeds]


def _term(layout: TableSpec, experiment: Experiment, weight: float) -> Term:
    return Term(weight=weight, label="", table=layout.full_name, row="", cell="", experiment=experiment)


def _contrast(
    terms: Sequence[Term], arms: Sequence[Sequence[Record]], path: str, scores: VideoScores
) -> tuple[Contrast, float]:
    """The contrast and its p; 1 where the files of scores are not there, and nothing is known of the test videos."""
    records = {term.experiment.id: arm for term, arm in zip(terms, arms, strict=True)}
    try:
        sample = sample_of(terms, path, records, scores)
    except ReproError:  # no file of scores, or of one video
        own, base = (np.array([number(one.results, path) for one in arm], float) for arm in arms)
        return contrast(own - base), 1.0
    own, base = np.array(sample.values)
    per_seed = own - base
    if path not in RANKS or sample.videos is None:
        found = contrast(per_seed)
        return found, found.p
    videos = sample.videos.n
    found = contrast(per_seed, max(sample.of_videos, (100 / videos) ** 2), videos)
    return found, min(1.0, max(found.p, contrast(per_seed).p, 2.0 ** (1 - sample.differing)))


def _gain(one: Contrast, p: float) -> OwnGain:
    word: Word = "undecided" if p >= LEVEL else "higher" if one.seeds.value > 0 else "lower"
    return OwnGain(one.seeds.value, max(one.half, one.whole), one.seeds.n, word)
