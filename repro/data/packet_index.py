"""A video file opened by PyAV, and its packets listed without decoding: what numbers the frames, and in which order
they are stored. One reading of the file serves the choice of a decoder, counting and decoding.

The stream is the one that ffmpeg would take: the largest of those that are marked as default, never a cover picture
or one without packets where another has some.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import av

from repro.core.errors import DecodeError
from repro.data import bitstream

#: containers that give each frame the time when it is shown
STAMPED = frozenset({"mp4", "matroska"})
#: formats that name other files or no video at all; of pictures, all whose names end in `_pipe`
_REFUSED = frozenset({"concat", "concatf", "dash", "hls", "image2", "image2pipe", "imf", "lavfi", "sdp", "rtsp", "tty"})
#: codecs that store pictures in another order than they are shown in; others hide what is stored too early
_REORDERED = frozenset({"h264", "hevc"})
#: packets are kept up to this sum, so that the file is read once; a larger file is read twice
_KEPT_BYTES = 64 << 20
#: tags need not be UTF-8; PyAV 19 reads any and has no option for it
_TAGS: dict[str, Any] = {} if int(av.__version__.partition(".")[0]) >= 19 else {"metadata_errors": "replace"}
#: how far ffmpeg looks into a file before it chooses a stream
_PROBED_BYTES = 5_000_000
#: what ffmpeg adds to the pixels of a stream that is marked as default
_DEFAULT_PIXELS = 5_000_000
#: PyAV's error -> what it means
_MEANINGS = {"InvalidDataError": "not a video, truncated or damaged", "EOFError": "truncated: it ends too early"}


def decode_error(path: Path, error: Exception, what: str = "pyav cannot decode it") -> DecodeError:
    """What an error of PyAV means."""
    return DecodeError(path, _MEANINGS.get(type(error).__name__, f"{what}: {error}"))


class VideoFile:
    """The video stream of a file that ffmpeg would take; a context manager. DecodeError where there is none."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.container, self.stream = _open(path)
        self.formats = frozenset(self.container.format.name.split(","))
        self.codec = str(self.stream.codec_context.codec.canonical_name)
        self._kept: list[Any] | None = []
        self._read_through = self._touched = False
        self.broken = False
        """Whether the file ended in the middle of the last packet that was read."""

    def __enter__(self) -> VideoFile:
        return self

    def __exit__(self, *error: object) -> None:
        self.container.close()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the stored picture, before any rotation."""
        return int(self.stream.codec_context.width), int(self.stream.codec_context.height)

    @property
    def listing(self) -> Listing | None:
        """The packets as they are stored; None where they cannot number the frames."""
        return None if self.doubt else self._listed

    @cached_property
    def doubt(self) -> str:
        """Why the packets cannot number the frames; "" if they can."""
        if self._listed is None:
            return f"packets of {self.codec} in this container do not tell where a frame begins"
        return self._listed.order(self.codec in _REORDERED and bool(self.stream.codec_context.has_b_frames))

    @cached_property
    def _listed(self) -> Listing | None:
        reader = bitstream.reader_of(self.codec, self.stream.codec_context.extradata)
        if reader is None or not self.formats & STAMPED:
            return None
        listing, size = Listing(), 0
        for packet in self._demux():
            size += packet.size
            if size > _KEPT_BYTES:
                self._kept = None
            elif self._kept is not None:
                self._kept.append(packet)
            listing.add(packet, bitstream.sight_of(reader, packet))
        self._read_through = True
        if "mp4" in self.formats:
            listing.mark(number for number, entry in enumerate(self.stream.index_entries) if entry.is_keyframe)
        return listing

    def packets(self) -> Iterator[Any]:
        """All packets, from the first one on."""
        return iter(self._kept) if self._kept is not None and self._read_through else self._demux()

    def frames(self) -> Iterator[Any]:
        """All shown frames in order, decoded."""
        self._rewind()
        return (frame for packet in self._through() for frame in packet.decode())

    def _demux(self) -> Iterator[Any]:
        self._rewind()
        return (packet for packet in self._through() if packet.size)

    def _through(self) -> Iterator[Any]:
        """Packets from here to the end, and an empty one that drains the decoder."""
        ended = False
        while not ended:
            # PyAV does not know streams that begin later: after an error it goes on with the next packet
            with contextlib.suppress(IndexError):
                for packet in self.container.demux(self.stream):
                    ended = ended or not packet.size
                    self.broken = packet.is_corrupt if packet.size else self.broken
                    yield packet
                ended = True

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
        """Positions of key frames where decoding may start."""
        self.shown: list[int] = []
        """Positions of the frames that are shown; an edit list hides others, and some are only referred to."""
        self.open_keys = 0
        """Key frames, by the container, after which pictures come that are shown before them or refer behind them."""
        self._shut: set[int] = set()
        self.told = self.between = False
        """Whether any picture says when it or its fields are shown; is coded from one before and one after it."""
        self._doubt = ""

    def add(self, packet: Any, sight: bitstream.Sight) -> None:
        """Enter the next packet."""
        position = len(self.stamps)
        self.stamps.append(packet.pts)
        self._doubt = self._doubt or sight.doubt
        self.told, self.between = self.told or sight.told, self.between or sight.between
        if sight.starts:
            self.keys.append(position)
        if sight.closed:
            self._shut.add(position)
        elif packet.is_keyframe:
            self.open_keys += 1
        if sight.shown and not packet.is_discard:
            self.shown.append(position)

    def times(self) -> list[int]:
        """Time stamps of `shown`, once none is missing."""
        return [self.stamps[position] for position in self.shown]  # type: ignore[misc]

    def mark(self, keys: Iterable[int]) -> None:
        """Enter the positions of key frames by the container's index, which FFmpeg may know better than."""
        self.open_keys += len(set(keys) - self._shut)

    def order(self, reorders: bool) -> str:
        """Sort `shown` by time. Why that does not number the frames as decoding all in order does; "" if it does.
        `reorders` is whether the decoder, which does not go by stamps, waits for pictures that are shown earlier.
        """
        if self._doubt:
            return self._doubt
        if not self.shown or None in self.stamps:
            return "its packets do not say when they are shown"
        if self.keys[:1] != [0]:
            return "it does not begin with a key frame"
        stamps = self.times()
        sorted_ = sorted(stamps)
        if len(set(stamps)) != len(stamps):
            return "two of its frames are shown at one time"
        if sorted_[0] < self.stamps[0]:  # type: ignore[operator]
            return "frames are shown before its first key frame"
        if not reorders if stamps != sorted_ else reorders and self.between:
            return "its frames are shown in another order than their times say"
        self.shown.sort(key=self.stamps.__getitem__)  # type: ignore[arg-type]
        return ""

    def key_before(self, position: int) -> int:
        """Where decoding has to start for the packet at `position`. Pictures that are stored after a key frame but
        shown before it refer to the group of pictures before.
        """
        stamp = self.stamps[position]
        earlier = (key for key in reversed(self.keys) if key <= position and self.stamps[key] <= stamp)  # type: ignore[operator]
        return next(earlier, 0)


