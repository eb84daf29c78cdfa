"""Decoded frames of a small dataset in one memory-mapped file, so that many epochs decode each video once.

The frames come from the common decoder, whole videos after the resize of the short side; nothing random is stored, and
the clips made of them equal those made of the files. The folder is named by the dataset's fingerprint, decoder and its
version, and resize; it appears whole (temporary name, rename) and its checksum is verified when it is opened.

    <cache>/frames/<key>/frames.bin    all frames, uint8, one video after the other
                        /table.json    shapes, decoders, problems and the sha256 of frames.bin
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from repro.core import paths
from repro.core.errors import BadOption, DataError
from repro.core.files import building, clear_left, parse_json, write_atomic
from repro.data import decode
from repro.data.index import Index
from repro.data.pool import Pool, Problem
from repro.data.views_of_video import ArraySource

#: raised when the layout of the files changes
_VERSION = 2
#: bytes of frames beyond which a dataset is not small
LIMIT_BYTES = 4 << 30


class FrameCache:
    """All frames of the videos of one index, for one decoder and one resize."""

    def __init__(self, folder: Path, key: str, frames: np.ndarray, table: dict[str, Any]) -> None:
        self.folder, self._key, self._frames = folder, key, np.asarray(frames)
        self.problems: dict[int, str] = {int(at): reason for at, reason in table["problems"].items()}
        """Position in the index -> why the video could not be read."""
        self._decoders: list[str] = table["decoders"]
        self._shapes = [tuple(shape) for shape in table["shapes"]]
        sizes = [int(np.prod(shape)) for shape in self._shapes]
        self._starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)

    def source(self, position: int) -> ArraySource | Problem:
        """The decoded video at a position of the index."""
        if position in self.problems:
            return Problem(self.problems[position])
        start, end = self._starts[position], self._starts[position + 1]
        return ArraySource(self._frames[start:end].reshape(self._shapes[position]), self._decoders[position])

    def check(self, index: Index, decoder: str, resize: int) -> None:
        """Refuse use for anything but what the cache was made of."""
        if key_of(index, decoder, resize) != self._key:
            raise BadOption(
                f"the frame cache {self.folder.name} is not of {index.name}, {decoder}, short side {resize}",
                fix="open_cache(index, decoder=..., resize=...)",
            )


def key_of(index: Index, decoder: str, resize: int) -> str:
    """The name of a cache's folder."""
    ids = hashlib.sha256("\0".join(video.id for video in index.videos).encode("utf-8", "surrogateescape")).hexdigest()
    facts = [_VERSION, index.fingerprint, ids, decode.version(decoder), resize]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]


def open_cache(index: Index, *, decoder: str = "auto", resize: int = 0, workers: int = 0) -> FrameCache:
    """The cache of a dataset, built by `workers` processes if it is not there, and again if it is damaged."""
    key = key_of(index, decoder, resize)
    folder = paths.cache() / "frames" / key
    clear_left(folder.parent)
    found = _open(folder, key)
    if found is None:
        _build(folder, index, decoder, resize, workers)
        found = _open(folder, key)
    if found is None:
        raise DataError(f"the frame cache {str(folder)!r} is damaged as soon as written", fix="check the disk")
    return found


def _open(folder: Path, key: str) -> FrameCache | None:
    try:
        table = parse_json((folder / "table.json").read_bytes())
        binary = folder / "frames.bin"
        empty = binary.stat().st_size == 0
        frames = np.empty(0, dtype=np.uint8) if empty else np.memmap(binary, dtype=np.uint8, mode="r")
    except (OSError, ValueError):
        return None
    if not isinstance(table, dict) or hashlib.sha256(frames.data).hexdigest() != table.get("sha256"):
        return None
    try:
        return FrameCache(folder, key, frames, table)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _build(folder: Path, index: Index, decoder: str, resize: int, workers: int) -> None:
    """Write into a temporary folder; of two processes that build at once, the later one's work is dropped."""
    with building(folder) as part:
        table = _write_frames(part / "frames.bin", index, decoder, resize, workers)
        write_atomic(part / "table.json", json.dumps(table).encode())
        if folder.exists() and _open(folder, "") is None:
            shutil.rmtree(folder, ignore_errors=True)


def _write_frames(binary: Path, index: Index, decoder: str, resize: int, workers: int) -> dict[str, Any]:
    digest, total = hashlib.sha256(), 0
    shapes: list[list[int]] = []
    decoders: list[str] = []
    problems: dict[int, str] = {}
    pool = Pool(_whole_video, workers=workers or min(4, os.cpu_count() or 1))
    tasks = ((str(video.path), decoder, resize) for video in index.videos)
    with binary.open("wb") as file:
        for position, made in enumerate(pool.run(tasks, ahead=32)):
            if isinstance(made, Problem):
                problems[position] = made.reason
                shapes.append([0, 0, 0, 3])
                decoders.append("")
                continue
            frames, used = made
            total += frames.nbytes
            if total > LIMIT_BYTES:
                raise DataError(
                    f"{index.name}/{index.split} decodes to more than {LIMIT_BYTES >> 30} GiB",
                    fix="train without a cache",
                )
            shapes.append(list(frames.shape))
            decoders.append(used)
            digest.update(frames.data)
            file.write(frames.data)
        file.flush()
        os.fsync(file.fileno())
    return {"shapes": shapes, "decoders": decoders, "problems": problems, "sha256": digest.hexdigest()}


def _whole_video(path: str, decoder: str, resize: int) -> tuple[np.ndarray, str]:
    """All frames of a video, and the decoder that was used, in a worker."""
    picked = decode.read_picked(path, np.arange, decoder=decoder, resize_short=resize)
    return picked.frames, picked.decoder
