"""The split files of UCF101 and HMDB51 as their makers ship them: videos, classes, and the source of each video.

UCF101      trainlist01.txt (`Class/v_Class_g08_c01.avi 1`), testlist01.txt (no number); gNN is the source, of a class
HMDB51      CLASS_test_split1.txt (`name.avi 1`: 1 train, 2 test, 0 unused); what precedes the class in a name is it
Videos of one source are alike, and official splits keep them on one side; so do folds by `group`.
"""

from __future__ import annotations

import re
from pathlib import Path

from repro.core.errors import DataError
from repro.core.paths import expand
from repro.data.index import Video

_UCF, _HMDB = re.compile(r"(train|test)list(\d+)\.txt"), re.compile(r"(.+)_test_split(\d)\.txt")


def read(folder: str | Path, root: str | Path) -> tuple[tuple[Video, ...], tuple[str, ...]]:
    """All videos that the lists of split 1 name, below `root`, and the class names, sorted.

    A list names a video as CLASS/NAME or, for HMDB51, as NAME in the folder of its class. `DataError` where the folder
    holds neither kind of lists, or none of the videos is there.
    """
    lists, base = sorted(expand(folder).glob("*.txt")), expand(root)
    names = [*_of_ucf(lists), *_of_hmdb(lists)]
    if not names:
        raise DataError(
            f"{str(folder)!r} holds no split files of UCF101 or HMDB51",
            allowed="trainlist01.txt and testlist01.txt, or CLASS_test_split1.txt; or a CSV path,label,group",
        )
    classes = tuple(sorted({label for _, label, _ in names}))
    number = {label: index for index, label in enumerate(classes)}
    videos = tuple(Video(name, base / name, number[label], group) for name, label, group in sorted(set(names)))
    if not any(video.path.exists() for video in videos):
        raise DataError(f"{str(root)!r} has none of {len(videos)} videos, first {videos[0].id}", fix="--root FOLDER")
    return videos, classes


def _of_ucf(lists: list[Path]) -> list[tuple[str, str, str]]:
    """(path below the root, class, source) of each line."""
    found = []
    for file in lists:
        if (match := _UCF.fullmatch(file.name)) and int(match[2]) == 1:
            for line in _lines(file):
                name = line.split()[0]
                label, _, stem = name.rpartition("/")
                source = re.search(r"_(g\d+)_", stem)
                if not label:
                    raise DataError(f"{str(file)!r}: {line!r} names no class", allowed="Class/v_Class_g01_c01.avi")
                found.append((name, label, f"{label}_{source[1]}" if source else stem))
    return found


def _of_hmdb(lists: list[Path]) -> list[tuple[str, str, str]]:
    found = []
    for file in lists:
        if (match := _HMDB.fullmatch(file.name)) and match[2] == "1":
            label = match[1]
            for name, used in (line.rsplit(maxsplit=1) for line in _lines(file)):
                if used != "0":
                    found.append((f"{label}/{name}", label, name.partition(f"_{label}_")[0]))
    return found


def _lines(file: Path) -> list[str]:
    return [line.strip() for line in file.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
