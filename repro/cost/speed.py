"""Forward time of a batch of views, beside that of the network without the method.

The protocol: random weights (and random statistics of normalizations), random input of the real size, evaluation,
inference mode; warm-up until the times are steady; then `repeats` synchronised runs, all kept. With `against` the two
networks take turns, A B A B, and the ratio is taken within each pair, so that what slows the machine slows both.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from repro.build import build, build_meta, frozen_form, input_shape
from repro.cost import fast
from repro.cost.macs import GIGA, count_macs
from repro.cost.plausible import cpu_has_bf16, own_finding
from repro.environment import cpu_name
from repro.errors import BadOption
from repro.spec import Model, Speed, replace

PRECISIONS = ("fp32", "bf16")
FORMS = ("eager", "fast", "frozen", "compact")
#: warm-up ends when this many runs in a row differ from the one before by less than the share below
_STEADY_RUNS, _STEADY_SHARE = 2, 0.03
_WARMUP_MAX, _WARMUP_SECONDS = 20, 6.0
_SEED = 0


@dataclass
class Timed:
    """A network made ready: what to call, on what, and how it came to be."""

    form: fast.Form
    example: Tensor
    detail: dict[str, Any] | None
    error: float | None
    warmup: int = 0


def measure_speed(model: Model, speed: Speed, *, device: str = "cpu", threads: int | None = None) -> dict[str, Any]:
    """Time `model` as `speed` says; see the module's head for the protocol. Times are in seconds for one batch."""
    check(speed)
    with threads_of(threads) as used, torch.inference_mode():
        load = load_average()
        sides = [_ready(model, speed, device)]
        with peak_memory(device) as memory:
            sides[0].warmup = warm_up(sides[0])
        if speed.against is not None:
            sides.append(_ready(speed.against, speed, device))
            sides[1].warmup = warm_up(sides[1])
        times = take_turns(sides, speed.repeats)
    own = sides[0]
    result = {
        "times_s": times[0],
        **summary(times[0], speed.batch),
        "batch": speed.batch,
        "size": speed.size,
        "threads": used,
        "device": device,
        "device_name": device_name(device),
        "precision": speed.precision,
        "form": speed.form,
        "form_detail": own.detail,
        "layout": _layout(speed, own.detail),
        "warmup": own.warmup,
        "max_rel_error": own.error,
        "against": _against(times, sides, speed.batch) if len(sides) > 1 else None,
        "machine": machine(load, device),
        **memory,
    }
    return {**result, "roofline": _roofline(model, result)}


def sweep(
    model: Model, speed: Speed, batches: Sequence[int], *, device: str = "cpu", threads: int | None = None
) -> list[dict[str, Any]]:
    """`measure_speed` at each batch size; the sweep ends at the first that does not fit in memory."""
    results = []
    for batch in batches:
        try:
            results.append(measure_speed(model, replace(speed, batch=batch), device=device, threads=threads))
        except torch.cuda.OutOfMemoryError:
            if not results:
                raise
            break
    return results


def random_network(model: Model, generator: torch.Generator) -> nn.Module:
    """The network in evaluation, with random weights and random statistics of normalizations."""
    with torch.random.fork_rng(devices=[]), torch.inference_mode(False):
        torch.manual_seed(_SEED)
        net = build(replace(model, pretrained="none")).eval()
        randomize(net, generator)
    return net


def randomize(module: nn.Module, generator: torch.Generator) -> None:
    """Give batch normalizations statistics and affine parameters as if trained; fresh ones hide a wrong folding."""
    ranges = {"running_mean": (-0.2, 0.2), "running_var": (0.5, 1.5), "weight": (0.5, 1.0), "bias": (-0.2, 0.2)}
    norms = [part for part in module.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)]
    for norm in norms:
        for name, (low, high) in ranges.items():
            tensor = getattr(norm, name)
            if tensor is not None:
                with torch.no_grad():
                    tensor.copy_(torch.empty(tensor.shape).uniform_(low, high, generator=generator))


def check(speed: Speed) -> None:
    """Refuse what cannot be timed."""
    for name, value, allowed in (("precision", speed.precision, PRECISIONS), ("form", speed.form, FORMS)):
        if value not in allowed:
            raise BadOption(f"speed has no {name} {value!r}", allowed=", ".join(allowed))
    for name, number in (("batch", speed.batch), ("size", speed.size), ("repeats", speed.repeats)):
        if number < 1:
            raise BadOption(f"speed: {name} {number} is not possible", allowed="1 or more")


