"""Text on streams that cannot hold all signs: under a locale of Latin-1 or ASCII, or where a name is no text at all.

A sign that the stream's encoding lacks is written as its ASCII likeness, else as an escape, so that no output ends in
the middle.
"""

from __future__ import annotations

import codecs
import contextlib
import re
import unicodedata
from collections.abc import Iterable
from typing import Any

HANDLER = "repro.plain"

_LIKE = {
    **{"−": "-", "–": "-", "—": "-", "─": "-", "│": "|", "•": "*", "·": "*", "…": "...", "→": "->", "←": "<-"},
    **{"≈": "~", "≠": "!=", "≤": "<=", "≥": ">=", "±": "+-", "×": "x", "÷": "/", "√": "sqrt", "∞": "inf", "∈": "in"},
    **{"‘": "'", "’": "'", "“": '"', "”": '"', "„": '"', "°": " deg", "µ": "u", "μ": "u", "ß": "ss", "§": "sec. "},
    **{"æ": "ae", "Æ": "AE", "ø": "o", "Ø": "O", "†": "+", "‡": "++", "█": "#", "✓": "v", "✗": "x"},
}


def _plainer(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_ascii, error.object[error.start : error.end])), error.end


def _ascii(sign: str) -> str:
    if sign in _LIKE:
        return _LIKE[sign]
    bare = unicodedata.normalize("NFKD", sign).encode("ascii", "ignore").decode()
    return bare or sign.encode("ascii", "backslashreplace").decode()


def use_on(streams: Iterable[Any]) -> None:
    """Let these text streams write every text, each in its own encoding."""
    codecs.register_error(HANDLER, _plainer)
    for stream in streams:
        with contextlib.suppress(AttributeError, ValueError, OSError):  # closed, or none that can be told
            stream.reconfigure(errors=HANDLER)


def one_line(text: str) -> str:
    """The text without line breaks, and its control characters as escapes."""
    if text.isprintable() and "  " not in text and text == text.strip():
        return text
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in " ".join(text.split()))


#: what moves a terminal's cursor, renames its window or turns the order of signs around
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def shown(text: str) -> str:
    """The text with its control characters as escapes; line ends and tabs stay."""
    return _CONTROLS.sub(lambda found: repr(found[0])[1:-1], text)


def as_cell(text: str) -> str:
    """The text as a cell of a CSV: no control characters, and no formula where a spreadsheet opens it."""
    plain = shown(text).replace("\n", "\\n").replace("\t", "\\t")
    if plain[:1] not in ("=", "+", "-", "@") or len(plain) == 1:
        return plain
    try:
        float(plain)
    except ValueError:
        return f"'{plain}"
    return plain
