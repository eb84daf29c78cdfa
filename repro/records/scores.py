"""The score of every video and view, and the file that keeps them. Reading it needs no torch.

One file holds the logits of a whole test, of Kinetics-400 at 30 views nearly 1 GB: they are kept, written and summed up
in blocks of videos, mapped from disk where they came from there.
"""

from __future__ import annotations

import hashlib
import json
import math
import mmap
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np

from repro.core.environment import require_memory
from repro.core.errors import DataError
from repro.core.files import file_sha256, parse_json, writing

_FILE_VERSION = 2
#: the most that a byte of an archive can unpack to
_DEFLATE = 1033
_BLOCK = 256


@dataclass(frozen=True)
class Scores:
    """Logits of N videos, in the order of their list; the videos that are missing stand in `problems`."""

    logits: np.ndarray
    """float32 (N, clips x crops, classes); view v = clip * crops + crop."""
    labels: np.ndarray
    """int64 (N,)."""
    ids: list[str]
    problems: list[dict[str, str]]
    """`id` and `problem` of each video that is left out."""
    clips: int
    crops: int
    about: dict[str, Any] = field(default_factory=dict)
    """How the scores came about: `dataset`, `split`, `fingerprint`, `views` (the spec), `views_per_batch`,
    `decoders` (videos by the decoder that was used), `facts` (of `repro.cost.dynamic`). Files of the first version have
    none of it."""
    stats: np.ndarray | None = None
    """float32 (N, clips x crops, figures): what each view cost and what was decided, of networks that tell it."""
    stat_names: tuple[str, ...] = ()
    """Of the figures, in order."""

    def save(self, path: Path) -> str:
        """Write an npz, whole or not at all; returns its sha256. Equal scores give equal bytes."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with writing(path) as file:
            self._write(file)
        return file_sha256(path)

    def _write(self, file: IO[bytes]) -> None:
        small = {
            "version": np.int64(_FILE_VERSION),
            "labels": self.labels,
            "ids": np.array(self.ids, dtype=np.str_),
            "problem_ids": np.array([problem["id"] for problem in self.problems], dtype=np.str_),
            "problems": np.array([problem["problem"] for problem in self.problems], dtype=np.str_),
            "views": np.array([self.clips, self.crops], np.int64),
            "about": np.array(json.dumps(self.about, sort_keys=True)),
        }
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            with archive.open("logits.npy", "w", force_zip64=True) as member:
                header = {"descr": "<f4", "fortran_order": False, "shape": self.logits.shape}
                np.lib.format.write_array_header_1_0(member, header)
                for block in blocks(self.logits):
                    member.write(np.ascontiguousarray(block, "<f4").data)
            if self.stats is not None:
                small |= {"stats": np.asarray(self.stats, "<f4"), "stat_names": np.array(self.stat_names, np.str_)}
            for name, values in small.items():
                with archive.open(f"{name}.npy", "w") as member:
                    np.lib.format.write_array(member, np.asanyarray(values), allow_pickle=False)

    @staticmethod
    def load(path: Path, sha256: str | None = None) -> Scores:
        """Read what `save` wrote; with `sha256`, only that very file. `DataError` for anything else."""
        if not path.is_file():
            raise DataError(f"scores {path}: no such file", allowed="an .npz that `test` or `train` wrote")
        try:
            with path.open("rb") as file:
                if sha256 is not None and hashlib.file_digest(file, "sha256").hexdigest() != sha256:
                    raise DataError(f"scores {path} do not fit the sha256 that is recorded for them")
                file.seek(0)
                require_room(file)
                file.seek(0)
                return _read(file)
        except DataError:
            raise
        except (Exception, RecursionError) as error:  # the bytes decide what numpy and zlib trip over
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise DataError(f"scores {path} cannot be read: {reason}", fix="the same test again writes them") from error


def require_room(file: IO[bytes]) -> None:
    """Raise before anything is allocated where arrays claim more than the archive can hold, or than memory does."""
    total = 0
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        if len(set(names)) != len(names):
            raise ValueError("it holds an array twice")
        for entry in archive.infolist():
            with archive.open(entry) as member:
                read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
                shape, _, dtype = read[np.lib.format.read_magic(member)](member)
            claimed = math.prod(shape) * dtype.itemsize
            if claimed > min(entry.file_size, _DEFLATE * entry.compress_size + _BLOCK):
                raise ValueError(f"{entry.filename} claims {claimed / 2**30:.3g} GiB, which the file does not hold")
            total += claimed
    require_memory(total, "the file")


def _read(file: IO[bytes]) -> Scores:
    with np.load(file, allow_pickle=False) as data:
        version = int(data["version"]) if "version" in data else 1
        if not 1 <= version <= _FILE_VERSION:
            raise ValueError(f"it is of version {version}; this program reads up to {_FILE_VERSION}")
        views = _array(data, "views", "iu", 1)
        if views.shape != (2,) or not (0 < views).all() or not (views < 2**31).all():
            raise ValueError(f"views {views.tolist()}; allowed: clips and crops")
        clips, crops = views.tolist()
        problems = zip(_texts(data, "problem_ids"), _texts(data, "problems"), strict=True)
        listed = [{"id": name, "problem": why} for name, why in problems]
        about = parse_json(str(_of_signs(data["about"]))) if "about" in data else {}
        if not isinstance(about, dict):
            raise ValueError(f"`about` holds a {type(about).__name__}")
        logits, labels, ids = _array(data, "logits", "f", 3), _array(data, "labels", "iu", 1), _texts(data, "ids")
        stats = _array(data, "stats", "f", 3) if "stats" in data else None
        names = tuple(_texts(data, "stat_names")) if stats is not None else ()
    if not ids or not logits.shape[2]:
        raise ValueError("it holds no videos" if not ids else "it holds no classes")
    if len(set(ids)) != len(ids):
        twice = next(name for name, count in Counter(ids).items() if count > 1)
        raise ValueError(f"video {twice!r} stands in it twice")
    if logits.shape[:2] != (len(ids), clips * crops) or labels.shape != (len(ids),):
        raise ValueError(f"logits {logits.shape}, labels {labels.shape} and {len(ids)} ids do not fit each other")
    if labels.min() < 0 or labels.max() >= logits.shape[2]:
        raise ValueError(f"labels from {labels.min()} to {labels.max()} for {logits.shape[2]} classes")
    if stats is not None and stats.shape != (*logits.shape[:2], len(names)):
        raise ValueError(f"figures {stats.shape}, named {len(names)}, do not fit logits {logits.shape}")
    return Scores(logits, labels, ids, listed, clips, crops, about, stats, names)


def _array(data: Any, name: str, kinds: str, axes: int) -> np.ndarray:
    found = data[name]
    if found.dtype.kind not in kinds or found.ndim != axes:
        raise ValueError(f"{name} is an array of {found.dtype} with {found.ndim} axes, not {axes}")
    return np.asarray(found)


def _texts(data: Any, name: str) -> list[str]:
    found = data[name]
    if found.ndim != 1 or (found.size and found.dtype.kind != "U"):
        raise ValueError(f"{name} is an array of {found.dtype} with {found.ndim} axes, not a list of texts")
    return [str(text) for text in _of_signs(found).tolist()]


def _of_signs(found: np.ndarray) -> np.ndarray:
    """The array, of texts or others; numpy takes any four bytes for a sign of a text."""
    if found.dtype.kind == "U" and found.nbytes:
        signs = np.frombuffer(found.astype(found.dtype.newbyteorder("=")).tobytes(), np.uint32)
        if signs.max() > 0x10FFFF:
            raise ValueError("a text in it holds what is no sign of Unicode")
    return found


def blocks(logits: np.ndarray, size: int = _BLOCK) -> Iterator[np.ndarray]:
    """The rows in parts of `size`. Of rows mapped from a file no more than one part stays in memory."""
    for start in range(0, len(logits), size):
        yield np.asarray(logits[start : start + size])
        release(logits)


def release(rows: np.ndarray) -> None:
    """Take what is mapped from a file out of this process's memory; it is read again when asked for."""
    mapped = getattr(rows, "_mmap", None)
    if mapped is not None and hasattr(mmap, "MADV_DONTNEED"):
        mapped.madvise(mmap.MADV_DONTNEED)
