"""What one video is: frames, size, rate, bytes. Runs in workers, no torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import av

from repro.core.errors import DecodeError
from repro.data import frames
from repro.data.decode import checked
from repro.data.packet_index import VideoFile, decode_error


@dataclass(frozen=True)
class Probe:
    """Facts of one video; `first` is the number in the name of the first picture of a folder, -1 for a video file."""

    frames: int
    width: int
    height: int
    fps: float
    bytes: int
    first: int = -1


def probe(path: str) -> Probe:
    """A video file by its container, without decoding: frames of the header, hidden ones among them, or counted
    packets, and the size before rotation. A folder by its names and first picture. DecodeError for what is neither.
    """
    place = checked(path)
    if place.is_dir():
        listed = frames.list_folder(place)
        height, width = frames.read_picture(place / listed.names[0]).shape[:2]
        return Probe(len(listed.names), width, height, 0.0, size_of(place), listed.first)
    try:
        with VideoFile(place) as video:
            rate = video.stream.average_rate or video.stream.guessed_rate
            count = video.stream.frames or sum(1 for _ in video.packets())
            size = video.size
    except av.error.FFmpegError as error:
        raise decode_error(place, error) from error
    if count < 1:
        raise DecodeError(place, "no frames")
    return Probe(count, *size, round(float(rate or 0), 3), place.stat().st_size)


def size_of(place: Path) -> int:
    """Bytes of a video file, or of all pictures of a folder; -1 where there is neither."""
    try:
        if place.is_dir():
            return sum((place / name).stat().st_size for name in frames.list_folder(place).names)
        return place.stat().st_size
    except (OSError, DecodeError):
        return -1
