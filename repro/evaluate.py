"""Scores of every video and view, from which all accuracies are read afterwards.

Each video is decoded once. Its views stay uint8 until they are on the device, and go through the network in chunks that
fit a memory budget, across the borders of videos. A video that cannot be read is listed with its reason; nothing ever
stands in for it.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from repro import memory, metrics
from repro.checkpoint import write_atomic
from repro.data.index import Index
from repro.errors import DataError
from repro.numerics import autocast, check_amp, deterministic
from repro.spec import Views
from repro.train import Normalize, Progress, check_labels

_MOST_VIEWS = 256
_FILE_VERSION = 1


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

    def save(self, path: Path) -> str:
        """Write an npz, whole or not at all; returns its sha256. Equal scores give equal bytes."""
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer,
            version=np.int64(_FILE_VERSION),
            logits=self.logits,
            labels=self.labels,
            ids=np.array(self.ids, dtype=np.str_),
            problem_ids=np.array([problem["id"] for problem in self.problems], dtype=np.str_),
            problems=np.array([problem["problem"] for problem in self.problems], dtype=np.str_),
            views=np.array([self.clips, self.crops], np.int64),
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, buffer.getvalue())
        return hashlib.sha256(buffer.getvalue()).hexdigest()

    @staticmethod
    def load(path: Path, sha256: str | None = None) -> Scores:
        """Read what `save` wrote; with `sha256`, only that very file."""
        try:
            content = path.read_bytes()
            if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256:
                raise DataError(f"scores {path} do not fit the sha256 that is recorded for them")
            with np.load(io.BytesIO(content), allow_pickle=False) as data:
                clips, crops = data["views"].tolist()
                problems = zip(data["problem_ids"].tolist(), data["problems"].tolist(), strict=True)
                listed = [{"id": name, "problem": why} for name, why in problems]
                return Scores(data["logits"], data["labels"], data["ids"].tolist(), listed, clips, crops)
        except (OSError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise DataError(f"scores {path} cannot be read: {error}") from error
        except ValueError as error:
            if isinstance(error, DataError):
                raise
            raise DataError(f"scores {path} cannot be read: {error}") from error


def score(
    module: nn.Module,
    index: Index,
    views: Views,
    *,
    device: str = "cpu",
    decoder: str = "decord",
    workers: int = 0,
    memory_budget_bytes: int | None = None,
    chunk: int | None = None,
    amp: str = "off",
    cache: Any = None,
    seed: int = 0,
    normalize: Normalize | None = None,
    on_progress: Progress | None = None,
) -> Scores:
    """Score all views of all videos. `chunk` views go through the network at once; default: as many as fit the budget.

    The result depends on the chunk size by float rounding alone. `seed` is for sampling rules that draw at random.
    """
    from repro.data import loader

    place = torch.device(device)
    check_amp(amp, place)
    check_labels(index, module.num_classes)  # type: ignore[arg-type]
    module = module.to(place, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
    forward = _Forward(module, place, amp, normalize or loader.normalize, chunk, memory_budget_bytes)
    sheet = _Sheet(views.count, module.num_classes)  # type: ignore[arg-type]
    problems = []
    videos = loader.test_videos(
        index,
        views,
        clip_length=module.clip_length,  # type: ignore[arg-type]
        decoder=decoder,
        workers=workers,
        cache=cache,
        seed=seed,
    )
    began = time.monotonic()
    with deterministic(place):
        for done, video in enumerate(videos, 1):
            if video.views is None:
                problems.append({"id": video.video.id, "problem": video.problem or "no frames"})
            else:
                sheet.open(video.position)
                for view, x in enumerate(video.views):
                    sheet.fill(forward.add((video.position, view), x))
            if on_progress is not None:
                eta = (time.monotonic() - began) / done * (len(index) - done)
                on_progress({"phase": "test", "step": done, "steps": len(index), "eta": round(eta, 1)})
        sheet.fill(forward.flush())
    if not sheet.rows:
        why = f"first {problems[0]['id']!r}: {problems[0]['problem']}" if problems else "the list is empty"
        raise DataError(f"none of the {len(index)} videos of {index.name} {index.split} could be scored; {why}")
    positions, logits = sheet.result()
    chosen = [index.videos[position] for position in positions]
    ids = [video.id for video in chosen]
    metrics.check_finite(logits, ids)
    labels = np.array([video.label for video in chosen], np.int64)
    return Scores(logits, labels, ids, problems, views.clips, views.crops)


def summarise(scores: Scores, fusion: str) -> dict[str, Any]:
    """Top-1 and top-5 over all views by `fusion`, the same for every other aggregation, and who is left out."""
    found = metrics.all_aggregations(scores.logits, scores.labels, scores.clips, scores.crops, fusion)
    predicted = predictions(scores, fusion)
    return {
        **found[f"{scores.clips}x{scores.crops}/{fusion}"],
        "mean_class": metrics.mean_class_accuracy(predicted, scores.labels, scores.logits.shape[2]),
        "videos": len(scores.ids),
        "left_out": scores.problems,
        "aggregations": found,
    }


def predictions(scores: Scores, fusion: str) -> np.ndarray:
    """Class of each video over all its views, int64 (N,)."""
    return metrics.predictions(metrics.aggregate(scores.logits, fusion, scores.clips, scores.crops))


Place = tuple[int, int]


class _Sheet:
    """Rows of logits, one per video, filled view by view."""

    def __init__(self, views: int, classes: int) -> None:
        self.shape = (views, classes)
        self.rows: dict[int, np.ndarray] = {}

    def open(self, position: int) -> None:
        self.rows[position] = np.full(self.shape, np.nan, np.float32)

    def fill(self, made: list[tuple[Place, np.ndarray]]) -> None:
        for (position, view), logits in made:
            self.rows[position][view] = logits

    def result(self) -> tuple[list[int], np.ndarray]:
        positions = sorted(self.rows)
        return positions, np.stack([self.rows[position] for position in positions])


class _Forward:
    """Views wait until a chunk is full, then go through the network together."""

    def __init__(
        self,
        module: nn.Module,
        device: torch.device,
        amp: str,
        normalize: Normalize,
        chunk: int | None,
        budget: int | None,
    ) -> None:
        self.module, self.device, self.amp, self.normalize = module, device, amp, normalize
        self.chunk, self.budget = chunk, budget or memory.scoring_budget(device)
        self.waiting: list[tuple[Place, Tensor]] = []

    def add(self, place: Place, view: Tensor) -> list[tuple[Place, np.ndarray]]:
        """Take a view (T, ..., 3, H, W); returns what became ready."""
        if self.chunk is None:
            fits = memory.scoring_views(self.module, self._input([view]), self.budget)
            self.chunk = min(fits, _MOST_VIEWS)
        self.waiting.append((place, view))
        return self.flush() if len(self.waiting) >= self.chunk else []

    def flush(self) -> list[tuple[Place, np.ndarray]]:
        """The logits of all views that wait, in chunks; half the size from here on where the device runs out."""
        made: list[tuple[Place, np.ndarray]] = []
        while self.waiting:
            part = self.waiting[: self.chunk]
            try:
                logits = self._logits([view for _, view in part])
            except torch.OutOfMemoryError:
                if len(part) == 1:
                    raise
                self.chunk = len(part) // 2
                torch.cuda.empty_cache()
                continue
            made += [(place, row) for (place, _), row in zip(part, logits, strict=True)]
            self.waiting = self.waiting[len(part) :]
        return made

    def _input(self, some: list[Tensor]) -> Tensor:
        return self.normalize(torch.stack(some).to(self.device))

    def _logits(self, some: list[Tensor]) -> np.ndarray:
        with torch.inference_mode(), contextlib.ExitStack() as stack:
            stack.enter_context(autocast(self.amp, self.device))
            return self.module(self._input(some)).float().cpu().numpy()
