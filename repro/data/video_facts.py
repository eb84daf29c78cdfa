"""What one video is: frames, size, rate, bytes. Runs in workers, no torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from repro.core.errors import DecodeError
from repro.data import frames, packet_index
from repro.data.truncation import cut


@dataclass(frozen=True)
class Probe:
    """Facts of one video; `first` is the number in the name of the first picture of a folder, -1 for a video file."""

    frames: int
    width: int
    height: int
    fps: float
    bytes: int
    first: int = -1
    template: str = ""


def probe(path: str) -> Probe:
    """A video file by its container, a folder by its names and first picture; DecodeError for what is neither."""
    place = Path(path)
    if place.is_dir():
        return _folder(place)
    size = _size(place)
    if told := cut(place):
        raise DecodeError(place, told)
    facts = packet_index.facts(place)
    return Probe(facts.frames, facts.width, facts.height, round(facts.fps, 3), size)


def _size(place: Path) -> int:
    try:
        size = place.stat().st_size
    except OSError as error:
        raise DecodeError(place, f"cannot be read: {error.strerror or error}") from error
    if size == 0:
        raise DecodeError(place, "empty file")
    return size


def _folder(place: Path) -> Probe:
    listed = frames.list_folder(place)
    height, width = frames.read_picture(place / listed.names[0]).shape[:2]
    return Probe(len(listed.names), width, height, 0.0, size_of(place), listed.first, listed.template)


def size_of(place: Path) -> int:
    """Bytes of a video file, or of all pictures of a folder; -1 where there is neither."""
    try:
        if place.is_dir():
            return sum((place / name).stat().st_size for name in frames.list_folder(place).names)
        return place.stat().st_size
    except (OSError, DecodeError):
        return -1
