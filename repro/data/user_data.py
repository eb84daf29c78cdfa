"""Datasets of the user's own: a CSV, or a name that `data add` gave to one, becomes a registered dataset.

Its name holds a digest of the class names, and of names, labels and contents of its videos: two copies that differ are
two datasets, and no path enters a spec. A process that has not opened the file itself is told of it by `known_here`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from repro.core.errors import BadOption
from repro.core.names import is_name, name_like
from repro.core.paths import expand
from repro.data import dataset_config
from repro.data.datasets import declare_own, is_csv
from repro.data.index import Index, read_classes, read_csv, read_splits
from repro.registry import datasets

#: name with its digest -> the CSV, and how records call it
_opened: dict[str, tuple[Path, str]] = {}


def dataset_name(text: str, folder: Path | None = None) -> str:
    """A registered name as it is; of a CSV (relative to `folder`) or a user's name, one with its digest."""
    if is_csv(text):
        path = expand(text)
        path = path if folder is None else folder / path
        stem = name_like(path.stem)
    elif datasets[text].facts.get("own"):
        path, stem = _place(text), text
    else:
        return text
    name = f"{stem}@{_fingerprint(path)[:12]}"
    register(name, path, stem)
    return name


def register(name: str, path: Path, stem: str) -> None:
    """Make a CSV known by a name that holds its digest."""
    called = f"records call {path.name!r} {stem!r}: they take letters, digits and _ . + = - alone"
    renamed = stem != path.stem and stem == name_like(path.stem)

    def open_split(_: str, split: str) -> Index:
        made = replace(read_csv(path, split), name=stem)
        return replace(made, notes=(*made.notes, called)) if renamed else made

    datasets.add(name, open_split, f"the file {path.name}", num_classes=len(read_classes(path)), origin=name)
    _opened[name] = (path, stem)


def opened() -> Mapping[str, tuple[Path, str]]:
    """What `register` was told here, for another process."""
    return dict(_opened)


def file_of(name: str) -> Path | None:
    """The CSV behind a name with a digest; None for any other dataset."""
    return _opened[name][0] if name in _opened else None


def test_split(name: str) -> str:
    """The split that a dataset is tested on: `val`, or `test` where it has no other."""
    if name.startswith("probe-"):
        return "test"
    file = file_of(name)
    splits = read_splits(file) if file else ("val",)
    return "test" if "val" not in splits and "test" in splits else "val"


def stem_of(name: str) -> str:
    """A dataset's name without the digest."""
    return name.partition("@")[0]


def add(name: str, path: Path) -> dict[str, int]:
    """Check a CSV and remember it under a name of the user's own; returns the videos of each split."""
    if not is_name(name) or "@" in name:
        raise BadOption(f"dataset name {name!r}", allowed="letters, digits and _ . + = - with a letter or digit first")
    file = expand(path).resolve()
    found = {split: len(read_csv(file, split)) for split in read_splits(file)}
    dataset_config.remember(name, file)
    declare_own(name)
    return found


def open_own(name: str, split: str) -> Index:
    """A split of a dataset that `data add` gave a name."""
    return replace(read_csv(_place(name), split), name=name)


def _place(name: str) -> Path:
    file = dataset_config.place(name)
    if file is None:
        raise BadOption(f"{name} has no file any more", fix=f"python -m repro data add {name} --csv FILE.csv")
    return file


def _fingerprint(path: Path) -> str:
    digest = hashlib.sha256()
    for split in read_splits(path):
        digest.update(f"{split}:{read_csv(path, split).fingerprint};".encode())
    return digest.hexdigest()
