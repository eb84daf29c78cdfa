"""How many seeds would decide a question that is not, from the deviation that its seeds have."""

from __future__ import annotations

import math
from collections.abc import Callable

from repro.evidence.paired import LEVEL, Contrast, smallest
from repro.evidence.stats import t_quantile

_MOST = 1000


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
