"""Stored records, their scores, and the metrics of scores. The package can be called: `repro.records().to_frame()`."""

import importlib
import sys
import types
from typing import Any


class _Records(types.ModuleType):
    def __call__(self, *names: Any, **options: Any) -> Any:
        """See `repro.cli.api.records`."""
        offering = sys.modules["repro"].table.__module__  # where `import repro` has its functions from
        return importlib.import_module(offering).records(*names, **options)


sys.modules[__name__].__class__ = _Records
