"""What is said of a table, and claimed by a paper: TOML files beside the printed values, read and checked.

A fault is told with its file and line. `@name` stands for the text of that name under `[texts]`, in the file itself or
in the paper's: `dnr.toml` has what the files `dnr_*.toml` share.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from repro.core.errors import RecordError, ReproError, UnknownName
from repro.papers import published

#: the form of a file: a type, `[form]` for a list of it, `{name: form}` for a table; `*` stands for any name
_COLUMN = dict.fromkeys("key title short source unit better spread seeds absent note".split(), str)
COLUMN: dict[str, Any] = {**_COLUMN, "digits": int, "scale": float, "words": {"*": str}}
_SAID = dict.fromkeys("rows at says short".split(), str)
_READING = {**dict.fromkeys("rows at says source plus needs".split(), str), "times": int}
QUESTION: dict[str, Any] = {
    **dict.fromkeys("asks probe cell vary metric unit says chosen waits".split(), str),
    **dict.fromkeys("seeds digits".split(), int),
    "arms": [str],
    "labels": [str],
    "points": [object],
    "width": float,
}
COLUMNS: dict[str, Any] = {"*": COLUMN}
SHARED: dict[str, Any] = {"texts": {"*": str}, "columns": {"*": COLUMN}, "short": str}
TABLE: dict[str, Any] = {
    **SHARED,
    "title": str,
    "caption": str,
    "printed": str,  # the CSV without its ending, if its name is not the table's
    "footnotes": [str],
    "across": str,  # datasets that the short form sets side by side, a row a network
    "inferred": [_SAID],  # printed values that the paper leaves to the reader: in brackets in the short form
    "groups": [{"title": str, "columns": str, "cell": str}],  # see `repro.papers.columns`
    "labels": {"*": str},  # of rows that are not printed
    "reasons": [_SAID],  # why a cell or column is empty in these rows as long as no record fills it
    "explained": [_SAID],  # what is said of a value; of a printed count, why ours is another
    "readings": [_READING],  # what a printed count is of, where it is not the row's network at its input
    "notes": [_SAID],  # footnotes of rows
    "figures": [dict.fromkeys("title x y note cheap".split(), str)],
    "questions": {"*": QUESTION},  # see `repro.papers.question`
}
_MODEL: dict[str, Any] = {"name": str, "backbone": str, "frames": int, "dropout": float, "options": {"*": object}}
NETWORKS: dict[str, Any] = {
    "*": {
        **dict.fromkeys("note not_run".split(), str),
        "model": _MODEL,
        "size": int,
        "sizes": [int],
        "trained_frames": int,
        "heavy": bool,
    }
}
_CLAIM: dict[str, Any] = {
    **dict.fromkeys("key where says would_decide note".split(), str),
    **{name: [str] for name in "printed measured shows probes".split()},
}
CLAIMS: dict[str, Any] = {"claims": [_CLAIM]}

#: how a probe was chosen, what of it is still to be, and the options of methods in its small forms
PROBES: dict[str, Any] = {"*": {"chosen": str, "waits": str, "*": {"*": object}}}

_HEADING = re.compile(r"\[(\[)?\s*([^\]]+?)\s*\]")
_NAMES = re.compile(r"\"[^\"]*\"|'[^']*'|[^.\s]+")
_KEY = re.compile(r"(\"[^\"]*\"|'[^']*'|[\w-]+)\s*=")


@dataclass(frozen=True)
class Text:
    """One file."""

    path: Path
    data: Mapping[str, Any]
    alone: bool = False
    """Of a user's own: it shares nothing with files beside it."""

    def fault(self, what: str, *trail: str | int, allowed: str = "") -> RecordError:
        """An error at the place of a value: `fault("...", "groups", 2, "columns")`."""
        return RecordError(f"{self.path.name} line {_line(self.path, trail)}: {what}", allowed=allowed or None)

    @contextmanager
    def at(self, *trail: str | int, keys: Iterable[str] = ()) -> Iterator[None]:
        """An error inside is told with the place of a value, or of the one of `keys` there that it names."""
        try:
            yield
        except RecordError:
            raise
        except ReproError as error:
            named = [key for key in keys if f"{key} " in error.what or repr(key) in error.what]
            place = (trail[0], named[0]) if named else trail
            raise self.fault(error.what, *place, allowed=error.allowed or "") from error


