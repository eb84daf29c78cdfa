"""The decord reader. A reader is opened, read and dropped in one call: an idle one goes on decoding in the background.

Frames are taken in small batches, since writing all of them to one array takes half as long as decoding at 1280x720.
A reader decodes ahead while its frames are resized, to the end of the file, and keeps what it has even when it is sent
elsewhere; where that would take too much memory, several readers take one part each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from repro.core.errors import BadOption, DecodeError
from repro.data.frame_buffer import Stack
from repro.data.packet_index import VideoFile

_LAST_FRAME_TRIALS = 3
#: where decord's jumps were checked against decoding in order; elsewhere all frames up to the last one are decoded
_SEEKABLE_CONTAINERS = frozenset({"mp4", "matroska"})
_SEEKABLE_CODECS = frozenset({"h264", "vp8", "vp9"})
_BATCH = 8
#: bytes of decoded pictures that a reader may hold, if its file can be entered in the middle
_AHEAD_BYTES = 128 << 20


def load() -> Any:
    """The library; BadOption where it has no wheel."""
    try:
        import decord
    except (ImportError, OSError, RuntimeError) as error:
        raise BadOption(
            f"decoder 'decord' cannot be loaded here: {error}", allowed="pyav on this platform", fix="--decoder pyav"
        ) from error
    decord.logging.set_level(decord.logging.QUIET)
    return decord


def reads(video: VideoFile) -> bool:
    """Whether decord can read a file right, as far as its container tells."""
    return "mpegts" not in video.formats and video.codec not in ("av1", "libdav1d", "libaom-av1")


def read(path: Path, unique: Callable[[int], np.ndarray], stack: Stack, video: VideoFile | None = None) -> None:
    """Put the frames at the sorted, distinct indices `unique(frame count)` on the stack."""
    decord = load()
    try:
        readers = [_open(path)]
        count = len(readers[0])
        if count < 1:
            raise DecodeError(path, "no frames")
        numbers = unique(count)
        if numbers.size:
            with video or VideoFile(path) as opened:
                jumps, size = _jumps(opened), opened.width * opened.height * 3
            _read(path, readers, count, numbers, jumps, size, stack)
    except (RuntimeError, IndexError, decord.DECORDError) as error:
        raise DecodeError(path, _reason(path, str(error))) from error


def _open(path: Path) -> Any:
    decord = load()
    return decord.VideoReader(str(path), ctx=decord.cpu(0), num_threads=1)


def _jumps(video: VideoFile) -> bool:
    """Whether decord finds the right frame when it jumps. It does not where frames are stored in another order than
    shown and the container does not say when they are shown: MPEG-4 Part 2 and MPEG-2 with B-frames, AVI, FLV.
    """
    if "mpegts" in video.formats:
        problem = "decord misnumbers the frames of MPEG transport streams; --decoder pyav reads them"
        raise DecodeError(video.path, problem)
    return bool(video.formats & _SEEKABLE_CONTAINERS) and video.codec in _SEEKABLE_CODECS


def _read(
    path: Path, readers: list[Any], count: int, numbers: np.ndarray, jumps: bool, size: int, stack: Stack
) -> None:
    """At the end of some files (seen in AVI, 1 reading in 25) decord gives the last but one twice; so the last two are
    read together, and again if they are equal. A video that really ends so costs that time.
    """
    places = {number: place for place, number in enumerate(numbers.tolist())}
    end = count - 1
    doubtful = end > 0 and int(numbers[-1]) == end
    asked = np.union1d(numbers, [end - 1]) if doubtful else numbers
    for _ in range(_LAST_FRAME_TRIALS):
        previous = last = None
        for number, frame in _frames(path, readers, asked, jumps, size):
            if number in places:
                stack.put(places[number], frame)
            if doubtful and number >= end - 1:
                previous, last = last, frame.copy()
            del frame
        if not doubtful or previous is None or last is None or not np.array_equal(previous, last):
            return
        readers.append(_open(path))


def _frames(
    path: Path, readers: list[Any], numbers: np.ndarray, jumps: bool, size: int
) -> Iterator[tuple[int, np.ndarray]]:
    """(number, frame) of sorted numbers, by the reader that is taken from the list; without jumps all frames from the
    first on are decoded. A frame takes `size` bytes.
    """
    reader = readers.pop()
    wanted = set(numbers.tolist())
    decoded = numbers if jumps else np.arange(int(numbers[-1]) + 1)
    large = jumps and len(decoded) > _BATCH and len(reader) * size > _AHEAD_BYTES
    keys = np.asarray(reader.get_key_indices()) if large else None
    for part in _parts(decoded, keys, max(_BATCH, _AHEAD_BYTES // max(1, size))):
        reader = reader or _open(path)
        for start in range(0, len(part), _BATCH):
            some = part[start : start + _BATCH]
            batch = reader.get_batch(some).asnumpy()
            if some[-1] == decoded[-1] or (large and some[-1] == part[-1]):
                reader = None  # it would go on decoding while these are resized
            for place, number in enumerate(some):
                if number in wanted:
                    yield number, batch[place]
            del batch  # before the next ones come


def _parts(numbers: np.ndarray, keys: np.ndarray | None, most: int) -> Iterator[list[int]]:
    """Frames to take at once. With `keys`, as many as may be, up to where another group of pictures begins if there is
    such a place among them, so that no picture is decoded twice.
    """
    start = 0
    while start < len(numbers):
        end = start + (_BATCH if keys is None else most)
        if keys is not None and end < len(numbers):
            changes = np.flatnonzero(np.diff(np.searchsorted(keys, numbers[start : end + 1], side="right")))
            end = start + (int(changes[-1]) + 1 if changes.size else most)
        yield numbers[start:end].tolist()
        start = end


#: part of decord's message -> what it means
_MEANINGS = {
    "Error reading": "not a video, or cut before its index (moov)",
    "cannot find video stream": "no video stream, or no frames",
    "av_read_frame failed": "truncated or damaged: reading stopped before the end",
    "Error sending packet": "damaged: a frame does not decode",
    "from_size == to_size": "decord cannot read rotated pictures of this width; --decoder pyav can",
}


def _reason(path: Path, message: str) -> str:
    """What decord's message means; else its first line, without its stack."""
    for part, meaning in _MEANINGS.items():
        if part in message:
            return meaning
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    text = lines[0].split("Check failed:")[-1].strip() if lines else "no reason given"
    return f"decord cannot decode it: {text.replace(str(path), 'the file')[:200]}"
