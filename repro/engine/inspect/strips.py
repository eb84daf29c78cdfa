"""Frame strips as PNG: a row of frames, and a row for each network with its heat laid over them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

#: perceptually uniform, and readable by the colour-blind: its lightness rises evenly
COLOURS = "inferno"
_MOST_COVER = 0.85
_DIM = 0.75
_CELL, _LABEL, _BAR, _HEAD, _FOOT = 1.0, 1.75, 0.75, 0.3, 0.12  # inches
_GAP = 0.04
_DPI = 130


@dataclass(frozen=True)
class Row:
    """One row of a strip."""

    title: str
    lines: tuple[str, ...]
    """Small text below the title."""
    pictures: np.ndarray
    """uint8 (T, H, W, 3)."""


def overlay(frames: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Heat (T, H, W) of 0..1 over frames uint8 (T, H, W, 3): colour and cover grow with the heat, 0 leaves grey."""
    from matplotlib import colormaps

    grey = frames.astype(np.float64) @ np.array([0.299, 0.587, 0.114]) / 255 * _DIM
    heat = np.clip(heat, 0.0, 1.0)
    cover = _MOST_COVER * heat[..., None]
    mixed = (1 - cover) * grey[..., None] + cover * colormaps[COLOURS](heat)[..., :3]
    return np.round(mixed * 255).astype(np.uint8)


def evenly(count: int, most: int) -> list[int]:
    """At most `most` of `count` positions, evenly spread."""
    if count <= most:
        return list(range(count))
    return [int((2 * n + 1) * count / (2 * most)) for n in range(most)]


def draw(rows: Sequence[Row], columns: Sequence[str], *, note: str = "") -> bytes:
    """PNG of the rows, each as many pictures as there are column titles; the same input gives the same bytes."""
    from matplotlib.figure import Figure

    tall = _CELL * rows[0].pictures.shape[1] / rows[0].pictures.shape[2]
    foot = _FOOT + (0.2 if note else 0.0)
    width = _LABEL + len(columns) * (_CELL + _GAP) + _BAR
    height = _HEAD + len(rows) * (tall + _GAP) + foot
    figure = Figure(figsize=(width, height), dpi=_DPI, facecolor="white")
    for number, row in enumerate(rows):
        bottom = height - _HEAD - (number + 1) * tall - number * _GAP
        _label(figure, row, 0.06 / width, (bottom + tall) / height, height)
        for column, picture in enumerate(row.pictures):
            left = _LABEL + column * (_CELL + _GAP)
            axes = figure.add_axes((left / width, bottom / height, _CELL / width, tall / height))
            axes.imshow(picture, interpolation="nearest")
            axes.set_axis_off()
            if number == 0:
                axes.set_title(columns[column], fontsize=7, pad=3)
    if len(rows) > 1:
        _bar(
            figure, (width - _BAR + 0.12) / width, foot / height, 0.1 / width, (len(rows) - 1) * (tall + _GAP) / height
        )
    if note:
        figure.text(0.06 / width, 0.07 / height, note, fontsize=6.5, color="#444444", va="bottom")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _label(figure: Any, row: Row, left: float, top: float, height: float) -> None:
    figure.text(left, top - 0.02 / height, row.title, fontsize=9, fontweight="bold", va="top")
    for number, line in enumerate(row.lines):
        below = top - (0.21 + 0.15 * number) / height
        figure.text(left, below, line, fontsize=7.5, va="top")


def _bar(figure: Any, left: float, bottom: float, width: float, height: float) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    axes = figure.add_axes((left, bottom, width, height))
    bar = figure.colorbar(ScalarMappable(Normalize(0, 1), COLOURS), cax=axes, ticks=[0, 0.5, 1])
    bar.ax.tick_params(labelsize=6.5, length=2)
    bar.set_label("evidence, share of the most", fontsize=6.5)
