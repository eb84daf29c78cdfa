"""Rows of results that another program made: scores that `scores import` took in, on a dataset that a table has.

Their experiment names no network of this suite: it is the file that the scores came in, by its sha256, on one split of
one dataset. It is never run; its record is what makes the row.
"""

from __future__ import annotations

from repro.core import paths
from repro.core.spec import Accuracy, Experiment, Model, Views
from repro.papers.table import RowSpec
from repro.records import store

PAPER = "elsewhere"
#: behind the label of such a row
SIGN = ", from elsewhere"


def experiment(dataset: str, split: str, *, sha256: str, classes: int, clips: int) -> Experiment:
    """What a file of scores is a measurement of."""
    model = Model(name=PAPER, backbone=PAPER, num_classes=classes, code=sha256)
    test = Views(sampling=PAPER, clips=clips, crops=1)
    return Experiment(model=model, measure=Accuracy(dataset=dataset, test=test, test_split=split))


def rows(dataset: str, cell: str) -> list[RowSpec]:
    """A row for each imported result on this very dataset (a CSV's name holds its digest), by label."""
    stem = dataset.partition("@")[0]
    found = {}
    for record in store.load_all(paths.own(), paper=PAPER, table=stem).records:
        made = record.experiment()
        if record.status == "done" and made.measure.dataset == dataset:  # type: ignore[union-attr]
            told = record.effective[PAPER]
            note = f"Scores of another program ({told['from']}, {told['file']}), not run here."
            label = f"{told['label']}{SIGN}"
            found[label] = RowSpec(key=record.row, label=label, section="elsewhere", cells={cell: made}, note=note)
    return [found[label] for label in sorted(found)]
