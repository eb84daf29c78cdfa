"""Results that another program gave, paired video by video with the best of this suite's on the same test."""

from __future__ import annotations

from dataclasses import dataclass

from repro.core.errors import ReproError
from repro.core.spec import Experiment
from repro.evidence.score_comparison import Compared, compare
from repro.evidence.video_scores import VideoScores
from repro.papers.elsewhere import PAPER
from repro.papers.table import RowSpec, TableSpec
from repro.records.index import Index, finishing
from repro.records.schema import Record


@dataclass(frozen=True)
class Beside:
    """A row from elsewhere and the row of this suite that it is held against."""

    label: str
    best: str
    """Label of the most accurate row."""
    found: Compared
    """From the best row to the one from elsewhere."""


def beside(layout: TableSpec, index: Index) -> list[Beside]:
    """Each row from elsewhere against the most accurate row on its dataset, by the mean of that one's seeds; of them
    the first is paired. Where a file of scores is gone, there is none.
    """
    scores, made = VideoScores(index), []
    for row in layout.rows:
        for cell, experiment in row.cells.items():
            if experiment.model.name == PAPER and (best := _best(layout, index, cell)) and _done(index, experiment):
                other, record = best
                try:
                    found = compare(scores.of(record), scores.of(_done(index, experiment)[0]))
                except ReproError:
                    continue
                made.append(Beside(row.label, other.label, found))
    return made


def _done(index: Index, experiment: Experiment) -> list[Record]:
    return finishing(index.of(experiment.id))


def _best(layout: TableSpec, index: Index, cell: str) -> tuple[RowSpec, Record] | None:
    """The row of this suite whose seeds are best on average, and its first seed."""
    found = []
    for row in layout.rows:
        one = row.cells.get(cell)
        if one is not None and one.model.name != PAPER and (records := _done(index, one)):
            found.append((sum(float(record.results["top1"]) for record in records) / len(records), row, records[0]))
    _, best, first = max(found, key=lambda entry: entry[0], default=(0.0, None, None))
    return (best, first) if best and first else None
