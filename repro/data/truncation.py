"""Whether a video file is as long as it says. Decoders notice a cut MP4; most other files that were cut decode without
any error to fewer frames, which would be scored as if they were whole.

Only what a file says of itself counts: a length in its header, an index, a packet, page, tag, block or box that goes
beyond its end, a stream that is not closed where its kind is. A file that says nothing passes: one that was written to
a pipe, an MPEG-TS, NUT or fragmented MP4 without an index, cut between two pictures, and HEVC, raw or in MPEG-TS. What
only decoding tells, a last packet or picture that is not whole, is told by `decode_av`.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from repro.data import truncated_packets

_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
#: a length that was not known when the header was written
_UNKNOWN = 0xFFFFFFFF
#: bytes at the end that are searched for the start of a last unit: Ogg's pages are at most 65,307 long
_TAIL = 256 << 10
_ASF_HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_FILE = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
#: where a file ends in the middle of something that does not tell its length
_OPEN = -1
#: beyond it an FLV is shorter than its own length: programs that copy one leave a length that is a little off
_FAR = 1.02
_MXF = bytes.fromhex("060e2b34020501010d0102010102")
#: boxes of MP4 whose content decoding needs
_BOXES = frozenset({b"mdat", b"moov", b"moof"})


def cut(path: Path) -> str:
    """That the file announces more than it holds, in a few words; "" if it does not, or does not say."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(4096)
        end = _end_of(head)(file, head, size)
    if end == _OPEN:
        return "truncated: it ends in the middle of its stream"
    return f"truncated: {end - size} bytes of {end} are missing" if end > size else ""


def _end_of(head: bytes) -> Callable[[BinaryIO, bytes, int], int]:
    """What finds where a file of this kind says that it ends."""
    if head[:4] == b"RIFF":
        return _riff
    if head[:4] == _EBML:
        return _matroska
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"styp"):
        return _boxes
    if head[:16] == _ASF_HEADER:
        return lambda file, head, size: _asf(head)
    if head[:4] == b"OggS":
        return _ogg
    if head[:4] == b"GIF8":
        return lambda file, head, size: truncated_packets.pictures_of_gif(head + file.read())
    if head[:3] == b"FLV":
        return _flv
    if head[:4] == b"\0\0\1\xba":
        return _program_stream
    if head[:4] == b"DKIF":
        return _ivf
    if head[:3] in (b"FWS", b"\x1f\x07\0") or head[:14] == _MXF or head[:10] == b"YUV4MPEG2 ":
        return truncated_packets.of_header
    return _transport_stream


def _riff(file: BinaryIO, head: bytes, size: int) -> int:
    """AVI: one RIFF after the other, a new one after each gigabyte; of a length that is not known, its chunks."""
    at = 0
    while at + 8 <= size:
        file.seek(at)
        kind, length = file.read(4), int.from_bytes(file.read(4), "little")
        if kind == b"RIFF" and length in (0, _UNKNOWN):
            return truncated_packets.chunks(file, at + 12, size)
        if kind != b"RIFF":
            break
        at += 8 + length + length % 2
        if at == size + 1:  # the byte that makes a length even is left out at the end of some files
            break
    return at if at != size + 1 else size


def _matroska(file: BinaryIO, head: bytes, size: int) -> int:
    """The end of the segment, which follows the EBML header, or of the last element in it where its length is not
    known; 0 if it is not where it should be.
    """
    header = truncated_packets.sized(head, 4)
    if header is None or header[1] is None:
        return 0
    at = header[0] + header[1]
    segment = truncated_packets.sized(head, at + 4) if head[at : at + 4] == _SEGMENT else None
    if segment is None:
        return 0
    start, length = segment
    return truncated_packets.elements(file, start, size) if length is None else start + length


def _boxes(file: BinaryIO, head: bytes, size: int) -> int:
    """MP4: the end of a box of content or index that goes beyond the file, or of the fragments that an index names."""
    at = named = 0
    while at + 8 <= size:
        file.seek(at)
        start = file.read(16)
        length, kind = int.from_bytes(start[:4], "big"), start[4:8]
        length = int.from_bytes(start[8:16], "big") if length == 1 else length
        if length < 8 or (at + length > size and kind not in _BOXES):
            return 0
        at += length
        if kind == b"sidx":
            file.seek(at - length)
            named = max(named, truncated_packets.named_by_index(file.read(min(length, _TAIL)), at))
    return max(at, named)


