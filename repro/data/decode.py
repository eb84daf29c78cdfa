"""Frames of a video file, by decord or PyAV, behind one function; records name the decoder.

A reader is opened, read and dropped in one call: an idle decord reader goes on decoding in the background. Indices are
read sorted and once each, then gathered, as unsorted ones make decoders seek back and forth (2 to 6 times slower).

Known differences. The pixels are the same where the height is even; at an odd one the two libraries' colour conversions
interpolate chroma differently. decord ignores edit lists (it gives the frames before the cut as well), PyAV here
obeys them. decord has no wheels for macOS and ARM: `decoder="pyav"` is for those. A stream with damaged bits may decode
to garbage in both without any error; only a checksum of the file can tell.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from repro.data.container import missing_bytes
from repro.data.resize import resize_short as _resize_short
from repro.errors import BadOption, DataError, UnknownName

DECODERS = ("decord", "pyav")
_LAST_FRAME_TRIALS = 3
#: where decord's jumps were checked against decoding in order; elsewhere all frames up to the last one are decoded
_SEEKABLE_CONTAINERS = frozenset({"mp4", "matroska"})
_SEEKABLE_CODECS = frozenset({"h264", "vp8", "vp9"})
_BLOCK = 16

#: frame count -> indices (any shape)
Pick = Callable[[int], np.ndarray]


class DecodeError(DataError):
    """A video that cannot be read; `problem` is the reason alone, `str()` names the file too."""

    def __init__(self, path: str | Path, problem: str, *, fix: str | None = None) -> None:
        self.path, self.problem = Path(path), problem
        super().__init__(f"video {str(path)!r}: {problem}", fix=fix)

    def __reduce__(self) -> tuple[type, tuple[Path, str]]:
        return type(self), (self.path, self.problem)


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
    """The frames that `pick(frame count)` names, each once: uint8 (U, H, W, 3), and the place of each index of `pick`
    in them, in its shape. One opening of the file serves counting and reading.
    """
    file = checked(path)
    found: list[np.ndarray] = []

    def unique(n: int) -> np.ndarray:
        wanted = np.asarray(pick(n), dtype=np.int64)
        if wanted.size and (wanted.min() < 0 or wanted.max() >= n):
            raise DecodeError(file, f"frame {wanted.max() if wanted.max() >= n else wanted.min()} of {n} was asked for")
        numbers, place = np.unique(wanted, return_inverse=True)
        found.append(place.reshape(wanted.shape))
        return numbers

    frames = _reader(decoder, file)(file, unique)
    return _resize_short(frames, resize_short), found[0]


def frame_count(path: str | Path, *, decoder: str = "decord") -> int:
    """The number of frames that can be asked for; read from the container where it can be trusted."""
    counts: list[int] = []

    def note(n: int) -> np.ndarray:
        counts.append(n)
        return np.empty(0, dtype=np.int64)

    file = checked(path)
    _reader(decoder, file)(file, note)
    return counts[0]


def version(decoder: str) -> str:
    """Name and version of a decoder, for records."""
    if decoder == "decord":
        return f"decord {_decord().__version__}"
    if decoder == "pyav":
        import av

        return f"pyav {av.__version__}"
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


def _reader(decoder: str, file: Path) -> Callable[[Path, Pick], np.ndarray]:
    """How a file is read; a folder holds frames as pictures, which need no decoder of videos."""
    if file.is_dir():
        from repro.data import frames

        return frames.read
    if decoder == "decord":
        return _read_decord
    if decoder == "pyav":
        from repro.data.decode_av import read

        return read
    raise UnknownName("decoder", decoder, DECODERS, fix="--decoder pyav")


def _decord() -> Any:
    try:
        import decord
    except (ImportError, OSError, RuntimeError) as error:
        raise BadOption(
            f"decoder 'decord' cannot be loaded here: {error}", allowed="pyav on this platform", fix="--decoder pyav"
        ) from error
    decord.logging.set_level(decord.logging.QUIET)
    return decord


def _read_decord(path: Path, unique: Pick) -> np.ndarray:
    """Sorted, distinct frames. At the end of some files (seen in AVI, 1 reading in 25) decord gives the last but one
    twice; so the last two are read together, and again if they are equal. A video that really ends so costs that time.
    """
    decord = _decord()
    try:
        reader = _open_decord(path)
        count = len(reader)
        if count < 1:
            raise DecodeError(path, "no frames")
        numbers = unique(count)
        if not numbers.size:
            return np.empty((0, 0, 0, 3), dtype=np.uint8)
        if count == 1 or numbers[-1] < count - 1:
            return _read_once(path, reader, numbers)
        with_neighbour = np.union1d(numbers, [count - 2])
        for _ in range(_LAST_FRAME_TRIALS):
            frames = _read_once(path, reader, with_neighbour)
            if not np.array_equal(frames[-2], frames[-1]):
                break
            reader = _open_decord(path)
        return frames[np.searchsorted(with_neighbour, numbers)]
    except (RuntimeError, IndexError, decord.DECORDError) as error:
        raise DecodeError(path, _reason(path, str(error))) from error


def _open_decord(path: Path) -> Any:
    decord = _decord()
    return decord.VideoReader(str(path), ctx=decord.cpu(0), num_threads=1)


def _read_once(path: Path, reader: Any, numbers: np.ndarray) -> np.ndarray:
    if _decord_seeks(path):
        return reader.get_batch(numbers.tolist()).asnumpy()
    return _in_blocks(reader, numbers)


def _decord_seeks(path: Path) -> bool:
    """Whether decord finds the right frame when it jumps. It does not where frames are stored in another order than
    shown and the container does not say when they are shown: MPEG-4 Part 2 and MPEG-2 with B-frames, AVI, FLV.
    """
    from repro.data.decode_av import probe

    container, codec = probe(path)
    if "mpegts" in container:
        raise DecodeError(path, "decord misnumbers the frames of MPEG transport streams; --decoder pyav reads them")
    return bool(container & _SEEKABLE_CONTAINERS) and codec in _SEEKABLE_CODECS


def _in_blocks(reader: Any, numbers: np.ndarray) -> np.ndarray:
    """The frames at `numbers` by decoding all from the first on, without a jump."""
    kept = []
    for start in range(0, int(numbers[-1]) + 1, _BLOCK):
        end = min(start + _BLOCK, int(numbers[-1]) + 1)
        block = reader.get_batch(list(range(start, end))).asnumpy()
        kept.append(block[numbers[(numbers >= start) & (numbers < end)] - start])
    return np.concatenate(kept)


#: part of decord's message -> what it means
_MEANINGS = {
    "Error reading": "not a video, or cut before its index (moov)",
    "cannot find video stream": "no video stream, or no frames",
    "av_read_frame failed": "truncated or damaged: reading stopped before the end",
    "Error sending packet": "damaged: a frame does not decode",
    "from_size == to_size": "decord cannot read rotated pictures of this width; --decoder pyav can",
}


def _reason(path: Path, message: str) -> str:
    """What decord's message means; else its first line, without its stack."""
    for part, meaning in _MEANINGS.items():
        if part in message:
            return meaning
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    text = lines[0].split("Check failed:")[-1].strip() if lines else "no reason given"
    return f"decord cannot decode it: {text.replace(str(path), 'the file')[:200]}"
