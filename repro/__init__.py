"""Benchmark and reproduction suite for video action recognition; what it offers to Python is in `repro.cli.api`."""

import lazy_loader

__version__ = "0.1.0"

#: imported when it is asked for
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules={"records"},  # a package that can be called
    submod_attrs={"cli.api": ["check", "count", "model", "predict", "speed", "table"]},
)
