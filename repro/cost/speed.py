"""Forward time of a batch of views, beside that of the network without the method.

The protocol: random weights (and random statistics of normalizations), random input of the real size, evaluation,
inference mode; warm-up until the times are steady; then `repeats` synchronised runs, all kept. With `against` the two
networks take turns, A B A B, and the ratio is taken within each pair, so that what slows the machine slows both. On a
GPU the same forms are then timed at batches that double until it is full. For the fastest form the process keeps the
memory that it frees.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict
from functools import partial
from typing import Any

import torch
from torch import nn

from repro.core.environment import device_name
from repro.core.errors import BadOption
from repro.core.process import memory_kept
from repro.core.roofline import own_finding
from repro.core.spec import Model, Speed, replace
from repro.cost import fastest_form
from repro.cost.macs import count_gmacs
from repro.cost.runtime import machine, machine_before, peak_memory, threads_of
from repro.cost.saturation import saturation
from repro.cost.timing import Timed, ratios, summary, take_turns, warm_up
from repro.models.build import build, frozen_form, input_shape, require_room
from repro.models.device import layout, place_on, timed_arithmetic

_SEED = 0


def measure_speed(model: Model, speed: Speed, *, device: str = "cpu", threads: int | None = None) -> dict[str, Any]:
    """Time `model` as `speed` says; see the module's head for the protocol. Times are in seconds for one batch."""
    if device == "cpu" and speed.precision in ("tf32", "fp16"):
        raise BadOption(f"{speed.precision} on a CPU", allowed="fp32, bf16", fix="--precision fp32")
    arithmetic = timed_arithmetic(speed.precision, device)
    memory_rests = memory_kept() if speed.form == "fast" else nullcontext()
    models = [model, *([speed.against] if speed.against is not None else [])]
    with threads_of(threads) as used, arithmetic, memory_rests, torch.inference_mode():
        before = machine_before(device)
        sides = [_ready(model, speed, device)]
        with peak_memory(device) as memory:
            sides[0].warmup = warm_up(sides[0])
        for other in models[1:]:
            sides.append(_ready(other, speed, device))
            sides[1].warmup = warm_up(sides[1])
        times = take_turns(sides, speed.repeats)
        chosen = [side.detail["chosen"] if side.detail else "" for side in sides]
        full = {}
        if device.startswith("cuda"):
            make = partial(_in_forms, list(zip(models, chosen, strict=True)), speed, device)
            full["saturation"] = saturation(make, speed.repeats, device=device, first=speed.batch)
    own = sides[0]
    result = {
        **facts(times[0], speed, device, used),
        "form_detail": own.detail,
        "layout": _layout(own),
        "warmup": own.warmup,
        "max_rel_error": own.error,
        "against": _against(times, sides, speed.batch) if len(sides) > 1 else None,
        "machine": machine(before, device),
        **memory,
        **full,
    }
    return {**result, "roofline": roofline(count_gmacs(model, speed.size), result)}


def _in_forms(models: Sequence[tuple[Model, str]], speed: Speed, device: str, batch: int) -> list[Timed]:
    """The networks for this batch, each in the form that was chosen."""
    return [_ready(model, replace(speed, batch=batch), device, chosen) for model, chosen in models]


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


def random_clips(model: Model, speed: Speed, generator: torch.Generator) -> torch.Tensor:
    """Clips (batch, T, 3, H, W) to be timed; `BadOption` for more of them than the memory at hand can hold."""
    require_room(model, speed.size, speed.batch)
    return torch.randn(input_shape(model, speed.size, speed.batch), generator=generator)


def _ready(model: Model, speed: Speed, device: str, chosen: str = "") -> Timed:
    """The network as it is timed; the fastest form is the one that was `chosen` before, if one was."""
    generator = torch.Generator().manual_seed(_SEED)
    net = random_network(model, generator).to(device)
    example = random_clips(model, speed, generator).to(device)
    if speed.form == "frozen" and model.method:
        with torch.inference_mode(False):
            frozen = frozen_form(net, model.method)
        error = fastest_form.relative_error(frozen(example), net(example))
        return Timed(frozen, example, {"chosen": "frozen", "max_rel_error": error}, error)
    if speed.form == "fast":
        how: dict[str, Any] = {"precision": speed.precision, "compile": example.is_cuda, "only": chosen}
        form, detail = fastest_form.fastest(net, example, **how)
        return Timed(form, example, detail, detail["max_rel_error"])
    if speed.precision in fastest_form.HALVES:
        reference = net(example)
        form = fastest_form.as_half(net, fastest_form.HALVES[speed.precision])
        error = fastest_form.relative_error(form(example), reference)
        detail = {"chosen": f"folded, {speed.precision}, channels_last", "max_rel_error": error}
        return Timed(form, example, detail, error)
    if example.is_cuda:  # as it is trained and tested
        return Timed(place_on(net, example.device), example, None, None)
    return Timed(net, example, None, None)


def facts(times: Sequence[float], speed: Speed, device: str, threads: int) -> dict[str, Any]:
    """What was timed and how: the part of the results that all forms share."""
    return {
        "times_s": times,
        **summary(times, speed.batch),
        "batch": speed.batch,
        "size": speed.size,
        "threads": threads,
        "device": device,
        "device_name": device_name(device),
        "precision": speed.precision,
        "form": speed.form,
    }


def _against(times: Sequence[Sequence[float]], sides: Sequence[Timed], batch: int) -> dict[str, Any]:
    return {
        "times_s": list(times[1]),
        **summary(times[1], batch),
        "form_detail": sides[1].detail,
        "max_rel_error": sides[1].error,
        **ratios(times[0], times[1]),
    }


def _layout(side: Timed) -> str:
    chosen = str(side.detail["chosen"]) if side.detail else ""
    if "channels_last" in chosen:
        return "channels_last"
    if "TorchScript" in chosen:
        return "chosen by oneDNN"
    on_gpu = side.example.is_cuda and not chosen and isinstance(side.form, nn.Module)
    return "channels_last" if on_gpu and layout(side.form) == "channels_last" else "contiguous (NCHW)"  # type: ignore[arg-type]


def roofline(gmacs: float, result: dict[str, Any]) -> dict[str, Any]:
    """The arithmetic check of a measurement whose view has so many GMACs."""
    finding = own_finding(
        gmacs,
        result["views_per_s"],
        device="cpu" if result["device"] == "cpu" else "cuda",
        device_name=result["device_name"],
        precision=result["precision"],
        threads=result["threads"],
    )
    return {"gmacs_per_view": gmacs, **asdict(finding)}
