"""Views a second at batches that double until a GPU is full: until more clips gain nothing, or find no memory."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch

from repro.core.environment import gpu
from repro.core.errors import BadOption
from repro.cost.runtime import peak_memory
from repro.cost.timing import Timed, ratios, seconds, summary, take_turns, warm_up

#: a batch twice as large that gives less than this more views a second is the last
GAIN = 0.02
#: the device is kept busy for so long while it is asked for its clocks
_ASKED_BUSY_S = 0.3
#: no larger batch is begun after it
_LONGEST_S = 300.0


def saturation(
    make: Callable[[int], Sequence[Timed]], repeats: int, *, device: str, first: int = 1, most: int = 4096
) -> list[dict[str, Any]]:
    """A reading for each batch, of the network and, where `make` gives two, of what it takes turns with.

    `make` gives the networks for a batch, in the forms that are timed. The last reading is the first that gains less
    than `GAIN`, of the network itself, unless memory or five minutes end before.
    """
    found: list[dict[str, Any]] = []
    batch, began = first, time.monotonic()
    while batch <= most and time.monotonic() - began < _LONGEST_S:
        sides: Sequence[Timed] = ()  # those of the batch before go first
        try:
            with peak_memory(device) as memory:
                sides = make(batch)
                for side in sides:
                    side.warmup = warm_up(side)
                times = take_turns(sides, repeats)
        except (torch.OutOfMemoryError, BadOption):  # of the device, or of the host
            break
        reading = {"batch": batch, **summary(times[0], batch), **memory, **_at_work(sides[0], device)}
        if len(sides) > 1:
            reading["against"] = {**summary(times[1], batch), **ratios(times[0], times[1])}
        found.append(reading)
        if len(found) > 1 and reading["views_per_s"] < (1 + GAIN) * found[-2]["views_per_s"]:
            break
        batch *= 2
    return found


def _at_work(side: Timed, device: str) -> dict[str, Any]:
    """Clocks, power and temperature of a GPU while it computes."""
    if not device.startswith("cuda"):
        return {}
    for _ in range(math.ceil(_ASKED_BUSY_S / max(seconds(side.form, side.example), 1e-6))):
        side.form(side.example)
    told = gpu(device)
    torch.cuda.synchronize(device)
    return {"gpu": told}
