"""Class names in their official order, and what tells two orders apart.

The files in `labels/` hold one class a line, in the order of the official release: Kinetics alphabetically (its CSV has
names only), Something-Something V1, Jester and Diving48 as in their own label files, V2 by the numbers of its JSON.
TSM and TDN number V1 and Jester alphabetically instead, so a list of numbers alone does not say which class is meant.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

_FOLDER = Path(__file__).parent / "labels"
_MIRRORED = {"left": "right", "right": "left", "clockwise": "counterclockwise", "counterclockwise": "clockwise"}


def official(name: str) -> tuple[str, ...] | None:
    """The class names of a dataset in the official order; None where the suite has no list."""
    file = _FOLDER / f"{name}.txt"
    return tuple(file.read_text(encoding="utf-8").splitlines()) if file.is_file() else None


def plain(text: str) -> str:
    """A class name without what its spellings differ in: case, brackets, quotes, `_` for a space."""
    return " ".join(re.sub(r"['\"]", "", text).replace("_", " ").translate(_NO_BRACKETS).casefold().split())


_NO_BRACKETS = str.maketrans(dict.fromkeys("()[]", " ") | {"+": " ", ",": " "})


def fingerprint(classes: Sequence[str]) -> str:
    """sha256 over the names in their order; spellings that `plain` makes equal count as equal."""
    return hashlib.sha256("\n".join(plain(name) for name in classes).encode()).hexdigest()


def flip_pairs(classes: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """Labels that change places in a mirrored clip: names that differ in left and right, or in the way of turning."""
    numbers = {plain(name): number for number, name in enumerate(classes)}
    pairs = []
    for name, number in numbers.items():
        other = numbers.get(" ".join(_MIRRORED.get(word, word) for word in name.split()), number)
        if number < other:
            pairs.append((number, other))
    return tuple(sorted(pairs))


def difference(given: Sequence[str], wanted: Sequence[str]) -> str | None:
    """What is wrong with a label map, as a sentence; None where names and order are those wanted."""
    ours, theirs = [plain(name) for name in given], [plain(name) for name in wanted]
    if ours == theirs:
        return None
    if sorted(ours) == sorted(theirs):
        moved = [number for number, (one, other) in enumerate(zip(ours, theirs, strict=True)) if one != other]
        order = ", alphabetically ordered" if list(given) == sorted(given) else ""
        first = moved[0]
        return (
            f"the same {len(given)} names in another order{order}: {len(moved)} of them moved, the first is label "
            f"{first}, {given[first]!r} instead of {wanted[first]!r}"
        )
    strange = [name for name, form in zip(given, ours, strict=True) if form not in set(theirs)]
    lacking = [name for name, form in zip(wanted, theirs, strict=True) if form not in set(ours)]
    parts = [f"{len(given)} names, {len(wanted)} are official"]
    parts += [f"{len(strange)} unknown, the first {strange[0]!r}"] if strange else []
    parts += [f"{len(lacking)} lacking, the first {lacking[0]!r}"] if lacking else []
    return "; ".join(parts)
