"""Damage by chance: to bytes, to JSON documents, and to what lies in a file's place."""

from __future__ import annotations

import copy
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ODD_TEXTS = ("", " ", "²", "1e999", "nan", "-1", "../../x", "/etc/passwd", "=1+1", "@x", "\x1b]0;title\x07", "a\nb",
             "\u202egpj", "<script>", "[bold]x[/]", "x" * 5000, "é", "\0", "~nouser", "{", "%s")  # fmt: skip
ODD_VALUES: tuple[Any, ...] = (None, True, False, 0, -1, 1, 1.5, 1e308, -0.0, 2**70, 10**400, [], {}, [[]], [None],
                               {"a": 1}, [{}], *ODD_TEXTS)  # fmt: skip
#: put into the text of a JSON file
ODD_BYTES = (b"1e999", b"e", b"NaN", b"-Infinity", b"\\ud800", b"\xff", b"\0", b"[" * 2000, b"9" * 5000, b'"', b"{",
             b"}", b",", b":", b"\xef\xbb\xbf", b"\r\n", b"//", b"null")  # fmt: skip


def bytes_damaged(content: bytes, draw: random.Random, odd: tuple[bytes, ...] = ODD_BYTES) -> bytes:
    """One to four of: cut, a byte changed, something put in, a stretch left out, doubled, or zeroed."""
    data = bytearray(content)
    for _ in range(draw.randint(1, 4)):
        at = draw.randrange(len(data) + 1)
        stretch = min(len(data), at + draw.choice((1, 2, 8, 100, 5000)))
        kind = draw.choice(("cut", "bit", "put", "out", "twice", "zero", "swap"))
        if kind == "cut" and draw.random() < 0.5:
            del data[at:]
        elif kind == "bit" and at < len(data):
            data[at] ^= 1 << draw.randrange(8)
        elif kind == "put":
            data[at:at] = draw.choice(odd)
        elif kind == "out":
            del data[at:stretch]
        elif kind == "twice":
            data[at:at] = data[at:stretch]
        elif kind == "zero":
            data[at:stretch] = bytes(stretch - at)
        else:
            data[at:stretch] = data[at:stretch][::-1]
    return bytes(data)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Each container in a document, with a key of it."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in list(inner):
        yield value, key
        yield from places(one)


def document_damaged(document: dict[str, Any], draw: random.Random) -> dict[str, Any]:
    """A document in which one to three values are odd, gone, under another name, or deeper than they were."""
    made = copy.deepcopy(document)
    for _ in range(draw.randint(1, 3)):
        holder, key = draw.choice(list(places(made)))
        kind = draw.choice(("odd", "odd", "odd", "gone", "renamed", "deeper", "like"))
        if kind == "odd":
            holder[key] = draw.choice(ODD_VALUES)
        elif kind == "gone":
            del holder[key]
        elif kind == "renamed" and isinstance(holder, dict):
            holder[draw.choice(ODD_TEXTS)] = holder.pop(key)
        elif kind == "deeper":
            holder[key] = [holder[key]] if draw.random() < 0.5 else {"x": holder[key]}
        else:
            holder[key] = _like(holder[key], draw)
        if not made:
            return made
    return made


def _like(value: Any, draw: random.Random) -> Any:
    """Another value of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return draw.choice((-value, value * 1e9, value + 1, 0, 1e-300))
    if isinstance(value, str):
        return value + draw.choice(ODD_TEXTS)
    if isinstance(value, list):
        return value * 2 if len(value) < 1000 else value[:1]
    return {**value, "more": draw.choice(ODD_VALUES)} if isinstance(value, dict) else draw.choice(ODD_VALUES)


def odd_file(path: Path, draw: random.Random) -> None:
    """Something that is no regular file of a reasonable size, where one should be."""
    kind = draw.choice(("folder", "pipe", "loop", "dangling", "device", "huge", "empty", "socket"))
    if kind == "folder":
        (path / "inside").mkdir(parents=True)
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind in ("loop", "dangling", "device"):
        path.symlink_to({"loop": path, "dangling": path.with_name("nowhere"), "device": "/dev/zero"}[kind])
    elif kind == "huge":
        path.touch()
        os.truncate(path, 1 << 36)
    elif kind == "socket":
        _socket(path)
    else:
        path.touch()


def _socket(path: Path) -> None:
    import socket

    with socket.socket(socket.AF_UNIX) as made:
        here = os.open(path.parent, os.O_RDONLY)
        made.bind(f"/proc/self/fd/{here}/{path.name}")  # a path in an address has 108 bytes at most
        os.close(here)
