"""The decord reader. A reader is opened, read and dropped in one call: an idle one goes on decoding in the background.

Frames are taken in small batches, since writing all of them to one array takes half as long as decoding at 1280x720.
A reader decodes ahead while its frames are resized, to the end of the file, and keeps what it has even when it is sent
elsewhere; where that would take too much memory, several readers take one part each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np

from repro.core.errors import BadOption, DecodeError
from repro.data.display import upright
from repro.data.frame_buffer import Stack
from repro.data.packet_index import STAMPED, VideoFile, decode_error

#: where decord was compared, frame by frame, with decoding all in order
_CODECS = frozenset({"h264", "vp8", "vp9"})
_COLOURS = frozenset({"yuv420p", "yuvj420p"})
_BATCH = 8
#: bytes of decoded pictures that a reader may hold, if its file can be entered in the middle
_AHEAD_BYTES = 128 << 20


class NotUsed(DecodeError):
    """Another decoder reads this file right, and decord would not."""


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


def objection(video: VideoFile, first: Any) -> str:
    """Why decord would give other pictures than those that are asked for by number, or in other colours; "" if not.
    `first` is the first picture, by PyAV.

    It jumps to a key frame and counts on from there by the order of storage, takes every packet for a picture, knows
    no edit list, and chooses streams in its own way. So it is used where all that makes no difference.
    """
    if not video.formats & STAMPED or video.container.duration is None:
        return "it may misnumber frames in containers other than MP4 and Matroska with an index"
    if video.codec not in _CODECS:
        return f"it may misnumber frames of {video.codec}"
    width, height = video.size
    others = [stream.codec_context for stream in video.container.streams.video if stream.index != video.stream.index]
    if any(other is None or (other.width, other.height) == video.size for other in others):
        return "it may take another one of several video streams"
    listing = video.listing
    if listing is None:
        return f"it may misnumber frames, as {video.doubt}"
    if len(listing.shown) != len(listing.stamps):
        return "it takes every packet for a frame, and here an edit list or the encoder hides some"
    if min(listing.times()) < 0:
        return "it loses frames that are shown before time 0"
    if listing.open_keys:
        return "it misnumbers frames after key frames of open groups of pictures or of intra refresh"
    if first.format.name not in _COLOURS or height % 2 or (first.width, first.height) != video.size:
        return f"it rounds colours of {first.format.name} at {width}x{height} in its own way"
    if first.interlaced_frame or listing.told:
        return "it mixes the colours of pictures that may be called interlaced in its own way"
    return ""


def read(path: Path, unique: Callable[[int], np.ndarray], stack: Stack) -> None:
    """Put the frames at the sorted, distinct indices `unique(frame count)` on the stack."""
    decord = load()
    with VideoFile(path) as video:
        try:
            first = next(video.frames(), None)
            if first is None:
                raise DecodeError(path, "no frames")
            against = objection(video, first)
        except av.error.FFmpegError as error:
            raise decode_error(path, error) from error
        if against or video.listing is None:
            raise NotUsed(path, f"decord is not used for it: {against}; --decoder auto reads it")
        count, shape = len(video.listing.shown), (*reversed(video.size), 3)
    try:
        readers = [_open(path)]
        if len(readers[0]) != count:
            raise NotUsed(path, f"decord finds {len(readers[0])} of {count} frames; --decoder auto reads it")
        numbers = unique(count)
        for place, (_, shown) in enumerate(_frames(path, readers, numbers, int(np.prod(shape)))):
            stored = np.rot90(shown, -round(first.rotation / 90))  # it turns, and does not mirror
            if stored.shape != shape:
                raise NotUsed(path, "decord takes another one of its video streams; --decoder auto reads it")
            stack.put(place, upright(path, stored, first))
    except (RuntimeError, IndexError, decord.DECORDError) as error:
        refused = _SIZE in str(error)
        raise (NotUsed if refused else DecodeError)(path, _reason(path, str(error))) from error


def _open(path: Path) -> Any:
    decord = load()
    return decord.VideoReader(str(path), ctx=decord.cpu(0), num_threads=1)


def _frames(path: Path, readers: list[Any], numbers: np.ndarray, size: int) -> Iterator[tuple[int, np.ndarray]]:
    """(number, frame) of sorted numbers, by the reader that is taken from the list. A frame takes `size` bytes."""
    reader = readers.pop()
    large = len(numbers) > _BATCH and len(reader) * size > _AHEAD_BYTES
    keys = np.asarray(reader.get_key_indices()) if large else None
    for part in parts_of_stretch(numbers, keys, max(_BATCH, _AHEAD_BYTES // max(1, size))):
        reader = reader or _open(path)
        for start in range(0, len(part), _BATCH):
            some = part[start : start + _BATCH]
            batch = reader.get_batch(some).asnumpy()
            if some[-1] == numbers[-1] or (large and some[-1] == part[-1]):
                reader = None  # it would go on decoding while these are resized
            yield from zip(some, batch, strict=True)
            del batch  # before the next ones come


def parts_of_stretch(numbers: np.ndarray, keys: np.ndarray | None, most: int) -> Iterator[list[int]]:
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


#: decord turns pictures of a width that is no multiple of 32, or of another stream, into memory of the wrong size
_SIZE = "from_size == to_size"
#: part of decord's message -> what it means
_MEANINGS = {
    "Error reading": "not a video, or cut before its index (moov)",
    "cannot find video stream": "no video stream, or no frames",
    "av_read_frame failed": "truncated or damaged: reading stopped before the end",
    "Error sending packet": "damaged: a frame does not decode",
    _SIZE: "decord mistakes the size of its pictures; --decoder auto does not",
}


def _reason(path: Path, message: str) -> str:
    """What decord's message means; else its first line, without its stack."""
    for part, meaning in _MEANINGS.items():
        if part in message:
            return meaning
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    text = lines[0].split("Check failed:")[-1].strip() if lines else "no reason given"
    return f"decord cannot decode it: {text.replace(str(path), 'the file')[:200]}"
