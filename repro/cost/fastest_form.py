"""The fastest form of a network that still gives its values, found by a short trial on the machine at hand.

Forms in fp32 have to agree with eager PyTorch within 1e-5 (largest difference over largest logit), those in TF32
within 2e-3. Forms in bf16 and fp16 cannot; their error is measured and told. A form that cannot be built here, e.g. for
want of a C++ compiler or of an operator, is left out with its reason.
"""

from __future__ import annotations

import copy
import io
import math
import shutil
import statistics
import time
import warnings
from collections.abc import Callable
from contextlib import redirect_stderr
from typing import Any

import torch
from torch import Tensor, fx, nn

from methods.dnr.native import load
from methods.dnr.norm import DynamicNorm
from repro.core import paths
from repro.core.errors import BadOption
from repro.cost.onednn_fusion import UNREADABLE, fold, fuse
from repro.cost.timing import seconds
from repro.models.device import channels_last, timed_arithmetic

Form = Callable[[Tensor], Tensor]
Builder = Callable[[nn.Module, Tensor], Form]

#: largest error of a form, by precision
LIMITS = {"fp32": 1e-5, "tf32": 2e-3}
HALVES = {"bf16": torch.bfloat16, "fp16": torch.float16}
#: a form that takes this much longer than the best one at its first call is not timed again
_HOPELESS = 1.5
_ROUNDS = 3
_GPU_S = 0.1
_COMPILED = "folded, torch.compile"


def fastest(
    module: nn.Module,
    example: Tensor,
    *,
    trial_seconds: float = 30.0,
    precision: str = "fp32",
    compile: bool = False,
    only: str = "",
) -> tuple[Form, dict[str, Any]]:
    """The fastest form for inputs of the shape of `example`, and what was tried.

    `module` is in evaluation and stays as it is. `trial_seconds` bounds the trial but for the form that it is spent
    in; `compile` allows torch.compile, which takes about half a minute; `only` names the one form to take. The detail
    holds `chosen`, `max_rel_error`, and under `candidates` for each form its median time, error, or the reason why it
    is not used.
    """
    began = time.perf_counter()
    limit = LIMITS.get(precision)
    with torch.inference_mode():
        with timed_arithmetic("fp32", example.device.type):
            reference = module(example).float()
        forms: dict[str, Form] = {}
        tried: dict[str, dict[str, Any]] = {}
        for name, builder in builders(module, example.device.type, precision, compile).items():
            if only not in ("", name):
                continue
            if forms and time.perf_counter() - began > trial_seconds:
                tried[name] = {"left_out": "no time left in the trial"}
                continue
            form, tried[name] = _try(builder, module, example, reference, limit)
            if form is not None:
                forms[name] = form
        if not forms:
            reasons = "; ".join(f"{name}: {entry['left_out']}" for name, entry in tried.items())
            if all(entry["left_out"].startswith("OutOfMemoryError") for entry in tried.values()):
                raise torch.OutOfMemoryError(reasons)
            raise BadOption(f"no form in {precision} runs on this machine: {reasons}", fix="--precision fp32")
        chosen = _race(forms, tried, example)
    detail = {
        "chosen": chosen,
        "max_rel_error": tried[chosen]["max_rel_error"],
        "limit": limit,
        "shape": list(example.shape),
        "candidates": tried,
        "trial_s": round(time.perf_counter() - began, 2),
    }
    return forms[chosen], detail


def as_half(module: nn.Module, dtype: torch.dtype) -> Form:
    """Weights and maps of 16 bits in channels_last, fp32 logits; normalization folded where fx can read the network."""
    try:
        net: nn.Module = fold(module)
    except UNREADABLE:
        net = copy.deepcopy(module).eval()
    return _Cast(channels_last(net.to(dtype)), dtype)


def relative_error(value: Tensor, reference: Tensor) -> float:
    """Largest absolute difference over the largest absolute reference value."""
    return float((value.float() - reference).abs().max() / reference.abs().max().clamp_min(1e-30))


