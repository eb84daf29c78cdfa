"""Whether a training came to its end: a plateau over the seeds and, where one is declared, a mark that is reached.

A network that has just begun to learn says nothing of its mechanism. What is not trained enters no comparison.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

#: points of training accuracy by which the last tenth of the epochs may differ from the tenth before
PLATEAU = 1.0
Curve = Sequence[Mapping[str, Any]]


def last_tenths(curve: Curve) -> tuple[float, float]:
    """Mean training accuracy (percent) of the last tenth of the epochs, rounded up, and of the tenth before."""
    rates = [float(point["top1"]) for point in curve if point.get("top1") is not None]
    tenth = math.ceil(len(rates) / 10)
    if not rates or len(rates) < 2 * tenth:
        return math.nan, math.nan
    return float(np.mean(rates[-tenth:])), float(np.mean(rates[-2 * tenth : -tenth]))


def untrained(curves: Sequence[Curve], mark: float | None = None) -> str | None:
    """Why the trainings of one cell, a curve a seed, count as not trained; None if they do count."""
    if not curves:
        return "not trained: no training"
    last, before = np.mean([last_tenths(curve) for curve in curves], axis=0)
    if math.isnan(last):
        return "not trained: too few epochs to tell a plateau"
    if abs(last - before) > PLATEAU:
        return f"not trained: accuracy in training still moves, {before:.1f} to {last:.1f} % in the last fifth"
    if mark is not None and last < mark:
        return f"not trained: {last:.1f} % in training, the mark is {mark:.1f}"
    return None