@cache
def _formats() -> str:
    """FFmpeg's list of the formats that may be opened: what is not in it is not even looked into."""
    names = {name for formats in av.formats_available for name in formats.split(",")}
    return ",".join(sorted(name for name in names - _REFUSED if not name.endswith("_pipe")))


def _container(path: Path) -> Any:
    # a playlist may name files of a network, or others of this machine
    options = {"protocol_whitelist": "file", "format_whitelist": _formats()}
    try:
        return av.open(str(path), options=options, **_TAGS)
    except av.error.ArgumentError as error:
        raise DecodeError(path, "not a video: a playlist, a still picture, or damaged") from error
    except (av.error.FFmpegError, UnicodeError) as error:
        raise decode_error(path, error, "it does not open") from error


def _open(path: Path) -> tuple[Any, Any]:
    container = _container(path)
    try:
        return container, _stream(container, path)
    except BaseException:
        container.close()
        raise


def _stream(container: Any, path: Path) -> Any:
    """The video stream that ffmpeg takes of several, ready to decode in one thread."""
    streams = [stream for stream in container.streams.video if not _is_cover(stream)]
    if not streams:
        what = "no video stream but a cover picture" if container.streams.video else "no video stream, or no frames"
        raise DecodeError(path, what)
    known = [stream for stream in streams if stream.codec_context is not None]
    if not known:
        raise DecodeError(path, "there is no decoder for its video stream, or the name of its codec is damaged")
    if len(known) > 1:
        filled = _filled(path)
        known = [stream for stream in known if stream.index in filled] or known
    stream = max(known, key=_pixels)
    stream.thread_type = "NONE"
    stream.codec_context.thread_count = 1
    return stream


def _filled(path: Path) -> set[int]:
    """Numbers of the video streams that packets come of in what ffmpeg looks into first; none where it is damaged."""
    size, found = 0, set()
    with _container(path) as container:
        try:
            for packet in container.demux(container.streams.video):
                size += packet.size
                if packet.size:
                    found.add(packet.stream.index)
                if size > _PROBED_BYTES or len(found) == len(container.streams.video):
                    break
        except (av.error.FFmpegError, IndexError):  # damaged, or a stream that begins later: see `_through`
            return set()
    return found


def _is_cover(stream: Any) -> bool:
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _pixels(stream: Any) -> int:
    """ffmpeg's order of streams: pixels, with an advance for the default one. Of equals the first is taken."""
    context = stream.codec_context
    default = bool(stream.disposition & av.stream.Disposition.default)
    return int(context.width * context.height + _DEFAULT_PIXELS * default)
