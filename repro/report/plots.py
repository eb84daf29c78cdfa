"""Plots as inline SVG: scatter with Pareto front, dots of seeds, small curves. Colours are the page's style sheet's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from markupsafe import Markup

from repro.report.html import environment

WIDTH, HEIGHT = 520, 360
LEFT, RIGHT, TOP, BOTTOM = 58, 26, 12, 50
#: of a strip: room for labels, height of a line
STRIP_LEFT, STRIP = 190, 22
#: more dots than this: only those on the front have labels, the others are told on hovering and in the description
CROWD = 24
#: small plots side by side
PANELS = 4
_LINE = 15.0
#: a longer range than this is drawn on a logarithmic axis
_LOG_FROM = 20.0
#: values this far apart have two ticks a decade, not three
_WIDE = 400


Cheap = Literal["lower", "higher"]


@dataclass(frozen=True)
class Dot:
    """A network of a scatter plot, in its own units or, once it is placed, in the drawing's."""

    key: str
    label: str
    x: float
    y: float
    told: str
    """Label and both values, for the title and for those who do not see the plot."""
    style: str
    """quoted, host or method."""
    radius: float = 5.0
    """In the drawing."""
    label_x: float | None = None
    """Place of its label in the drawing, where there was one free."""
    label_y: float | None = None
    anchor: str = "start"


@dataclass(frozen=True)
class Strip:
    """A network and its value for each seed."""

    label: str
    values: tuple[float, ...]
    style: str

    @property
    def mean(self) -> float:
        """Over the seeds."""
        return math.fsum(self.values) / len(self.values)

    @property
    def told(self) -> str:
        """In words."""
        return f"{self.label}: {', '.join(f'{value:.4g}' for value in self.values)}"


@dataclass(frozen=True)
class Track:
    """A network and its curve for each seed."""

    label: str
    lines: tuple[tuple[tuple[float, float], ...], ...]
    style: str

    @property
    def told(self) -> str:
        """Where the curves end."""
        return f"{self.label}: ends at {', '.join(f'{line[-1][1]:.4g}' for line in self.lines if line)}"


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


def axis(values: Sequence[float], low: float, high: float) -> Axis:
    """An axis with round ticks that holds all values."""
    smallest, largest = min(values), max(values)
    if smallest > 0 and largest / smallest > _LOG_FROM:
        powers = range(math.floor(math.log10(smallest)), math.ceil(math.log10(largest)) + 1)
        digits = (1, 2, 5) if largest / smallest < _WIDE else (1, 3)
        marks = [digit * 10.0**power for power in powers for digit in digits]
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


def scatter(
    dots: Sequence[Dot],
    title: str,
    names: tuple[str, str],
    prefix: str,
    *,
    pairs: Sequence[tuple[str, str]] = (),
    cheap: Cheap = "lower",
) -> Markup | None:
    """Scatter plot of dots with the Pareto front; None for fewer than two dots.

    `names` are those of the axes; `pairs` joins dots by their keys; `cheap` says which end of x is better, "lower" or
    "higher".
    """
    if len(dots) < 2:
        return None
    x_axis = axis([dot.x for dot in dots], LEFT, WIDTH - RIGHT)
    y_axis = axis([dot.y for dot in dots], HEIGHT - BOTTOM, TOP)
    best = front(dots, cheap)
    points = {
        dot.key: replace(dot, x=x_axis(dot.x), y=y_axis(dot.y), style=dot.style + " front" * (dot in best))
        for dot in dots
    }
    lines = [(points[a], points[b]) for a, b in pairs if a in points and b in points]
    steps = [points[dot.key] for dot in best] if len(best) > 1 else []
    return svg(
        "scatter.svg", prefix=prefix, title=title, axes=(x_axis, y_axis), points=_labelled(list(points.values())),
        lines=lines, steps=steps, names=names, cheap=cheap,
    )  # fmt: skip


