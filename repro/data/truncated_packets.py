"""Files of one packet behind the other, without a length in front: whether the last packets are whole.

AVI and Matroska that were written to a pipe are read from element to element, by their heads alone, a GIF from block to
block; of a transport stream the last packets tell.
"""

from __future__ import annotations

import re
from typing import BinaryIO

#: Matroska's elements that hold others and may be of unknown length: segment, cluster
_OPEN_ELEMENTS = frozenset(map(bytes.fromhex, "18538067 1f43b675".split()))
#: those, and what lies in them
_ELEMENTS = _OPEN_ELEMENTS | frozenset(
    map(
        bytes.fromhex,
        "1a45dfa3 114d9b74 1549a966 1654ae6b 1c53bb6b 1941a469 1043a770 1254c367 ec bf e7 a3 a0 a7 ab af 5854".split(),
    )
)
#: chunks of AVI, and those that others lie in
_CHUNKS = re.compile(rb"LIST|RIFF|JUNK|idx1|indx|ix[0-9]{2}|[0-9]{2}[a-z]{2}|avih|str[hfdn]|vprp|INFO|I[A-Z]{3}")
_HOLDER = re.compile(rb"LIST.{4}(movi|rec )|RIFF", re.DOTALL)
_UNKNOWN = 0xFFFFFFFF


def sized(data: bytes, at: int) -> tuple[int, int | None] | None:
    """Where the content of an EBML element starts, whose length stands at `at`, and the length, None if it is not
    known; None if the length is cut off.
    """
    if at >= len(data) or not data[at]:
        return None
    width = 9 - data[at].bit_length()
    field = data[at : at + width]
    value = int.from_bytes(field, "big") - (1 << (7 * width))
    if len(field) < width:
        return None
    return at + width, None if value == (1 << (7 * width)) - 1 else value


def elements(file: BinaryIO, at: int, size: int) -> int:
    """The end of the last element of Matroska from `at` on; 0 where something else lies between them."""
    while at < size:
        file.seek(at)
        head = file.read(12)
        width = 9 - head[0].bit_length()
        if len(head) > width and head[:width] not in _ELEMENTS:
            return 0
        found = sized(head, width)
        if found is None:
            return at + width + 1 if len(head) <= width else 0
        start, length = found
        if length is None and head[:width] not in _OPEN_ELEMENTS:
            return 0
        at += start + (length or 0)
    return at


def chunks(file: BinaryIO, at: int, size: int) -> int:
    """The end of the last chunk of an AVI from `at` on; 0 where something else lies between them."""
    end = at
    while at + 8 <= size:
        file.seek(at)
        head = file.read(12)
        length = int.from_bytes(head[4:8], "little")
        if not _CHUNKS.match(head):
            return 0
        if _HOLDER.match(head) or (head[:4] == b"LIST" and length in (0, _UNKNOWN)):
            end = at = at + 12
        else:
            end = at + 8 + length
            at = end + length % 2
    return end


def pictures_of_gif(data: bytes) -> int:
    """The end of the last block of a GIF, or one byte more than there are where none ends it; 0 where something else
    lies between them.
    """
    at = 13 + _table(data[10:11])
    while at < len(data):
        kind = data[at]
        if kind == 0x3B:
            return at + 1
        if kind not in (0x21, 0x2C):
            return 0
        at += 2 if kind == 0x21 else 11 + _table(data[at + 9 : at + 10])
        while at < len(data) and data[at]:
            at += 1 + data[at]
        at += 1
    return max(at, len(data)) + 1


def _table(flags: bytes) -> int:
    """Bytes of the table of colours that such flags announce."""
    return 3 << ((flags[0] & 7) + 1) if flags and flags[0] & 0x80 else 0


def of_header(file: BinaryIO, head: bytes, size: int) -> int:
    """Where a file ends by its header: SWF has a length (100 MiB where it was not known), MXF the place of its footer,
    DV and Y4M the size of their pictures; 0 where it does not say.
    """
    if head[:3] == b"FWS":
        length = int.from_bytes(head[4:8], "little")
        return length if length != 100 << 20 else 0
    if head[:4] == b"\x06\x0e\x2b\x34":
        size_of_size = head[16] if len(head) > 16 else 0
        at = 17 + (size_of_size & 127 if size_of_size > 127 else 0)
        return int.from_bytes(head[at + 24 : at + 32], "big")
    if head[:1] == b"Y":
        line = head.partition(b"\n")[0]
        start, frame, mark = len(line) + 1, _picture_of_y4m(line[10:].decode("latin-1")), b"FRAME\n"
    else:
        start, frame, mark = 0, 144_000 if head[3:4] > b"\x7f" else 120_000, head[:3]
    if not frame or head[start : start + len(mark)] != mark:
        return 0
    count, left = divmod(size - start, frame)
    file.seek(size - left)
    return start + (count + 1) * frame if left and mark.startswith(file.read(len(mark))) else 0


def _picture_of_y4m(header: str) -> int:
    """Bytes of a frame, its mark included; 0 of forms that are not known here."""
    told = {part[:1]: part[1:] for part in header.split()}
    form = re.fullmatch(r"(420|422|444|mono)(?:p?(\d+)|jpeg|mpeg2|paldv)?", told.get("C", "420"))
    if not form or not re.fullmatch(r"\d{1,6}x\d{1,6}", f"{told.get('W')}x{told.get('H')}"):
        return 0
    width, height = int(told["W"]), int(told["H"])
    across, down = {"420": (2, 2), "422": (2, 1)}.get(form[1], (1, 1))
    colours = 0 if form[1] == "mono" else 2 * -(-width // across) * -(-height // down)
    return len("FRAME\n") + (width * height + colours) * (2 if form[2] else 1)


def named_by_index(box: bytes, anchor: int) -> int:
    """Where the last fragment ends that a segment index of MP4 (`sidx`, which ends at `anchor`) names."""
    wide = 8 if box[8:9] != b"\0" else 4
    at = 20 + wide
    first = int.from_bytes(box[at : at + wide], "big")
    entries = box[at + wide + 4 :]
    sizes = (int.from_bytes(entries[at : at + 4], "big") & 0x7FFFFFFF for at in range(0, len(entries), 12))
    return anchor + first + sum(sizes)


def of_transport_stream(packets: bytes, length: int) -> int:
    """Bytes that the last packet of some stream of an MPEG-TS lacks of what it announces; `packets`, each of `length`,
    are the last ones of the file.
    """
    declared: dict[int, int] = {}
    held: dict[int, int] = {}
    for at in range(0, len(packets) - 187, length):
        packet = packets[at : at + 188]
        if packet[0] != 0x47:
            return 0
        stream, control = (packet[1] & 31) << 8 | packet[2], packet[3] >> 4 & 3
        payload = packet[5 + packet[4] :] if control & 2 else packet[4:]
        if not control & 1:
            continue
        if packet[1] & 0x40:
            declared.pop(stream, None)
            if payload[:3] == b"\0\0\1" and len(payload) >= 6:
                told = int.from_bytes(payload[4:6], "big")
                declared[stream], held[stream] = (6 + told if told else 0), 0
        if stream in declared:
            held[stream] += len(payload)
    return max((total - held[stream] for stream, total in declared.items()), default=0)
