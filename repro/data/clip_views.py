"""Any clip that a user points at: a video file, or a folder of pictures in the natural order of their names.

The folders of a dataset are read by `repro.data.frames`, which refuses holes in the numbers; here somebody shows a few
pictures by hand, and what is there is the clip.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from repro.core.errors import DecodeError
from repro.core.files import file_sha256
from repro.data import decode, frames, views_of_video
from repro.data.decode import Pick
from repro.data.pool import Pool, Problem
from repro.data.resize import resize_short
from repro.data.views_of_video import FileSource, Source

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")


class FolderSource(Source):
    """The pictures of a folder, in the natural order of their names: frame 9 before frame 10."""

    def __init__(self, path: str | Path, resize: int) -> None:
        self.path, self.resize = Path(path), resize

    def read(self, pick: Pick) -> tuple[np.ndarray, np.ndarray]:
        """See `Source`."""
        files = picture_files(self.path)
        wanted = np.asarray(pick(len(files)), dtype=np.int64)
        numbers, place = np.unique(wanted, return_inverse=True)
        found = [frames.read_picture(files[number]) for number in numbers.tolist()]
        sizes = {frame.shape: files[number].name for frame, number in zip(found, numbers.tolist(), strict=True)}
        if len(sizes) > 1:
            told = ", ".join(f"{name} is {shape[1]}x{shape[0]}" for shape, name in list(sizes.items())[:2])
            raise DecodeError(self.path, f"its pictures differ in size: {told}")
        return resize_short(np.stack(found), self.resize), place.reshape(wanted.shape)


def source_of(path: str | Path, decoder: str, resize: int) -> Source:
    """A video file or a folder of pictures."""
    return FolderSource(path, resize) if Path(path).is_dir() else FileSource(path, decoder, resize)


def picture_files(folder: Path) -> list[Path]:
    """The pictures of a folder in natural order, those named by numbers where there are such (optical flow is not);
    hidden files and other kinds are left out. DecodeError for none, and for two files of one picture.
    """
    try:
        found = [p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and not p.name.startswith(".")]
    except OSError as error:
        raise DecodeError(folder, f"cannot be read: {error.strerror}") from error
    if not found:
        raise DecodeError(folder, f"a folder without pictures ({', '.join(SUFFIXES)})")
    numbered = [path for path in found if frames.is_picture(path.name)]
    files = sorted(numbered or found, key=lambda path: natural(path.name))
    for one, other in itertools.pairwise(files):
        if one.stem == other.stem:
            raise DecodeError(folder, f"{one.name} and {other.name} are one picture twice")
    return files


def natural(name: str) -> tuple[list[tuple[int, str]], str]:
    """A key that sorts numbers inside names by value; the name itself where that leaves two names equal."""
    parts = re.findall(r"\d+|\D+", name.casefold())
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts], name


def told_decoder(path: str | Path, decoder: str) -> str:
    """What decodes this clip, with its version."""
    if not Path(path).is_dir():
        return decode.version(decoder)
    import PIL

    return f"pillow {PIL.__version__}"


def sha256(path: str | Path) -> str:
    """Of a file's bytes; of a folder: over the names and contents of its pictures."""
    place = Path(path)
    if not place.is_dir():
        return file_sha256(place)
    digest = hashlib.sha256()
    for file in picture_files(place):
        digest.update(f"{len(file.name.encode())}:{file.name}{file_sha256(file)}".encode())
    return digest.hexdigest()


def frame_count(path: str | Path, decoder: str) -> int:
    """Frames of a file or a folder."""
    place = Path(path)
    return len(picture_files(place)) if place.is_dir() else decode.frame_count(place, decoder=decoder)


def views_of_clip(path: str | Path, test: views_of_video.Views, decoder: str) -> tuple[np.ndarray, str]:
    """All test views of a clip: uint8 (V, T * clip_length, 3, crop, crop); and the decoder that was used, in a process
    of its own, which a damaged clip may end.
    """
    seen = next(Pool(clip_task).run([(str(path), decoder, test)], ahead=1))
    if isinstance(seen, Problem):
        raise DecodeError(path, seen.reason)
    return seen.cuts.part(0, len(seen.cuts)), seen.decoder


@dataclass(frozen=True)
class SeenClip:
    """The views of a clip, and what was decoded."""

    cuts: views_of_video.Cuts
    decoder: str
    """The one that was used."""
    frames: int
    """Of the whole clip."""


def clip_task(path: str, decoder: str, test: views_of_video.Views) -> SeenClip:
    """All test views of a clip; in a worker, without torch."""
    source = _Counted(source_of(path, decoder, test.resize))
    cuts = views_of_video.test_cuts(source, test, Path(path).name)
    return SeenClip(cuts, source.inner.used or decoder, source.frames)


class _Counted(Source):
    """A source that notes how many frames there were to pick from."""

    def __init__(self, inner: Source) -> None:
        self.inner, self.frames = inner, 0

    def read(self, pick: Pick) -> tuple[np.ndarray, np.ndarray]:
        """See `Source`."""

        def counted(frames: int) -> np.ndarray:
            self.frames = frames
            return pick(frames)

        return self.inner.read(counted)
