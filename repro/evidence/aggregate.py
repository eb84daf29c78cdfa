"""Numbers out of records: means over seeds, differences and quotients of rows, with intervals."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Sequence

from repro.core.spec import Experiment
from repro.data.embedded import is_of_now
from repro.evidence.metric import number
from repro.papers.table import ColumnSpec
from repro.records.schema import Record

Done = Callable[[Experiment | None], list[Record]]


def of_now(records: Iterable[Record]) -> list[Record]:
    """The records but those on a probe whose videos were other ones."""
    return [one for one in records if is_of_now(one.spec["measure"].get("dataset", ""), one.dataset)]


def gain(here: Sequence[Record], there: Sequence[Record], column: ColumnSpec, path: str) -> tuple[float, str] | None:
    """Mean of `here` minus `there` over the seeds that both have, in the column's unit, and its 95 % t interval, where
    there are two or more; without a common seed the difference of the means. None where a record lacks the number.
    """
    own, base = numbers(here, path), numbers(there, path)
    if len(own) < len(here) or len(base) < len(there):
        return None
    by_seed = {record.seed: value for record, value in zip(there, base, strict=True)}
    pairs = [(value, by_seed[one.seed]) for one, value in zip(here, own, strict=True) if one.seed in by_seed]
    if len(pairs) < 2:
        return (statistics.fmean(own) - statistics.fmean(base)) * column.scale, ""
    import numpy as np

    from repro.evidence.stats import t_interval

    found = t_interval(np.array([value - other for value, other in pairs]) * column.scale)
    return found.value, f"({found.low:+.{column.digits}f} to {found.high:+.{column.digits}f})"


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


def interval_of(values: Sequence[float]) -> tuple[float, float]:
    """Student's 95 % interval of the mean of two percentages or more, cut at 0 and 100."""
    import numpy as np

    from repro.evidence.stats import t_interval

    found = t_interval(np.array(values))
    return max(0.0, found.low), min(100.0, found.high)


def mean_of(records: Sequence[Record], path: str) -> float | None:
    """Mean of a number over records; None where there are none or one lacks it."""
    known = [value for value in numbers(records, path) if math.isfinite(value)]
    return statistics.fmean(known) if known and len(known) == len(records) else None


def cubic_trend(values: Sequence[float]) -> list[tuple[float, float]]:
    """Points of a polynomial of third order through values at 0, 1, ...; none for fewer than five values."""
    if len(values) < 5:
        return []
    import numpy as np

    line = np.polynomial.Polynomial.fit(np.arange(len(values)), values, 3)
    places = np.linspace(0, len(values) - 1, 41)
    return [(float(at), float(line(at))) for at in places]