def _try(
    builder: Builder, module: nn.Module, example: Tensor, reference: Tensor, limit: float | None
) -> tuple[Form | None, dict[str, Any]]:
    """Build, warm up, compare. Any failure is a reason: forms rest on parts of torch that come and go."""
    began = time.perf_counter()
    try:
        with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            form = builder(module, example)
            form(example)
            value = form(example)
    except Exception as error:
        return None, {"left_out": f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"}
    if value.shape != reference.shape or not bool(torch.isfinite(value).all()):
        return None, {"left_out": "its logits are not finite or have another shape"}
    entry = {"max_rel_error": relative_error(value, reference), "build_s": round(time.perf_counter() - began, 2)}
    if limit is not None and entry["max_rel_error"] > limit:
        return None, {**entry, "left_out": f"error above {limit:g}"}
    return form, entry


def _race(forms: dict[str, Form], tried: dict[str, dict[str, Any]], example: Tensor) -> str:
    """Time the forms in turn; those far behind after the first round drop out."""
    times: dict[str, list[float]] = {name: [] for name in forms}
    for index in range(_ROUNDS):
        best = min((taken[0] for taken in times.values() if taken), default=0.0)
        for name, form in forms.items():
            if index == 0 or times[name][0] <= _HOPELESS * best:
                times[name].append(_seconds(form, example))
    for name, taken in times.items():
        tried[name]["median_s"] = statistics.median(taken)
    return min(times, key=lambda name: (len(times[name]) < _ROUNDS, statistics.median(times[name])))


def _seconds(form: Form, example: Tensor) -> float:
    """Of one call; on a GPU of as many in a row as take a tenth of a second, since one is shorter than its launch."""
    taken = seconds(form, example)
    if not example.is_cuda or taken > _GPU_S:
        return taken
    calls = math.ceil(_GPU_S / taken)

    def run(x: Tensor) -> None:
        for _ in range(calls):
            form(x)

    return seconds(run, example) / calls


def builders(module: nn.Module, device: str, precision: str, compile: bool) -> dict[str, Builder]:
    """The forms of a network for a device and precision; the most promising first, should the trial run out of time."""
    forms = _halves(module, device, precision) if precision in HALVES else _wholes(module, device)
    if device == "cuda":
        captured = {f"{name}, CUDA graph": _graphed(builder) for name, builder in forms.items()}
        forms = {**captured, **forms}
    if compile:
        best = next(builder for name, builder in forms.items() if name.startswith("folded") and "graph" not in name)
        if device != "cuda":
            return {**forms, _COMPILED: lambda module, x: _compiled(best(module, x))}
        for name, mode in {_COMPILED: "default", f"{_COMPILED} max-autotune": "max-autotune-no-cudagraphs"}.items():
            forms[f"{name}, CUDA graph"] = _graphed(lambda module, x, mode=mode: _compiled(best(module, x), mode))  # type: ignore[misc]
    return forms


def _halves(module: nn.Module, device: str, precision: str) -> dict[str, Builder]:
    dtype = HALVES[precision]
    forms: dict[str, Builder] = {}
    if device == "cpu" and _has_dnr(module):
        forms["fused oneDNN calls, DNR in C++, bf16, channels_last"] = lambda module, _: _Cast(
            _native(module, dtype), dtype
        )
    if device == "cpu":
        forms["fused oneDNN calls, bf16, channels_last"] = lambda module, _: _Cast(fuse(module, dtype), dtype)
    forms[f"folded, {precision}, channels_last"] = lambda module, _: as_half(module, dtype)
    forms["autocast, channels_last"] = lambda module, _: _autocast(module, dtype)
    return forms


def _wholes(module: nn.Module, device: str) -> dict[str, Builder]:
    forms: dict[str, Builder] = {"eager": lambda module, _: module}
    if device == "cpu":
        if _has_dnr(module):
            forms["fused oneDNN calls, DNR in C++, channels_last"] = lambda module, _: _native(module, torch.float32)
        forms["fused oneDNN calls, channels_last"] = lambda module, _: fuse(module)
        forms["folded, TorchScript, oneDNN graph"] = _onednn_graph
    else:
        forms["eager, channels_last"] = lambda module, _: channels_last(copy.deepcopy(module))
    forms["folded, channels_last"] = lambda module, _: channels_last(fold(module))
    return forms


def _has_dnr(module: nn.Module) -> bool:
    return any(isinstance(part, DynamicNorm) for part in module.modules())


def _native(module: nn.Module, dtype: torch.dtype) -> fx.GraphModule:
    return fuse(module, dtype, load(paths.cache() / "native").norm)


class _Cast(nn.Module):
    """A network of 16 bits behind an fp32 interface."""

    def __init__(self, net: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.net, self.dtype = net, dtype

    def forward(self, x: Tensor) -> Tensor:
        """fp32 in, fp32 out."""
        return self.net(x.to(self.dtype)).float()


def _autocast(module: nn.Module, dtype: torch.dtype) -> Form:
    net = channels_last(copy.deepcopy(module))

    def run(x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, dtype):
            return net(x).float()

    return run


def _graphed(builder: Builder) -> Builder:
    """The form captured as one CUDA graph: the card does the same, the CPU launches once. Its value lasts until the
    next call.
    """

    def build(module: nn.Module, example: Tensor) -> Form:
        form, held, stream = builder(module, example), example.clone(), torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                form(held)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            value = form(held)

        def run(x: Tensor) -> Tensor:
            held.copy_(x)
            graph.replay()
            return value

        return run

    return build


def _script(net: nn.Module, example: Tensor) -> Any:
    with torch.no_grad():
        return torch.jit.freeze(torch.jit.trace(net, example, check_trace=False))


def _onednn_graph(module: nn.Module, example: Tensor) -> Form:
    """TorchScript compiles at its first calls, for which the switch has to be on; after them it is put back."""
    before = torch.jit.onednn_fusion_enabled()
    torch.jit.enable_onednn_fusion(True)
    try:
        form = _script(fold(module), example)
        for _ in range(2):
            form(example)
    finally:
        torch.jit.enable_onednn_fusion(before)
    return form


def _compiled(form: Any, mode: str = "default") -> Form:
    if not any(shutil.which(name) for name in ("c++", "g++", "clang++", "cl")):
        raise RuntimeError("torch.compile needs a C++ compiler, and none is found")
    return torch.compile(form, mode=mode)
