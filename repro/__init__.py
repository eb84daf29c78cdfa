"""Benchmark and reproduction suite for video action recognition; what it offers to Python is in `repro.api`."""

import importlib
from typing import Any

__version__ = "0.1.0"
#: names of `repro.api`; `records` is the package of that name, which can be called
_OFFERED = ("check", "count", "model", "predict", "speed", "table")


def __getattr__(name: str) -> Any:
    """Imported when it is asked for: `import repro` takes nothing else along."""
    if name in _OFFERED:
        return getattr(importlib.import_module("repro.api"), name)
    if name == "records":
        return importlib.import_module("repro.records")
    raise AttributeError(f"module 'repro' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_OFFERED, "records"])
