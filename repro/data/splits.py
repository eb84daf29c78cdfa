"""The splits of a dataset, `train`, `val` and `test`, and how people spell them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from repro.core.errors import UnknownName

_SPELLINGS = {
    "train": "train training trainset trainingset trn",
    "val": "val valid validate validation validationset valset validset dev devset development",
    "test": "test testing testset testingset tst",
}
_KNOWN = {spelling: split for split, spellings in _SPELLINGS.items() for spelling in spellings.split()}
#: words that tell a split in the name of a file, where `valid` and `dev` may mean something else
_IN_FILE_NAMES = {word: _KNOWN[word] for word in "train training val validation validate test testing".split()}

#: what a message names
_USUAL = "train training val valid validation dev test testing".split()


def known_split(text: str) -> str | None:
    """`train`, `val` or `test` for a spelling that is known, whatever its case; None for another."""
    return _KNOWN.get(re.sub(r"[\s_-]+", "", text.casefold()))


def split_of(text: str, where: str = "") -> str:
    """The split that a spelling means; a spelling that is not known is an error with the nearest one."""
    found = known_split(text)
    if found is None:
        kind = f"split of {where}" if where else "split"
        raise UnknownName(kind, text, _USUAL, fix="train, val or test in its place; what is held out is val or test")
    return found


def split_of_file_name(stem: str) -> str | None:
    """The split that a file's name tells: the last word of it that names one."""
    words = re.split(r"[^a-z]+", stem.casefold())
    return next((_IN_FILE_NAMES[word] for word in reversed(words) if word in _IN_FILE_NAMES), None)


def respelled(written: Iterable[str]) -> str | None:
    """A sentence on spellings that were read as another; None where there are none."""
    others = sorted({text for text in written if known_split(text) != text})
    told = ", ".join(f"{text!r} as {known_split(text)}" for text in others)
    return f"splits were read by their meaning: {told}" if others else None
