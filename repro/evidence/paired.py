"""What paired runs say of a difference: seed by seed, with the test videos as a second source of chance. Pure.

Both arms of a question share their seeds, so that what a seed decides for both (order of videos, crops, first weights)
falls out. Of y (S, N), what the contrast is on video i at seed s in points, the parts are

    y[s, i] = difference + seed[s] + video[i] + rest[s, i]

The interval over seeds (Student's t of the S means) leaves the test videos as they are, the bootstrap over videos the
trained networks. The verdict counts both: its squared error is s^2 / S + v^2, v^2 the variance of the mean of
video[i], with the degrees of freedom of Satterthwaite.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from repro.core.errors import BadOption
from repro.evidence.stats import BELOW, ENDS, LEVEL, POWER, Interval, holm, t_below, t_interval, t_quantile

Word = Literal["higher", "lower", "undecided"]
#: seeds, at the most, that are asked for
_MOST = 1000


@dataclass(frozen=True)
class Contrast:
    """A difference (or another linear contrast) of runs that share their seeds."""

    seeds: Interval
    """Student's t over the seeds: value, 95 % interval, how many."""
    error: float
    """Standard error of seeds and test videos together."""
    p: float
    """Two-sided, of no difference, by `error`."""
    smallest: float
    """The smallest true difference that a design of this error finds with power 0.8 at 5 %."""
    whole: float
    """Half the width of the 95 % interval by `error`."""

    @property
    def half(self) -> float:
        """Half the width of the interval over seeds."""
        return (self.seeds.high - self.seeds.low) / 2


def contrast(per_seed: np.ndarray, of_videos: float = 0.0, videos: float = math.inf) -> Contrast:
    """Of the contrast at each seed, (S,), with the variance that the test videos add (`video_variance`), of how many.

    By default there are so many that their variance is known.
    """
    over = t_interval(per_seed)
    of_seeds = float(np.var(per_seed, ddof=1)) / over.n
    error = math.sqrt(of_seeds + of_videos)
    if error == 0:
        return Contrast(over, 0.0, float(over.value == 0), 0.0, 0.0)
    spread = of_seeds**2 / (over.n - 1) + of_videos**2 / (videos - 1)
    freedom = (of_seeds + of_videos) ** 2 / spread if spread > 0 else 1e9
    p = 2 * t_below(freedom, -abs(over.value) / error)
    return Contrast(over, error, p, smallest(error, freedom), error * t_quantile(freedom, BELOW))


def video_variance(per_video: np.ndarray) -> float:
    """Variance of the mean over videos of what a video adds at all seeds, from y (S, N): what seeds do not lessen.

    The variance of the seeds' mean at each video holds a share of the rest, 1 / S, which the deviation over the seeds
    counts already; it is taken off.
    """
    y = np.asarray(per_video, float)
    if y.ndim != 2 or min(y.shape) < 2:
        raise BadOption(f"contrasts of {y.shape}", allowed="(seeds, videos), two of each or more")
    seeds, videos = y.shape
    rest = y - y.mean(0) - y.mean(1, keepdims=True) + y.mean()
    of_rest = float((rest**2).sum()) / ((seeds - 1) * (videos - 1))
    return max(0.0, float(y.mean(0).var(ddof=1)) - of_rest / seeds) / videos


def over_videos(per_video: np.ndarray, rng: np.random.Generator, resamples: int = 10_000) -> Interval:
    """Percentile bootstrap over test videos inside seeds: each draw takes the same videos of every seed, (S, N)."""
    mean = np.asarray(per_video, float).mean(0)
    values, counts = np.unique(mean, return_counts=True)
    drawn = rng.multinomial(mean.size, counts / mean.size, size=resamples) @ values / mean.size
    low, high = np.quantile(drawn, ENDS)
    return Interval(float(mean.mean()), float(low), float(high), mean.size, "paired bootstrap")


def smallest(error: float, freedom: float) -> float:
    """The true difference that a two-sided t test at 5 % finds with power 0.8, by the usual sum of two quantiles."""
    return error * (t_quantile(freedom, 1 - LEVEL / 2) + t_quantile(freedom, POWER))


def seen_at(width: float, seeds: int) -> float:
    """The same, of a design whose interval over `seeds` is `width` wide: what a declaration promises to see."""
    return smallest(width / 2 / t_quantile(seeds - 1, 1 - LEVEL / 2), seeds - 1)


def corrected(p_values: Sequence[float], family: int) -> list[float]:
    """Holm over a family of `family` questions, of which these are answered; the open ones count as not found."""
    return [float(p) for p in holm(np.array([*p_values, *[1.0] * (family - len(p_values))]))[: len(p_values)]]


def verdict(found: Contrast, p_corrected: float, width: float) -> Word:
    """`higher` or `lower` where Holm's p is below 5 % and the interval over seeds is no wider than was declared."""
    if p_corrected >= LEVEL or found.seeds.high - found.seeds.low > width:
        return "undecided"
    return "higher" if found.seeds.value > 0 else "lower"


def would_decide(found: Contrast, width: float, sure: bool) -> str:
    """In words: seeds for an interval of the declared width, or for a true difference of the size that was found.

    `sure`: whether only the width is missing.
    """
    deviation = found.half / t_quantile(found.seeds.n - 1, 1 - LEVEL / 2) * math.sqrt(found.seeds.n)
    if found.seeds.high - found.seeds.low > width:
        wanted = _first(lambda n: 2 * t_quantile(n - 1, 1 - LEVEL / 2) * deviation / math.sqrt(n) <= width)
        told = f"{wanted} seeds for an interval of {width:g}"
        return told if sure else f"{told}, if the difference is as large as it seems"
    size = abs(found.seeds.value)
    if not size:
        return "no number of seeds: the means are the same"
    wanted = _first(lambda n: smallest(deviation / math.sqrt(n), n - 1) <= size)
    most = max(abs(found.seeds.low), abs(found.seeds.high))
    return f"{wanted} seeds, were the difference {size:.2g}; it is at most {most:.2g} by its interval"


def _first(enough: Callable[[int], bool]) -> str:
    return next((str(n) for n in range(2, _MOST) if enough(n)), f"over {_MOST}")
