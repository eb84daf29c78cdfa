"""The PyAV reader: decodes what the wanted frames need, and no more.

In MP4 and Matroska the packets' time stamps, sorted, number the frames. Of each group of pictures that holds wanted
frames, packets are decoded from its key frame to the last wanted one, then the decoder is drained: it need not decode
on until its delay lets the frame out. Pictures in between that nothing refers to are skipped by the decoder (H.264's
nal_ref_idc 0), so the others come out bit for bit as in a full decoding. HEVC's are not skipped: pictures of a higher
temporal layer may refer to them. Should a wanted frame not come out, all is decoded.

Where packets cannot number the frames (see `Listing`: other containers and codecs, fields, a start without a key
frame), all is decoded from the start on. Packets that an edit list hides are left out, and pictures are shown as the
display matrix turns and mirrors them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np

from repro.core.errors import DecodeError
from repro.data import last_picture
from repro.data.display import upright
from repro.data.frame_buffer import Stack
from repro.data.packet_index import Listing, VideoFile, decode_error

_SKIPPING = frozenset({"h264"})
#: decoded frames of a video that has to be decoded in order are kept up to this sum, else it is decoded twice
_KEPT_BYTES = 64 << 20
#: containers that do not tell where they end, and the pictures at the end of which the last stored one is one
_UNENDED, _TAIL = frozenset({"mpegts", "mpeg", "h264", "hevc", "mpegvideo", "m4v", "nut"}), 8
#: of those, the ones in which a packet that is not whole need not be the last
_RESUMED = frozenset({"mpegts", "mpeg"})

Unique = Callable[[int], np.ndarray]


def read(path: Path, unique: Unique, stack: Stack) -> None:
    """Put the frames at the sorted, distinct indices `unique(frame count)` on the stack."""
    try:
        with VideoFile(path) as video:
            listing = video.listing
            if listing is None:
                _in_order(video, unique, stack)
            else:
                _by_groups(video, listing, unique, stack)
    except av.error.FFmpegError as error:
        raise decode_error(path, error) from error


def _by_groups(video: VideoFile, listing: Listing, unique: Unique, stack: Stack) -> None:
    numbers = unique(len(listing.shown)).tolist()
    positions = [listing.shown[number] for number in numbers]
    places = {listing.stamps[position]: place for place, position in enumerate(positions)}
    runs = runs_of(listing, positions)
    _put(video, decoded(video, runs, places if video.codec in _SKIPPING else None), places, stack)
    if stack.missing():
        _put(video, decoded(video, [(0, max(positions))], None), places, stack)
    for place in stack.missing():
        raise DecodeError(video.path, f"frame {numbers[place]} of {len(listing.shown)} does not decode")


def runs_of(listing: Listing, positions: Iterable[int]) -> list[tuple[int, int]]:
    """First and last packet of each stretch to decode, in the order of the file; stretches that overlap are one."""
    runs: list[tuple[int, int]] = []
    for start, last in sorted((listing.key_before(position), position) for position in positions):
        if runs and start <= runs[-1][1]:
            runs[-1] = (runs[-1][0], max(last, runs[-1][1]))
        else:
            runs.append((start, last))
    return runs


def decoded(video: VideoFile, runs: Iterable[tuple[int, int]], wanted: dict[Any, int] | None) -> Iterator[Any]:
    """The frames of some stretches. With `wanted`, time stamps, pictures that nothing refers to are skipped."""
    packets, position = video.packets(), 0
    context = video.stream.codec_context
    for start, last in runs:
        for packet in islice(packets, start - position, last + 1 - position):
            context.skip_frame = "DEFAULT" if wanted is None or packet.pts in wanted else "NONREF"
            yield from context.decode(packet)
        yield from context.decode(None)
        context.flush_buffers()
        position = last + 1


def _put(video: VideoFile, frames: Iterable[Any], places: dict[Any, int], stack: Stack) -> None:
    for frame in frames:
        place = places.get(frame.pts)
        if place is not None:
            stack.put(place, _rgb(video.path, frame))


def _in_order(video: VideoFile, unique: Unique, stack: Stack) -> None:
    """Decode all to count them; once more for the pictures, unless all fit into a little memory."""
    kept: list[Any] | None = []
    count = 0
    damaged: list[int] = []
    for count, frame in enumerate(video.frames(), 1):
        if frame.is_corrupt:
            damaged.append(count)
        if kept is not None:
            kept.append(frame)
            if count * frame.width * frame.height * 3 > _KEPT_BYTES:
                kept = None
    if not count:
        raise DecodeError(video.path, "no frames")
    if video.broken and not video.formats & _RESUMED:
        raise DecodeError(video.path, "truncated: its last packet is not whole")
    if video.formats & _UNENDED and damaged and count - damaged[-1] < _TAIL and 2 * len(damaged) < count:
        raise DecodeError(video.path, "truncated: its last picture is not whole")
    if video.formats & _UNENDED and video.codec == "hevc" and not last_picture.is_whole(video):
        raise DecodeError(video.path, "truncated: its last picture is not whole")
    numbers = unique(count)
    places = {number: place for place, number in enumerate(numbers.tolist())}
    end = int(numbers[-1]) + 1 if len(numbers) else 0
    for number, frame in enumerate(islice(video.frames() if kept is None else kept, end)):
        if number in places:
            stack.put(places[number], _rgb(video.path, frame))


def _rgb(path: Path, frame: Any) -> np.ndarray:
    """uint8 (H, W, 3), a view of the converted picture. One thread: more cost CPU time and gain nothing here."""
    return upright(path, frame.to_ndarray(format="rgb24", threads=1), frame)
