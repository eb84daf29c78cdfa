"""Which names are backbones of timm, told without importing it, since that takes torch."""

from __future__ import annotations

import functools
import importlib.util
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from repro.registry import Entry


@functools.cache
def known() -> frozenset[str]:
    """The names of all networks of the installed timm, as its files declare them."""
    found = importlib.util.find_spec("timm")
    folder = Path(found.origin).parent / "models" if found and found.origin else None
    files = sorted(folder.glob("*.py")) if folder else []
    return frozenset(
        name
        for file in files
        for name in re.findall(r"^@register_model\s+def (\w+)\(", file.read_text(encoding="utf-8"), re.MULTILINE)
    )


def entry(name: str) -> Entry | None:
    """The backbone of this name, where timm has one."""
    return Entry(name, builder(name), f"{name} (timm)", {"timm": True}) if name in known() else None


def builder(name: str) -> Callable[[], Any]:
    """What makes the outline of a network of timm; it has no options."""

    def build() -> Any:
        from baselines.timm_backbone import Outline

        return Outline(name)

    return build
