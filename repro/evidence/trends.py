"""Whether the gain of a method grows or falls along a number, such as the clips on a device: pure functions."""

from __future__ import annotations

from typing import Literal

import numpy as np

from repro.core.errors import BadOption
from repro.evidence.stats import Interval, t_interval

Verdict = Literal["supported", "contradicted", "undecided"]


def slopes(x: np.ndarray, gains: np.ndarray) -> np.ndarray:
    """Least-squares slope over x (P,) of each row of gains (S, P): one slope a seed, (S,)."""
    x, gains = np.asarray(x, float), np.asarray(gains, float)
    if x.ndim != 1 or gains.ndim != 2 or gains.shape[1] != x.size or x.size < 2 or np.ptp(x) == 0:
        raise BadOption(f"x of {x.shape}, gains of {gains.shape}", allowed="(P,) with two values or more, and (S, P)")
    centred = x - x.mean()
    return np.asarray((gains - gains.mean(1, keepdims=True)) @ centred / (centred @ centred))


def trend(x: np.ndarray, host: np.ndarray, method: np.ndarray, confidence: float = 0.95) -> Interval:
    """Slope of (method - host) along x, both (S, P) with a seed a row, and Student's t interval over the seeds.

    A seed gives one slope, so that what a seed shares between its runs does not count as agreement of several.
    """
    host, method = np.asarray(host, float), np.asarray(method, float)
    if host.shape != method.shape:
        raise BadOption(f"results of {host.shape} and {method.shape}", allowed="the same seeds at the same points")
    return t_interval(slopes(x, method - host), confidence)


def verdict(interval: Interval, sign: int) -> Verdict:
    """`supported` if the whole interval has the claimed sign, `contradicted` if it has the other, else undecided."""
    low, high = sorted((interval.low * sign, interval.high * sign))
    return "supported" if low > 0 else "contradicted" if high < 0 else "undecided"
