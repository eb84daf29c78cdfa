"""Names of classes: which spellings are one class, how numbers are written, and which class of a network is meant."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from repro.core.errors import BadOption, DataError

#: more classes than any dataset of videos or pictures has
MOST_CLASSES = 100_000
#: `2`, and how spreadsheets and pandas write it: `2.0`, `2,0`, `+2`, `02`
_NUMBER = re.compile(r"\+?0*([0-9]{1,12})(?:\.0*|,00?)?")
_SHOWN = 4
#: Cyrillic, Greek and Armenian letters, dashes and quotes that look like these in most typefaces, and that no Unicode
#: form makes equal
_LOOKALIKES = {
    "a": "аɑα", "c": "сϲᴄ", "d": "ԁ", "e": "еҽ", "g": "ɡց", "h": "һհ", "i": "іıιӏ", "j": "јϳ", "k": "κк", "n": "ոп",
    "o": "оοօσᴏ", "p": "рρ", "q": "ԛզ", "s": "ѕꜱ", "u": "սυ", "v": "νѵᴠ", "w": "ԝωᴡ", "x": "хχ", "y": "уүγ", "l": "ⅼ|",
    "A": "АΑᎪ", "B": "ВΒᏴ", "C": "СϹᏟ", "E": "ЕΕᎬ", "F": "Ϝ", "G": "ԌᏀ", "H": "НΗᎻ", "I": "ІΙӀᎥ", "J": "ЈͿᎫ",
    "K": "КΚᏦ", "M": "МΜϺᎷ", "N": "Ν", "O": "ОΟՕ", "P": "РΡᏢ", "S": "ЅՏᏚ", "T": "ТΤᎢ", "U": "Ս", "W": "ԜᎳ", "X": "ХΧ",
    "Y": "УΥҮ", "D": "Ꭰ", "L": "Ꮮ", "R": "Ꭱ", "V": "Ꮩ", "Z": "ΖᏃ", "b": "Ьь", "r": "г", "z": "ᴢ",
    "-": "‐‑‒–—―−﹣", "'": "’‘ʼ′`´ʹ", '"': "“”″„", ".": "․", ":": "։∶", "/": "∕⁄",
}  # fmt: skip
_PLAIN = str.maketrans({sign: letter for letter, signs in _LOOKALIKES.items() for sign in signs})
#: marks and fillers that show nothing and that no category tells: joiners, selectors of a variant, blank letters
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


def normal(name: str) -> str:
    """A name in one of its Unicode forms (NFC), without what cannot be seen, and with single spaces."""
    seen = (sign for sign in _UNSEEN.sub("", name) if sign.isspace() or unicodedata.category(sign) not in ("Cf", "Cc"))
    return " ".join(unicodedata.normalize("NFC", "".join(seen)).split())


def number_of(text: str) -> int | None:
    """The number from 0 that a label writes; None for a name."""
    found = _NUMBER.fullmatch(text.strip())
    return int(found[1]) if found else None


def looks_like_number(text: str) -> bool:
    """Whether a label is some number, be it one that no class can have or is written so: `-1`, `1.5`, `1,000`, `nan`,
    `0x1`, a spreadsheet's `="1"` and `'1`.
    """
    if re.fullmatch(r"0[xX][0-9a-fA-F]+", text) or (re.search(r"\d", text) and not any(map(str.isalpha, text))):
        return True
    try:
        float(text.replace(",", "."))
    except ValueError:
        return False
    return True


def require_different(names: Iterable[str], where: str) -> None:
    """Raise `DataError` for two names, each `normal`, that look alike and yet are not the same."""
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(_as_seen(name), name)
        if other != name:
            raise DataError(
                f"{where}: the classes {other!a} and {name!a} look alike", allowed="one spelling for each class"
            )


def _as_seen(name: str) -> str:
    """What names that look alike have in common."""
    return normal(unicodedata.normalize("NFKC", name)).translate(_PLAIN)


def differ_in_case(names: Iterable[str]) -> str | None:
    """What to say of the first two classes that differ in upper and lower case, or in `_` for a space, alone; None
    where there are none.
    """
    seen: dict[str, str] = {}
    pairs = ((seen.setdefault(name.casefold().replace("_", " "), name), name) for name in names)
    two = next(((one, other) for one, other in pairs if one != other), None)
    what = "case" if two and "_" not in "".join(two) else "case or `_`"
    return f"{two[0]!r} and {two[1]!r} are two classes, and differ in {what} alone" if two else None


@dataclass(frozen=True)
class Match:
    """Which class of a network each place of its reordered outputs is: the dataset's classes first, in their order,
    then the others; and what a user should know of it, empty where nothing is unusual.
    """

    order: tuple[int, ...]
    note: str = ""

    @property
    def moved(self) -> bool:
        """Whether any output changes its place."""
        return self.order != tuple(range(len(self.order)))


def match(network: Sequence[str], dataset: Sequence[str], classes: int, what: str) -> Match:
    """Find the classes of dataset `what` among the `classes` of a network, whose names are `network` where its file
    holds them.

    By name where both have names. By number where one of them has none, if it is plain which number is meant. Other
    names are a `DataError` that shows the first of them.
    """
    if len(network) not in (0, classes):
        raise BadOption(
            f"the weights hold {len(network)} names for {classes} classes", fix="import or train them again"
        )
    ours, theirs = [normal(name) for name in network], [normal(name) for name in dataset]
    if not named(ours) or not named(theirs):
        return _by_number(named(ours), theirs, classes, what)
    if len(set(ours)) < len(ours) or len(set(theirs)) < len(theirs):
        raise DataError(f"a class stands twice among those of {what} or of the weights", allowed="each name once")
    places = {name: place for place, name in enumerate(ours)}
    if strange := [name for name in theirs if name not in places]:
        raise _others(strange, ours, theirs, what)
    chosen = [places[name] for name in theirs]
    rest = sorted(set(range(classes)) - set(chosen))
    order = (*chosen, *rest)
    if rest:
        note = f"{what} has {len(theirs)} of the {classes} classes of the weights; they are scored among all {classes}"
    elif moved := [place for place, other in enumerate(order) if place != other]:
        first = moved[0]
        note = (
            f"{what} has the classes of the weights in another order; they were mapped by name: {len(moved)} moved, "
            f"the first is {theirs[first]!r}, class {first} of the dataset and {order[first]} of the weights"
        )
    else:
        note = ""
    return Match(order, note)


def named(names: Sequence[str]) -> bool:
    """Whether there are names, rather than none or only the numbers of the classes."""
    return any(name != str(place) for place, name in enumerate(names))


def _by_number(network_named: bool, dataset: Sequence[str], classes: int, what: str) -> Match:
    order = tuple(range(classes))
    if len(dataset) > classes:
        raise DataError(f"{what} has {len(dataset)} classes, the weights have {classes}", allowed=f"at most {classes}")
    if not named(dataset):
        note = f"{what} numbers its classes: they are taken as the numbers of the weights' classes"
        return Match(order, note if network_named or len(dataset) < classes else "")
    if len(dataset) < classes:
        raise DataError(
            f"{what} names {len(dataset)} classes, and the weights have {classes} without names: which of them are "
            "meant is not known",
            allowed=f"a label map with all {classes} names, in the order of the weights",
            fix="labels.txt beside the CSV",
        )
    return Match(order, f"the weights hold no names of classes: those of {what} are taken to be in the same order")


def _others(strange: Sequence[str], network: Sequence[str], dataset: Sequence[str], what: str) -> DataError:
    lacking = [name for name in network if name not in set(dataset)]
    seen = {_as_seen(name): name for name in network}
    if alike := next((name for name in strange if _as_seen(name) in seen), None):
        raise DataError(
            f"{what} has the class {alike!a}, which looks like {seen[_as_seen(alike)]!a} of the weights and is not",
            allowed="the names of the weights",
        )
    told = f"{what} has classes that the weights do not know: {_some(strange)}"
    return DataError(
        told + (f"; the weights have {_some(lacking)} in their place" if lacking else ""),
        allowed=f"classes of the weights, by name: {_some(network)}",
        fix="write the names of the weights, or class numbers, into the dataset",
    )


def _some(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:_SHOWN])) + (f", ... ({len(names)} in all)" if len(names) > _SHOWN else "")
