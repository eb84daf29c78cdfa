"""What the runs of a contrast come to: each arm's value at each seed, and what the test videos add.

Reading the scores of forty trainings takes a while, so what they come to is kept in the cache, under the hashes of
the files that it was read from. It can be made again at any time; a damaged file is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from repro.core import paths
from repro.core.files import parse_json, write_atomic
from repro.evidence.paired import over_videos, video_variance
from repro.evidence.stats import Interval
from repro.evidence.video_scores import VideoScores
from repro.papers.questions import Term
from repro.records.schema import Record

#: raised when what is kept means something else
_VERSION = 2
Records = Mapping[str, Sequence[Record]]


@dataclass(frozen=True)
class Sample:
    """The runs of a question, or of a gain, in numbers."""

    values: tuple[tuple[float, ...], ...]
    """(terms, seeds), in the order of the terms."""
    of_videos: float
    """Variance of the contrast that the test videos add; see `paired.video_variance`."""
    videos: Interval | None
    """The contrast by the bootstrap over test videos, where it is a share of them."""
    differing: int
    """Test videos on which the arms differ at some seed."""


def sample_of(terms: Sequence[Term], metric: str, records: Records, scores: VideoScores) -> Sample:
    """Of the records of each experiment, one a seed."""
    key = _key(terms, metric, records)
    path = paths.cache() / "samples" / f"{key}.json"
    try:
        found = parse_json(path.read_bytes())
        ends = found["videos"]
        return Sample(
            tuple(tuple(map(float, row)) for row in found["values"]),
            float(found["of_videos"]),
            Interval(**ends) if ends else None,
            int(found["differing"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        made = _made(terms, metric, records, scores)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, json.dumps(asdict(made)).encode())
    return made


def _made(terms: Sequence[Term], metric: str, records: Records, scores: VideoScores) -> Sample:
    values = tuple(
        tuple(scores.value(one, metric, term.grade) for one in records[term.experiment.id]) for term in terms
    )
    if metric != "top1" or any(term.grade for term in terms):
        return Sample(values, 0.0, None, 0)
    per_video = scores.contrast([(term.weight, records[term.experiment.id]) for term in terms if term.weight])
    videos = over_videos(per_video, np.random.default_rng(0))
    return Sample(values, video_variance(per_video), videos, int((per_video != 0).any(0).sum()))


def _key(terms: Sequence[Term], metric: str, records: Records) -> str:
    """Of all that the sample depends on: contrast, records, and the files of their scores."""
    parts: list[object] = [_VERSION, metric]
    for term in terms:
        own = [(one.seed, one.finished, one.scores.sha256 if one.scores else "") for one in records[term.experiment.id]]
        parts.append((term.weight, term.grade, term.experiment.id, own))
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]
