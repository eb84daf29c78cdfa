"""Class names in their official order, those of a label map, and what tells two orders apart.

The files in `labels/` hold one class a line, in the order of the official release: Kinetics alphabetically (its CSV has
names only), Something-Something V1, Jester and Diving48 as in their own label files, V2 by the numbers of its JSON.
TSM and TDN number V1 and Jester alphabetically instead, so a list of numbers alone does not say which class is meant.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from repro.core.csv_text import lines_of, number_at_end, text_of
from repro.core.errors import DataError
from repro.data.class_names import MOST_CLASSES, normal, require_different
from repro.data.official_splits import family

_FOLDER = Path(__file__).parent / "labels"
_MIRRORED = {"left": "right", "right": "left", "clockwise": "counterclockwise", "counterclockwise": "clockwise"}

#: a number before or behind a name, and some sign between them; a dash before it
_ODD = re.compile(r"^[-+(\[]?\d+(\.\d+)?\s*[|:;,=)\]\t]|[|:;,=\t]\s*\d+$|^[-*]\s")
#: letters of a line; no class has such a name
_LONGEST = 2_000
#: words that head a column of numbers, and one of names
_NUMBERS = frozenset("id index idx number no nr class_id label_id class_index label_index # label target".split())
_NAMES = frozenset("name names class classes class_name classname label labels label_name category categories".split())
#: what is seldom a class and often the head of a column
_HEADS = _NAMES | {"id", "index", "idx"}


def official(name: str) -> tuple[str, ...] | None:
    """The class names of a dataset in the official order; None where the suite has no list."""
    file = _FOLDER / f"{family(name)}.txt"
    return tuple(file.read_text(encoding="utf-8").splitlines()) if file.is_file() else None


def official_file(name: str, classes: Sequence[str]) -> Path | None:
    """The list of a dataset's official order, where `classes` are the same names, in whatever order."""
    wanted = official(name)
    return _FOLDER / f"{family(name)}.txt" if wanted and sorted(classes) == sorted(map(normal, wanted)) else None


def plain(text: str) -> str:
    """A class name without what its spellings differ in: case, brackets, quotes, `_` for a space."""
    text = unicodedata.normalize("NFC", text)
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


def read(file: Path) -> tuple[str, ...]:
    """A label map: class names in the order of their numbers, as `names_in` finds them."""
    return names_in(text_of(file, DataError, allowed="one class name a line"), file)


def names_in(text: str, file: Path) -> tuple[str, ...]:
    """The names of a label map: one a line, `number,name` or `name,number` a line, below a header or not, a JSON list,
    or a JSON object of names and numbers. DataError with its line for what may be meant in two ways.
    """
    if text.lstrip()[:1] in ("[", "{"):
        names = _of_json(text, file)
        lines = list(range(1, len(names) + 1))
    else:
        lines, names = _of_lines(text, file)
    if not names or len(names) > MOST_CLASSES:
        raise DataError(f"label map {str(file)!r} holds {len(names)} names", allowed=f"1 to {MOST_CLASSES}")
    seen: dict[str, int] = {}
    made = [normal(name) for name in names]
    for line, name in zip(lines, made, strict=True):
        if not name:
            raise DataError(f"label map {str(file)!r} line {line}: the class name is empty")
        if name in seen:
            raise DataError(f"label map {str(file)!r} line {line}: {name!r} stands on line {seen[name]} already")
        seen[name] = line
    require_different(made, f"label map {str(file)!r}")
    return tuple(made)


def _of_lines(text: str, file: Path) -> tuple[list[int], list[str]]:
    """Line numbers and names, in the order of the classes."""
    numbered = [(number, line.strip()) for number, line in enumerate(lines_of(text.rstrip()), 1)]
    if long := next((number for number, line in numbered if len(line) > _LONGEST), None):
        raise DataError(f"label map {str(file)!r} line {long}: more than {_LONGEST} letters", allowed="one name a line")
    if remark := next((one for one in numbered if one[1].startswith(("#", "//", "<", "}"))), None):
        raise DataError(f"label map {str(file)!r} line {remark[0]}: {remark[1]!r} may be a remark", fix="leave it out")
    head = _header(numbered, file) or _heads_numbers([line for _, line in numbered if line])
    if head:
        numbered = [(number, line) for number, line in numbered[1:] if line]
    for split in (_number_first, _number_last):
        found = [(split(line), at) for at, line in numbered]
        pairs = [(one[0], at, one[1]) for one, at in found if one]
        if not pairs or len(pairs) < len(numbered):
            continue
        numbers = sorted(number for number, _, _ in pairs)
        if numbers == list(range(len(pairs))):
            pairs.sort()
            return [at for _, at, _ in pairs], [_bare(name) for _, _, name in pairs]
        counts_from_1 = numbers == list(range(1, len(pairs) + 1)) and len(pairs) > 1
        if head or counts_from_1 or all(re.match(r"[0-9]+\s*[,;\t]", line) for _, line in numbered):
            raise DataError(
                f"label map {str(file)!r}: its numbers are {numbers[0]} to {numbers[-1]} for {len(pairs)} classes",
                allowed=f"0 to {len(pairs) - 1}, each once",
                fix="number the classes from 0, or write the names alone, in the order of their numbers",
            )
    if head:
        raise DataError(f"label map {str(file)!r}: not every line below its header is a number and a name")
    names = [_bare(line) for _, line in numbered]
    if odd := _maybe_numbered(names):
        raise DataError(
            f"label map {str(file)!r}: {odd!r} may be a name, or a number and a name",
            allowed="one name a line, or number,name",
        )
    return [at for at, _ in numbered], names


