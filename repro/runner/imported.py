"""Scores that another program made become a record among one's own results, so that tables can show them."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path

from repro.core.environment import environment
from repro.core.names import name_like
from repro.data.index import Index
from repro.engine.evaluate import summarise
from repro.engine.train.fit import describe
from repro.papers.elsewhere import PAPER, experiment
from repro.records import store
from repro.records.scores import Scores
from repro.runner.execute import compose
from repro.runner.jobs import Job


def keep(scores: Scores, dataset: str, index: Index, root: Path | None = None) -> Path:
    """Write scores of `foreign_scores.from_elsewhere` and their record; returns the file of scores beside it. One of
    the same label makes way. `dataset` is its name as specs hold it.
    """
    told = scores.about[PAPER]
    made = experiment(dataset, index.split, sha256=told["sha256"], classes=scores.logits.shape[2], clips=scores.clips)
    stem = dataset.partition("@")[0]
    job = Job(PAPER, stem, name_like(told["label"]), stem, made)
    found = {"results": summarise(scores, "softmax"), "effective": {PAPER: told}, "dataset": describe(index)}
    root = root or store.default_root()
    with tempfile.TemporaryDirectory() as folder:
        scores.save(Path(folder) / "scores.npz")
        record = compose(job, found, None, environment(), datetime.now(UTC), 0.0)
        path = store.write(record, root, scores=Path(folder) / "scores.npz", replace=True)
    for old in path.parent.glob("*-s0.*"):
        if old.stem != path.stem:  # another file under the same label
            old.unlink()
    return path.with_suffix(".npz")
