"""Scores of every video and view, from which all accuracies are read afterwards.

Each video is decoded once. Its views stay uint8 until they are on the device, and go through the network in batches of
one fixed shape, in which each video has its own place: its scores do not depend on how many processes share the test,
nor on a neighbour that cannot be read. Such a video is listed with its reason; nothing ever stands in for it.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from repro.core.errors import DataError
from repro.core.process import memory_kept
from repro.core.spec import Views, canonical_json, to_dict
from repro.cost import dynamic
from repro.data import sampling
from repro.data.index import Index
from repro.data.loader import TestVideo
from repro.engine import batch_size
from repro.engine.ahead import ahead
from repro.engine.distributed import Ranks
from repro.engine.execution import Progress
from repro.engine.logit_buffer import Sheet, merged
from repro.engine.train.checkpoint import weights_sha256
from repro.engine.train.fit import check_labels
from repro.engine.train.step import Normalize
from repro.models.device import autocast, check_amp, deterministic, place_on
from repro.records import metrics
from repro.records.scores import Scores, blocks

_MOST_VIEWS = 256
#: groups into which a test is divided at least, if it has so many videos: what processes can share
_FEWEST_GROUPS = 64


def score(
    module: nn.Module,
    index: Index,
    views: Views,
    *,
    device: str = "cpu",
    decoder: str = "auto",
    workers: int = 0,
    chunk: int | None = None,
    amp: str = "off",
    cache: Any = None,
    seed: int = 0,
    normalize: Normalize | None = None,
    order: Sequence[int] = (),
    on_progress: Progress | None = None,
    folder: Path | None = None,
) -> Scores:
    """Score all views of all videos; under torchrun each process takes its share, and all get all scores.

    A batch holds at most `chunk` views, else what fits the budget. Its size changes the result by float rounding alone,
    the number of processes not at all. With `folder`, a killed test goes on, on the same number of processes. `order`:
    which output of the network each class of the dataset is, where they are not in the same order.
    """
    from repro.data import loader

    place, ranks = torch.device(device), Ranks.current()
    check_amp(amp, place)
    check_labels(index, module.num_classes)  # type: ignore[arg-type]
    module = place_on(module, place, amp).eval()
    forward = _Forward(module, place, amp, normalize or loader.normalize, order=tuple(order))
    settings: dict[str, Any] = {"clip_length": module.clip_length, "decoder": decoder, "seed": seed}
    loader.check_rule(index, views.sampling, settings["clip_length"])
    with deterministic(place), memory_kept():
        batch = _batch(forward, index, views, chunk, ranks)
        forward.figures = dynamic.names(module, forward.input(_black(views)))
        test = _Test(index, views, batch, ranks, forward, on_progress)
        sheet = test.sheet(folder, _key(module, index, views, batch, {**settings, "amp": amp, **forward.settings}))
        left = [position for position in test.mine if position not in sheet.done]
        test.run(
            sheet, left, loader.test_videos(index, views, workers=workers, cache=cache, positions=left, **settings)
        )
    return _gathered(sheet, test, folder)


@dataclass(frozen=True)
class Batch:
    """How views are laid out: `videos` of a group, `passes` through the network for it, of `size` views each."""

    videos: int
    passes: int
    size: int


def batch_of(videos: int, views: int, most: int) -> Batch:
    """The layout of a test of so many videos and views, with at most `most` views at once.

    Many views of one video are divided evenly; few views of several videos stand together. The number of processes does
    not enter.
    """
    if views >= most:
        passes = math.ceil(views / most)
        return Batch(1, passes, math.ceil(views / passes))
    together = max(1, min(most // views, math.ceil(videos / _FEWEST_GROUPS)))
    return Batch(together, 1, together * views)


def _batch(forward: _Forward, index: Index, views: Views, chunk: int | None, ranks: Ranks) -> Batch:
    """The layout for this test; what fits is found with black views, and the smallest process decides."""
    if chunk is None:
        budget = batch_size.scoring_budget(forward.device)
        chunk = min(batch_size.scoring_views(forward.module, forward.input(_black(views)), budget), _MOST_VIEWS)
    return batch_of(len(index), views.count, min(ranks.gather(chunk)))


def _black(views: Views) -> Tensor:
    """One black view, uint8."""
    frames, length = sampling.frames_of(views.sampling), sampling.clip_length_of(views.sampling)
    shape = (1, frames, 3) if length == 1 else (1, frames, length, 3)
    return torch.zeros((*shape, views.crop, views.crop), dtype=torch.uint8)


def _key(module: nn.Module, index: Index, views: Views, batch: Batch, settings: dict[str, Any]) -> str:
    """What a test must have in common with an interrupted one to go on from it."""
    facts = [weights_sha256(module.state_dict()), index.fingerprint, len(index), canonical_json(views), batch, settings]
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


Read = tuple[int, str | None, str]
"""Position of a video, the problem with it, its decoder."""


@dataclass
class _Test:
    """The share of one process: groups of videos, every world-th of all groups."""

    index: Index
    views: Views
    batch: Batch
    ranks: Ranks
    forward: _Forward
    on_progress: Progress | None

    def __post_init__(self) -> None:
        groups = range(self.ranks.rank, math.ceil(len(self.index) / self.batch.videos), self.ranks.world_size)
        count = self.batch.videos
        self.mine = [at for group in groups for at in range(group * count, min((group + 1) * count, len(self.index)))]

    def sheet(self, folder: Path | None, key: str) -> Sheet:
        """Where this process keeps its rows."""
        name = f"test-{key}-{self.ranks.rank}of{self.ranks.world_size}"
        width: Any = self.forward.classes + len(self.forward.figures)
        return Sheet(folder, name, len(self.mine), self.views.count, width)

    def run(self, sheet: Sheet, left: Sequence[int], videos: Iterator[Any]) -> None:
        """Score the positions that are left, group by group; the views of one group at a time are held here."""
        began, before = time.monotonic(), len(self.mine) - len(sheet.done)
        done, logits = len(sheet.done), []
        with contextlib.closing(ahead(self._batches(left, videos), self.forward.device)) as batches:
            for read, views in batches:
                if views is not None:
                    logits.append(self.forward(views))
                    if len(logits) < self.batch.passes:
                        continue
                rows = np.concatenate(logits) if logits else np.empty(0)
                for position, problem, decoder in read:
                    if problem is None:
                        start = (position % self.batch.videos) * self.views.count
                        sheet.put(position, rows[start : start + self.views.count], decoder)
                    else:
                        sheet.fail(position, problem)
                    done += 1
                    self._report(done, began, before)
                logits.clear()
        sheet.save()

    def _batches(self, left: Sequence[int], videos: Iterator[Any]) -> Iterator[tuple[list[Read], Tensor | None]]:
        """Each group's batches, with what is known of its videos; one without views where none could be read."""
        for _, group in groupby(left, key=lambda position: position // self.batch.videos):
            waiting: dict[int, TestVideo] = {}
            read: list[Read] = []
            for video in islice(videos, len(list(group))):
                if video.cuts is None:
                    read.append((video.position, video.problem or "no frames", ""))
                else:
                    waiting[video.position] = video
                    read.append((video.position, None, video.decoder))
            if not waiting:
                yield read, None
                continue
            for views in self._laid_out(waiting):
                yield read, views
            waiting.clear()
            del video
        next(videos, None)  # lets the decoders go

    def _laid_out(self, waiting: dict[int, TestVideo]) -> Iterator[Tensor]:
        """Batches of the one shape; empty places are black."""
        count, size = self.views.count, self.batch.size
        if self.batch.videos == 1:
            (one,) = waiting.values()
            for start in range(0, count, size):
                part = one.part(start, min(start + size, count))
                missing = size - len(part)
                yield torch.cat([part, part.new_zeros((missing, *part.shape[1:]))]) if missing else part
            return
        filled: Tensor | None = None
        for position, video in waiting.items():
            views = video.part(0, count)
            filled = views.new_zeros((size, *views.shape[1:])) if filled is None else filled
            start = (position % self.batch.videos) * count
            filled[start : start + count] = views
        assert filled is not None
        yield filled

    def _report(self, done: int, began: float, left: int) -> None:
        if self.on_progress is not None:
            fresh = max(1, done - (len(self.mine) - left))
            eta = (time.monotonic() - began) / fresh * (len(self.mine) - done)
            self.on_progress({"phase": "test", "step": done, "steps": len(self.mine), "eta": round(eta, 1)})


@dataclass
class _Forward:
    """uint8 views (B, T, ..., 3, H, W) to rows: logits, then the figures that the network tells of each view.

    Batches become smaller from here on where the device runs out of memory.
    """

    module: nn.Module
    device: torch.device
    amp: str
    normalize: Normalize
    sizes: list[int] = field(default_factory=list)
    """The batch sizes that were used, largest first."""
    figures: tuple[str, ...] = ()
    """Names of what `repro.cost.dynamic` asks the network for."""
    order: tuple[int, ...] = ()
    """The output of the network that each column of logits is; empty: as they come."""

    def __call__(self, views: Tensor) -> np.ndarray:
        if not self.sizes:
            self.sizes.append(len(views))
        while True:
            try:
                return np.concatenate([self._rows(part) for part in views.split(self.sizes[-1])])
            except torch.OutOfMemoryError:
                if self.sizes[-1] == 1:
                    raise
            torch.cuda.empty_cache()  # not among the `except`, whose traceback holds the tensors
            self.sizes.append(self.sizes[-1] // 2)

    @property
    def classes(self) -> int:
        """Logits of a row."""
        return int(self.module.num_classes)  # type: ignore[arg-type]

    @property
    def settings(self) -> dict[str, Any]:
        """What tells an interrupted test of such rows from another."""
        found = {"figures": self.figures, "order": self.order}
        return {name: value for name, value in found.items() if value}

    def input(self, views: Tensor) -> Tensor:
        """The network's input on its device."""
        return self.normalize(views.to(self.device, non_blocking=True))

    def _rows(self, views: Tensor) -> np.ndarray:
        with torch.inference_mode(), contextlib.ExitStack() as stack:
            stack.enter_context(autocast(self.amp, self.device))
            rows = self.module(self.input(views)).float()
            rows = rows[:, list(self.order)] if self.order else rows
            if self.figures:
                rows = torch.cat([rows, dynamic.figures(self.module, self.figures).to(rows)], dim=1)
            return rows.cpu().numpy()


def _gathered(sheet: Sheet, test: _Test, folder: Path | None) -> Scores:
    """The scores of all processes, in the order of the index."""
    index, views, ranks = test.index, test.views, test.ranks
    problems = {at: why for some in ranks.gather(sheet.problems) for at, why in some.items()}
    listed = [{"id": index.videos[at].id, "problem": problems[at]} for at in sorted(problems)]
    owned = ranks.gather(sheet.positions)
    positions = sorted(at for some in owned for at in some)
    if not positions:
        why = f"first {listed[0]['id']!r}: {listed[0]['problem']}" if listed else "the list is empty"
        raise DataError(f"none of the {len(index)} videos of {index.name} {index.split} could be scored; {why}")
    rows = sheet.rows
    if ranks.world_size > 1 or sheet.positions != positions:  # all processes must agree to exchange rows
        slots = {at: slot for slot, at in enumerate(positions)}
        rows = merged(_rounds(sheet, owned, slots, ranks), (len(positions), *rows.shape[1:]), folder)
    chosen = [index.videos[at] for at in positions]
    ids = [video.id for video in chosen]
    metrics.check_finite(rows, ids)
    sheet.remove()
    about = {"dataset": index.name, "split": index.split, "fingerprint": index.fingerprint, "views": to_dict(views)}
    about["views_per_batch"] = sorted(
        {test.batch.size, *(size for some in ranks.gather(test.forward.sizes) for size in some)}
    )
    about["decoders"] = dict(sorted(sum(ranks.gather(sheet.decoders), Counter()).items()))
    labels = np.array([video.label for video in chosen], np.int64)
    names, classes = test.forward.figures, test.forward.classes
    if not names:
        return Scores(rows, labels, ids, listed, views.clips, views.crops, about)
    about["facts"] = dynamic.facts(test.forward.module)
    logits, stats = rows[..., :classes], np.array(rows[..., classes:])
    return Scores(logits, labels, ids, listed, views.clips, views.crops, about, stats, names)


def _rounds(
    sheet: Sheet, owned: Sequence[list[int]], slots: dict[int, int], ranks: Ranks
) -> Iterator[list[tuple[int, np.ndarray]]]:
    """Block by block the rows of all processes, with the place of each."""
    parts, size = blocks(sheet.rows), 256
    for start in range(0, max(map(len, owned)), size):
        for rank, part in enumerate(ranks.gather(next(parts, None))):
            names = owned[rank][start : start + size]
            yield [(slots[at], row) for at, row in zip(names, part if part is not None else (), strict=True)]


def summarise(scores: Scores, fusion: str) -> dict[str, Any]:
    """Top-1 and top-5 over all views by `fusion`, the same for every other aggregation, and who is left out.

    With `cost` of networks that tell what each clip costs (`repro.cost.dynamic`).
    """
    stats = scores.stats
    cost = {} if stats is None else {"cost": dynamic.summary(stats, scores.stat_names, scores.about.get("facts", {}))}
    found = metrics.all_aggregations(scores.logits, scores.labels, scores.clips, scores.crops, fusion)
    predicted = predictions(scores, fusion)
    return {
        **found[f"{scores.clips}x{scores.crops}/{fusion}"],
        "mean_class": metrics.mean_class_accuracy(predicted, scores.labels, scores.logits.shape[2]),
        "videos": len(scores.ids),
        "left_out": scores.problems,
        "aggregations": found,
        **cost,
    }


def predictions(scores: Scores, fusion: str) -> np.ndarray:
    """Class of each video over all its views, int64 (N,)."""
    return metrics.predictions(metrics.aggregate(scores.logits, fusion, scores.clips, scores.crops))
