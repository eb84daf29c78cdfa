"""The labels of annotation files as numbers in the official order of the classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from repro.core.errors import DataError, UnknownName
from repro.data.annotations import Entry
from repro.data.known_datasets import KNOWN
from repro.data.label_maps import difference, official, plain

#: share of videos in the folder of another class at which the labels are refused
_MOST_STRANGE = 0.01
#: share of them one class further at which the labels count from 1
_MOST = 0.9


@dataclass(frozen=True)
class Labelling:
    """Class names in the order of the numbers, the number of each entry, and remarks for the user."""

    classes: tuple[str, ...]
    numbers: tuple[int, ...]
    notes: tuple[str, ...]


def number(name: str, entries: Sequence[Entry], given: tuple[str, ...], first_label: int = 0) -> Labelling:
    """Number the labels of dataset `name`. `given` are the class names of a label file, in the order of the numbers of
    the entries; numbers of the entries count from `first_label`.

    Numbers are turned to the official order where the label file has another. Names that are not official, numbers out
    of range, numbers that could mean either order, and labels that contradict the class folders are refused.
    """
    wanted, count = official(name), KNOWN[name].classes
    notes = []
    if given and len(given) != count:
        raise DataError(
            f"the label file does not fit {name}: {difference(given, wanted) if wanted else f'{len(given)} names'}",
            allowed=f"{count} class names",
        )
    if given and wanted and (wrong := difference(given, wanted)):
        if sorted(map(plain, given)) != sorted(map(plain, wanted)):
            raise DataError(f"the label file does not fit {name}: {wrong}", fix="the label file of the release")
        notes.append(f"label map: {wrong}; labels were renumbered to the official order")
    classes = wanted or given or _named(name, entries, count)
    source = given or classes
    _check_range(entries, count, first_label)
    numbers_alone = any(entry.listed and isinstance(entry.label, int) for entry in entries)
    if not given and wanted and sorted(wanted) != list(wanted) and numbers_alone:
        raise DataError(
            f"the lists of {name} hold numbers alone, and these mean two things: TSM and TDN number the classes "
            "alphabetically, mmaction2 and AdaFuse as the official label file does",
            fix="--labels FILE, with the class names in the order of the lists",
        )
    if not given and numbers_alone:
        notes.append("label map: the lists hold numbers alone; they are taken to follow the official order")
    places = {plain(text): place for place, text in enumerate(classes)}
    numbers = []
    for entry in entries:
        text = entry.label if isinstance(entry.label, str) else source[int(entry.label or 0) - first_label]
        place = places.get(plain(text))
        if place is None:
            raise UnknownName(f"class of {name} (line {entry.line})", text, classes, fix="--labels FILE")
        numbers.append(place)
    _check_folders(name, entries, numbers, classes, first_label)
    return Labelling(classes, tuple(numbers), tuple(notes))


def _named(name: str, entries: Sequence[Entry], count: int) -> tuple[str, ...]:
    """Without any list of names: those that occur, sorted, if none is lacking; or the numbers as their own names."""
    texts = {entry.label for entry in entries if isinstance(entry.label, str)}
    if not texts:
        return tuple(str(place) for place in range(count))
    if len(texts) != count:
        raise DataError(f"the annotations name {len(texts)} classes, {name} has {count}", fix="--labels FILE")
    return tuple(sorted(texts))


def _check_range(entries: Sequence[Entry], count: int, first: int) -> None:
    labels = [entry.label - first for entry in entries if isinstance(entry.label, int)]
    if not labels or (min(labels) >= 0 and max(labels) < count):
        return
    if min(labels) >= 1 and max(labels) == count:
        raise DataError(
            f"the labels count from {first + 1}: {min(labels)} to {count}", fix=f"--first-label {first + 1}"
        )
    entry = next(e for e in entries if isinstance(e.label, int) and not 0 <= e.label - first < count)
    raise DataError(f"line {entry.line}: label {entry.label} of {entry.names[0]!r}", allowed=f"0 to {count - 1}")


def _check_folders(
    name: str, entries: Sequence[Entry], numbers: Sequence[int], classes: tuple[str, ...], first: int
) -> None:
    """Listed paths often lie in folders named by class: those must be the classes that the labels mean."""
    names = {plain(text): place for place, text in enumerate(classes)}
    strange: Counter[tuple[int, int]] = Counter()
    told = 0
    for entry, label in zip(entries, numbers, strict=True):
        if not entry.listed:
            continue
        folder = names.get(plain(PurePosixPath(entry.names[0]).parent.name))
        told += folder is not None
        if folder is not None and folder != label:
            strange[label, folder] += 1
    if sum(strange.values()) <= _MOST_STRANGE * told:
        return
    (label, folder), videos = strange.most_common(1)[0]
    if first == 0 and sum(count for (one, other), count in strange.items() if one == other + 1) > _MOST * told:
        raise DataError("the labels count from 1: label 1 is the folder of class 0, and so on", fix="--first-label 1")
    raise DataError(
        f"shuffled label map: {sum(strange.values())} of {told} videos of {name} lie in the folder of another class; "
        f"label {label} means {classes[label]!r}, but {videos} of its videos lie in {classes[folder]!r}",
        fix="--labels FILE, with the class names in the order of the lists; or the annotation files of the release",
    )
