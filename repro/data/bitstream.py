"""What the bytes of a packet tell without decoding: whether decoding may start there, and how many pictures it shows.

A container marks key frames, but not all that it marks are places to start: H.264 with open groups of pictures has key
frames that later pictures look behind, and with intra refresh a "key frame" is where a picture begins to be renewed.
Nor does every packet show a picture (hidden reference frames of VP8 and VP9), or exactly one (fields).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Sight:
    """What one packet is; `doubt` says why its pictures cannot be counted by packets, "" if they can."""

    starts: bool = False
    """Decoding may start here: what is stored and shown from here on refers to nothing before."""
    closed: bool = False
    """Also nothing that is stored from here on is shown before it."""
    shown: bool = True
    told: bool = False
    """It says when its picture or its fields are shown, so that a whole picture may be called interlaced."""
    between: bool = False
    """Its picture may be coded from one that is shown later."""
    doubt: str = ""


#: reads a packet's bytes; `key` says whether the container calls it a key frame
Reader = Callable[[memoryview, bool], Sight]

#: messages of H.264: picture timing, recovery point; of the latter, the bits for no frames to wait for, exact, whole
_TIMING, _RECOVERY, _EXACT_AT_ONCE = 1, 6, 0b110
#: message of H.264 and HEVC on the display orientation, which holds for pictures after it
_TURN, _TURNED = 47, "its pictures are turned one by one"
#: units of HEVC: messages before a picture; where a stream is joined to another, or ends
_BEFORE, _JOINTS = 39, (16, 17, 18, 36, 37)
#: profiles of H.264 whose parameters name colours and scaling
_HIGH = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})
#: types of a slice that is coded from pictures on both sides
_BETWEEN = (1, 6)
_BETWEEN_TWO = Sight(between=True)
_PLAIN, _SHUT, _HIDDEN = Sight(), Sight(starts=True, closed=True), Sight(shown=False)


def reader_of(codec: str, extradata: bytes | None) -> Reader | None:
    """How to read packets of a codec, as MP4 and Matroska store them; None for codecs that are not read here."""
    if codec == "h264":
        return _H264(extradata or b"").look
    if codec == "hevc":
        return _Hevc(extradata or b"").look
    return {"vp8": _vp8, "vp9": _vp9, "av1": _av1}.get(codec)


def _units(data: memoryview, width: int) -> Iterator[memoryview]:
    """The NAL units of a packet, each after its length of `width` bytes."""
    at, end = 0, len(data)
    while at + width < end:
        size = int.from_bytes(data[at : at + width], "big")
        at += width
        if size:
            yield data[at : at + size]
        at += size


class _H264:
    """H.264 after an `avcC` header. Pictures are followed by their frame_num, which tells of lost ones."""

    def __init__(self, header: bytes) -> None:
        self._doubt, self._width = "", 4
        self._sets: set[_Sequence] = set()
        self._before: int | None = None
        """frame_num of the last picture that others may refer to."""
        if len(header) < 7 or header[0] != 1:
            self._doubt = "the parameters of its H.264 stream are not where they should be"
            return
        self._width = (header[4] & 3) + 1
        at = 6
        for _ in range(header[5] & 31):
            size = int.from_bytes(header[at : at + 2], "big")
            self._parameters(memoryview(header)[at + 2 : at + 2 + size])
            at += 2 + size

    def _parameters(self, unit: memoryview) -> None:
        try:
            self._sets.add(_sequence(unit))
        except IndexError:
            self._doubt = "the parameters of its H.264 stream are cut off"
        if any(known.fields for known in self._sets):
            self._doubt = "its pictures may be stored as fields"
        elif len(self._sets) > 1:
            self._doubt = "the parameters of its H.264 stream change"

    def look(self, data: memoryview, key: bool) -> Sight:
        """See `Sight`."""
        pictures, idr, recovers, told, between, turned = 0, False, False, False, False, False
        for unit in _units(data, self._width):
            kind = unit[0] & 31
            if kind in (1, 5) and len(unit) > 1:
                idr = idr or kind == 5
                if unit[1] >> 7:  # the number of the first macroblock is 0
                    pictures += 1
                    between = self._follow(unit) in _BETWEEN
            elif kind == 6:
                messages = _messages(unit)
                recovers = recovers or (_RECOVERY in messages and messages[_RECOVERY] >> 5 == _EXACT_AT_ONCE)
                told = told or _TIMING in messages
                turned = turned or _TURN in messages
            elif kind == 7:
                self._parameters(unit)
        doubt = self._doubt or (_TURNED if turned else "")
        if pictures != 1:
            doubt = doubt or f"a packet holds {pictures} pictures"
        if not (key or idr or doubt or told):
            return _BETWEEN_TWO if between else _PLAIN
        return Sight(starts=key and (idr or recovers), closed=idr, told=told, between=between, doubt=doubt)

    def _follow(self, unit: memoryview) -> int:
        """Note the frame_num of a picture's first slice, and whether pictures before it are lost; gives its type."""
        bits = _Bits(_unescaped(unit[1:17]))
        bits.golomb()
        kind = bits.golomb()
        bits.golomb()
        if len(self._sets) != 1:
            self._doubt = self._doubt or "its H.264 stream has no parameters in front"
            return kind
        (known,) = self._sets
        bits.skip(2 * known.planes)
        number, most = bits.number(known.number_bits), 1 << known.number_bits
        if unit[0] & 31 == 5:
            self._before = 0
        elif self._before is not None and number not in (self._before, (self._before + 1) % most):
            self._doubt = self._doubt or "pictures of it are lost"
        if unit[0] >> 5:
            self._before = number
        return kind


