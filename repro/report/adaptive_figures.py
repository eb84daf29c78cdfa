"""Figures of networks that decide what they compute: accuracy against cost, shares of actions, shares by block.

AdaFuse's Figures 2 to 4, drawn from records and printed values; nothing is computed here but means, quotients and the
trend through the blocks. Costs and shares stand under `cost` of an accuracy's results (`repro.cost.dynamic`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from repro.evidence.aggregate import cubic_trend, mean_of
from repro.evidence.metric import look_up
from repro.papers import published
from repro.records.schema import Record
from repro.report.drawing import Drawing, Source, style
from repro.report.plots import LEFT, RIGHT, TOP, WIDTH, Axis, Dot, axis, scatter, svg

_Found = tuple[str, float, float, float, str]
"""Label, cost, top-1, millions of parameters, style."""
ACTIONS = ("skip", "reuse", "keep")
_COLOURS = {"skip": "#d98880", "reuse": "#e5b558", "keep": "#7fb3d5"}
_LARGEST = 22.0
"""Radius of the largest bubble."""
_SHARES_LEFT, _SHARES_STEP = 250, 24
_PANEL = 118
_PRINTED_QUOTIENTS = "adafuse_fig3_text"
_PRINTED = ("gflops", "top1", "params_m")
#: the dataset of Figure 2
_DRAWN = "sthv1"


def bubbles(source: Source) -> Iterator[Drawing]:
    """Figure 2, as printed."""
    if source.layout.paper != "adafuse":
        return
    title = "Accuracy against GFLOPs on Something-Something V1, as printed (Figure 2)"
    note = "Printed values; the diameter is proportional to the printed parameters."
    found = _printed_bubbles(source)
    largest = max((params for *_, params, _ in found), default=1.0)
    dots = [
        Dot(
            str(number), label, x, y, f"{label}: {x:.4g}, {y:.4g} %, {params:.4g} M parameters", kind,
            max(2.0, _LARGEST * params / largest),
        )
        for number, (label, x, y, params, kind) in enumerate(found)
    ]  # fmt: skip
    dots.sort(key=lambda dot: -dot.radius)  # small ones in front
    made = scatter(dots, title, ("GFLOPs of one clip", "top-1, %"), f"{source.anchor}-bubbles-printed")
    if made is not None:
        yield Drawing(title, note, made)


def _printed_bubbles(source: Source) -> list[_Found]:
    """Rows of Figure 2's dataset that print GFLOPs, top-1 and parameters."""
    table = published.load(source.layout.published_csv)
    found: list[_Found] = []
    for layout, row in zip(source.layout.rows, source.table.rows, strict=True):
        values = [table.number(layout.published_row, name) for name in _PRINTED]
        numbers = [value.number for value in values if value is not None and value.number is not None]
        if table.dataset(layout.published_row) == _DRAWN and len(numbers) == len(values):
            x, y, params = numbers
            found.append((_short(row.label), x, y, params, style(row)))
    return found


def _short(label: str) -> str:
    """A row's label without the dataset before it."""
    return label.rpartition(": ")[2]


@dataclass(frozen=True)
class Bar:
    """What one network decided on one dataset."""

    label: str
    shares: tuple[float, float, float]

    @property
    def behind(self) -> str:
        """Reuse / keep, the mixture that AdaFuse's Figure 3 compares."""
        _, reuse, keep = self.shares
        if not reuse:
            return "no reuse"
        return f"{reuse / keep:.3f}" if keep else "no keep"

    @property
    def told(self) -> str:
        """In words."""
        parts = ", ".join(f"{name} {share:.1%}" for name, share in zip(ACTIONS, self.shares, strict=True))
        return f"{self.label}: {parts}, reuse / keep {self.behind}"

    def parts(self) -> list[tuple[float, float, str]]:
        """Start, width (both from 0 to 1) and colour of its pieces, from the left."""
        starts = (0.0, self.shares[0], self.shares[0] + self.shares[1])
        return list(zip(starts, self.shares, _COLOURS.values(), strict=True))


def shares(source: Source) -> Iterator[Drawing]:
    """Figure 3: skip, reuse and keep of every network that tells them, on every dataset that it was tested on."""
    bars = [Bar(label, found) for label, found in _decided(source).items()]
    if not bars:
        return
    title = "What channels do: skip, reuse, keep (Figure 3)"
    made = svg(
        "shares.svg",
        prefix=f"{source.anchor}-shares",
        title=title,
        bars=bars,
        legend=list(_COLOURS.items()),
        left=_SHARES_LEFT,
        across=WIDTH - _SHARES_LEFT - 64,
        step=_SHARES_STEP,
        top=TOP,
        height=TOP + _SHARES_STEP * len(bars) + 46,
    )
    yield Drawing(title, f"Measured here, means over the videos and seeds. {_printed_quotients()}".strip(), made)