def of_table(name: str) -> Text:
    """What is said of a table, by its full name."""
    file = f"{name.replace('/', '_')}.toml"
    path = published.find(file)
    if path is None:
        known = [one.name for folder in published.folders() for one in folder.glob("*_*.toml")]
        raise UnknownName("file of a table's texts", file, known, fix=f"write {file}")
    return read(path)


def csv_of(text: Text) -> str:
    """The file of a table's printed values, without ending: of the same name or `printed`; empty if there is none."""
    stem = str(text.data.get("printed", text.path.stem))
    if published.find(f"{stem}.csv") is None and "printed" in text.data:
        raise text.fault(f"no file {stem}.csv", "printed", allowed=", ".join(published.stems()))
    return stem if published.find(f"{stem}.csv") else ""


@cache
def read(path: Path, form: str = "TABLE") -> Text:
    """A file of one of the forms above, by its name; kept."""
    return parsed(path, globals()[form])


def parsed(path: Path, form: Any, *, alone: bool = False) -> Text:
    """A file of a form; `RecordError` tells what does not fit it, and where."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:  # also of a number of 5,000 digits
        raise RecordError(f"{path.name}: not readable as TOML: {error}") from error
    text = Text(path, data, alone)
    _check(text, data, form, ())
    return text


def shared(text: Text) -> Text | None:
    """What a paper's files share, for one of them."""
    if text.alone:
        return None
    path = text.path.with_name(f"{text.path.stem.partition('_')[0]}.toml")
    return read(path, "SHARED") if path.is_file() else None


def fits(name: str, pattern: str) -> bool:
    """Whether a name is one of a pattern's; most patterns are a name."""
    return name == pattern or (any(sign in pattern for sign in "*?[") and fnmatchcase(name, pattern))


def said(text: Text, value: str, *trail: str | int) -> str:
    """A sentence of a file: itself, or what `@name` stands for."""
    if not value.startswith("@"):
        return value
    common = shared(text)
    names = {**(common.data.get("texts", {}) if common else {}), **text.data.get("texts", {})}
    if value[1:] not in names:
        raise text.fault(f"no text {value!r}", *trail, allowed=", ".join(f"@{name}" for name in names))
    return str(names[value[1:]])


def _check(text: Text, value: Any, form: Any, trail: tuple[str | int, ...]) -> None:
    if isinstance(form, dict) and isinstance(value, dict):
        for name, inner in value.items():
            if name not in form and "*" not in form:
                raise text.fault(f"unknown name {name!r}", *trail, name, allowed=", ".join(form))
            _check(text, inner, form.get(name, form.get("*")), (*trail, name))
    elif isinstance(form, list) and isinstance(value, list):
        for index, inner in enumerate(value):
            _check(text, inner, form[0], (*trail, index))
    else:
        kinds = (int, float) if form is float else form
        if not isinstance(kinds, type | tuple) or not isinstance(value, kinds) or (form is int and value is True):
            wanted = "a table" if isinstance(form, dict) else "a list" if isinstance(form, list) else form.__name__
            raise text.fault(f"{trail[-1]} is {value!r}", *trail, allowed=wanted)


def _line(path: Path, trail: tuple[str | int, ...]) -> int:
    """The line of a value, or of the nearest thing around it: tomllib does not tell where it found something."""
    here: tuple[str | int, ...] = ()
    counts: Counter[tuple[str, ...]] = Counter()
    depth, found = 0, 1
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), start=1):
        if heading := _HEADING.match(line):
            names = tuple(name.strip("\"'") for name in _NAMES.findall(heading[2]))
            place = here = (*names, counts[names]) if heading[1] else names
            counts[names] += 1
        elif key := _KEY.match(line):
            place = (*here, key[1].strip("\"'"))
        else:
            continue
        if len(place) > depth and trail[: len(place)] == place:
            depth, found = len(place), number
    return found