def _asf(head: bytes) -> int:
    """WMV: the length in the file properties; 0 of a broadcast, which does not know it."""
    at = head.find(_ASF_FILE)
    properties = head[at : at + 104]
    if at < 0 or len(properties) < 104 or properties[88] & 1:
        return 0
    return int.from_bytes(properties[40:48], "little")


def _ogg(file: BinaryIO, head: bytes, size: int) -> int:
    """The end of the last page: 27 bytes, a table of lengths, and as many bytes as these add up to. The last one
    of each stream says that it ends it.
    """
    tail, offset = _tail(file, size)
    at = tail.rfind(b"OggS")
    if at < 0:
        return 0
    count = tail[at + 26] if at + 26 < len(tail) else 0
    table = tail[at + 27 : at + 27 + count]
    end = offset + at + 27 + count + sum(table)
    last = {found[2]: found[1][0] for found in re.finditer(rb"OggS\0(.).{8}(.{4})", tail, re.DOTALL)}
    return _OPEN if end <= size and not all(flags & 4 for flags in last.values()) else end


def _flv(file: BinaryIO, head: bytes, size: int) -> int:
    """The end of the last tag, by going from tag to tag, or where the first one says that the file ends."""
    at = int.from_bytes(head[5:9], "big") + 4
    told = re.search(rb"\0\x08filesize\0(.{8})", head, re.DOTALL)
    named = struct.unpack(">d", told[1])[0] if told else 0.0
    while at < size:
        file.seek(at)
        start = file.read(11)
        if start[:1] not in (b"\x08", b"\x09", b"\x12"):
            return 0
        at += 15 + int.from_bytes(start[1:4], "big")
    return int(named) if _FAR * at < named < 1 << 48 else at


def _ivf(file: BinaryIO, head: bytes, size: int) -> int:
    """The end of the last frame; its header has their number, of some writers the time that they are shown."""
    at, count, last = int.from_bytes(head[6:8], "little"), 0, 0
    while at + 12 <= size:
        file.seek(at)
        start = file.read(12)
        at, count = at + 12 + int.from_bytes(start[:4], "little"), count + 1
        last = int.from_bytes(start[4:], "little")
    most = max(count, 1 + last + 2 * last // max(1, count))
    return _OPEN if at <= size and most < int.from_bytes(head[24:28], "little") < _UNKNOWN else at


def _program_stream(file: BinaryIO, head: bytes, size: int) -> int:
    """MPEG: the end of the last packet, from the last header of a pack on."""
    tail, offset = _tail(file, size)
    at = tail.rfind(b"\0\0\1\xba")
    if at < 0:
        return 0
    at += 14 + (tail[at + 13] & 7) if tail[at + 4 : at + 5] >= b"\x40" and at + 13 < len(tail) else 12
    while tail[at : at + 3] == b"\0\0\1" and at + 6 <= len(tail) and tail[at + 3] >= 0xBB:
        at += 6 + int.from_bytes(tail[at + 4 : at + 6], "big")
    cut = tail[at : at + 6]  # of the head of a packet
    return offset + at + (6 if 0 < len(cut) < 6 and b"\0\0\1".startswith(cut[:3]) else 0)


def _transport_stream(file: BinaryIO, head: bytes, size: int) -> int:
    """MPEG-TS: whole packets of 188 bytes, of 192 with a time in front, of 204 with a checksum behind."""
    for length, before in ((188, 0), (192, 4), (204, 0)):
        if len(head) > 3 * length and all(head[before + n * length] == 0x47 for n in range(3)):
            tail, offset = _tail(file, size)
            left = size % length
            whole = size - left - offset
            starts = tail[whole - length + before], *tail[whole + before : whole + before + 1]
            if left and set(starts) == {0x47}:
                return size - left + length
            first = -offset % length + before
            return size + truncated_packets.of_transport_stream(tail[first:whole], length)
    return 0


def _tail(file: BinaryIO, size: int) -> tuple[bytes, int]:
    """The last bytes of a file, and where they begin."""
    offset = max(0, size - _TAIL)
    file.seek(offset)
    return file.read(), offset
