"""Refusing an option that is not one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def refuse_unknown(owner: str, given: Iterable[str], allowed: Iterable[str]) -> None:
    """Raise ValueError for the first name of `given` that is not in `allowed`, with the nearest one that is."""
    names = sorted(allowed)
    for name in given:
        if name in names:
            continue
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"{owner} has no option {name!r}{hint}; allowed: {', '.join(names) or 'none'}")


def require_choice(owner: str, option: str, value: object, allowed: Iterable[object]) -> None:
    """Raise ValueError if `value` is none of `allowed`."""
    choices = list(allowed)
    if value not in choices:
        raise ValueError(f"{owner}: {option} {value!r} is not possible; allowed: {', '.join(map(str, choices))}")


def require_count(owner: str, option: str, value: object) -> None:
    """Raise ValueError unless `value` is a whole number of at least 1."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{owner}: {option} {value!r} is not possible; allowed: a whole number of at least 1")
