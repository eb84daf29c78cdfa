"""The gains on a user's own data: paired seed by seed, and corrected for their number in the table.

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
from repro.core.spec import Experiment
from repro.evidence.metric import number
from repro.evidence.paired import Contrast, Word, contrast
from repro.evidence.sample import sample_of
from repro.evidence.stats import LEVEL, holm
from repro.evidence.video_scores import VideoScores
from repro.papers.questions import Term
from repro.papers.table import TableSpec
from repro.records.schema import Record

_TOP1 = "top1"
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
    """(row, column) -> gain in top-1, of each pair of rows that have two seeds in common."""
    found: dict[tuple[str, str], tuple[tuple[str, str], Contrast, float]] = {}
    for column in filter(layout.is_own_gain, layout.columns):
        for row in layout.rows:
            here = row.cells.get(column.cell)
            there = layout.row(row.baseline).cells.get(column.cell) if row.baseline else None
            if here is None or there is None:
                continue
            arms = _paired(done(here), done(there))
            if len(arms[0]) > 1:
                terms = [_term(layout, one, weight) for one, weight in ((here, 1.0), (there, -1.0))]
                found[row.key, column.key] = ((here.id, there.id), *_contrast(terms, arms, scores))
    ps = {pair: p for pair, _, p in found.values()}
    corrected = dict(zip(ps, holm(np.array(list(ps.values()))), strict=True)) if ps else {}
    return {place: _gain(one, corrected[pair]) for place, (pair, one, _) in found.items()}


def _paired(here: Sequence[Record], there: Sequence[Record]) -> tuple[list[Record], list[Record]]:
    """The records of the seeds that both arms have."""
    own, base = ({one.seed: one for one in arm if number(one.results, _TOP1) is not None} for arm in (here, there))
    seeds = sorted(own.keys() & base.keys())
    return [own[seed] for seed in seeds], [base[seed] for seed in seeds]


def _term(layout: TableSpec, experiment: Experiment, weight: float) -> Term:
    return Term(weight=weight, label="", table=layout.full_name, row="", cell="", experiment=experiment)


def _contrast(terms: Sequence[Term], arms: Sequence[Sequence[Record]], scores: VideoScores) -> tuple[Contrast, float]:
    """The contrast and its p. Without the files of scores videos count as if each arm had drawn its own, and p is 1."""
    records = {term.experiment.id: arm for term, arm in zip(terms, arms, strict=True)}
    try:
        sample = sample_of(terms, _TOP1, records, scores)
    except ReproError:  # no file of scores, or of one video
        own, base = (np.array([number(one.results, _TOP1) for one in arm], float) for arm in arms)
        videos = max(2, min(int(number(one.results, "videos") or 0) for arm in arms for one in arm))
        apart = sum(float(arm.mean() * (100 - arm.mean())) for arm in (own, base)) / videos
        return contrast(own - base, max(apart, (100 / videos) ** 2), videos), 1.0
    own, base = np.array(sample.values)
    per_seed = own - base
    assert sample.videos is not None
    videos = sample.videos.n
    found = contrast(per_seed, max(sample.of_videos, (100 / videos) ** 2), videos)
    return found, min(1.0, max(found.p, contrast(per_seed).p, 2.0 ** (1 - sample.differing)))


def _gain(one: Contrast, p: float) -> OwnGain:
    word: Word = "undecided" if p >= LEVEL else "higher" if one.seeds.value > 0 else "lower"
    return OwnGain(one.seeds.value, max(one.half, one.whole), one.seeds.n, word)
