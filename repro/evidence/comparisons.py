"""Comparisons of rows, held against what is printed and against runs over seeds: claims and tables ask the same here.

Nothing is said that the interval of the seeds, or the noise of single runs, does not allow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from repro.evidence.aggregate import Done
from repro.evidence.metric import number
from repro.papers import published
from repro.papers.comparison import Comparison
from repro.papers.published import PublishedTable
from repro.papers.table import TableSpec
from repro.papers.text import csv_of, of_table
from repro.records.schema import Record

if TYPE_CHECKING:
    from repro.evidence.stats import Interval

Verdict = Literal["supported", "contradicted", "undecided", "untested"]
#: table, row, cell -> its finished records, one a seed
Runs = Callable[[str, str, str], Sequence[Record]]

_TOP1 = "top1"


@dataclass(frozen=True)
class Finding:
    """One piece of evidence."""

    verdict: Verdict
    told: str


@dataclass(frozen=True)
class Difference:
    """What runs say of a comparison: a value without an interval where a side has one seed, nothing where it has none.

    Of two pairs the seeds are those that all four have: what a seed shares between its runs falls out.
    """

    value: float | None
    interval: Interval | None
    seeds: tuple[int, ...]
    """How many: of either side, or those in common."""


def difference(one: Comparison, runs: Runs) -> Difference:
    """`better` minus `worse` (Welch), or the difference of two such differences (Student's t, seed by seed)."""
    import numpy as np

    from repro.evidence.stats import t_interval, welch

    found = [_by_seed(runs(one.table, row, cell), metric) for row, cell, metric in _sides(one)]
    if one.beyond is None:
        better, worse = (np.array(list(values.values())) for values in found)
        seeds = (len(better), len(worse))
        if not all(seeds):
            return Difference(None, None, seeds)
        interval = welch(worse, better)[0] if min(seeds) > 1 else None
        return Difference(interval.value if interval else float(better.mean() - worse.mean()), interval, seeds)
    common = sorted(set.intersection(*(set(values) for values in found)))
    if not common:
        return Difference(None, None, (0,))
    better, worse, *other = (np.array([values[seed] for seed in common]) for values in found)
    growth = (better - worse) - (other[0] - other[1])
    interval = t_interval(growth) if len(common) > 1 else None
    return Difference(float(growth.mean()), interval, (len(common),))


def of_runs(one: Comparison, runs: Runs) -> Finding:
    """Whether the seeds decide it, for a claim."""
    found, name = difference(one, runs), _name(one)
    if found.value is None:
        return Finding("untested", f"{name}: {'no seed of which all four were run' if one.beyond else 'not run'}")
    if found.interval is None:
        return Finding("undecided", f"{name}: {_amount(found.value, one)}, one seed{'' if one.beyond else ' of each'}")
    ends = _ends(found.interval, 1 if one.metric == _TOP1 else 3)
    seeds = " and ".join(map(str, found.seeds))
    told = f"{name}: {_amount(found.interval.value, one)}, 95 % interval {ends} ({seeds} seeds)"
    return Finding(_verdict(found.interval), told)


def of_print(one: Comparison) -> Finding:
    """Whether the printed top-1 differ by more than the noise of single runs, for a claim."""
    from repro.evidence.noise import doubt

    cells = [_printed_cell(one.table, row) for row in one.rows]
    values = [table.value(row, _TOP1) for table, row in cells]
    numbers = [Decimal(value.text) for value in values if value is not None and value.number is not None]
    if len(numbers) < len(cells):
        names = (f"{table.stem.replace('_', '.', 1)}.{row}.{_TOP1}" for table, row in cells)
        return Finding("untested", f"not printed: {', '.join(names)}")
    found = doubt([float(value) for value in numbers], cells[0][0].dataset(cells[0][1]))
    verdict: Verdict = "undecided" if not found.decided else "supported" if found.difference > 0 else "contradicted"
    pairs = [f"{a} - {b}" for a, b in zip(numbers[::2], numbers[1::2], strict=True)]
    told = " - ".join(f"({pair})" if one.beyond else pair for pair in pairs)
    return Finding(verdict, f"{told}: {found.told()}")


def findings(layout: TableSpec, done: Done) -> tuple[str, ...]:
    """What a table asks of its rows, each answered in a sentence or two: as printed, and over the seeds."""

    def runs(table: str, row: str, cell: str) -> Sequence[Record]:
        return done(layout.row(row).cells.get(cell))

    return tuple(
        told_trend(layout, one, runs) if one.points else told_question(layout, one, runs) for one in layout.comparisons
    )


def told_question(layout: TableSpec, one: Comparison, runs: Runs) -> str:
    """The question, the printed difference, and the answer of the seeds."""
    sides = _sides(one)
    records = [runs(one.table, row, cell) for row, cell, _ in sides]
    usual = one.metric == _TOP1
    head = f"{one.asks} {_printed_difference(layout, one) if usual and not one.worse_cell else ''}"
    common = set.intersection(*({record.seed for record in found} for found in records))
    if len(common) < 2:
        return f"{head}Not answered: {_too_few(layout, len(common))}."
    found = difference(one, runs)
    if found.interval is None:
        return f"{head}Not answered: its records do not tell {one.metric}."
    labels = [layout.row(row).label + (f" on {cell}" if one.worse_cell else "") for row, cell, _ in sides]
    what = " minus ".join(labels[:2]) + (f", less {' minus '.join(labels[2:])}" if one.beyond else "")
    digits, unit = (1, " points") if usual else (3, f" of {one.metric}")
    where = "" if one.worse_cell else f" on {one.cell}"
    seeds = " and ".join(map(str, found.seeds * (3 - len(found.seeds))))
    answers = {"supported": "yes", "contradicted": "no, the reverse"}
    return (
        f"{head}Measured here{where}: {what} is {found.interval.value:+.{digits}f}{unit}, 95 % interval "
        f"{_ends(found.interval, digits)} ({seeds} seeds): {answers.get(_verdict(found.interval), 'undecided')} there."
    )


def told_trend(layout: TableSpec, one: Comparison, runs: Runs) -> str:
    """Gains along a number, their slope with its interval, and what that says of the claim."""
    import numpy as np

    from repro.evidence import trends

    printed = _printed_slope(layout, one)
    pairs = [[_by_seed(runs(one.table, row, one.cell), one.metric) for row in rows] for _, *rows in one.points]
    seeds = sorted(set.intersection(*(set(found) for pair in pairs for found in pair)))
    if len(seeds) < 2:
        return f"{one.asks}: {one.claim}. {printed}Not evaluated: {_too_few(layout, len(seeds))}."
    method, host = (np.array([[pair[side][seed] for pair in pairs] for seed in seeds], float) for side in (0, 1))
    found = trends.trend(np.array([x for x, *_ in one.points]), host, method)
    gains = ", ".join(f"{value:+.1f}" for value in (method - host).mean(0))
    return (
        f"{one.asks}: {one.claim}. {printed}Measured here: {gains} at {_along(one)}, a slope of {found.value:+.2f} "
        f"points a {one.along}, 95 % interval {_ends(found, 2)} over {found.n} seeds: "
        f"{trends.verdict(found, one.sign)} on the twins."
    )


def _sides(one: Comparison) -> list[tuple[str, str, str]]:
    """Row, cell and metric of each side."""
    first = [(one.better, one.cell, one.metric)]
    first.append((one.worse, one.worse_cell or one.cell, one.worse_metric or one.metric))
    return first + [(row, one.beyond_cell or one.cell, one.metric) for row in one.beyond or ()]


def _by_seed(records: Sequence[Record], metric: str) -> dict[int, float]:
    found = ((record.seed, number(record.results, metric)) for record in records)
    return {seed: value for seed, value in found if value is not None}


def _verdict(interval: Interval) -> Verdict:
    if interval.low > 0:
        return "supported"
    return "contradicted" if interval.high < 0 else "undecided"


def _ends(interval: Interval, digits: int) -> str:
    return f"{interval.low:+.{digits}f} to {interval.high:+.{digits}f}"


def _amount(value: float, one: Comparison) -> str:
    return f"{value:+.1f} points" if one.metric == _TOP1 else f"{value:+.3f}"


def _name(one: Comparison) -> str:
    """What is compared; cells and metrics where they are not the usual ones."""
    metric = "" if one.metric == _TOP1 else f", {one.metric}"
    there = "".join(f" {part}" for part in (one.worse_cell, one.worse_metric) if part)
    on = f" (beyond on {one.beyond_cell})" if one.beyond_cell else ""
    beyond = f", beyond {' against '.join(one.beyond)}" if one.beyond else ""
    return f"{one.table} {one.cell}{metric}, {one.better} against {one.worse}{there}{on}{beyond}"


def _too_few(layout: TableSpec, seeds: int) -> str:
    return f"its cells have {seeds} seeds in common; python -m repro run {layout.full_name} --seeds 3"


def _along(one: Comparison) -> str:
    return ", ".join(f"{x:g}" for x, *_ in one.points)


def _printed_cell(table: str, row: str) -> tuple[PublishedTable, str]:
    """The printed table and its row, of `ROW` or of another table's `TABLE/ROW`."""
    other, _, key = row.rpartition("/")
    return published.load(csv_of(of_table(other or table))), key


def _printed_gains(layout: TableSpec, rows: Sequence[str]) -> list[float]:
    """The printed difference of each pair of rows; none at all where one of the numbers is not printed."""
    table, keys = published.load(layout.published_csv), [layout.row(key).published_row for key in rows]
    found = [
        table.difference(own, base, _TOP1) if own and base else None
        for own, base in zip(keys[::2], keys[1::2], strict=True)
    ]
    return [] if None in found else [float(value) for value in found if value is not None]


def _printed_difference(layout: TableSpec, one: Comparison) -> str:
    gains = _printed_gains(layout, one.rows)
    return f"Printed: {gains[0] - sum(gains[1:]):+.2f}. " if gains else ""


def _printed_slope(layout: TableSpec, one: Comparison) -> str:
    gains = _printed_gains(layout, one.rows)
    if not gains:
        return ""
    import numpy as np

    from repro.evidence.trends import slopes

    slope = slopes(np.array([x for x, *_ in one.points]), np.array([gains], float))[0]
    listed = ", ".join(f"{value:+.2f}" for value in gains)
    return f"Printed: {listed} at {_along(one)}, a slope of {slope:+.2f} points a {one.along}. "
