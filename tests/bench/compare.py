"""A run of the timings against the last stored one of the same machine: ratios with their spread, regressions named.

Seconds are those that pytest-benchmark kept of every round. The spread of a ratio is the middle 90 % of what it would
be with rounds drawn again from both runs (bootstrap of the medians).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

#: a timing that takes this much longer than before, by its median and by its spread, is a regression
SLOWER = 1.1
_DRAWN = 1000
#: runs that are kept of a machine
_KEPT = 5

Run = Mapping[str, list[float]]
"""Name of a timing -> seconds of its rounds."""


def last(folder: Path) -> tuple[str, Run] | None:
    """When the newest stored run was made, and the run."""
    stored = sorted(folder.glob("*.json"))
    return (stored[-1].stem, json.loads(stored[-1].read_text())) if stored else None


def store(folder: Path, when: str, run: Run) -> None:
    """Keep a run beside those before it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{when}.json").write_text(json.dumps(run))
    for old in sorted(folder.glob("*.json"))[:-_KEPT]:
        old.unlink()


def ratio(now: list[float], before: list[float]) -> tuple[float, float, float]:
    """Median over median, and the ends of its spread."""
    drawn = np.random.default_rng(0)
    ours, theirs = (np.median(drawn.choice(v, (_DRAWN, len(v))), axis=1) for v in (np.array(now), np.array(before)))
    low, high = np.quantile(ours / theirs, [0.05, 0.95])
    return float(np.median(now) / np.median(before)), float(low), float(high)


def lines(now: Run, before: Run, when: str) -> list[str]:
    """A line for each timing, slowest in comparison first, and below them the regressions."""
    width = max(map(len, now))
    found = [f"{'against ' + when:<{width}}  {'ms':>9}  before  ratio (spread)"]
    ratios: dict[str, Any] = {name: ratio(taken, before[name]) for name, taken in now.items() if name in before}
    for name in sorted(ratios, key=lambda name: -ratios[name][0]):
        middle, low, high = ratios[name]
        ms = [1e3 * float(np.median(run[name])) for run in (now, before)]
        found.append(f"{name:<{width}}  {ms[0]:9.4g}  {ms[1]:6.4g}  {middle:.2f} ({low:.2f} to {high:.2f})")
    found += [f"{name:<{width}}  {1e3 * float(np.median(now[name])):9.4g}  new" for name in now if name not in before]
    slower = [name for name, (middle, low, _) in ratios.items() if middle > SLOWER and low > 1]
    return [*found, *(f"SLOWER by {100 * (ratios[name][0] - 1):.0f} %: {name}" for name in slower)]
