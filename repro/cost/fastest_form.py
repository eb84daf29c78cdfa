"""The fastest form of a network that still gives its values, found by a short trial on the machine at hand.

Forms in fp32 have to agree with eager PyTorch within `limit` (largest difference over largest logit). Forms in bf16
cannot; their error is measured and told. A form that cannot be built here, e.g. for want of a C++ compiler or of an
operator, is left out with its reason.
"""

from __future__ import annotations

import copy
import io
import shutil
import statistics
import time
import warnings
from collections.abc import Callable
from contextlib import redirect_stderr
from typing import Any

import torch
from torch import Tensor, nn

from repro.core.errors import BadOption
from repro.cost.onednn_fusion import UNREADABLE, fold, fuse

Form = Callable[[Tensor], Tensor]
Builder = Callable[[nn.Module, Tensor], Form]

#: a form that takes this much longer than the best one at its first call is not timed again
_HOPELESS = 1.5
_ROUNDS = 3


def fastest(
    module: nn.Module,
    example: Tensor,
    *,
    limit: float = 1e-5,
    trial_seconds: float = 30.0,
    precision: str = "fp32",
    compile: bool = False,
) -> tuple[Form, dict[str, Any]]:
    """The fastest form for inputs of the shape of `example`, and what was tried.

    `module` is in evaluation and stays as it is. `trial_seconds` bounds the trial but for the form that it is spent
    in; `compile` allows torch.compile, which takes about half a minute. The detail holds `chosen`, `max_rel_error`,
    and under `candidates` for each form its median time, error, or the reason why it is not used.
    """
    began = time.perf_counter()
    with torch.inference_mode():
        reference = module(example).float()
        forms: dict[str, Form] = {}
        tried: dict[str, dict[str, Any]] = {}
        for name, builder in _builders(example.device.type, precision, compile).items():
            if forms and time.perf_counter() - began > trial_seconds:
                tried[name] = {"left_out": "no time left in the trial"}
                continue
            form, tried[name] = _try(builder, module, example, reference, limit if precision == "fp32" else None)
            if form is not None:
                forms[name] = form
        if not forms:
            reasons = "; ".join(f"{name}: {entry['left_out']}" for name, entry in tried.items())
            raise BadOption(f"no form in {precision} runs on this machine: {reasons}", fix="--precision fp32")
        chosen = _race(forms, tried, example)
    detail = {
        "chosen": chosen,
        "max_rel_error": tried[chosen]["max_rel_error"],
        "limit": limit if precision == "fp32" else None,
        "shape": list(example.shape),
        "candidates": tried,
        "trial_s": round(time.perf_counter() - began, 2),
    }
    return forms[chosen], detail


def as_bf16(module: nn.Module, example: Tensor) -> Form:
    """bfloat16 weights and maps in channels_last, fp32 logits; normalization folded where fx can read the network."""
    try:
        net: nn.Module = fold(module)
    except UNREADABLE:
        net = copy.deepcopy(module).eval()
    net = net.to(torch.bfloat16)
    return _Cast(net.to(memory_format=torch.channels_last))


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
    _wait(example)
    began = time.perf_counter()
    form(example)
    _wait(example)
    return time.perf_counter() - began


def _wait(x: Tensor) -> None:
    if x.is_cuda:
        torch.cuda.synchronize(x.device)


def _builders(device: str, precision: str, compile: bool) -> dict[str, Builder]:
    """The forms for a device and precision; the most promising first, for a trial that runs out of time."""
    forms: dict[str, Builder]
    if precision == "bf16":
        forms = {"folded, bf16, channels_last": as_bf16, "autocast, channels_last": _autocast}
        if device == "cpu":
            forms = {"fused oneDNN calls, bf16, channels_last": _fused_bf16, **forms}
        if compile:
            forms["folded, bf16, channels_last, torch.compile"] = lambda m, x: _compiled(as_bf16(m, x))
        return forms
    forms = {"eager": lambda module, _: module}
    if device == "cpu":
        forms["fused oneDNN calls, channels_last"] = lambda module, _: fuse(module)
        forms["folded, TorchScript, oneDNN graph"] = _onednn_graph
    forms["folded, channels_last"] = lambda module, _: fold(module).to(memory_format=torch.channels_last)
    if device == "cpu":
        forms["TorchScript, optimize_for_inference"] = _optimized_script
    if compile:
        forms["folded, torch.compile"] = lambda module, _: _compiled(fold(module))
    return forms


class _Cast(nn.Module):
    """A network of bfloat16 behind an fp32 interface."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        """fp32 in, fp32 out."""
        return self.net(x.to(torch.bfloat16)).float()


def _fused_bf16(module: nn.Module, example: Tensor) -> Form:
    return _Cast(fuse(module, torch.bfloat16))


def _autocast(module: nn.Module, example: Tensor) -> Form:
    net = copy.deepcopy(module).to(memory_format=torch.channels_last)

    def run(x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, torch.bfloat16):
            return net(x).float()

    return run


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


def _optimized_script(module: nn.Module, example: Tensor) -> Form:
    return torch.jit.optimize_for_inference(_script(module, example))


def _compiled(form: Any) -> Form:
    if not any(shutil.which(name) for name in ("c++", "g++", "clang++", "cl")):
        raise RuntimeError("torch.compile needs a C++ compiler, and none is found")
    return torch.compile(form)
