"""Seconds of calls, in turn and warmed up, with their median, quartiles and ratios."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

#: warm-up ends when this many runs in a row differ from the one before by less than the share below
_STEADY_RUNS, _STEADY_SHARE = 2, 0.03
_WARMUP_MAX, _WARMUP_SECONDS = 20, 6.0
#: a GPU is kept busy for so long at least: the clocks of an idle one are low
_GPU_BUSY_SECONDS = 1.0


@dataclass
class Timed:
    """A network made ready: what to call, on what, and how it came to be."""

    form: Callable[[Tensor], Tensor]
    example: Tensor
    detail: dict[str, Any] | None
    error: float | None
    warmup: int = 0


def warm_up(side: Timed) -> int:
    """Run until two runs in a row take as long as the one before, and return their number; gives up after 20 runs or
    6 s, on a GPU not before 1 s.
    """
    began, before, steady = time.perf_counter(), 0.0, 0
    least = _GPU_BUSY_SECONDS if side.example.is_cuda else 0.0
    for count in itertools.count(1):
        taken = seconds(side.form, side.example)
        steady = steady + 1 if abs(taken - before) <= _STEADY_SHARE * taken else 0
        before, spent = taken, time.perf_counter() - began
        enough = steady >= _STEADY_RUNS or count >= _WARMUP_MAX or (count > _STEADY_RUNS and spent > _WARMUP_SECONDS)
        if enough and spent >= least:
            break
    return count


def take_turns(sides: Sequence[Timed], repeats: int) -> list[list[float]]:
    """Seconds of each side, A B C A B C."""
    times: list[list[float]] = [[] for _ in sides]
    for _ in range(repeats):
        for taken, side in zip(times, sides, strict=True):
            taken.append(seconds(side.form, side.example))
    return times


def seconds(form: Callable[[Tensor], Any], x: Tensor) -> float:
    """Of one call, waiting for the GPU where there is one."""
    if x.is_cuda:
        torch.cuda.synchronize(x.device)
    began = time.perf_counter()
    form(x)
    if x.is_cuda:
        torch.cuda.synchronize(x.device)
    return time.perf_counter() - began


def quartiles(values: Sequence[float]) -> list[float]:
    """First and third quartile; of a single value, itself twice."""
    if len(values) < 2:
        return [values[0], values[0]]
    first, _, third = statistics.quantiles(values, n=4, method="inclusive")
    return [first, third]


def summary(times: Sequence[float], batch: int) -> dict[str, Any]:
    """Median, quartiles and rate."""
    median = statistics.median(times)
    return {"median_s": median, "iqr_s": quartiles(times), "views_per_s": batch / median}


def ratios(own: Sequence[float], other: Sequence[float]) -> dict[str, Any]:
    """Of the times of each turn, with their median and quartiles."""
    found = [one / two for one, two in zip(own, other, strict=True)]
    return {"ratios": found, "ratio_median": statistics.median(found), "ratio_iqr": quartiles(found)}