def _maybe_numbered(names: Sequence[str]) -> str | None:
    """The first of lines that seem to be numbered in a way that is not known here (`0|run`, `run:0`, `- run`); of those
    that end in a number behind a space, where these are the numbers of as many names, each once.
    """
    odd = [name for name in names if _ODD.search(name)]
    ends = [name.rpartition(" ") for name in names]
    bare, counts = {end[0] for end in ends}, {end[2] for end in ends}
    if len(names) > 1 and len(bare) == len(names) and "" not in bare:
        firsts = [{str(start + place) for place in range(len(names))} for start in (0, 1)]
        odd = list(names) if counts in firsts else odd
    return odd[0] if odd and 2 * len(odd) >= len(names) else None


def _heads_numbers(lines: Sequence[str]) -> bool:
    """Whether all lines but the first give each class its number, below whatever words."""
    for split in (_number_first, _number_last):
        first, *others = [split(line) for line in lines] or [None]
        numbers = sorted(one[0] for one in others if one)
        if first is None and len(others) > 1 and numbers == list(range(len(others))):
            return True
    return False


def _number_first(line: str) -> tuple[int, str] | None:
    found = re.match(r"([0-9]{1,9})(?:\s*[,;:=\t ]|[.)]\s)", line)
    return (int(found[1]), line[found.end() :].strip()) if found else None


def _number_last(line: str) -> tuple[int, str] | None:
    found = number_at_end(line, "\t;,")  # behind a space it belongs to the name: `class 0`, `class 1`
    return found[::-1] if found else None


def _header(lines: Sequence[tuple[int, str]], file: Path) -> bool:
    """Whether the first line is one such as `id,name`. One word that may be a header or a class is an error."""
    words = [_bare(word).strip().casefold().replace(" ", "_") for word in re.split(r"[,;\t]", lines[0][1])]
    if len(words) == 1 and len(lines) > 1 and words[0] in _HEADS:
        raise DataError(
            f"label map {str(file)!r} line 1: {lines[0][1]!r} may be a header or a class", fix="leave the header out"
        )
    if len(words) < 2 or not set(words[:2]) <= _NUMBERS | _NAMES:
        return False
    if len(words) > 2:
        raise DataError(f"label map {str(file)!r} line 1: {len(words)} columns", allowed="id,name")
    return True


def _bare(name: str) -> str:
    """A field without the quotes around it."""
    name = name.strip()
    quoted = len(name) > 1 and name[0] == name[-1] == '"'
    return name[1:-1].replace('""', '"') if quoted else name


def json_of(text: str, file: Path) -> Any:
    """The content of a JSON file; DataError with its line where it is none."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        why = f"{error.msg}; is the file whole?"
        raise DataError(f"{str(file)!r} line {error.lineno}: not well-formed JSON ({why})") from error
    except (ValueError, RecursionError) as error:  # a number of 5,000 digits, lists in lists in lists
        raise DataError(f"{str(file)!r} cannot be read as JSON: {error}") from error


def _of_json(text: str, file: Path) -> list[str]:
    data = json_of(text, file)
    if not isinstance(data, dict):
        return [_name_in_json(item, file) for item in data]
    numbers = {name: _whole(value) for name, value in data.items()}
    if any(number is None for number in numbers.values()):
        raise DataError(f"{str(file)!r} does not give each class a number")
    ordered = sorted(data, key=lambda name: numbers[name] or 0)
    if [numbers[name] for name in ordered] != list(range(len(ordered))):
        raise DataError(f"{str(file)!r}: the numbers of the classes are not 0 to {len(ordered) - 1}, each once")
    return ordered


def _name_in_json(item: Any, file: Path) -> str:
    """A name, or a number for one; the words of a list, as Diving48's vocabulary has them."""
    words = item if isinstance(item, list) else [item]
    if not all(isinstance(word, str | int) and not isinstance(word, bool) for word in words):
        raise DataError(f"{str(file)!r}: {item!r} is no class name", allowed='["run", "jump"] or {"run": 0, "jump": 1}')
    return " ".join(map(str, words))


def _whole(value: Any) -> int | None:
    """A number of a class in JSON, as a number or as text."""
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else None
