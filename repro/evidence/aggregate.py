"""Numbers out of records: means over seeds, differences and quotients of rows, with intervals."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

from repro.core.spec import Experiment
from repro.evidence.metric import number
from repro.papers.table import ColumnSpec
from repro.records.schema import Record

Done = Callable[[Experiment | None], list[Record]]


def gain(here: Sequence[Record], there: Sequence[Record], column: ColumnSpec, path: str) -> tuple[float, str] | None:
    """Mean of `here` minus mean of `there` in the column's unit, and its 95 % interval by Welch where both have seeds.

    None where a record lacks the number.
    """
    own, base = numbers(here, path), numbers(there, path)
    if len(own) < len(here) or len(base) < len(there):
        return None
    difference = (statistics.fmean(own) - statistics.fmean(base)) * column.scale
    if min(len(own), len(base)) < 2:
        return difference, ""
    import numpy as np

    from repro.evidence.stats import welch

    interval, _ = welch(np.array(base) * column.scale, np.array(own) * column.scale)
    return difference, f"({interval.low:+.{column.digits}f} to {interval.high:+.{column.digits}f})"


def ratio(here: Sequence[Record], there: Sequence[Record], path: str) -> tuple[float, str] | None:
    """Mean of `here` over mean of `there`, and no interval. None where a record lacks the number."""
    own, base = numbers(here, path), numbers(there, path)
    if len(own) < len(here) or len(base) < len(there) or statistics.fmean(base) == 0:
        return None
    return statistics.fmean(own) / statistics.fmean(base), ""


def numbers(records: Sequence[Record], path: str) -> list[float]:
    """The number at a path, or the quotient of two (`A / B`), of each record that has it."""
    found = [number(record.results, path) for record in records]
    return [value for value in found if value is not None]
