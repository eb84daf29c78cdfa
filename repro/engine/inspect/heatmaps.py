"""Rows of small square heatmaps as PNG, each with its numbers written in."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from repro.engine.inspect.strips import COLOURS

_SIDE, _LABEL, _AXIS, _GAP, _HEAD = 1.7, 1.5, 0.45, 0.5, 0.35  # inches
_DPI = 110
_LIGHT = 0.6


@dataclass(frozen=True)
class Panel:
    """One heatmap."""

    title: str
    values: np.ndarray
    """(rows, columns), not negative."""


@dataclass(frozen=True)
class Row:
    """Heatmaps side by side."""

    title: str
    panels: tuple[Panel, ...]


def draw(rows: Sequence[Row], down: Sequence[str], across: Sequence[str]) -> bytes:
    """PNG; `down` and `across` name the rows and columns of every heatmap. The same input gives the same bytes."""
    from matplotlib.figure import Figure

    count = max(len(row.panels) for row in rows)
    width = _LABEL + count * (_SIDE + _AXIS + 0.1) + 0.1
    height = _HEAD + len(rows) * (_SIDE + _GAP)
    figure = Figure(figsize=(width, height), dpi=_DPI, facecolor="white")
    for number, row in enumerate(rows):
        bottom = height - _HEAD - _SIDE - number * (_SIDE + _GAP)
        title = textwrap.fill(row.title, 18)
        figure.text(0.06 / width, (bottom + _SIDE / 2) / height, title, fontsize=8, fontweight="bold", va="center")
        for place, panel in enumerate(row.panels):
            left = _LABEL + _AXIS + place * (_SIDE + _AXIS + 0.1)
            axes = figure.add_axes((left / width, bottom / height, _SIDE / width, _SIDE / height))
            _heatmap(axes, panel, down, across)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _heatmap(axes: Any, panel: Panel, down: Sequence[str], across: Sequence[str]) -> None:
    most = float(panel.values.max()) or 1.0
    axes.imshow(panel.values / most, cmap=COLOURS, vmin=0.0, vmax=1.0)
    axes.set_title(panel.title, fontsize=8, pad=3)
    axes.set_xticks(range(len(across)), across, fontsize=6.5)
    axes.set_yticks(range(len(down)), down, fontsize=6.5)
    axes.tick_params(length=0, pad=2)
    for (y, x), value in np.ndenumerate(panel.values):
        colour = "black" if value / most > _LIGHT else "white"
        axes.text(x, y, f"{value:.3g}", ha="center", va="center", fontsize=6, color=colour)