@dataclass(frozen=True)
class _Sequence:
    """What is read of a sequence parameter set."""

    planes: bool
    """Whether colours are coded apart."""
    number_bits: int
    """Bits of frame_num."""
    fields: bool
    """Whether pictures may be interlaced."""


def _messages(unit: memoryview, at: int = 1) -> dict[int, int]:
    """Kinds of the messages of a SEI unit, which begin at `at`, and the first byte of each."""
    data, found = _unescaped(unit), {}
    while at + 2 < len(data):
        kind, at = _extended(data, at)
        size, at = _extended(data, at)
        found[kind] = data[at] if at < len(data) else 0
        at += size
    return found


def _extended(data: bytes, at: int) -> tuple[int, int]:
    """A number written as a sum of bytes, all but the last 255; and where it ends."""
    value = 0
    while at < len(data) and data[at] == 255:
        value, at = value + 255, at + 1
    return value + (data[at] if at < len(data) else 0), at + 1


def _sequence(unit: memoryview) -> _Sequence:
    """A sequence parameter set of H.264; IndexError where it is cut off."""
    bits, planes = _Bits(_unescaped(unit[:256])), 0
    bits.skip(8)
    profile = bits.number(8)
    bits.skip(16)
    bits.golomb()
    if profile in _HIGH:
        chroma = bits.golomb()
        if chroma == 3:
            planes = bits.number(1)
        bits.golomb()
        bits.golomb()
        bits.skip(1)
        if bits.number(1):
            for count in [16] * 6 + [64] * (6 if chroma == 3 else 2):
                if bits.number(1):
                    _skip_scaling(bits, count)
    number_bits = bits.golomb() + 4
    order = bits.golomb()
    if order == 0:
        bits.golomb()
    elif order == 1:
        bits.skip(1)
        bits.golomb()
        bits.golomb()
        for _ in range(bits.golomb()):
            bits.golomb()
    bits.golomb()
    bits.skip(1)
    bits.golomb()
    bits.golomb()
    return _Sequence(bool(planes), number_bits, fields=not bits.number(1))


