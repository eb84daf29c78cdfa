"""Benchmark and reproduction suite for video action recognition; what it offers to Python is in `repro.cli.api`."""

try:
    import lazy_loader
except ModuleNotFoundError:  # before the installation, of which `python -m repro` tells
    pass
else:  # imported when it is asked for; `records` is a package that can be called
    __getattr__, __dir__, __all__ = lazy_loader.attach(
        __name__,
        submodules={"records"},
        submod_attrs={"cli.api": ["check", "count", "model", "predict", "speed", "table"]},
    )

__version__ = "0.1.0"
