"""Several rows, one column of gains: which of them are left when the number of comparisons is counted (Holm)."""

from __future__ import annotations

from collections.abc import Sequence

from repro.evidence.aggregate import Done, numbers
from repro.papers.table import ColumnSpec, TableSpec

LEVEL = 0.05


def told_correction(layout: TableSpec, column: ColumnSpec, done: Done) -> str:
    """A sentence on the gains over seeds in `column`; empty where fewer than two rows have seeds to compare."""
    tested = _tested(layout, column, done)
    if len(tested) < 2:
        return ""
    import numpy as np

    from repro.evidence.stats import holm, welch

    p = holm(np.array([welch(np.array(base), np.array(own))[1] for _, own, base in tested]))
    labels = [label for label, *_ in tested]
    sure = [label for label, value in zip(labels, p, strict=True) if value < LEVEL]
    open_ = [label for label in labels if label not in sure]
    parts = [f"differs from 0 in {_listed(sure)}"] if sure else []
    parts += [f"undecided in {_listed(open_)}"] if open_ else []
    return f"with Holm's correction for {len(tested)} comparisons, at 5 % in all: {'; '.join(parts)}"


def _tested(layout: TableSpec, column: ColumnSpec, done: Done) -> list[tuple[str, list[float], list[float]]]:
    """Label, values of the row, values of its baseline, where both have two seeds or more."""
    kind, cell, path = column.source.split(":")
    found = []
    for row in layout.rows if kind == "gain" else ():
        if row.baseline is None or cell not in row.cells:
            continue
        here, there = done(row.cells[cell]), done(layout.row(row.baseline).cells.get(cell))
        own, base = numbers(here, path), numbers(there, path)
        if here and here[0].kind == "accuracy" and min(len(own), len(base)) > 1:
            found.append((row.label, own, base))
    return found


def _listed(labels: Sequence[str]) -> str:
    return f"{len(labels)} ({', '.join(labels)})"