def _ready(model: Model, speed: Speed, device: str) -> Timed:
    generator = torch.Generator().manual_seed(_SEED)
    net = random_network(model, generator).to(device)
    example = torch.randn(input_shape(model, speed.size, speed.batch), generator=generator).to(device)
    if speed.form == "frozen" and model.method:
        with torch.inference_mode(False):
            frozen = frozen_form(net, model.method)
        error = fast.relative_error(frozen(example), net(example))
        return Timed(frozen, example, {"chosen": "frozen", "max_rel_error": error}, error)
    if speed.form == "fast":
        form, detail = fast.fastest(net, example, precision=speed.precision)
        return Timed(form, example, detail, detail["max_rel_error"])
    if speed.precision == "bf16":
        reference = net(example)
        form = fast.as_bf16(net, example)
        error = fast.relative_error(form(example), reference)
        return Timed(form, example, {"chosen": "folded, bf16, channels_last", "max_rel_error": error}, error)
    return Timed(net, example, None, None)


def warm_up(side: Timed) -> int:
    """Run until two runs in a row take as long as the one before; gives up after 20 runs or 15 s."""
    began, before, steady = time.perf_counter(), 0.0, 0
    for count in range(1, _WARMUP_MAX + 1):
        taken = _seconds(side)
        steady = steady + 1 if abs(taken - before) <= _STEADY_SHARE * taken else 0
        before = taken
        if steady >= _STEADY_RUNS or (count > _STEADY_RUNS and time.perf_counter() - began > _WARMUP_SECONDS):
            return count
    return _WARMUP_MAX


def take_turns(sides: Sequence[Timed], repeats: int) -> list[list[float]]:
    """Seconds of each side, A B C A B C."""
    times: list[list[float]] = [[] for _ in sides]
    for _ in range(repeats):
        for taken, side in zip(times, sides, strict=True):
            taken.append(_seconds(side))
    return times


def _seconds(side: Timed) -> float:
    cuda = side.example.is_cuda
    if cuda:
        torch.cuda.synchronize(side.example.device)
    began = time.perf_counter()
    side.form(side.example)
    if cuda:
        torch.cuda.synchronize(side.example.device)
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


def _against(times: Sequence[Sequence[float]], sides: Sequence[Timed], batch: int) -> dict[str, Any]:
    ratios = [with_it / without for with_it, without in zip(times[0], times[1], strict=True)]
    return {
        "times_s": list(times[1]),
        **summary(times[1], batch),
        "form_detail": sides[1].detail,
        "max_rel_error": sides[1].error,
        "ratios": ratios,
        "ratio_median": statistics.median(ratios),
        "ratio_iqr": quartiles(ratios),
    }


def _layout(speed: Speed, detail: dict[str, Any] | None) -> str:
    chosen = str(detail["chosen"]) if detail else ""
    if "channels_last" in chosen:
        return "channels_last"
    return "chosen by oneDNN" if "TorchScript" in chosen else "contiguous (NCHW)"


def _roofline(model: Model, result: dict[str, Any]) -> dict[str, Any]:
    """The arithmetic check of this measurement; GMACs of one view."""
    net = build_meta(model).eval()
    gmacs = count_macs(net, torch.empty(input_shape(model, result["size"]), device="meta")) / GIGA
    finding = own_finding(
        gmacs,
        result["views_per_s"],
        device="cpu" if result["device"] == "cpu" else "cuda",
        device_name=result["device_name"],
        precision=result["precision"],
        threads=result["threads"],
    )
    return {"gmacs_per_view": gmacs, **finding.to_dict()}


def device_name(device: str) -> str:
    """Of the GPU or CPU."""
    return torch.cuda.get_device_name(device) if device.startswith("cuda") else cpu_name()


def machine(load_before: float | None, device: str) -> dict[str, Any]:
    """What else ran on the machine, and what it can do."""
    return {
        "load_before": load_before,
        "load_after": load_average(),
        "cores": os.cpu_count(),
        "cpu_bf16": cpu_has_bf16() if device == "cpu" else None,
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
