"""Frames of a video file, by PyAV or decord, behind one function; records name the decoder.

Frame n is the n-th picture that comes out when all are decoded in order, of the video stream that ffmpeg would take,
turned and mirrored as the file says: alone or with others, by every decoder, in the same pixels. decord does not keep
that for every file; where it might not (`decode_decord.objection`, a look at the packets), asking for it by name is an
error, so that a choice of decoder never changes what is seen.

Decoder "auto" is the faster one that is right. PyAV, as `decode_av` drives it, was the faster one for every kind of
file that decord may read: 8 sparse frames, 8 dense frames, 10 clips of 8, 30 views, one frame, all frames, H.264 in
short and long groups, VP8 and VP9, 340x256 and 1280x720 (tests/bench); so today it is PyAV.

Indices are read sorted and once each, then gathered. A stream with damaged bits may decode to garbage without any
error; only a checksum of the file can tell.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from repro.core.errors import DecodeError, UnknownName
from repro.data.frame_buffer import Middle, Stack
from repro.data.truncation import cut

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
    path: str | Path, indices: Sequence[int] | np.ndarray, *, decoder: str = "auto", resize_short: int = 0
) -> np.ndarray:
    """RGB frames, uint8 (K, H, W, 3), in the order of `indices` (0-based, repeats allowed).

    `resize_short` scales the short side to that many pixels, the other to int(x * scale + 0.5); 0 keeps the size.
    """
    wanted = np.asarray(indices, dtype=np.int64).reshape(-1)
    picked = read_picked(path, lambda n: wanted, decoder=decoder, resize_short=resize_short)
    return picked.frames[picked.place]


def read_picked(path: str | Path, pick: Pick, *, decoder: str = "auto", resize_short: int = 0) -> Picked:
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


def frame_count(path: str | Path, *, decoder: str = "auto") -> int:
    """The number of frames that can be asked for; read from the container where it can be trusted."""
    counts: list[int] = []

    def note(n: int) -> np.ndarray:
        counts.append(n)
        return np.empty(0, dtype=np.int64)

    file = checked(path)
    _read(decoder, file, note, Stack(file))
    return counts[0]


def decode_all(path: str | Path, *, decoder: str = "auto") -> tuple[int, np.ndarray]:
    """Decode every frame; how many there are, and the one in the middle. DecodeError where one does not decode."""
    file = checked(path)
    stack = Middle(file)

    def every(n: int) -> np.ndarray:
        stack.count = n
        return np.arange(n)

    _read(decoder, file, every, stack)
    return stack.count, stack.frames()[0]


def version(decoder: str) -> str:
    """Name and version of a decoder, for records; of "auto", the one that it takes."""
    if decoder == "decord":
        from repro.data import decode_decord

        return f"decord {decode_decord.load().__version__}"
    if decoder == "pyav":
        import av

        return f"pyav {av.__version__}"
    if decoder == "auto":
        return f"auto ({version('pyav')})"
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
    try:
        told = cut(file)
    except OSError as error:
        raise DecodeError(path, f"cannot be read: {error}") from error
    if told:
        raise DecodeError(path, told)
    return file


def _read(decoder: str, file: Path, unique: Pick, stack: Stack) -> str:
    """Read by the decoder of that name; returns the name of the one that was used."""
    if file.is_dir():
        from repro.data import frames

        frames.read(file, unique, stack)
        return PICTURES
    from repro.data import decode_av, decode_decord

    if decoder not in DECODERS:
        raise UnknownName("decoder", decoder, DECODERS, fix="--decoder pyav")
    used, read = ("decord", decode_decord.read) if decoder == "decord" else ("pyav", decode_av.read)
    try:
        read(file, unique, stack)
    except MemoryError as error:
        raise DecodeError(file, "its frames do not fit into memory") from error
    return used
