"""A number in a record's results, by the path that tables, questions and claims write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def look_up(results: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path, or None. Keys that hold dots or slashes are found too; `*` is an only key."""
    if path.startswith("*."):
        return look_up(next(iter(results.values())), path[2:]) if len(results) == 1 else None
    if path in results:
        return results[path]
    end = path.find(".")
    while end >= 0:
        inner = results.get(path[:end])
        if isinstance(inner, dict):  # a record's results are plain data
            found = look_up(inner, path[end + 1 :])
            if found is not None:
                return found
        end = path.find(".", end + 1)
    return None


def number(results: Mapping[str, Any], metric: str) -> float | None:
    """The number at a path, or the quotient of two, `A / B`; None where one is missing, or B is zero."""
    parts = [look_up(results, part) for part in metric.split(" / ")]
    if not all(isinstance(part, int | float) for part in parts):
        return None
    try:
        value, *divisor = map(float, parts)
    except OverflowError:
        return None
    if not divisor:
        return value
    return value / divisor[0] if divisor[0] else None
