"""The rows of a test under way, on disk: what is scored stays scored when the process is killed.

    <folder>/test-<key>-<rank>of<world>.rows    float32 (videos, views, classes), in the order in which they were done
                                       .jsonl   a line for each video: position, problem if it has no row, decoder

A row is written before its line. `key` tells one test from another: weights, views, videos, batch.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
from pydantic import TypeAdapter

from repro.records.scores import release

_SAVE_EVERY_S = 10.0
#: rows written before their pages are let go
_RELEASE_BYTES = 64 << 20


class Sheet:
    """Rows of logits for at most `videos` videos; filled in any order of positions, each once."""

    def __init__(self, folder: Path | None, name: str, videos: int, views: int, classes: int) -> None:
        self._own = tempfile.TemporaryDirectory(prefix="repro-scores-") if folder is None else None
        place = Path(self._own.name) if self._own else Path(folder)  # type: ignore[arg-type]
        place.mkdir(parents=True, exist_ok=True)
        self._files = [place / f"{name}.rows", place / f"{name}.jsonl"]
        self.positions: list[int] = []
        """Position of each row's video."""
        self.problems: dict[int, str] = {}
        self.decoders: Counter[str] = Counter()
        """Rows by the decoder of their video."""
        shape = (max(videos, 1), views, classes)
        self._rows = self._resumed(shape)
        self._log: IO[str] = self._files[1].open("a", encoding="utf-8")
        self._lines: list[str] = []
        self._saved, self._loose = time.monotonic(), 0

    def _resumed(self, shape: tuple[int, ...]) -> np.memmap[Any, np.dtype[np.float32]]:
        rows, log = self._files
        expected = 4 * int(np.prod(shape))
        if not rows.exists() or rows.stat().st_size != expected or not log.exists():
            log.unlink(missing_ok=True)
            return np.memmap(rows, np.float32, "w+", shape=shape)
        lines = _noted(log.read_bytes(), shape[0])
        for position, problem, decoder in lines:
            if problem is None:
                self.positions.append(position)
                self.decoders[decoder] += 1
            else:
                self.problems[position] = problem
        log.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        return np.memmap(rows, np.float32, "r+", shape=shape)

    @property
    def done(self) -> set[int]:
        """Positions that need no work any more."""
        return {*self.positions, *self.problems}

    @property
    def rows(self) -> np.ndarray:
        """float32 (done videos, views, classes), as `positions` names them."""
        return self._rows[: len(self.positions)]

    def put(self, position: int, row: np.ndarray, decoder: str = "") -> None:
        """The logits (views, classes) of a video, and what decoded it."""
        self._rows[len(self.positions)] = row
        self.positions.append(position)
        self.decoders[decoder] += 1
        self._note(position, None, decoder)
        self._loose += row.nbytes
        if self._loose > _RELEASE_BYTES:
            release(self._rows)
            self._loose = 0

    def fail(self, position: int, problem: str) -> None:
        """A video that has no logits, and why."""
        self.problems[position] = problem
        self._note(position, problem)

    def _note(self, position: int, problem: str | None, decoder: str = "") -> None:
        self._lines.append(json.dumps([position, problem, decoder]) + "\n")
        if time.monotonic() - self._saved > _SAVE_EVERY_S:
            self.save()

    def save(self) -> None:
        """Write down what is done so far."""
        self._rows.flush()
        self._log.write("".join(self._lines))
        self._log.flush()
        self._lines, self._saved = [], time.monotonic()

    def remove(self) -> None:
        """Delete the files; rows that are in use stay readable."""
        self._log.close()
        for file in self._files:
            file.unlink(missing_ok=True)
        if self._own:
            self._own.cleanup()


def _noted(content: bytes, videos: int) -> list[tuple[int, str | None, str]]:
    """The lines up to the first that is damaged or cut: rows stand in the order of their lines."""
    read, found, seen = TypeAdapter(tuple[int, str | None, str]), [], set()
    for line in content.splitlines(keepends=True):
        try:
            one = read.validate_json(line, strict=False)
        except ValueError:
            break
        if not line.endswith(b"\n") or not 0 <= one[0] < videos or one[0] in seen:
            break
        seen.add(one[0])
        found.append(one)
    return found


def merged(parts: Iterator[list[tuple[int, np.ndarray]]], shape: tuple[int, ...], folder: Path | None) -> np.ndarray:
    """Rows of several processes in the order of `slot`: parts of (slot, row), into a file that has no name any more."""
    with tempfile.TemporaryFile(dir=folder) as file:
        rows = np.memmap(file, np.float32, "w+", shape=shape)
    for part in parts:
        for slot, row in part:
            rows[slot] = row
        release(rows)
    return rows
