"""Where the videos of an annotation file lie below a folder, whatever folders a download or an extraction has made.

An id may be a file `ID.mp4` or a folder of pictures `ID/`, at any depth (class folders, split folders). A listed path
is looked for below the root as it is written, then without its leading folders, then with another suffix.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from repro.core.errors import DataError
from repro.data.annotations import Entry
from repro.data.label_maps import plain

SUFFIXES = tuple(
    ".mp4 .webm .avi .mkv .mov .m4v .mpg .mpeg .flv .3gp .ts .wmv .ogv .m2ts .mts .vob .asf .mxf .f4v .3g2 .divx .qt "
    ".m2v .dv .rm .ivf .nut .gif".split()
)
#: folders of other systems, which repeat the names of the videos and hold none
LEFT_BY_SYSTEMS = ("__MACOSX", "@eaDir", "lost+found", "$RECYCLE.BIN", "System Volume Information")
#: entries by which the number of leading folders to leave out is chosen
_TRIED = 200


def without_suffix(name: str) -> str:
    """A name without the suffix of a video; other dots belong to the name."""
    stem, dot, suffix = name.rpartition(".")
    return stem if dot and f".{suffix.casefold()}" in SUFFIXES else name


def video_id(entry: Entry) -> str:
    """What names a video in records: the official id, or the last part of a listed path without its suffix."""
    return without_suffix(PurePosixPath(entry.names[0]).name) if entry.listed else entry.names[0]


def locate(root: Path, entries: Sequence[Entry]) -> list[Path | None]:
    """The file or folder of each entry, relative to `root`; None where it is missing. DataError if all are."""
    if not root.is_dir():
        raise DataError(f"root {str(root)!r} is not a folder", allowed="the folder that holds the videos or frames")
    listed = [entry for entry in entries if entry.listed]
    depth = _leading_folders(root, listed)
    found = [_find_listed(root, entry.names[0], depth) if entry.listed else None for entry in entries]
    todo = [_by_id(entry) for entry, path in zip(entries, found, strict=True) if path is None]
    if todo:
        below = _walk(root, {name for entry in entries for name in _by_id(entry).names})
        ids = Counter(video_id(entry) for entry in listed)
        found = [
            path or (_find_id(below, _by_id(entry)) if ids[video_id(entry)] < 2 else None)
            for entry, path in zip(entries, found, strict=True)
        ]
    if not any(found):
        raise _wrong_root(root, entries)
    return found


def _by_id(entry: Entry) -> Entry:
    """A listed path that is not there is looked for by its last part: class folders are often renamed."""
    return Entry((video_id(entry),), entry.label, entry.split) if entry.listed else entry


def _walk(root: Path, wanted: set[str]) -> dict[str, list[str]]:
    """name -> the paths below root that bear it. A folder of that name is not looked into."""
    found: dict[str, list[str]] = {}
    seen: set[tuple[int, int]] = set()
    waiting = [""] if wanted else []
    while waiting:
        folder = waiting.pop()
        facts = (root / folder).stat()
        if (facts.st_dev, facts.st_ino) in seen:
            continue
        seen.add((facts.st_dev, facts.st_ino))
        with os.scandir(root / folder) as entries:
            for entry in entries:
                path = f"{folder}/{entry.name}" if folder else entry.name
                if entry.name.startswith("._") or entry.name in LEFT_BY_SYSTEMS:
                    continue
                if entry.is_dir():
                    if entry.name in wanted:
                        found.setdefault(entry.name, []).append(path)
                    else:
                        waiting.append(path)
                elif (stem := without_suffix(entry.name)) != entry.name and stem in wanted:
                    found.setdefault(stem, []).append(path)
    return {name: sorted(paths) for name, paths in found.items()}


def _find_id(below: dict[str, list[str]], entry: Entry) -> Path | None:
    """The place of the first name that is there; of several, the one whose folders tell the split or the class."""
    for name in entry.names:
        paths = below.get(name, [])
        if paths:
            return Path(max(paths, key=lambda path: _fits(path, entry)))
    return None


def _fits(path: str, entry: Entry) -> int:
    folders = [plain(part) for part in Path(path).parent.parts]
    split = any(word in (entry.split, f"{entry.split}idation") for part in folders for word in part.split())
    return 2 * split + (isinstance(entry.label, str) and plain(entry.label) in folders)


def _leading_folders(root: Path, entries: Sequence[Entry]) -> int:
    """How many leading folders of listed paths are not below this root: the number that finds most of them."""
    some = entries[:: max(1, len(entries) // _TRIED)]
    deepest = max((len(_parts(entry.names[0])) for entry in some), default=1)
    counts = [sum(_find_listed(root, entry.names[0], depth) is not None for entry in some) for depth in range(deepest)]
    return counts.index(max(counts)) if counts else 0


def _parts(name: str) -> tuple[str, ...]:
    path = PurePosixPath(name.replace("\\", "/"))
    return tuple(part for part in path.parts if part not in (path.anchor, ".", ".."))


def _find_listed(root: Path, name: str, depth: int) -> Path | None:
    parts = _parts(name)[depth:]
    if not parts:
        return None
    path = Path(*parts)
    if (root / path).exists():
        return path
    bare = path.with_name(without_suffix(path.name))
    others: Iterable[Path] = (bare, *(bare.with_name(bare.name + suffix) for suffix in SUFFIXES))
    return next((other for other in others if other != path and (root / other).exists()), None)


def _wrong_root(root: Path, entries: Sequence[Entry]) -> DataError:
    looked = ", ".join(repr(entry.names[0]) for entry in entries[:3])
    there = sorted(path.name for path in root.iterdir())
    shown = ", ".join(map(repr, there[:5])) + (f", ... ({len(there)} in all)" if len(there) > 5 else "")
    fix = "--root DIR, the folder that holds the videos or frames"
    for parent in list(root.absolute().parents)[:3]:
        if any(_find_listed(parent, entry.names[0], 0) for entry in entries[:_TRIED] if entry.listed):
            fix = f"--root {parent}"
            break
    return DataError(
        f"wrong root {str(root)!r}: none of {len(entries)} videos lies below it; looked for {looked}; "
        f"there is {shown or 'nothing'}",
        fix=fix,
    )
