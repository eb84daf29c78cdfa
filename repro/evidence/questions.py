"""What a table asks of its rows, answered in a sentence: the printed difference, and runs over seeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from repro.evidence.aggregate import Done, numbers
from repro.papers.table import QuestionSpec, TableSpec

if TYPE_CHECKING:
    import numpy as np

    from repro.evidence.stats import Interval

_PATH = "top1"


def told_question(layout: TableSpec, question: QuestionSpec, done: Done) -> str:
    """One sentence or two; never more than the interval of the seeds allows."""
    rows = (question.better, question.worse, *(question.beyond or ()))
    cells = [question.cell, question.worse_cell or question.cell, *[question.cell] * len(question.beyond or ())]
    found = [done(layout.row(key).cells.get(cell)) for key, cell in zip(rows, cells, strict=True)]
    labels = [layout.row(key).label for key in rows]
    if question.worse_cell:
        labels = [f"{label} on {cell}" for label, cell in zip(labels, cells, strict=True)]
    what = " minus ".join(labels[:2]) + (f", less {' minus '.join(labels[2:])}" if question.beyond else "")
    seeds = [{record.seed for record in records} for records in found]
    common = sorted(set.intersection(*seeds))
    usual = question.metric == _PATH
    head = f"{question.asks} {_printed(layout, rows) if usual and not question.worse_cell else ''}"
    if len(common) < 2:
        fix = f"python -m repro run {layout.full_name} --seeds 3"
        return f"{head}Not answered: its cells have {len(common)} seeds in common; {fix}."
    import numpy as np

    runs = [np.array(numbers(records, question.metric)) for records in found]
    if question.beyond:
        runs = [np.array(numbers([r for r in records if r.seed in common], question.metric)) for records in found]
    if min(map(len, runs)) < 2:
        return f"{head}Not answered: its records do not tell {question.metric}."
    interval = _interval(runs)
    digits, unit = (1, " points") if usual else (3, f" of {question.metric}")
    where = "" if question.worse_cell else f" on {question.cell}"
    counted = " and ".join(str(len(run)) for run in runs[:2])
    return (
        f"{head}Measured here{where}: {what} is {interval.value:+.{digits}f}{unit}, 95 % interval "
        f"{interval.low:+.{digits}f} to {interval.high:+.{digits}f} ({counted} seeds): {_answer(interval)} there."
    )


def _interval(runs: Sequence[np.ndarray]) -> Interval:
    """Welch of two rows; of two differences, seed by seed, Student's."""
    from repro.evidence.stats import t_interval, welch

    if len(runs) == 2:
        return welch(runs[1], runs[0])[0]
    return t_interval((runs[0] - runs[1]) - (runs[2] - runs[3]))


def _answer(interval: Interval) -> str:
    if interval.low > 0:
        return "yes"
    return "no, the reverse" if interval.high < 0 else "undecided"


def _printed(layout: TableSpec, rows: Sequence[str]) -> str:
    """The same difference as printed, if all of its numbers are."""
    from repro.evidence import published

    table = published.load(layout.published_csv)
    keys = [layout.row(key).published_row for key in rows]
    if None in keys:
        return ""
    pairs = [table.difference(str(own), str(base), _PATH) for own, base in zip(keys[::2], keys[1::2], strict=True)]
    if None in pairs:
        return ""
    first, *other = (float(value) for value in pairs if value is not None)
    return f"Printed: {first - sum(other):+.2f}. "
