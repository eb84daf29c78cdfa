"""All videos of the split files of UCF101 and HMDB51, with classes and the source of each: what folds are made of.

Videos of one source are alike, and official splits keep them on one side; so do folds by `group`.
"""

from __future__ import annotations

from pathlib import Path

from repro.core.csv_text import text_of
from repro.core.errors import DataError
from repro.core.paths import expand
from repro.data import official_splits
from repro.data.index import Video


def read(folder: str | Path, root: str | Path) -> tuple[tuple[Video, ...], tuple[str, ...]]:
    """All videos that the lists of split 1 name, below `root`, and the class names, sorted.

    A list names a video as CLASS/NAME or, for HMDB51, as NAME in the folder of its class. `DataError` where the folder
    holds neither kind of lists, or none of the videos is there.
    """
    lists, base = sorted(expand(folder).glob("*.txt")), expand(root)
    names = {name for file in lists for name in _names(file)}
    if not names:
        raise DataError(
            f"{str(folder)!r} holds no split files of UCF101 or HMDB51",
            allowed="trainlist01.txt and testlist01.txt, or CLASS_test_split1.txt; or a CSV path,label,group",
        )
    classes = tuple(sorted({label for _, label, _ in names}))
    number = {label: index for index, label in enumerate(classes)}
    videos = tuple(Video(name, base / name, number[label], group) for name, label, group in sorted(names))
    if not any(video.path.exists() for video in videos):
        raise DataError(f"{str(root)!r} has none of {len(videos)} videos, first {videos[0].id}", fix="--root FOLDER")
    return videos, classes


def _names(file: Path) -> list[tuple[str, str, str]]:
    """(path below the root, class, source) of each line of a file of split 1."""
    told = official_splits.named(file)
    if told is None or told[1] != 1:
        return []
    text = text_of(file, DataError, allowed="a split file of UCF101 or HMDB51")
    found = official_splits.videos(text, file, told[0])
    return [(path, label, official_splits.source_of(path, label)) for _, path, label, _ in found]
