"""What a training tells while it runs: a line of JSON each few steps, and TensorBoard scalars where that is installed.

    train.jsonl      one object a line: step, steps, epoch, lr, loss, top1, grad_norm, clips_per_s, images_per_s,
                     data_wait, eta_s

From `loss` on they are of the steps since the line before; `eta_s` is seconds until the last step. `data_wait` is the
share of the time in which a process waited for clips, of the one that waited most. Another line names each video that
could not be read. A training that goes on from a checkpoint takes out what was told after it, so that each step stands
there once.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any, TextIO

import torch

from repro.core.files import parse_json, write_atomic
from repro.engine.distributed import Ranks
from repro.engine.train.step import CLIPS, NORM, NORMS, Stepper

NAME = "train.jsonl"
_SCALARS = ("loss", "top1", "lr", "grad_norm", "clips_per_s", "images_per_s", "data_wait")


class Log:
    """The log of one training, from optimizer step `step` on; without a folder, as beside process 0, it is silent."""

    def __init__(self, folder: Path | None, step: int) -> None:
        self._file: TextIO | None = None
        self._board: Any = None
        if folder is None:
            return
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / NAME
        _take_back(path, step)
        self._file = path.open("a", encoding="utf-8")
        self._board = _board(folder, step)

    def scalars(self, line: dict[str, Any]) -> None:
        """The state of the training at a step."""
        self._write(line)
        if self._board is not None:
            for name in _SCALARS:
                self._board.add_scalar(f"train/{name}", line[name], line["step"])
            self._board.flush()

    def video(self, step: int, name: str, path: str, problem: str) -> None:
        """A video that could not be read, by id and place."""
        self._write({"step": step, "video": name, "path": path, "problem": problem})

    def _write(self, line: dict[str, Any]) -> None:
        if self._file is not None:
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()

    def close(self) -> None:
        """Nothing more is told."""
        if self._file is not None:
            self._file.close()
        if self._board is not None:
            self._board.close()


class Meter:
    """Means and rates between two looks at a training, over all processes, which look together."""

    def __init__(self, stepper: Stepper, ranks: Ranks, known: Collection[str]) -> None:
        self.stepper, self.ranks = stepper, ranks
        self.last: dict[str, Any] = {}
        """What was read last."""
        self._known = set(known)
        self._fresh = 0
        self.reset()

    def reset(self) -> None:
        """Begin anew at the present sums."""
        self._tally = self.stepper.tally.clone()
        self._images, self._waited, self._clock = self.stepper.images, self.stepper.waited, time.monotonic()

    def read(self, problems: Collection[str]) -> dict[str, Any]:
        """What happened since the last reading. `problems`: the videos that this process could not read so far."""
        steps = self.stepper.tally - self._tally
        seconds = max(time.monotonic() - self._clock, 1e-9)
        own = [float(self.stepper.images - self._images), float(len(problems) - len(self._known))]
        sums = self.ranks.total(torch.cat((steps[: CLIPS + 1], steps.new_tensor(own))))
        loss, right, clips, images, fresh = sums.tolist()
        norm, norms = steps[NORM : NORMS + 1].tolist()
        waited = self.ranks.maximum(steps.new_tensor((self.stepper.waited - self._waited) / seconds))
        self._fresh = int(fresh)
        self.reset()
        self.last = {
            "loss": loss / clips,
            "top1": 100.0 * right / clips,
            "grad_norm": norm / max(norms, 1.0),
            "clips_per_s": clips / seconds,
            "images_per_s": images / seconds,
            "data_wait": min(waited, 1.0),
        }
        return self.last

    def new_problems(self, problems: dict[str, str]) -> list[tuple[str, str]]:
        """Id and reason of each video that any process could not read since this was last asked, after a reading."""
        if not self._fresh:
            return []
        own = {name: why for name, why in problems.items() if name not in self._known}
        self._known |= set(own)
        return [pair for part in self.ranks.gather(own) for pair in part.items()]


def read(folder: Path) -> list[dict[str, Any]]:
    """The lines of a log; one that was cut off when the process died is left out, as is what is no line of a log."""
    lines = []
    with contextlib.suppress(FileNotFoundError):
        for text in (folder / NAME).read_bytes().splitlines():
            with contextlib.suppress(ValueError):
                lines.append(parse_json(text))
    return [line for line in lines if isinstance(line, dict) and isinstance(line.get("step"), int)]


def _take_back(path: Path, step: int) -> None:
    if path.exists():
        kept = [line for line in read(path.parent) if line["step"] <= step and step]
        write_atomic(path, "".join(json.dumps(line) + "\n" for line in kept).encode())


def _board(folder: Path, step: int) -> Any:
    """TensorBoard's writer, if the extra `tensorboard` is installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder), purge_step=step + 1 if step else None)
