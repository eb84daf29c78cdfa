"""Runs networks on the null CUDA device: `child.py WHAT MODEL[+METHOD] ...` prints one JSON line for each.

WHAT is `passes`: a forward pass in evaluation (fp32, bf16) and a training step (fp32, bf16, fp16), how often each waits
for the device, and what is wrong with it; `breaks`: the breaks of the graph that torch.compile would take; `forms`: the
forms in which `speed --fast` times it, and what is wrong with them; `steps`: waits of a step of the training as the
loop makes it, in each precision, and its copies from memory that is not page-locked; `scores`: those of a test.
Convolutions give an empty result of the right shape: the device computes nothing, and cuDNN cannot be had.
"""

from __future__ import annotations

import ctypes
import json
import os
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
from repro.core.spec import Model, Train, Views, replace
from repro.cost.fastest_form import builders
from repro.data.index import read_csv
from repro.data.loader import normalize
from repro.engine import evaluate
from repro.engine.ahead import ahead
from repro.engine.distributed import Ranks
from repro.engine.train import checkpoint, optim
from repro.engine.train.step import Stepper, own_losses
from repro.models.build import build, input_shape
from repro.models.device import autocast, deterministic, layout, place_on, timed_arithmetic

CUDA = torch.device("cuda")
PASSES = ("eval off", "eval bf16", "train off", "train bf16", "train fp16")
_FRAMES = (8, 16, 32, 64, 48, 92, 13)
_ROOT = Path(__file__).parents[2]


LAYOUTS = {4: torch.channels_last, 5: torch.channels_last_3d}
#: convolutions whose input lies otherwise than their weight, and is copied first
COPIED = [0]


def _turned(x: Tensor) -> bool:
    """Whether it lies in channels_last, and could not be read as contiguous."""
    return x.dim() in LAYOUTS and x.is_contiguous(memory_format=LAYOUTS[x.dim()]) and not x.is_contiguous()


def _meta(value: Any) -> Any:
    return value.to("meta") if isinstance(value, Tensor) else value


def _convolution(x: Tensor, weight: Tensor, bias: Tensor | None, *how: Any) -> Tensor:
    for other in (weight, bias):
        if other is not None and (other.device, other.dtype) != (x.device, x.dtype):
            raise RuntimeError(f"a convolution of {x.dtype} on {x.device} by {other.dtype} on {other.device}")
    shape = torch.ops.aten.convolution(_meta(x), _meta(weight), _meta(bias), *how).shape
    if x.dim() in LAYOUTS and not x.is_contiguous(memory_format=LAYOUTS[x.dim()]) and _turned(weight):
        COPIED[0] += 1
    how_laid = LAYOUTS[x.dim()] if _turned(x) or _turned(weight) else torch.contiguous_format
    return torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=how_laid)


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
    for precision in ("fp32", "tf32", "bf16", "fp16"):
        for form, builder in builders(net, "cuda", precision, False).items():
            try:
                with torch.inference_mode(), timed_arithmetic(precision, "cuda"):
                    out = builder(net, x)(x)
                right = out.is_cuda and out.shape == (1, spec.num_classes) and out.dtype == torch.float32
                found[f"{precision}: {form}"] = "" if right else f"gives {out.dtype} {tuple(out.shape)} on {out.device}"
            except Exception as error:
                found[f"{precision}: {form}"] = f"{type(error).__name__}: {error}"[:300]
    return found


def _pageable() -> int:
    return ctypes.c_ulong.in_dll(ctypes.CDLL(os.environ["LD_PRELOAD"]), "nullcuda_pageable").value


def steps(name: str) -> dict[str, Any]:
    """Of each precision: waits of a step, copies from memory that is not page-locked, and inputs that are laid out
    anew for a convolution.
    """
    told: dict[str, Any] = {}
    for amp in ("off", "bf16", "fp16"):
        spec, net = network(name)
        train = Train(epochs=1, batch=4, lr=0.1, sampling="mmaction2.uniform_train_8", amp=amp, clip_norm=20)  # type: ignore[arg-type]
        plan = optim.plan(train, 8, micro_batch=2)
        shape = (2, spec.frames, *((net.clip_length,) if net.clip_length != 1 else ()), 3, 64, 64)
        made = ((torch.zeros(shape, dtype=torch.uint8), torch.zeros(2, dtype=torch.long)) for _ in range(4))
        with deterministic(CUDA):
            stepper = Stepper(place_on(net.train(), CUDA, amp), train, plan, Ranks(), CUDA, normalize)
            batches = ahead(made, CUDA)
            stepper.step(batches, 0)
            before, COPIED[0] = _pageable(), 0
            with waits() as found:
                stepper.step(batches, 1)
        how = {"copied": COPIED[0], "layout": layout(net)}
        told[amp] = {"waits": dict(found), "pageable": _pageable() - before, **how}
        batches.close()
    return told


def scores(name: str) -> dict[str, Any]:
    """Waits of a test of the videos that the environment names, and its copies from memory that is not page-locked."""
    net = place_on(network(name)[1], CUDA)
    views = Views(sampling="mmaction2.uniform_test_8", clips=1, crops=3, resize=40, crop=32)
    index = read_csv(Path(os.environ["NULL_VIDEOS"]), "val")
    before = _pageable()
    with waits() as found:
        made = evaluate.score(net, index, views, device="cuda", workers=1, chunk=2)
    return {"shape": made.logits.shape, "waits": dict(found), "pageable": _pageable() - before, "ids": made.ids}


def saves(name: str) -> dict[str, Any]:
    """What a checkpoint holds of a tensor that changed right after, and what comes of a folder that is none."""
    folder, kept = Path(os.environ["NULL_FOLDER"]), torch.ones(3, device=CUDA)
    kept.copy_(torch.ones(3))
    writer = checkpoint.Writer(CUDA)
    writer.save(folder, 1, {}, {"kept": kept})
    kept.copy_(torch.zeros(3))
    writer.wait()
    found, _ = checkpoint.load(folder, {})
    writer.save(folder / "none", 2, {}, {"kept": kept})
    try:
        writer.wait()
    except OSError as error:
        return {"kept": found and found["kept"].tolist(), "error": str(error)}
    return {}


WHAT = {"saves": saves, "passes": passes, "breaks": breaks, "forms": forms, "steps": steps, "scores": scores}


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
            told = WHAT[what](name)
        except (ReproError, ValueError) as error:
            told = {"refused": str(error)[:160]}
        print(json.dumps({"name": name, **told}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
    sys.stdout.flush()
    os._exit(0)  # the libraries of the null runtime do not end well
