"""Where the datasets of this user are: a small file outside the repository, written by `python -m repro data add`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from repro.core import paths
from repro.core.errors import DataError
from repro.core.files import write_atomic

_SPLITS = ("train", "val")


def place(name: str) -> Path | None:
    """The CSV of a dataset, or its stored index (`repro.data.catalogue`); None if the user has given none."""
    found = _read().get(name)
    return Path(found) if found else None


def names() -> list[str]:
    """Every name that has a place; none where the file is damaged, of which `place` tells."""
    try:
        return sorted(_read())
    except DataError:
        return []


def add(name: str, csv: Path, classes: int) -> dict[str, int]:
    """Check the CSV and remember it as dataset `name`; returns the number of videos of each split.

    The file needs a `split` column with `train` and `val`, and exactly the dataset's number of classes.
    """
    from repro.data.index import read_classes, read_csv

    file = paths.expand(csv).resolve()
    found = len(read_classes(file))
    if found != classes:
        raise DataError(
            f"{csv.name} has {found} classes, {name} has {classes}", allowed="the labels of the official release"
        )
    counts = {split: len(read_csv(file, split)) for split in _SPLITS}
    remember(name, file)
    return counts


def remember(name: str, file: Path) -> None:
    """Note a checked CSV or a stored index as the place of a dataset."""
    _write({**_read(), name: str(file)})


def remove(name: str) -> bool:
    """Forget where a dataset is, and its stored index; its own files stay. Returns whether it was known."""
    known = _read()
    if known.pop(name, None) is None:
        return False
    _write(known)
    shutil.rmtree(paths.config() / "datasets" / name, ignore_errors=True)
    return True


def _file() -> Path:
    return paths.config() / "datasets.json"


def _read() -> dict[str, str]:
    file = _file()
    if not file.exists():
        return {}
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{file} cannot be read: {error}", fix=f"rm {file}, then data add again") from error
    if not isinstance(data, dict) or not all(isinstance(value, str) for value in data.values()):
        raise DataError(f"{file} does not hold names and paths", fix=f"rm {file}, then data add again")
    return data


def _write(data: dict[str, str]) -> None:
    file = _file()
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(file, json.dumps(data, indent=1, sort_keys=True).encode())
