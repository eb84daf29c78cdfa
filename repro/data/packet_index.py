"""A video file opened by PyAV, and its packets listed without decoding: what numbers the frames, and in which order
they are stored. One reading of the file serves the choice of a decoder, counting and decoding.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import av

from repro.core.errors import DecodeError

#: containers that give each frame the time when it is shown
_STAMPED = frozenset({"mp4", "matroska"})
#: packets are kept up to this sum, so that the file is read once; a larger file is read twice
_KEPT_BYTES = 64 << 20
#: tags need not be UTF-8; PyAV 19 reads any and has no option for it
_TAGS: dict[str, Any] = {} if int(av.__version__.partition(".")[0]) >= 19 else {"metadata_errors": "replace"}
#: AVFieldOrder: 0 unknown, 1 progressive, 2 and more interlaced
_PROGRESSIVE = 1
#: PyAV's error -> what it means
_MEANINGS = {"InvalidDataError": "not a video, truncated or damaged", "EOFError": "truncated: it ends too early"}


def decode_error(path: Path, error: Exception, what: str = "pyav cannot decode it") -> DecodeError:
    """What an error of PyAV means."""
    return DecodeError(path, _MEANINGS.get(type(error).__name__, f"{what}: {error}"))


class VideoFile:
    """The first video stream of a file; a context manager. DecodeError where there is none."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.container, self.stream = _open(path)
        self.formats = frozenset(self.container.format.name.split(","))
        self.codec = str(self.stream.codec_context.name)
        self.progressive = False
        """Whether an interlaced frame is refused."""
        self._kept: list[Any] | None = []
        self._read_through = self._touched = False

    def __enter__(self) -> VideoFile:
        return self

    def __exit__(self, *error: object) -> None:
        self.container.close()

    @property
    def width(self) -> int:
        """Of the stored picture, before any rotation."""
        return int(self.stream.codec_context.width)

    @property
    def height(self) -> int:
        """Of the stored picture, before any rotation."""
        return int(self.stream.codec_context.height)

    @property
    def fields(self) -> bool:
        """Whether the stream says that its pictures are interlaced; some do not, nor does PyAV before 18."""
        return int(getattr(self.stream.codec_context, "field_order", 0)) > _PROGRESSIVE

    @property
    def depth(self) -> int:
        """Bits of a colour component; 0 if the format is unknown."""
        format = self.stream.codec_context.format
        return 0 if format is None else max((part.bits for part in format.components), default=0)

    @cached_property
    def listing(self) -> Listing | None:
        """The packets as they are stored; None where their time stamps cannot number the frames."""
        if not self.formats & _STAMPED:
            return None
        listing, size = Listing(), 0
        for packet in self._demux():
            size += packet.size
            if size > _KEPT_BYTES:
                self._kept = None
            elif self._kept is not None:
                self._kept.append(packet)
            listing.add(packet)
        self._read_through = True
        return listing if listing.numbers() else None

    def packets(self) -> Iterator[Any]:
        """All packets, from the first one on."""
        return iter(self._kept) if self._kept is not None and self._read_through else self._demux()

    def frames(self) -> Iterator[Any]:
        """All shown frames in order, decoded."""
        self._rewind()
        return self.container.decode(self.stream)

    def _demux(self) -> Iterator[Any]:
        self._rewind()
        return (packet for packet in self.container.demux(self.stream) if packet.size)

    def _rewind(self) -> None:
        """Open the file again if anything was read: after a seek some containers go on after their first packet."""
        if self._touched:
            self.container.close()
            self.container, self.stream = _open(self.path)
        self._touched = True


class Listing:
    """Time stamps of packets in the order in which they are stored, and decoded."""

    def __init__(self) -> None:
        self.stamps: list[int | None] = []
        self.keys: list[int] = []
        """Positions of key frames."""
        self.shown: list[int] = []
        """Positions of the frames that are shown; an edit list hides others."""

    def add(self, packet: Any) -> None:
        """Enter the next packet."""
        position = len(self.stamps)
        self.stamps.append(packet.pts)
        if packet.is_keyframe:
            self.keys.append(position)
        if not packet.is_discard:
            self.shown.append(position)

    @property
    def hidden(self) -> int:
        """Frames that an edit list hides."""
        return len(self.stamps) - len(self.shown)

    def numbers(self) -> bool:
        """Sort `shown` by time; whether that numbers the frames."""
        stamps = [self.stamps[position] for position in self.shown]
        if None in self.stamps or len(set(stamps)) != len(stamps):
            return False
        self.shown.sort(key=self.stamps.__getitem__)  # type: ignore[arg-type]
        return bool(self.shown)

    def key_before(self, position: int) -> int:
        """Where decoding has to start for the packet at `position`. Pictures that are stored after a key frame but
        shown before it refer to the group of pictures before.
        """
        stamp = self.stamps[position]
        earlier = (key for key in reversed(self.keys) if key <= position and self.stamps[key] <= stamp)  # type: ignore[operator]
        return next(earlier, 0)


@dataclass(frozen=True)
class Facts:
    """What a video's container tells of it, without decoding."""

    frames: int
    width: int
    height: int
    fps: float


def facts(path: Path) -> Facts:
    """Frames (of the header, or counted packets), size in pixels before rotation, and frames per second."""
    try:
        with VideoFile(path) as video:
            stream = video.stream
            rate = stream.average_rate or stream.guessed_rate
            size = (stream.codec_context.width, stream.codec_context.height)
            frames = stream.frames or sum(1 for _ in video.packets())
    except av.error.FFmpegError as error:
        raise decode_error(path, error) from error
    if frames < 1:
        raise DecodeError(path, "no frames")
    return Facts(frames, *size, float(rate) if rate else 0.0)


def _open(path: Path) -> tuple[Any, Any]:
    try:
        # a playlist may name files of a network, which are never fetched
        container = av.open(str(path), options={"protocol_whitelist": "file"}, **_TAGS)
    except av.error.FFmpegError as error:
        raise decode_error(path, error, "it does not open") from error
    if container.format.name == "tty":  # FFmpeg draws any text file as a film of its letters
        container.close()
        raise DecodeError(path, "a text file")
    if not container.streams.video:
        container.close()
        raise DecodeError(path, "no video stream, or no frames")
    stream = container.streams.video[0]
    stream.thread_type = "NONE"
    stream.codec_context.thread_count = 1
    return container, stream
