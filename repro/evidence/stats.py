"""How sure a number is: pure functions over numpy arrays; a generator is passed in where chance is used.

Percentages stay percentages: a top-1 of 71.65 comes with an interval in the same unit.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from repro.core.errors import BadOption

#: all intervals are of 95 %: shares at their ends, and what lies below the upper one
ENDS = ((1 - 0.95) / 2, (1 + 0.95) / 2)
BELOW = ENDS[1]
#: of tests: share of false alarms, and of true differences that are found
LEVEL, POWER = 0.05, 0.8


@dataclass(frozen=True)
class Interval:
    """A value with the ends of its confidence interval, how it was made, and from how many values."""

    value: float
    low: float
    high: float
    n: int
    method: str


def t_quantile(freedom: float, share: float) -> float:
    """The value below which `share` of Student's t lies."""
    from scipy import special  # a slow import, of which a table of single runs needs nothing

    return float(special.stdtrit(freedom, share))


def t_below(freedom: float, value: float) -> float:
    """The share of Student's t below `value`."""
    from scipy import special

    return float(special.stdtr(freedom, value))


def t_interval(values: np.ndarray) -> Interval:
    """Student's 95 % interval of a mean; needs two values or more."""
    x = _finite(values)
    half = t_quantile(x.size - 1, BELOW) * x.std(ddof=1) / math.sqrt(x.size)
    return Interval(float(x.mean()), float(x.mean() - half), float(x.mean() + half), int(x.size), "t")


def prediction_interval(values: np.ndarray) -> Interval:
    """Where the next single run of the same kind lies (95 %); needs two values or more."""
    x = _finite(values)
    half = t_quantile(x.size - 1, BELOW) * x.std(ddof=1) * math.sqrt(1 + 1 / x.size)
    return Interval(float(x.mean()), float(x.mean() - half), float(x.mean() + half), int(x.size), "prediction")


def wilson_interval(correct: int, total: int) -> Interval:
    """Wilson's 95 % interval of a share, in percent: what the size of the test set alone leaves open."""
    if not 0 <= correct <= total or total < 1:
        raise BadOption(f"{correct} correct of {total} videos", allowed="0 <= correct <= total, total > 0")
    p, z = correct / total, NormalDist().inv_cdf(BELOW)
    centre, scale = 2 * total * p + z**2, 2 * (total + z**2)
    half = z * math.sqrt(4 * total * p * (1 - p) + z**2)
    low = 0.0 if correct == 0 else (centre - half) / scale
    high = 1.0 if correct == total else (centre + half) / scale
    return Interval(100 * p, 100 * low, 100 * high, total, "Wilson")


def mcnemar(a_correct: np.ndarray, b_correct: np.ndarray) -> float:
    """Exact McNemar test of two networks on the same videos: p of the split of the videos that only one has right."""
    from scipy import stats

    a, b = _pair(a_correct, b_correct)
    only_a, only_b = int((a & ~b).sum()), int((~a & b).sum())
    return 1.0 if only_a + only_b == 0 else float(stats.binomtest(only_a, only_a + only_b).pvalue)


def paired_difference(
    a_correct: np.ndarray, b_correct: np.ndarray, rng: np.random.Generator, resamples: int = 10_000
) -> Interval:
    """Top-1 of b minus that of a in points, with the percentile bootstrap (95 %) over the videos that both scored."""
    a, b = _pair(a_correct, b_correct)
    gain, loss, n = int((~a & b).sum()), int((a & ~b).sum()), a.size
    drawn = rng.multinomial(n, [gain / n, loss / n, 1 - (gain + loss) / n], size=resamples)
    differences = 100 * (drawn[:, 0] - drawn[:, 1]) / n
    low, high = np.quantile(differences, ENDS)
    return Interval(100 * (gain - loss) / n, float(low), float(high), n, "paired bootstrap")


def holm(p_values: np.ndarray) -> np.ndarray:
    """Holm's step-down correction of several p values, in their own order."""
    p = np.asarray(p_values, float)
    if p.ndim != 1 or ((p < 0) | (p > 1)).any():
        raise BadOption("p values have to be a list of numbers from 0 to 1")
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate((p.size - np.arange(p.size)) * p[order])
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(stepped, 1.0)
    return corrected


def seeds_needed(difference: float, deviation: float, *, fixed: float = 0.0) -> int | None:
    """Seeds of each of two networks at which a two-sided test at 5 % finds a true `difference` with power 0.8.

    `deviation` is one seed's; `fixed` the deviation of the difference that more seeds do not lessen, such as that of
    the test set. With n seeds the difference has the variance v = 2 deviation^2 / n + fixed^2; the power is that of the
    noncentral t test (Cohen 1988, section 2.3) with shift difference / sqrt(v) and the degrees of freedom of Welch and
    Satterthwaite, the fixed part counting as known. None: no number of seeds up to 10,000 is enough.
    """
    if difference == 0 or deviation < 0 or fixed < 0:
        raise BadOption(
            f"difference {difference}, deviation {deviation}, fixed {fixed}",
            allowed="difference not 0, deviation and fixed >= 0",
        )
    if power_of(10_000, difference, deviation, fixed) < POWER:
        return None

    def enough(n: int) -> bool:  # power grows with n
        return power_of(n, difference, deviation, fixed) >= POWER

    return bisect_left(range(10_001), True, lo=2, key=enough)


def power_of(n: int, difference: float, deviation: float, fixed: float) -> float:
    """Chance of finding a difference with n seeds a side: of seeds by Welch's t, and of what stays the same in all."""
    of_seeds = 2 * max(deviation, 1e-12) ** 2 / n
    variance = of_seeds + fixed**2
    freedom = (2 * n - 2) * (variance / of_seeds) ** 2
    shift = abs(difference) / math.sqrt(variance)
    limit = t_quantile(freedom, 1 - LEVEL / 2)
    from scipy import stats

    if freedom > 5e3 or shift > limit + 8:  # scipy's noncentral t fails there, and the normal differs by under 1e-3
        return float(stats.norm.sf(limit - shift) + stats.norm.cdf(-limit - shift))
    other_side = stats.nct.cdf(-limit, freedom, shift) if shift < 4 else 0.0  # nothing there, and scipy may say NaN
    return float(1 - stats.nct.cdf(limit, freedom, shift) + other_side)


def _finite(values: np.ndarray) -> np.ndarray:
    x = np.asarray(values, float).ravel()
    if x.size < 2 or not np.isfinite(x).all():
        raise BadOption(f"{x.size} values, finite: {bool(np.isfinite(x).all())}", allowed="2 finite or more")
    return x


def _pair(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.asarray(a, bool), np.asarray(b, bool)
    if x.shape != y.shape or x.ndim != 1 or x.size == 0:
        raise BadOption(f"results of {x.shape} and {y.shape} videos", allowed="the same videos in the same order")
    return x, y
