"""The small made-up table and its records, as fixtures."""

from tests.repro.made_table import layout, records

__all__ = ["layout", "records"]
