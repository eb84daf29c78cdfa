"""Whether a video file is as long as its container says. Decoders notice a cut MP4; a cut AVI, WebM or Matroska file
decodes without any error to fewer frames, which would be scored as if it were whole.
"""

from __future__ import annotations

from pathlib import Path

_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"


def missing_bytes(path: Path) -> int:
    """Bytes that the container announces beyond the end of the file; 0 if none, or if it does not say."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(4096)
    announced = 0
    if head[:4] == b"RIFF":
        announced = 8 + int.from_bytes(head[4:8], "little")
    elif head[:4] == _EBML:
        announced = _matroska_end(head)
    return max(0, announced - size)


def _matroska_end(head: bytes) -> int:
    """The end of the segment, which follows the EBML header; 0 if it is not where it should be or of unknown length."""
    header = _sized(head, 4)
    if header is None:
        return 0
    at = header[0] + header[1]
    if head[at : at + 4] != _SEGMENT:
        return 0
    segment = _sized(head, at + 4)
    return 0 if segment is None else segment[0] + segment[1]


def _sized(head: bytes, at: int) -> tuple[int, int] | None:
    """Where the content of an EBML element starts, and its length; None if the length is unknown or cut off."""
    if at >= len(head) or not head[at]:
        return None
    width = 9 - head[at].bit_length()
    field = head[at : at + width]
    value = int.from_bytes(field, "big") - (1 << (7 * width))
    unknown = value == (1 << (7 * width)) - 1
    return None if len(field) < width or unknown else (at + width, value)