def _skip_scaling(bits: _Bits, count: int) -> None:
    last = following = 8
    for _ in range(count):
        if following:
            code = bits.golomb()
            following = (last + ((code + 1) // 2 if code % 2 else -(code // 2))) % 256
        last = following or last


class _Hevc:
    """HEVC after an `hvcC` header."""

    def __init__(self, header: bytes) -> None:
        self._doubt = "" if len(header) > 22 and header[0] == 1 else "its HEVC stream has no parameters in front"
        self._width = (header[21] & 3) + 1 if len(header) > 22 else 4

    def look(self, data: memoryview, key: bool) -> Sight:
        """See `Sight`."""
        pictures, doubt, random, idr = 0, self._doubt, False, False
        for unit in _units(data, self._width):
            kind = unit[0] >> 1 & 63
            if kind < 32 and len(unit) > 2 and not (unit[0] & 1 or unit[1] >> 3):
                pictures += unit[2] >> 7
                idr, random = idr or kind in (19, 20), random or kind in (19, 20, 21)
            if kind in _JOINTS:
                doubt = "streams are joined in it"
            elif kind == _BEFORE and _TURN in _messages(unit, 2):
                doubt = _TURNED
        if pictures != 1:
            doubt = doubt or f"a packet holds {pictures} pictures"
        return Sight(starts=key and random, closed=idr, doubt=doubt) if key or doubt else _BETWEEN_TWO


def _vp8(data: memoryview, key: bool) -> Sight:
    if not data[0] >> 4 & 1:
        return _HIDDEN
    return _SHUT if key and not data[0] & 1 else _PLAIN


def _vp9(data: memoryview, key: bool) -> Sight:
    frames = _superframe(data)
    shown = sum(1 for frame in frames if _vp9_bits(frame)[0])
    if shown > 1:
        return Sight(doubt=f"a packet holds {shown} pictures")
    starts = key and _vp9_bits(frames[0])[1]
    return Sight(starts=starts, closed=starts, shown=shown == 1)


def _superframe(data: memoryview) -> list[memoryview]:
    """The frames of a packet of VP9: one, or those of the index at its end."""
    mark = data[-1]
    count, width = (mark & 7) + 1, (mark >> 3 & 3) + 1
    index = len(data) - 2 - count * width
    if mark & 0xE0 != 0xC0 or index < 0 or data[index] != mark:
        return [data]
    frames, at = [], 0
    for number in range(count):
        place = index + 1 + number * width
        size = int.from_bytes(data[place : place + width], "little")
        if size:
            frames.append(data[at : at + size])
        at += size
    return frames or [data]


def _vp9_bits(frame: memoryview) -> tuple[bool, bool]:
    """Whether a frame is shown, and whether it is a key frame."""
    byte = frame[0] << 1 if frame[0] & 0b110000 == 0b110000 else frame[0]
    repeated = byte >> 3 & 1
    return bool(repeated or byte >> 1 & 1), not repeated and not byte >> 2 & 1


def _av1(data: memoryview, key: bool) -> Sight:
    shown, starts, at = 0, False, 0
    while at < len(data):
        head = data[at]
        at += 2 if head & 4 else 1
        size, at = _leb128(data, at) if head & 2 else (len(data) - at, at)
        if head >> 3 & 15 in (3, 6) and size:
            first = data[at]
            shown += bool(first & 0x90)
            starts = starts or (first & 0xF0) == 0x10
        at += size
    if shown != 1:
        return Sight(doubt=f"a packet holds {shown} pictures")
    return _SHUT if key and starts else _PLAIN


def _leb128(data: memoryview, at: int) -> tuple[int, int]:
    """The number at `at`, and where it ends."""
    value = 0
    for number, byte in enumerate(data[at : at + 8]):
        value |= (byte & 127) << 7 * number
        if byte < 128:
            return value, at + number + 1
    return value, at + 8


def _unescaped(unit: memoryview) -> bytes:
    """Without the bytes that keep start codes from appearing."""
    return bytes(unit).replace(b"\0\0\3", b"\0\0")


class _Bits:
    """Bits from the highest on; IndexError at the end."""

    def __init__(self, data: bytes) -> None:
        self._text = format(int.from_bytes(data, "big"), f"0{8 * len(data)}b") if data else ""
        self._at = 0

    def skip(self, count: int) -> None:
        self._at += count

    def number(self, count: int) -> int:
        part = self._text[self._at : self._at + count]
        if len(part) < count:
            raise IndexError
        self._at += count
        return int(part, 2)

    def golomb(self) -> int:
        """An Exp-Golomb code."""
        zeros = self._text.find("1", self._at) - self._at
        if zeros < 0:
            raise IndexError
        self._at += zeros
        return self.number(zeros + 1) - 1


def sight_of(reader: Reader, packet: Any) -> Sight:
    """What a packet of PyAV is; one that is cut off is a doubt."""
    try:
        return reader(memoryview(packet), bool(packet.is_keyframe))
    except IndexError:
        return Sight(doubt="a packet is cut off")
