"""Benchmark and reproduction suite for video action recognition; what it offers to Python is in `repro.cli.api`."""

import lazy_loader

__version__ = "0.1.0"

#: imported when it is asked for; `records` is the package of that name as well, which can be called
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__, submod_attrs={"cli.api": ["check", "count", "model", "predict", "records", "speed", "table"]}
)
