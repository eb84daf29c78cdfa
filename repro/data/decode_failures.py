"""Answers of workers, written down one by one, so that an interrupted command goes on where it stopped.

<cache>/<command>/<dataset>/<key>.jsonl      a line for each video: its name and the answer
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from repro.core import paths

Answer = TypeVar("Answer")


class Journal:
    """The answers so far of one command on one dataset; `key` is all that an answer depends on."""

    def __init__(self, command: str, dataset: str, key: str) -> None:
        digest = hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()[:16]
        self._file = paths.cache() / command / dataset / f"{digest}.jsonl"

    def answers(self, kind: type[Answer]) -> dict[str, Answer]:
        """Name -> answer, a dataclass; a line that was cut off, or holds a problem instead, is left out."""
        from pydantic import TypeAdapter  # not in each process that decodes

        read: Any = TypeAdapter(tuple[str, kind])  # type: ignore[valid-type]
        found: dict[str, Answer] = {}
        with contextlib.suppress(OSError):
            for line in self._file.read_bytes().splitlines():
                with contextlib.suppress(ValueError):
                    name, answer = read.validate_json(line)
                    found[name] = answer
        return found

    @contextlib.contextmanager
    def writer(self) -> Iterator[Callable[[str, dict[str, Any]], None]]:
        """A function that writes one answer down."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.open("a", encoding="utf-8") as file:
            file.write("\n")  # after a line that was cut off

            def write(name: str, answer: dict[str, Any]) -> None:
                file.write(json.dumps([name, answer]) + "\n")
                file.flush()

            yield write

    def finish(self) -> None:
        """Forget the answers: the command has used them."""
        shutil.rmtree(self._file.parent, ignore_errors=True)