def front(dots: Sequence[Dot], cheap: Cheap = "lower") -> list[Dot]:
    """Dots to which no other is better in one coordinate and at least equal in the other, cheapest first.

    Higher y is better; of x the end that `cheap` names. Of dots at the same place the first counts.
    """
    sign = 1 if cheap == "lower" else -1
    best: list[Dot] = []
    for dot in sorted(dots, key=lambda dot: (sign * dot.x, -dot.y)):
        if not best or dot.y > best[-1].y:
            best.append(dot)
    return best


def strips(lines: Sequence[Strip], title: str, name: str, prefix: str) -> Markup | None:
    """A line for each network with a dot for each seed and a stroke at the mean; None without values."""
    lines = [line for line in lines if line.values]
    if not lines:
        return None
    across = axis([value for line in lines for value in line.values], STRIP_LEFT, WIDTH - RIGHT)
    height = STRIP * len(lines) + TOP + BOTTOM
    return svg("strips.svg", prefix=prefix, title=title, name=name, x=across, lines=lines, step=STRIP, top=TOP,
               height=height)  # fmt: skip


def panels(tracks: Sequence[Track], title: str, names: tuple[str, str], prefix: str) -> Markup | None:
    """Small plots with common axes, one for each network, a line for each seed; None without lines."""
    tracks = [track for track in tracks if any(len(line) > 1 for line in track.lines)]
    if not tracks:
        return None
    flat = [point for track in tracks for line in track.lines for point in line]
    x_axis, y_axis = axis([x for x, _ in flat], 34, 124), axis([y for _, y in flat], 84, 20)
    drawn = []
    for number, track in enumerate(tracks):
        lines = [" ".join(f"{x_axis(x):.1f},{y_axis(y):.1f}" for x, y in line) for line in track.lines]
        drawn.append((number % PANELS * 130, number // PANELS * 112, track, lines))
    height = (len(tracks) + PANELS - 1) // PANELS * 112 + 20
    return svg("panels.svg", prefix=prefix, title=title, names=names, axes=(x_axis, y_axis), drawn=drawn,
               height=height)  # fmt: skip


def is_number(value: object) -> bool:
    """Whether a value of a record can be drawn."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def svg(template: str, **facts: Any) -> Markup:
    """A drawing of this package's templates, which escape every text themselves."""
    text = environment().get_template(template).render(width=WIDTH, plot_height=HEIGHT, **facts)
    return Markup(text.strip())


def _labelled(points: list[Dot]) -> list[Dot]:
    """Labels beside their points, each at the first free place, the rows that were run first.

    A label that finds no place is left to the point's title, which shows on hovering and to screen readers.
    """
    taken = [(p.x - p.radius, p.y - p.radius, p.x + p.radius, p.y + p.radius) for p in points]
    placed = []
    for point in sorted(points, key=lambda point: ("front" not in point.style, point.style == "quoted")):
        wanted = len(points) <= CROWD or "front" in point.style
        for x, y, anchor in _places(point) if wanted else ():
            box = _box(point, x, y, anchor)
            inside = box[0] >= LEFT and box[2] <= WIDTH and box[1] >= 0 and box[3] <= HEIGHT - BOTTOM
            if inside and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                point = replace(point, label_x=x, label_y=y, anchor=anchor)
                break
        placed.append(point)
    return placed


def _places(point: Dot) -> list[tuple[float, float, str]]:
    x, y, r = point.x, point.y, point.radius
    near = [(x + r + 3, y + 5, "start"), (x - r - 3, y + 5, "end"), (x, y - r - 4, "middle"), (x, y + r + 13, "middle")]
    wide = [(x + r + 2, y + d, "start") for d in (-7, 17)] + [(x - r - 2, y + d, "end") for d in (-7, 17)]
    return near + wide


def _box(point: Dot, x: float, y: float, anchor: str) -> tuple[float, float, float, float]:
    width = sum(9.6 if letter.isupper() or letter in "+mw@%" else 7.4 for letter in point.label)
    left = {"start": x, "end": x - width, "middle": x - width / 2}[anchor]
    return left, y - _LINE + 4, left + width, y + 3


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