def _decided(source: Source) -> dict[str, tuple[float, float, float]]:
    """Label -> shares; an experiment that several rows share counts once."""
    found: dict[str, tuple[float, float, float]] = {}
    seen: set[str] = set()
    for layout in source.layout.rows:
        for cell, experiment in layout.cells.items():
            records = source.done(layout.key, cell)
            values = [mean_of(records, f"cost.mean.{action}") for action in ACTIONS] if records else [None]
            if None in values or experiment.id in seen:
                continue
            seen.add(experiment.id)
            found[f"{_short(layout.label)}, {cell}"] = tuple(values)  # type: ignore[assignment]
    return found


def _printed_quotients() -> str:
    """The quotients beside Figure 3, as a sentence."""
    table = published.load(_PRINTED_QUOTIENTS)
    values = {key: table.value(key, "value") for key in table.rows}
    told = ", ".join(f"{key} {value.text}" for key, value in values.items() if value is not None)
    return f"Printed quotients of reuse and keep, ResNet-50: {told}."


@dataclass(frozen=True)
class BlockBar:
    """One block of one panel, in the drawing's coordinates."""

    x: float
    width: float
    share: float
    constant: float
    label: str
    """Empty where there is no room for it."""
    told: str


@dataclass(frozen=True)
class Panel:
    """One action over the blocks."""

    action: str
    colour: str
    y: Axis
    bars: tuple[BlockBar, ...]
    trend: str
    told: str


def blocks(source: Source) -> Iterator[Drawing]:
    """Figure 4: shares in each gated block, their trend, and the part that stays the same over the clip."""
    seen: set[str] = set()
    for layout in source.layout.rows:
        for cell, experiment in layout.cells.items():
            records = source.done(layout.key, cell)
            names = _block_names(records[0]) if records else []
            if experiment.model.method != "adafuse" or experiment.id in seen or len(names) < 2:
                continue
            seen.add(experiment.id)
            taken = [action for action in ACTIONS if mean_of(records, f"cost.mean.{action}")]
            panels = [_panel(action, names, records) for action in taken]
            where = f"{_short(layout.label)}, {cell}"
            title = f"Shares by block, {where} (as Figure 4)"
            made = svg(
                "blocks.svg", prefix=f"{source.anchor}-blocks-{layout.key}-{cell}", title=title, panels=panels,
                panel_height=_PANEL, left=LEFT, right=WIDTH - RIGHT, height=_PANEL * len(panels) + 6,
            )  # fmt: skip
            note = (
                "Measured here, means over the videos and seeds. Dark: channels that do this in every frame of the "
                "clip. Dashed: polynomial of third order through the blocks."
            )
            yield Drawing(title, note, made, folded=True)


def _block_names(record: Record) -> list[str]:
    """Gated blocks in the order of the network."""
    mean = look_up(record.results, "cost.mean") or {}
    return [name.removesuffix(".skip") for name in mean if name.endswith(".skip") and f"{name}_constant" in mean]


def _panel(action: str, names: Sequence[str], records: Sequence[Record]) -> Panel:
    share = [100 * (mean_of(records, f"cost.mean.{name}.{action}") or 0.0) for name in names]
    constant = [100 * (mean_of(records, f"cost.mean.{name}.{action}_constant") or 0.0) for name in names]
    trend = cubic_trend(share)
    y = axis([0.0, *share, *(max(value, 0.0) for _, value in trend)], _PANEL - 24.0, 18.0)
    step = (WIDTH - RIGHT - LEFT) / len(names)
    every = max(1, math.ceil(len(names) / 8))
    bars = tuple(
        BlockBar(
            LEFT + step * (n + 0.1), step * 0.8, y(share[n]), y(constant[n]),
            name.removeprefix("layer") if n % every == 0 or n == len(names) - 1 else "",
            f"{name}: {action} {share[n]:.1f} %, constant over the clip {constant[n]:.1f} %",
        )
        for n, name in enumerate(names)
    )  # fmt: skip
    line = "L".join(f"{LEFT + step * (at + 0.5):.1f} {y(min(max(value, y.first), y.last)):.1f}" for at, value in trend)
    told = f"{action}: " + "; ".join(bar.told for bar in bars) + "."
    return Panel(action, _COLOURS[action], y, bars, line, told)


MAKERS = (bubbles, shares, blocks)
