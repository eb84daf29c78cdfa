"""Runs networks on the null CUDA device: `child.py WHAT MODEL[+METHOD] ...` prints one JSON line for each.

WHAT is `passes`: a forward pass in evaluation (fp32, bf16) and a training step (fp32, bf16, fp16), how often each waits
for the device, and what is wrong with it; `breaks`: the breaks of the graph that torch.compile would take; `forms`: the
forms in which `speed --fast` times it, and what is wrong with them.
Convolutions give an empty result of the right shape: the device computes nothing, and cuDNN cannot be had.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from repro import registry
from repro.core.errors import ReproError
from repro.core.spec import Model, replace
from repro.cost.fastest_form import builders
from repro.cost.speed import PRECISIONS
from repro.engine.train.step import own_losses
from repro.models.build import build, input_shape
from repro.models.device import autocast, deterministic, place_on, timed_arithmetic

CUDA = torch.device("cuda")
PASSES = ("eval off", "eval bf16", "train off", "train bf16", "train fp16")
_FRAMES = (8, 16, 32, 64, 48, 92, 13)
_ROOT = Path(__file__).parents[2]


def _meta(value: Any) -> Any:
    return value.to("meta") if isinstance(value, Tensor) else value


def _convolution(x: Tensor, weight: Tensor, bias: Tensor | None, *how: Any) -> Tensor:
    for other in (weight, bias):
        if other is not None and (other.device, other.dtype) != (x.device, x.dtype):
            raise RuntimeError(f"a convolution of {x.dtype} on {x.device} by {other.dtype} on {other.device}")
    shape = torch.ops.aten.convolution(_meta(x), _meta(weight), _meta(bias), *how).shape
    return torch.empty(shape, dtype=x.dtype, device=x.device)


def _backward(grad: Tensor, x: Tensor, weight: Tensor, sizes: Any, *how: Any) -> tuple[Tensor | None, ...]:
    if not grad.dtype == x.dtype == weight.dtype:
        raise RuntimeError(f"gradients of a convolution: {grad.dtype}, {x.dtype}, {weight.dtype}")
    wanted = how[-1]
    bias = grad.new_empty(grad.shape[1]) if wanted[2] else None
    return torch.empty_like(x) if wanted[0] else None, torch.empty_like(weight) if wanted[1] else None, bias


def network(name: str) -> tuple[Model, nn.Module]:
    """The first published form of a model that can be built, with 174 classes."""
    model, _, method = name.partition("+")
    entry = registry.models[model]
    backbones = [*(entry.fact("published") or ()), *(entry.fact("backbones") or ()), "resnet50"]
    last: Exception | None = None
    for backbone in dict.fromkeys(backbones):
        for frames in _FRAMES:
            spec = Model(name=model, backbone=backbone, frames=frames, num_classes=174)
            try:
                build(spec)
            except (ReproError, ValueError) as error:
                last = error
                continue
            spec = replace(spec, method=method or None)
            return spec, build(spec)
    raise last or ValueError(name)


@contextmanager
def waits() -> Iterator[Counter[str]]:
    """Where the host waits for the device: the line of this project that asks for it."""
    found: Counter[str] = Counter()

    def note(message: Any, *rest: Any, **more: Any) -> None:
        if "synchronizing CUDA" in str(message):
            found[_place()] += 1

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        before, warnings.showwarning = warnings.showwarning, note
        torch.cuda.set_sync_debug_mode("warn")
        try:
            yield found
        finally:
            torch.cuda.set_sync_debug_mode("default")
            warnings.showwarning = before


def _place() -> str:
    frame: Any = sys._getframe(2)
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(_ROOT) and path != Path(__file__):
            return f"{path.relative_to(_ROOT)}:{frame.f_lineno}"
        frame = frame.f_back
    return "?"


def one_pass(net: nn.Module, x: Tensor, what: str) -> dict[str, int]:
    """A pass of this kind, and its waits."""
    mode, amp = what.split()
    net.train(mode == "train")
    with deterministic(CUDA), waits() as found:
        if mode == "eval":
            with torch.inference_mode(), autocast(amp, CUDA):
                out = net(x)
        else:
            with autocast(amp, CUDA):
                out = net(x)
            labels = torch.zeros(len(x), dtype=torch.long, device=CUDA)
            sum(own_losses(net), cross_entropy(out.float(), labels)).backward()
            wrong = [n for n, p in net.named_parameters() if p.grad is not None and not p.grad.is_cuda]
            net.zero_grad(set_to_none=True)
            if wrong:
                raise RuntimeError(f"gradients on the CPU: {', '.join(wrong[:3])}")
    if not out.is_cuda:
        raise RuntimeError("logits on the CPU")
    return dict(found)


def passes(name: str) -> dict[str, Any]:
    """Each pass's waits, or what is wrong with it."""
    spec, net = network(name)
    net = place_on(net, CUDA)
    x = torch.randn(2, *input_shape(spec, 112 if spec.name == "c3d" else 224)[1:]).to(CUDA)
    told: dict[str, Any] = {}
    for what in PASSES:
        one = x[:1] if what.startswith("eval") else x
        try:
            one_pass(net, one, what)  # what is kept for later is made
            told[what] = one_pass(net, one, what)
        except Exception as error:
            told[what] = f"{type(error).__name__}: {error}"[:300]
    return told


def breaks(name: str) -> dict[str, Any]:
    """How many breaks, and why."""
    spec, net = network(name)
    net = place_on(net.eval(), CUDA)
    x = torch.randn(2, *input_shape(spec, 224)[1:]).to(CUDA)
    torch._dynamo.reset()
    with torch.inference_mode():
        found = torch._dynamo.explain(net)(x)
    return {"breaks": found.graph_break_count, "reasons": [str(one.reason)[:120] for one in found.break_reasons][:5]}


def forms(name: str) -> dict[str, Any]:
    """Of each precision the forms that `speed --fast` tries -> what is wrong with them, or nothing."""
    spec, net = network(name)
    net = net.eval().to(CUDA)
    x = torch.randn(1, *input_shape(spec, 224)[1:]).to(CUDA)
    found: dict[str, Any] = {}
    for precision in PRECISIONS:
        for form, builder in builders("cuda", precision, False).items():
            try:
                with torch.inference_mode(), timed_arithmetic(precision, "cuda"):
                    out = builder(net, x)(x)
                right = out.is_cuda and out.shape == (1, spec.num_classes) and out.dtype == torch.float32
                found[f"{precision}: {form}"] = "" if right else f"gives {out.dtype} {tuple(out.shape)} on {out.device}"
            except Exception as error:
                found[f"{precision}: {form}"] = f"{type(error).__name__}: {error}"[:300]
    return found


def main(what: str, names: list[str]) -> None:
    """One line for each name; a method that does not fit is told as refused."""
    torch.set_num_threads(1)
    torch.backends.cudnn.enabled = False
    library = torch.library.Library("aten", "IMPL", "CUDA")
    library.impl("convolution", _convolution)
    library.impl("convolution_overrideable", _convolution)
    library.impl("convolution_backward", _backward)
    warnings.simplefilter("ignore")
    for name in names:
        try:
            told = {"passes": passes, "breaks": breaks, "forms": forms}[what](name)
        except (ReproError, ValueError) as error:
            told = {"refused": str(error)[:160]}
        print(json.dumps({"name": name, **told}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
    sys.stdout.flush()
    import os

    os._exit(0)  # the libraries of the null runtime do not end well
