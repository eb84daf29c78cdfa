"""Made-up records of a declared question: every arm and control, with curves and scores of a few videos."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from repro.core.spec import Experiment, to_dict
from repro.data.embedded import EMBEDDED
from repro.papers.question import Question
from repro.papers.questions import controls_of, experiments
from repro.records import store
from repro.records.index import Index
from repro.records.schema import Record
from repro.records.scores import Scores
from tests.repro.made_table import ENVIRONMENT

VIDEOS, CLASSES = 400, 8
FLAT = [{"epoch": float(epoch), "step": epoch, "loss": 1.0, "top1": 80.0} for epoch in range(20)]
#: label of an arm, seed -> share of videos that are right, in percent
Rates = Callable[[str, int], float]


def write(
    root: Path, one: Question, rates: Rates, *, controls: Mapping[str, float] | None = None, without: int = 0, **more
) -> Index:
    """Records of all that a question needs but the last `without` seeds; a control has the metric it is told by."""
    for control in controls_of(one):
        value = (controls or {}).get(control.says, control.bound)
        for seed in range(control.seeds):
            results = {"top1": value, "extra": {"direction_top1": value}}
            earlier = {"finished": "2026-01-01T00:00:30+00:00"}  # of a control that is an arm, the arm's counts
            write_record(
                root, control.experiment, seed, "suite/controls", "control", results, None, {**more, **earlier}
            )
    for term in experiments(one).values():
        for seed in range(one.seeds - without):
            scores = scores_of(rates(term.label, seed), seed)
            top1 = 100.0 * float((scores.logits[:, 0].argmax(1) == scores.labels).mean())
            write_record(
                root,
                term.experiment,
                seed,
                term.table,
                term.row,
                {"top1": top1, "extra": {"direction_top1": 50.0}},
                scores,
                more,
            )
    return Index(root)


def scores_of(percent: float, seed: int) -> Scores:
    """Scores of which so many videos are right, which of them drawn with the seed."""
    right = np.zeros(VIDEOS, bool)
    right[np.random.default_rng(seed).permutation(VIDEOS)[: round(percent * VIDEOS / 100)]] = True
    return scores_with(right)


def scores_with(right: np.ndarray) -> Scores:
    """Scores by which these videos are right."""
    number = np.arange(right.size)
    labels = number % CLASSES
    logits = np.zeros((right.size, 1, CLASSES), np.float32)
    logits[number, 0, np.where(right, labels, (labels + 1) % CLASSES)] = 1.0
    return Scores(logits, labels, [f"{name:05d}" for name in number], [], 1, 1)


def version_of(experiment: Experiment) -> dict[str, object]:
    """What a record tells of the videos of its probe."""
    name = experiment.measure.dataset  # type: ignore[union-attr]
    return {"version": EMBEDDED[name].version} if name in EMBEDDED else {}


def write_record(root, experiment: Experiment, seed: int, table: str, row: str, results, scores, more) -> None:
    """One record of an accuracy below `root`, with its file of scores if it has some."""
    paper, _, name = table.partition("/")
    made = Record.model_validate(
        {
            "id": experiment.id, "paper": paper, "table": name, "row": row, "cell": "probe", "kind": "accuracy",
            "seed": seed, "status": "done", "spec": to_dict(experiment), "environment": ENVIRONMENT,
            "results": {"top5": 100.0, "videos": VIDEOS, "left_out": [], "aggregations": {}, **results},
            "command": ["python", "-m", "repro", "run", "questions"], "started": "2026-01-01T00:00:00+00:00",
            "finished": "2026-01-01T00:01:00+00:00", "wall_s": 60.0, "curve": FLAT,
            "dataset": version_of(experiment), **more,
        }
    )  # fmt: skip
    path = None
    if scores is not None:
        path = root.parent / "scores.npz"
        scores.save(path)
    store.write(made, root, scores=path)
