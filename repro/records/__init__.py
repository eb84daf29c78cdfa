"""Stored records, their scores, and the metrics of scores. The package can be called: `repro.records().to_frame()`."""

import sys
import types
from typing import Any


class _Records(types.ModuleType):
    def __call__(self, *names: Any, **options: Any) -> Any:
        """See `repro.cli.api.records`."""
        return sys.modules["repro"].__getattr__("records")(*names, **options)


sys.modules[__name__].__class__ = _Records
