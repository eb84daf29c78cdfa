"""What shapes pass through the parts of a network, found without computing anything."""

from __future__ import annotations

import copy
from collections.abc import Iterable

import torch
from torch import nn

_SIZE = 224
Shapes = tuple[torch.Size, torch.Size]


def shapes(model: nn.Module, names: Iterable[str]) -> dict[str, list[Shapes]]:
    """Name of a part -> input and output shape of each of its calls when one clip of 224x224 is evaluated."""
    copies: dict[int, object] = {id(p): nn.Parameter(p.to("meta"), p.requires_grad) for p in model.parameters()}
    copies |= {id(b): b.to("meta") for b in model.buffers()}
    probe = copy.deepcopy(model, copies).eval()
    seen: dict[str, list[Shapes]] = {}
    for name in names:
        calls = seen.setdefault(name, [])
        probe.get_submodule(name).register_forward_hook(
            lambda _, inputs, output, calls=calls: calls.append((inputs[0].shape, output.shape))
        )
    frames: int = model.frames  # type: ignore[assignment]
    length = getattr(model, "clip_length", 1)
    shape = (1, frames, *(() if length == 1 else (length,)), 3, _SIZE, _SIZE)
    dtype = next((p.dtype for p in model.parameters()), torch.float32)
    with torch.no_grad():
        probe(torch.empty(shape, device="meta", dtype=dtype))
    return seen
