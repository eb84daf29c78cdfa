"""What decides the last bits of a number: precision of the arithmetic, choice of kernels, random generators."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from repro.core.errors import BadOption

_AMP = {"bf16": torch.bfloat16, "fp16": torch.float16}


def check_amp(amp: str, device: torch.device) -> None:
    """Refuse a precision that the device has not."""
    if amp not in ("off", *_AMP):
        raise BadOption(f"unknown amp {amp!r}", allowed="off, bf16, fp16")
    if amp == "fp16" and device.type != "cuda":
        raise BadOption(f"amp fp16 on {device.type}", allowed="off, bf16", fix="--set amp=off")
    if amp == "bf16" and device.type == "cuda" and not torch.cuda.is_bf16_supported():
        raise BadOption(f"amp bf16 on {torch.cuda.get_device_name(device)}", allowed="off, fp16", fix="--set amp=fp16")


def layout(module: nn.Module) -> str:
    """How the weights of a network that `place_on` has placed lie in memory: channels_last, or, where it has kernels
    over volumes, contiguous or channels_last_3d.
    """
    volumes = [weight for weight in module.parameters() if weight.dim() == 5]
    if not volumes:
        return "channels_last"
    turned = (v.is_contiguous(memory_format=torch.channels_last_3d) and not v.is_contiguous() for v in volumes)
    return "channels_last_3d" if any(turned) else "contiguous"


def place_on(module: nn.Module, device: torch.device, amp: str = "off") -> nn.Module:
    """The network on the device in channels_last; with kernels over volumes contiguous, or in channels_last_3d on a GPU
    in 16 bits, whose matrix units take volumes so alone.
    """
    if all(weight.dim() != 5 for weight in module.parameters()):
        return module.to(device, memory_format=torch.channels_last)  # type: ignore[no-any-return, call-overload]
    if device.type == "cuda" and amp != "off":
        return channels_last(module.to(device))
    for weight in module.to(device).parameters():
        weight.data = weight.data.contiguous()
    return module


def channels_last(module: nn.Module) -> nn.Module:
    """In place: kernels over images in channels_last, those over volumes in channels_last_3d."""
    forms = {4: torch.channels_last, 5: torch.channels_last_3d}
    for weight in module.parameters():
        if weight.dim() in forms:
            weight.data = weight.data.contiguous(memory_format=forms[weight.dim()])
    return module


@contextlib.contextmanager
def timed_arithmetic(precision: str, device: str) -> Iterator[None]:
    """What a time in this precision is of on a GPU: TF32 for `tf32` alone, and cuDNN's fastest kernels by trial."""
    if not device.startswith("cuda"):
        yield
        return
    cudnn, products = torch.backends.cudnn, torch.backends.cuda.matmul
    before = cudnn.allow_tf32, products.allow_tf32, cudnn.benchmark
    cudnn.allow_tf32 = products.allow_tf32 = precision == "tf32"
    cudnn.benchmark = True
    try:
        with torch.cuda.device(device):  # on which streams and graphs are made
            yield
    finally:
        cudnn.allow_tf32, products.allow_tf32, cudnn.benchmark = before


def autocast(amp: str, device: torch.device) -> contextlib.AbstractContextManager[Any]:
    """The context of a forward pass."""
    return torch.autocast(device.type, _AMP[amp]) if amp != "off" else contextlib.nullcontext()


def seed_all(seed: int) -> None:
    """Seed the generators of Python, numpy and torch."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


@contextlib.contextmanager
def deterministic(device: torch.device) -> Iterator[None]:
    """Deterministic kernels where torch has them, for the time of the context."""
    enabled = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    fill = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    benchmark = torch.backends.cudnn.benchmark
    torch.use_deterministic_algorithms(True, warn_only=device.type != "cpu")
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(enabled, warn_only=warn_only)
        torch.utils.deterministic.fill_uninitialized_memory = fill  # type: ignore[attr-defined]
        torch.backends.cudnn.benchmark = benchmark


def device_of(name: str) -> str:
    """`auto` as the device that it means, any other name checked."""
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    names = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    names += [f"cuda:{number}" for number in range(torch.cuda.device_count())]
    if name not in names:
        raise BadOption(
            f"--device {name!r} is not to be had here", allowed=", ".join(["auto", *names]), fix="--device cpu"
        )
    return name
