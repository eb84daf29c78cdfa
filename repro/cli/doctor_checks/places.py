"""Checks on folders: records, and room on the disks."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from repro.cli.doctor_checks.check import Check, Failed
from repro.core import paths
from repro.core.errors import ReproError
from repro.core.files import write_atomic
from repro.records.index import shown_records

#: GiB that should be free: probes with their decoded frames and checkpoints; records with their scores
_NEEDED = {"cache": 6.0, "results": 0.2}
_VARIABLES = {"cache": "REPRO_CACHE", "results": "REPRO_RESULTS"}


def records_folder() -> str:
    """Records can be written, whole or not at all, and every one that is there is valid."""
    root = paths.own()
    _require_writable(root, "results", "records")
    index = shown_records()
    records, problems = index.records(), index.problems()
    if problems:
        first = problems[0]
        raise Failed(
            f"{len(problems)} files in {paths.results()} are no valid records ({len(records)} are), "
            f"first {first.path}: {first.reason}",
            f"git checkout {paths.records()} restores committed ones; move others away and run their table again",
        )
    return f"{root} can be written; {len(records)} records, all valid"


def _require_writable(root: Path, name: str, what: str) -> None:
    """Write `what` as the store does: a temporary file, flushed to the disk, then linked to its name."""
    place = _existing(root)
    try:
        with tempfile.TemporaryDirectory(prefix=".doctor-", dir=place) as folder:
            final = Path(folder) / "a.json"
            write_atomic(final, b"{}\n", over=False)
            if final.read_bytes() != b"{}\n":
                raise Failed(f"what is written in {place} does not come back", "check the disk")
    except ReproError as error:
        what = f"{what} cannot be written to {root}: no room is left"
        raise Failed(what, f"make room, or {_VARIABLES[name]}=/another/folder") from error
    except OSError as error:
        what = f"{what} cannot be written to {root}: {error.strerror or error}"
        raise Failed(what, f"chmod u+w the folder, or {_VARIABLES[name]}=/another/folder") from error


def disk() -> str:
    """Room for what the suite writes, and that the cache can be written."""
    told = []
    for name, place in (("cache", paths.cache()), ("results", paths.results())):
        free = shutil.disk_usage(_existing(place)).free / 2**30
        if free < _NEEDED[name]:
            raise Failed(
                f"{free:.2f} GiB are free for the {name} in {place}, {_NEEDED[name]:g} are needed",
                f"make room, or {_VARIABLES[name]}=/another/folder",
            )
        if name == "cache":
            _require_writable(place, name, "decoded frames and checkpoints")
        told.append(f"{free:.1f} GiB free for the {name} in {place}")
    return "; ".join(told)


def _existing(place: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    while not place.exists() and place != place.parent:
        place = place.parent
    return place


CHECKS = (
    Check("records-folder", "can be written, and every record is valid", records_folder),
    Check("disk", "room for cache and results", disk),
)
