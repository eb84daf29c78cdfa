"""A table of two cells on the miniature Jester: one is over at once, one lasts long enough to be stopped and killed.

`--module killed_table.py` makes it known to any command as own/killed.
"""

from __future__ import annotations

import sys
from pathlib import Path

from repro.core.spec import replace
from repro.papers.table import RowSpec, TableSpec
from repro.registry import tables

NAME = "own/killed"
sys.path.append(str(Path(__file__).parents[1] / "repro" / "data"))


@tables.register(NAME, "Killed")
def table() -> TableSpec:
    """The rows short and long."""
    import miniature_table

    short = miniature_table.experiment("jester")
    train = replace(short.measure.train, epochs=30)
    long = replace(short, measure=replace(short.measure, train=train))
    cells = {"short": short, "long": long}
    rows = tuple(RowSpec(key=name, label=name, cells={"top1": cell}) for name, cell in cells.items())
    return replace(miniature_table.table(), name="killed", rows=rows)
