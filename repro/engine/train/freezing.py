"""Which parts of a network stay as they were while the rest is trained."""

from __future__ import annotations

from torch import nn

from repro.core.errors import BadOption

_STEM = ("conv1", "bn1")
_STAGES = ("layer1", "layer2", "layer3", "layer4")


def freeze_stages(module: nn.Module, count: int) -> int:
    """The stem and the first `count` stages keep weights and statistics; returns how many parameters that are.

    Called after each `module.train()`. `BadOption` for a network without these stages.
    """
    names = (*_STEM, *_STAGES[:count])
    parts = [getattr(module, name, None) for name in names]
    if missing := [name for name, part in zip(names, parts, strict=True) if not isinstance(part, nn.Module)]:
        raise BadOption(
            f"frozen_stages {count}: {type(module).__name__} has no {missing[0]}", allowed="frozen_stages 0"
        )
    frozen = 0
    for part in parts:
        part.eval()  # type: ignore[union-attr]
        for parameter in part.parameters():  # type: ignore[union-attr]
            parameter.requires_grad_(False)
            frozen += parameter.numel()
    return frozen
