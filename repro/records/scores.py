"""The score of every video and view, and the file that keeps them. Reading it needs no torch.

One file holds the logits of a whole test, of Kinetics-400 at 30 views nearly 1 GB: they are kept, written and summed up
in blocks of videos, mapped from disk where they came from there.
"""

from __future__ import annotations

import json
import mmap
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np

from repro.core.errors import DataError
from repro.core.files import file_sha256, writing
from repro.records.arrays import about_of, array_of, reading_arrays, texts_of

_FILE_VERSION = 2
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
        with reading_arrays(path, "scores", fix="the same test again writes them", sha256=sha256) as data:
            return _read(data)


def _read(data: Any) -> Scores:
    version = int(data["version"]) if "version" in data else 1
    if not 1 <= version <= _FILE_VERSION:
        raise ValueError(f"it is of version {version}; this program reads up to {_FILE_VERSION}")
    views = array_of(data, "views", "iu", 1)
    if views.shape != (2,) or not (0 < views).all() or not (views < 2**31).all():
        raise ValueError(f"views {views.tolist()}; allowed: clips and crops")
    clips, crops = views.tolist()
    problems = zip(texts_of(data, "problem_ids"), texts_of(data, "problems"), strict=True)
    listed = [{"id": name, "problem": why} for name, why in problems]
    about = about_of(data) if "about" in data else {}
    logits, labels, ids = array_of(data, "logits", "f", 3), array_of(data, "labels", "iu", 1), texts_of(data, "ids")
    stats = array_of(data, "stats", "f", 3) if "stats" in data else None
    names = tuple(texts_of(data, "stat_names")) if stats is not None else ()
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
