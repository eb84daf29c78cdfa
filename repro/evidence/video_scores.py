"""What each test video says, out of the files of scores: whether it was right, and what was decided on its grade."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import numpy as np

from repro.core.errors import RecordError
from repro.evidence.metric import number
from repro.records import metrics, store
from repro.records.index import Index
from repro.records.schema import Record
from repro.records.scores import Scores


class VideoScores:
    """The scores of records below the folders of an index, each file read once."""

    def __init__(self, index: Index) -> None:
        self._folders = [root.folder for root in index.roots]
        self._right: dict[tuple[str, int], tuple[tuple[str, ...], np.ndarray]] = {}

    def value(self, record: Record, metric: str, grade: str = "") -> float:
        """A number of the results or, of one grade of test videos, a figure or the quotient of two means."""
        if not grade:
            found = number(record.results, metric)
            if found is None:
                raise RecordError(f"record {record.name} does not tell {metric}")
            return found
        scores = self.of(record)
        chosen = [position for position, name in enumerate(scores.ids) if name.endswith(f"-{grade}")]
        if not chosen:
            raise RecordError(f"record {record.name} has no test video of grade {grade}")
        if metric == "top1":
            return float(self._hits(record, scores)[chosen].mean())
        parts = metric.split(" / ")
        if scores.stats is None or not {*parts} <= {*scores.stat_names}:
            raise RecordError(f"record {record.name} does not tell {metric} of each video")
        means = [float(scores.stats[chosen, :, scores.stat_names.index(part)].mean()) for part in parts]
        return means[0] / means[1] if len(means) == 2 else means[0]

    def contrast(self, arms: Sequence[tuple[float, Sequence[Record]]]) -> np.ndarray:
        """The weighted sum of arms, each 100 where a seed has a video right, else 0: (seeds, videos)."""
        found = [[self._right_of(record) for record in records] for _, records in arms]
        if len({ids for arm in found for ids, _ in arm}) > 1:
            raise RecordError("its runs were not tested on the same videos", allowed="records of one test set")
        sums = [weight * np.stack([hits for _, hits in arm]) for (weight, _), arm in zip(arms, found, strict=True)]
        return np.asarray(np.sum(sums, axis=0))

    def _right_of(self, record: Record) -> tuple[tuple[str, ...], np.ndarray]:
        key = (record.id, record.seed)
        if key not in self._right:
            scores = self.of(record)
            self._right[key] = (tuple(scores.ids), self._hits(record, scores))
        return self._right[key]

    def _hits(self, record: Record, scores: Scores) -> np.ndarray:
        fusion = record.spec["measure"]["test"]["fusion"]
        fused = metrics.fuse(scores.logits, fusion, range(scores.clips * scores.crops))
        return 100.0 * (metrics.rank_of_label(fused, scores.labels) < 1)

    def of(self, record: Record) -> Scores:
        """From the first folder that has the record's file as it was written."""
        *others, last = self._folders
        for folder in others:
            with contextlib.suppress(RecordError):
                return Scores.load(store.scores_path(record, folder))
        return Scores.load(store.scores_path(record, last))
