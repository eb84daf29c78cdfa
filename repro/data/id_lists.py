"""Named lists of videos: the copy of a dataset that a paper tested on, registered by the user as a list of ids.

Kinetics shrinks, and each laboratory holds another part of it. The copies are known by their sizes; their lists belong
to whoever made them and do not ship. A registered list lies in the user's configuration:

    <config>/copies/<NAME>.txt      one id a line
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from repro.core import paths
from repro.core.csv_text import lines_of, text_of
from repro.core.errors import DataError, UnknownName
from repro.core.files import write_atomic
from repro.data import annotations as reading
from repro.data.index import read_csv
from repro.data.known_datasets import KNOWN
from repro.data.locate import without_suffix

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
#: `<id>_<start>_<end>`, as downloaders of Kinetics name files
_KINETICS = re.compile(r"(.{11})_\d{6}_\d{6}")
_PREFIX = "copy:"


def register(name: str, source: Path) -> int:
    """Remember a list of ids under a name; returns how many. A number at the name's end (`K400-19761`) must be that."""
    if not _NAME.fullmatch(name):
        raise DataError(f"copy {name!r}", allowed="letters, digits, and _ . - between them", fix="K400-19761")
    ids = read_list(source)
    promised = re.search(r"-(\d{3,})$", name)
    if promised and int(promised[1]) != len(ids):
        raise DataError(
            f"{source} holds {len(ids)} ids, copy {name!r} has {int(promised[1])}",
            allowed="the list whose size the name gives, or another name",
        )
    target = _folder() / f"{name}.txt"
    target.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(target, "".join(f"{one}\n" for one in ids).encode())
    return len(ids)


def registered() -> list[str]:
    """Names of the lists at hand, sorted."""
    return sorted(file.stem for file in _folder().glob("[!.]*.txt"))


def ids_of(subset: str, split: str = "val", scored: Collection[str] = ()) -> list[str]:
    """The ids of `copy:NAME`, of a file with one id a line, or of one split of a CSV with a column `path`.

    A line such as `run 1` may be an id, or an id with its label: the ids that are `scored` tell which.
    """
    if subset.startswith(_PREFIX):
        name = subset.removeprefix(_PREFIX)
        if name not in registered():
            raise UnknownName(
                f"copy ({_known(name)})",
                name,
                registered(),
                fix=f"python -m repro scores --register {name} LIST.txt",
            )
        file = _folder() / f"{name}.txt"
        return _unique(_plain_lines(_text(file)), file)
    file = Path(subset)
    if file.suffix.lower() == ".csv":
        return [video.id for video in read_csv(file, split).videos]
    return read_list(file, scored)


def read_list(file: Path, scored: Collection[str] = ()) -> list[str]:
    """One id a line; or the videos of an annotation file in a format that `repro.data.annotations` knows."""
    text = _text(file)
    whole, cut = _plain_lines(text), _annotated(text, file)
    if scored and cut:
        known = {key for video in scored for key in keys(video)}
        told, told_cut = (sum(bool(known & set(keys(one)[:2])) for one in ids) for ids in (whole, cut))
        if told == told_cut == len(whole) and whole != cut:
            raise DataError(
                f"{str(file)!r}: {whole[0]!r} may be an id, or {cut[0]!r} with a number behind it; both are scored",
                fix="a CSV with the column path",
            )
        cut = [] if told > told_cut else cut
    return _unique(cut or whole, file)


def _text(file: Path) -> str:
    return text_of(file, DataError, allowed="copy:NAME, or a file with one id a line")


def _plain_lines(text: str) -> list[str]:
    """Each line that is not blank, whole: a name may hold spaces."""
    lines = [line.strip() for line in lines_of(text)]
    return [line[1:-1] if len(line) > 2 and line[0] == line[-1] == '"' else line for line in lines if line]


def _unique(ids: list[str], file: Path) -> list[str]:
    if not ids:
        raise DataError(f"{str(file)!r} holds no id", allowed="one id a line")
    most, times = Counter(ids).most_common(1)[0]
    if times > 1:
        raise DataError(f"{str(file)!r} names {most!r} {times} times", allowed="each id once")
    return ids


def _annotated(text: str, file: Path) -> list[str]:
    """The ids of an annotation file; none for a plain list."""
    try:
        form = reading.recognise(text, file)
    except DataError:
        return []
    if form in ("ids", "labels") or (form == "20bn-csv" and ";" not in text):
        return []
    return [entry.names[0] for entry in reading.read(file, format=form).entries]


def keys(video: str) -> tuple[str, ...]:
    """What a video may be called in a list, the most exact first: its id, file name, name alone, YouTube's id in it."""
    video = unicodedata.normalize("NFC", video.strip())
    path = Path(video)
    stem = without_suffix(path.name)
    names = [video, path.name, stem]
    match = _KINETICS.fullmatch(stem)
    return tuple(dict.fromkeys([*names, *([match[1]] if match else [])]))


def match(wanted: Sequence[str], videos: Iterable[str]) -> dict[str, int]:
    """Listed id -> position of the video that it means, for those that are there.

    Two videos that one listed id may mean are an error, as are two listed ids that mean one video.
    """
    by_key: dict[str, set[int]] = {}
    named = list(videos)
    for position, video in enumerate(named):
        for key in keys(video):
            by_key.setdefault(key, set()).add(position)
    found: dict[str, int] = {}
    owner: dict[int, str] = {}
    for one in wanted:
        places = next((by_key[key] for key in keys(one) if key in by_key), set())
        if len(places) > 1:
            two = [named[at] for at in sorted(places)[:2]]
            raise DataError(f"{one!r} of the list may be {two[0]!r} or {two[1]!r}", allowed="ids that tell them apart")
        for at in places:
            if at in owner:
                raise DataError(f"{owner[at]!r} and {one!r} of the list both mean {named[at]!r}")
            found[one], owner[at] = at, one
    return found


def _known(name: str) -> str:
    """What the suite knows of a copy whose list is not registered: whose it is, if a size of one stands in the name."""
    size = re.search(r"-(\d{3,})$", name)
    copies = [copy for known in KNOWN.values() for copy in known.copies if size and copy.videos == int(size[1])]
    return f"known by its size alone, {copies[0].whose}" if copies else "no list is registered under this name"


def _folder() -> Path:
    return paths.config() / "copies"
