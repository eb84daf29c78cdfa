"""Training: plain torch, one process or several under torchrun, killed and continued bit for bit.

A step is one batch of the recipe: `accumulation` forward passes of `micro_batch` clips on each of `world_size`
processes. The order of clips and the batches are those of the seed, whatever the division. Checkpoints are taken
between steps, so a run that is killed repeats at most the steps since the last one, with the same clips, dropout masks
and arithmetic; on another number of processes it goes on with the same batches.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from repro.core import spec
from repro.core.errors import BadOption, DataError
from repro.core.files import clear_left
from repro.data.datasets import open_index
from repro.data.index import Index
from repro.data.loader import normalize as normalized
from repro.engine import batch_size
from repro.engine.distributed import Ranks
from repro.engine.execution import Execution
from repro.engine.train import optim
from repro.engine.train.loop import Run
from repro.engine.train.step import Normalize
from repro.models.build import build, input_shape
from repro.models.device import autocast, check_amp, deterministic, place_on, seed_all
from repro.models.named_start import built_by_name

Initialise = Callable[[nn.Module], Normalize | None]
"""Fills in the first weights; returns how their input is normalized, if they say so."""


@dataclass
class Fitted:
    """A trained network and how it came about."""

    module: nn.Module
    curve: list[dict[str, Any]]
    """One dict per epoch: epoch, step, loss, top1 (percent, on augmented clips), lr, grad_norm, seconds."""
    effective: dict[str, Any]
    dataset: dict[str, Any]
    normalize: Normalize
    """uint8 frames to the network's input."""
    notes: list[str] = field(default_factory=list)


def fit(
    model: spec.Model,
    accuracy: spec.Accuracy,
    seed: int,
    workdir: Path,
    how: Execution = Execution(),
    *,
    index: Index | None = None,
    cache: Any = None,
    initialise: Initialise | None = None,
    logs: Path | None = None,
) -> Fitted:
    """Train `model` by `accuracy.train`, or go on from the state in `workdir`; a finished state is returned as it is.

    `index` is the training split (default: the dataset's `train`), `cache` its decoded frames. `initialise` fills in
    weights before the first step and may return how their input is normalized. The log goes to the folder `logs`
    (default `workdir`).
    """
    train = accuracy.train
    if train is None:
        raise BadOption("this experiment has no training recipe", fix="test it with given weights")
    place, ranks = torch.device(how.device), Ranks.current()
    check_amp(train.amp, place)
    index = index or open_index(accuracy.dataset, "train").first(train.videos)
    check_labels(index, model.num_classes)
    patience = {"timeout_s": how.video_timeout_s} if how.video_timeout_s else {}
    reading = {"decoder": how.decoder, "workers": how.workers or 0, "cache": cache, **patience}
    if ranks.rank == 0:
        workdir.mkdir(parents=True, exist_ok=True)
        clear_left(workdir)
    with deterministic(place):
        seed_all(seed)
        net = built_by_name(partial(build, model), seed) if train.start == "names" else build(model)
        normalize = (initialise(net) if initialise else None) or normalized
        net = place_on(net, place, train.amp)
        division = _division(net, model, train, len(index), place, how)
        run = Run(net, model, accuracy, seed, index, division, place, normalize)
        run.reading, run.strict = reading, how.strict
        notes = run.resume(workdir)
        run.loop(workdir, logs or workdir, how.on_progress, how.checkpoint_every_s)
    return Fitted(net, run.curve, run.effective(), describe(index), normalize, notes)


def check_labels(index: Index, num_classes: int) -> None:
    """Every label of the split must be a class of the network."""
    for video in index.videos:
        if not 0 <= video.label < num_classes:
            raise DataError(
                f"video {video.id!r} of {index.name} has label {video.label}", allowed=f"0 to {num_classes - 1}"
            )


def describe(index: Index) -> dict[str, Any]:
    """What identifies a dataset split, for the record."""
    named = {"name": index.name, "split": index.split, "videos": len(index), "fingerprint": index.fingerprint}
    return {**named, **index.facts}


def _division(
    net: nn.Module,
    model: spec.Model,
    train: spec.Train,
    videos: int,
    device: torch.device,
    how: Execution,
) -> optim.Plan:
    """Clips of one forward pass as asked for, else what fits into the memory of the smallest device."""
    ranks, micro_batch, exact = Ranks.current(), how.micro_batch, how.micro_batch is not None
    if micro_batch is None and not train.clips_per_device:
        x = torch.zeros(input_shape(model, train.crop, 2), device=device)
        with autocast(train.amp, device):
            # two clips: training batch normalization over one value is an error
            pairs = batch_size.training_clips(net, x, how.memory_bytes or batch_size.training_budget(device))
        micro_batch = 2 * min(ranks.gather(pairs))
    return optim.plan(train, videos, world_size=ranks.world_size, micro_batch=micro_batch, exact=exact)
