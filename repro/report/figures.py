"""Plots as inline SVG: scatter of two table columns, and training curves. Colours come from the page's style sheet."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from repro.report.html import environment
from repro.report.table import Figure, Row, Table

WIDTH, HEIGHT = 520, 360
LEFT, RIGHT, TOP, BOTTOM = 58, 26, 12, 50
_LINE = 15.0
#: a longer range than this is drawn on a logarithmic axis
_LOG_FROM = 20.0


@dataclass(frozen=True)
class Axis:
    """Value -> position along `low`..`high` of the drawing."""

    first: float
    last: float
    low: float
    high: float
    log: bool
    ticks: tuple[float, ...]

    def __call__(self, value: float) -> float:
        """Position of a value."""
        first, last, value = (math.log10(v) if self.log else v for v in (self.first, self.last, value))
        return self.low + (self.high - self.low) * (value - first) / (last - first)

    def labels(self) -> list[tuple[float, str]]:
        """(position, text) of each tick."""
        return [(self(tick), f"{tick:.10g}") for tick in self.ticks]


@dataclass(frozen=True)
class Point:
    """A row in a scatter plot, with the place of its label where there was one free."""

    x: float
    y: float
    label: str
    told: str
    style: str
    label_x: float | None = None
    label_y: float | None = None
    anchor: str = "start"


def axis(values: Sequence[float], low: float, high: float) -> Axis:
    """An axis with round ticks that holds all values."""
    smallest, largest = min(values), max(values)
    if smallest > 0 and largest / smallest > _LOG_FROM:
        powers = range(math.floor(math.log10(smallest)), math.ceil(math.log10(largest)) + 1)
        marks = [digit * 10.0**power for power in powers for digit in (1, 2, 5)]
        first = max(mark for mark in marks if mark <= smallest)
        last = min([mark for mark in marks if mark >= largest] or [largest])
        return Axis(first, last, low, high, True, tuple(mark for mark in marks if first <= mark <= last))
    step = _step((largest - smallest) or abs(largest) or 1.0)
    first, last = math.floor(smallest / step - 0.2) * step, math.ceil(largest / step + 0.2) * step
    if smallest >= 0:
        first = max(first, 0.0)
    count = round((last - first) / step)
    return Axis(first, last, low, high, False, tuple(round(first + n * step, 10) for n in range(count + 1)))


def _step(span: float) -> float:
    """1, 2 or 5 times a power of ten: about five steps in the span."""
    raw = span / 5
    power = 10.0 ** math.floor(math.log10(raw))
    return next(power * digit for digit in (1, 2, 5, 10) if power * digit >= raw * 0.999)


def scatter(table: Table, figure: Figure, prefix: str) -> Markup | None:
    """Scatter plot of two columns; None where fewer than two rows have both values."""
    keys = [column.key for column in table.columns]
    x_index, y_index = keys.index(figure.x), keys.index(figure.y)
    found = [(row, row.cells[x_index].value, row.cells[y_index].value) for row in table.rows]
    rows = [(row, x, y) for row, x, y in found if x is not None and y is not None]
    if len(rows) < 2:
        return None
    x_axis = axis([x for _, x, _ in rows], LEFT, WIDTH - RIGHT)
    y_axis = axis([y for _, _, y in rows], HEIGHT - BOTTOM, TOP)
    points = {}
    for row, x, y in rows:
        told = f"{row.label}: {row.cells[x_index].text}, {row.cells[y_index].text}"
        points[row.key] = Point(x_axis(x), y_axis(y), row.label, told, _style(row))
    lines = [(points[r.baseline], points[r.key]) for r, _, _ in rows if r.baseline in points and r.baseline]
    heading = {"x": _axis_title(table, x_index), "y": _axis_title(table, y_index)}
    return _svg(
        "scatter.svg", prefix=prefix, figure=figure, axes=(x_axis, y_axis), points=_labelled(list(points.values())),
        lines=lines, heading=heading,
    )  # fmt: skip


def curves(points: Sequence[Mapping[str, Any]], prefix: str) -> list[Markup]:
    """One small plot for each number that a training curve follows, against its epoch or step."""
    along = next((key for key in ("epoch", "step") if all(_is_number(point.get(key)) for point in points)), None)
    names = dict.fromkeys(key for point in points for key in point if key not in {"epoch", "step"})
    drawn: list[Markup] = []
    for name in names:
        places: list[tuple[Any, Any]] = [(p[along] if along else n, p.get(name)) for n, p in enumerate(points)]
        pairs = [(float(x), float(y)) for x, y in places if _is_number(y)]
        if len(pairs) < 2:
            continue
        x_axis = axis([x for x, _ in pairs], 52, 250)
        y_axis = axis([y for _, y in pairs], 112, 10)
        line = " ".join(f"{x_axis(x):.1f},{y_axis(y):.1f}" for x, y in pairs)
        told = f"{name} from {pairs[0][1]:.4g} to {pairs[-1][1]:.4g}"
        drawn.append(
            _svg("curve.svg", prefix=f"{prefix}-{len(drawn)}", name=name, along=along or "point", axes=(x_axis, y_axis),
                 line=line, told=told)
        )  # fmt: skip
    return drawn


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _svg(template: str, **facts: Any) -> Markup:
    text = environment().get_template(template).render(width=WIDTH, height=HEIGHT, **facts)
    return Markup(text.strip())  # the template escapes every text itself


def _style(row: Row) -> str:
    if not row.reproduced:
        return "quoted"
    return "method" if row.baseline else "host"


def _axis_title(table: Table, index: int) -> str:
    column = table.columns[index]
    return f"{column.heading}, {column.group}" if column.group else column.heading


def _labelled(points: list[Point]) -> list[Point]:
    """Labels beside their points, each at the first free place, the rows that were run first.

    A label that finds no place is left to the point's title, which shows on hovering and to screen readers.
    """
    taken = [(p.x - 5, p.y - 5, p.x + 5, p.y + 5) for p in points]
    placed = []
    for point in sorted(points, key=lambda point: point.style == "quoted"):
        for x, y, anchor in _places(point):
            box = _box(point, x, y, anchor)
            inside = box[0] >= LEFT and box[2] <= WIDTH and box[1] >= 0 and box[3] <= HEIGHT - BOTTOM
            if inside and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                point = Point(point.x, point.y, point.label, point.told, point.style, x, y, anchor)
                break
        placed.append(point)
    return placed


def _places(point: Point) -> list[tuple[float, float, str]]:
    x, y = point.x, point.y
    near = [(x + 8, y + 5, "start"), (x - 8, y + 5, "end"), (x, y - 9, "middle"), (x, y + 18, "middle")]
    wide = [(x + 7, y + d, "start") for d in (-7, 17)] + [(x - 7, y + d, "end") for d in (-7, 17)]
    return near + wide


def _box(point: Point, x: float, y: float, anchor: str) -> tuple[float, float, float, float]:
    width = sum(9.6 if letter.isupper() or letter in "+mw@%" else 7.4 for letter in point.label)
    left = {"start": x, "end": x - width, "middle": x - width / 2}[anchor]
    return left, y - _LINE + 4, left + width, y + 3


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
