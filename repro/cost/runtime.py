"""The machine that is measured on: its name, what else runs there, its threads, the memory of a measurement."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from repro.core.environment import gpu
from repro.core.roofline import cpu_has_bf16


def machine_before(device: str) -> dict[str, Any]:
    """What runs on the machine before a measurement, and a GPU's clocks, power and temperature."""
    return {"load_before": load_average(), **({"gpu_before": gpu(device)} if device.startswith("cuda") else {})}


def machine(before: Mapping[str, Any], device: str) -> dict[str, Any]:
    """The same after it, beside `machine_before`, and what the machine can do."""
    return {
        **before,
        "load_after": load_average(),
        "cores": os.cpu_count(),
        "cpu_bf16": cpu_has_bf16() if device == "cpu" else None,
        **({"gpu": gpu(device)} if device.startswith("cuda") else {}),
    }


@contextmanager
def threads_of(threads: int | None) -> Iterator[int]:
    """As many threads inside; yields their number."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        yield torch.get_num_threads()
    finally:
        torch.set_num_threads(before)


def load_average() -> float | None:
    """Mean number of running processes over the last minute; more than the cores means that others disturb."""
    try:
        return round(os.getloadavg()[0], 2)
    except (OSError, AttributeError):
        return None


@contextmanager
def peak_memory(device: str) -> Iterator[dict[str, Any]]:
    """Peak memory while inside: of the device's allocator, or the resident set of this process."""
    found: dict[str, Any] = {}
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats(device)
        yield found
        found.update(peak_memory_bytes=torch.cuda.max_memory_allocated(device), peak_memory_of="tensors on the device")
        return
    reset = _reset_peak()
    before = _resident("VmRSS")
    yield found
    peak = _resident("VmHWM") or _peak_since_start()
    of = "resident set of the process" + ("" if reset else ", since its start")
    found.update(peak_memory_bytes=peak, peak_memory_of=of)
    if before is not None:
        found["memory_growth_bytes"] = max(0, peak - before)


def _reset_peak() -> bool:
    """Linux can forget the peak of the resident set."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def _resident(field: str) -> int | None:
    status = Path("/proc/self/status")
    if not status.exists():
        return None
    for line in status.read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    return None


def _peak_since_start() -> int:
    """Where there is no /proc: the peak that getrusage keeps, in bytes on macOS and in KiB elsewhere."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
