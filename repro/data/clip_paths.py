"""The clips that somebody names: video files, folders of frames, folders of either, patterns, and lists of them."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from repro.core.csv_text import lines_of, records_of, text_of
from repro.core.errors import BadOption, DataError
from repro.core.paths import expand
from repro.data import clip_views, locate

_LISTS = (".txt", ".lst", ".list", ".csv")


def clips_of(names: Iterable[str | Path]) -> list[Path]:
    """Every clip once, in the order of the names, those of a folder in the natural order of their paths.

    A folder is a clip where it holds pictures and no video; else its videos, and the folders of pictures below it, are.
    A name with `*`, `?` or `[` that is no file is a pattern (`**` goes down). A list holds one path a line, or is a CSV
    with a column `path`; its paths are relative to it. `DataError` where a folder, pattern or list holds no clip.
    """
    return list(dict.fromkeys(clip for name in names for clip in _clips(str(name))))


def _clips(name: str) -> Iterator[Path]:
    if not name or "://" in name:
        fix = f"fetch it first: curl -LO {name}" if name else None
        raise BadOption(f"clip {name!r}", allowed="a file or folder on a disk", fix=fix)
    path = expand(name)
    if _exists(path) and path.is_dir():
        yield from _in_folder(path)
    elif _exists(path) and path.is_file() and path.suffix.lower() in _LISTS:
        yield from _in_list(path)
    elif not _exists(path) and glob.has_magic(name):
        found = sorted(glob.glob(str(path), recursive=True), key=clip_views.natural)  # noqa: PTH207 - or absolute
        if not found:
            raise DataError(f"no file is named like {name!r}")
        yield from (clip for one in found for clip in _clips(one) if Path(one).is_dir() or _is_video(Path(one)))
    else:
        yield path


def _in_folder(folder: Path) -> Iterator[Path]:
    def closed(error: OSError) -> None:
        if not _left_by_systems(Path(error.filename).relative_to(folder)):
            raise DataError(f"folder {str(error.filename)!r} cannot be read: {error.strerror}")

    found = (Path(at, name) for at, *names in os.walk(folder, onerror=closed) for name in chain(*names))
    entries = [path for path in found if not _left_by_systems(path.relative_to(folder))]
    videos = {path: path.parent for path in entries if _is_video(path) and path.is_file()}
    filmed = set(videos.values())
    pictures = {path.parent for path in entries if path.suffix.lower() in clip_views.SUFFIXES} - filmed
    if pictures == {folder} and not videos:
        yield folder
        return
    clips = [*videos, *(pictures - {folder})]
    if not clips:
        told = ", ".join((*locate.SUFFIXES, *clip_views.SUFFIXES))
        raise DataError(f"{str(folder)!r}: a folder without videos and pictures", allowed=told)
    yield from sorted(clips, key=lambda path: clip_views.natural(str(path)))


def _left_by_systems(path: Path) -> bool:
    return any(part.startswith(".") or part in locate.LEFT_BY_SYSTEMS for part in path.parts)


def _is_video(path: Path) -> bool:
    return path.suffix.lower() in locate.SUFFIXES


def _in_list(file: Path) -> Iterator[Path]:
    text = text_of(file, DataError, allowed="a list with one path a line")
    names = _column(file, text) if file.suffix.lower() == ".csv" else [line.strip() for line in lines_of(text)]
    paths = [file.parent / expand(name) for name in names if name]
    if not any(map(_exists, paths)):
        first = f", first {names[0][:80]!r}" if paths else ""
        raise DataError(
            f"list {str(file)!r} names no file that exists{first}", allowed="one path a line, from its folder"
        )
    yield from paths


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # longer than a name can be
        return False


def _column(file: Path, text: str) -> list[str]:
    (_, heading), *records = records_of(text, str(file), DataError) or [(0, [])]
    names = [name.strip().casefold() for name in heading]
    if "path" not in names:
        raise DataError(f"list {str(file)!r} has no column `path`", allowed=", ".join(names)[:200] or "a CSV with one")
    column = names.index("path")
    found = [fields[column].strip() if len(fields) == len(names) else "" for _, fields in records]
    if "" in found or names.count("path") > 1:
        line, fields = records[found.index("")] if "" in found else (1, heading)
        told = ",".join(heading)
        raise DataError(f"list {str(file)!r} line {line}: {','.join(fields)[:80]!r}", allowed=f"{told}; a path in each")
    return found
