"""Frames of a video file, by decord or PyAV, behind one function; records name the decoder.

Indices are read sorted and once each, then gathered, as unsorted ones make decoders seek back and forth (2 to 6 times
slower). Decoder "auto" gives the frames that decord gives, bit for bit, by the faster way: PyAV, which skips what the
wanted frames do not need, wherever the two agree (see `decoder_for`), else decord.

Known differences. The pixels are the same where the height is even, a colour has 8 bits and the picture is progressive:
at an odd height the two libraries interpolate chroma differently, at 10 bits they round differently, and of interlaced
pictures decord converts each field by itself. decord ignores edit lists (it gives the frames before the cut as well),
PyAV here obeys them. decord has no wheels for macOS and ARM: `decoder="pyav"` is for those. A stream with damaged bits
may decode to garbage in both without any error; only a checksum of the file can tell.
"""

from __future__ import annotations

import contextlib
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from repro.core.errors import BadOption, DecodeError, UnknownName
from repro.data.frame_buffer import Stack
from repro.data.truncation import missing_bytes

if TYPE_CHECKING:
    from repro.data.packet_index import VideoFile

DECODERS = ("decord", "pyav", "auto")
#: of a folder of pictures, which needs no decoder of videos
PICTURES = "pillow"

#: frame count -> indices (any shape)
Pick = Callable[[int], np.ndarray]


@dataclass(frozen=True)
class Picked:
    """The frames of one video, each once, uint8 (U, H, W, 3); `place` is that of each wanted index in them, in the
    shape of the indices; `decoder` is the one that was used: decord, pyav, or pillow for a folder of pictures.
    """

    frames: np.ndarray
    place: np.ndarray
    decoder: str


def read_frames(
    path: str | Path, indices: Sequence[int] | np.ndarray, *, decoder: str = "decord", resize_short: int = 0
) -> np.ndarray:
    """RGB frames, uint8 (K, H, W, 3), in the order of `indices` (0-based, repeats allowed).

    `resize_short` scales the short side to that many pixels, the other to int(x * scale + 0.5); 0 keeps the size.
    """
    wanted = np.asarray(indices, dtype=np.int64).reshape(-1)
    frames, place = pick_frames(path, lambda n: wanted, decoder=decoder, resize_short=resize_short)
    return frames[place.reshape(-1)]


def pick_frames(
    path: str | Path, pick: Pick, *, decoder: str = "decord", resize_short: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """`frames` and `place` of `read_picked`."""
    picked = read_picked(path, pick, decoder=decoder, resize_short=resize_short)
    return picked.frames, picked.place


def read_picked(path: str | Path, pick: Pick, *, decoder: str = "decord", resize_short: int = 0) -> Picked:
    """The frames that `pick(frame count)` names. One opening of the file serves counting and reading."""
    file = checked(path)
    stack = Stack(file, resize_short)
    found: list[np.ndarray] = []

    def unique(n: int) -> np.ndarray:
        wanted = np.asarray(pick(n), dtype=np.int64)
        outside = wanted[(wanted < 0) | (wanted >= n)]
        if outside.size:
            raise DecodeError(file, f"frame {outside[0]} of {n} was asked for")
        numbers, place = np.unique(wanted, return_inverse=True)
        found.append(place.reshape(wanted.shape))
        stack.count = len(numbers)
        return numbers

    used = _read(decoder, file, unique, stack)
    return Picked(stack.frames(), found[-1], used)


def frame_count(path: str | Path, *, decoder: str = "decord") -> int:
    """The number of frames that can be asked for; read from the container where it can be trusted."""
    counts: list[int] = []

    def note(n: int) -> np.ndarray:
        counts.append(n)
        return np.empty(0, dtype=np.int64)

    file = checked(path)
    _read(decoder, file, note, Stack(file))
    return counts[0]


def version(decoder: str) -> str:
    """Name and version of a decoder, for records; of "auto", those that it chooses from."""
    from repro.data import decode_decord

    if decoder == "decord":
        return f"decord {decode_decord.load().__version__}"
    if decoder == "pyav":
        import av

        return f"pyav {av.__version__}"
    if decoder == "auto":
        others = [version("pyav"), *([version("decord")] if _has_decord() else [])]
        return f"auto ({', '.join(others)})"
    raise UnknownName("decoder", decoder, DECODERS, fix="--decoder pyav")


def checked(path: str | Path) -> Path:
    """The absolute path (so that no name is taken for a URL) of a regular file that is not empty, or of a folder."""
    file = Path(path).absolute()
    try:
        facts = file.stat()
    except FileNotFoundError:
        raise DecodeError(path, "missing: no such file") from None
    except (OSError, ValueError) as error:
        raise DecodeError(path, f"cannot be read: {error}") from error
    if stat.S_ISDIR(facts.st_mode):
        return file
    if not stat.S_ISREG(facts.st_mode):
        raise DecodeError(path, "not a regular file")
    if facts.st_size == 0:
        raise DecodeError(path, "empty file")
    cut = missing_bytes(file)
    if cut:
        raise DecodeError(path, f"truncated: {cut} bytes of {facts.st_size + cut} are missing")
    return file


def _read(decoder: str, file: Path, unique: Pick, stack: Stack) -> str:
    """Read by the decoder of that name; returns the name of the one that was used."""
    if file.is_dir():
        from repro.data import frames

        frames.read(file, unique, stack)
        return PICTURES
    from repro.data import decode_av, decode_decord
    from repro.data.packet_index import VideoFile

    if decoder not in DECODERS:
        raise UnknownName("decoder", decoder, DECODERS, fix="--decoder pyav")
    reads = {"decord": decode_decord.read, "pyav": decode_av.read}
    if decoder != "auto":
        reads[decoder](file, unique, stack)
        return decoder
    with VideoFile(file) as video:
        return _read_auto(video, unique, stack)


def _read_auto(video: VideoFile, unique: Pick, stack: Stack) -> str:
    """By the decoder of `decoder_for`; by decord after all if a frame turns out to be interlaced."""
    from repro.data import decode_av, decode_decord

    can_decord = decode_decord.reads(video) and _has_decord()
    drawn: dict[int, np.ndarray] = {}

    def once(n: int) -> np.ndarray:
        if n not in drawn:  # what is drawn at random is drawn once
            drawn[n] = unique(n)
        return drawn[n]

    if decoder_for(video) == "pyav":
        with contextlib.suppress(decode_av.Interlaced):
            decode_av.read(video.path, once, stack, video, progressive=can_decord)
            return "pyav"
    decode_decord.read(video.path, once, stack, video)
    return "decord"


def decoder_for(video: VideoFile) -> str:
    """What "auto" means for one file: the faster decoder of those that give decord's frames.

    PyAV, as `decode_av` drives it, was the faster one for all of 8 sparse frames, 8 dense frames, 10 clips of 8 and 30
    views, short and long groups of pictures, 340x256 and 1280x720 (`python -m repro speed --data`); so speed never
    asks for decord. What does are the files of which it gives other frames: an odd height, colours of more than 8 bits,
    interlaced pictures, an edit list. Without decord, or where decord cannot read, they are PyAV's.
    """
    from repro.data import decode_decord

    listing = video.listing
    hidden = listing is not None and listing.hidden > 0
    differ = video.height % 2 == 1 or video.depth > 8 or video.fields or hidden
    return "decord" if differ and decode_decord.reads(video) and _has_decord() else "pyav"


def _has_decord() -> bool:
    from repro.data import decode_decord

    try:
        decode_decord.load()
    except BadOption:
        return False
    return True
