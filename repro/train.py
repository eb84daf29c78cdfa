"""The training loop: plain torch, one process or several under torchrun, killed and continued bit for bit.

A step is one batch of the recipe: `accumulation` forward passes of `micro_batch` clips on each of `world_size`
processes. Checkpoints are taken between steps, so a run that is killed repeats at most the steps since the last one,
with the same clips, dropout masks and arithmetic.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from repro import checkpoint, memory, optim, spec, stopping
from repro.build import build, input_shape
from repro.data.index import Index
from repro.distributed import Ranks, synchronised
from repro.errors import BadOption, DataError, ReproError
from repro.numerics import autocast, check_amp, deterministic, layout, place_on, seed_all

Progress = Callable[[dict[str, Any]], None]
Normalize = Callable[[Tensor], Tensor]

_CHECK_EVERY = 16
# what is summed over an epoch, on the device
_LOSS, _RIGHT, _CLIPS, _NORM, _NORMS, _BAD = range(6)


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
    *,
    device: str = "cpu",
    workers: int = 0,
    index: Index | None = None,
    cache: Any = None,
    micro_batch: int | None = None,
    memory_bytes: int | None = None,
    initialise: Callable[[nn.Module], Normalize | None] | None = None,
    on_progress: Progress | None = None,
    checkpoint_every_s: float = 30.0,
) -> Fitted:
    """Train `model` by `accuracy.train`, or go on from the state in `workdir`; a finished state is returned as it is.

    `index` is the training split (default: the dataset's `train`). `micro_batch`, or `memory_bytes` for a step, bounds
    one forward pass. `initialise` fills in weights before the first step and may return how their input is normalized.
    """
    train = accuracy.train
    if train is None:
        raise BadOption("this experiment has no training recipe", fix="test it with given weights")
    place = torch.device(device)
    check_amp(train.amp, place)
    if index is None:
        from repro.data.datasets import open_index

        index = open_index(accuracy.dataset, "train").first(train.videos)
    check_labels(index, model.num_classes)
    ranks = Ranks.current()
    with contextlib.ExitStack() as stack:
        if ranks.rank == 0:
            report = on_progress or (lambda facts: None)
            stack.enter_context(checkpoint.only_run(workdir, lambda: report({"phase": "waiting for another run"})))
        stack.enter_context(deterministic(place))
        seed_all(seed)
        net = build(model)
        normalize = (initialise(net) if initialise else None) or _default_normalize()
        net = place_on(net, place)
        if micro_batch is None and not train.clips_per_device:
            micro_batch = _micro_batch(net, model, train, place, memory_bytes)
        division = optim.plan(train, len(index), world_size=ranks.world_size, micro_batch=micro_batch)
        run = _Run(net, model, accuracy, train, seed, index, division, ranks, place, normalize)
        notes = run.resume(workdir)
        run.loop(workdir, workers, cache, on_progress, checkpoint_every_s)
    return Fitted(net, run.curve, run.effective(), describe(index), normalize, notes)


def own_losses(net: nn.Module) -> list[Tensor]:
    """What a method adds to the cross entropy, weighted, of the forward pass just made: AdaFuse's efficiency loss,
    PSN's interaction and capacity. A part of the network tells it by a method `losses() -> {name: scalar}`.
    """
    parts = [part for part in net.children() if callable(getattr(part, "losses", None))]
    return [value for part in parts for value in part.losses().values()]  # type: ignore[operator]


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


def freeze_partial_bn(module: nn.Module) -> int:
    """The authors' partial BN: every BatchNorm2d but the first keeps its statistics and affine; returns how many.

    Only nn.BatchNorm2d, as in TSM's `ops/models.py:train`: TAM's BatchNorm1d and DNR's normalizations go on training.
    Called after each `module.train()`.
    """
    frozen = [layer for layer in module.modules() if isinstance(layer, nn.BatchNorm2d)][1:]
    for layer in frozen:
        layer.eval()
        for parameter in layer.parameters(recurse=False):
            parameter.requires_grad_(False)
    return len(frozen)


def _micro_batch(
    net: nn.Module, model: spec.Model, train: spec.Train, device: torch.device, memory_bytes: int | None
) -> int:
    x = torch.zeros(input_shape(model, train.crop, 2), device=device)
    with autocast(train.amp, device):
        # two clips: training batch normalization over one value is an error
        pairs = memory.training_clips(net, x, memory_bytes or memory.training_budget(device))
    return 2 * pairs


class _Run:
    """One training run: the state that a checkpoint holds, and the loop over it."""

    def __init__(
        self,
        net: nn.Module,
        model: spec.Model,
        accuracy: spec.Accuracy,
        train: spec.Train,
        seed: int,
        index: Index,
        division: optim.Plan,
        ranks: Ranks,
        device: torch.device,
        normalize: Normalize,
    ) -> None:
        self.net, self.accuracy, self.train, self.seed, self.index = net, accuracy, train, seed, index
        self.plan, self.ranks, self.device, self.model = division, ranks, device, model
        self.frozen = freeze_partial_bn(net) if train.partial_bn else 0
        groups = optim.parameter_groups(net, train)
        self.group_table = optim.group_table(groups)
        self.optimizer = optim.sgd(groups, train)
        self.parameters = [parameter for group in groups for parameter in group["params"]]
        self.scaler = torch.amp.GradScaler(device.type, enabled=train.amp == "fp16")
        self.parallel = ranks.wrap(net, device)
        self.tally = torch.zeros(6, dtype=torch.float64, device=device)
        self.tally[_BAD] = -1
        self.step = 0
        self.seconds = 0.0
        self.resumes = 0
        self.curve: list[dict[str, Any]] = []
        self.problems: dict[str, str] = {}
        """Training videos that could not be read -> why; others stood in for them."""
        self.normalize = normalize
        self.steps = train.epochs * division.steps_per_epoch

    @property
    def identity(self) -> dict[str, Any]:
        """What a checkpoint must share with the run that goes on from it."""
        experiment = spec.Experiment(model=self.model, measure=self.accuracy)
        return {
            "experiment": experiment.id,
            "seed": self.seed,
            "training data": self.index.fingerprint,
            "micro batch": self.plan.micro_batch,
            "processes": self.plan.world_size,
        }

    def effective(self) -> dict[str, Any]:
        """The record's account of what was done."""
        exact = (
            "a repeated run is equal bit for bit on one machine with one number of threads"
            if self.device.type == "cpu"
            else "kernels that have no deterministic form are used as they are"
        )
        return {
            **self.plan.effective(self.train),
            "parameter_groups": self.group_table,
            "frozen_bn": self.frozen,
            "amp": self.train.amp,
            "layout": layout(self.net),
            "determinism": f"deterministic algorithms; {exact}",
            "resumes": self.resumes,
            "training_problems": [{"id": name, "problem": why} for name, why in sorted(self.problems.items())],
        }

    def state(self) -> dict[str, Any]:
        """All that the rest of the run depends on. Every process takes part."""
        own = {
            "random": checkpoint.random_state(self.device),
            "tally": self.tally.cpu(),
            "problems": dict(self.problems),
        }
        return {
            "weights": self.net.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "ranks": self.ranks.gather(own),
            "epoch": self.step // self.plan.steps_per_epoch,
            "micro_batch": self._position(),
            "curve": self.curve,
            "seconds": self.seconds,
            "resumes": self.resumes,
        }

    def _position(self) -> int:
        """Micro-batches of the present epoch that this process has used up; for each process the same."""
        return (self.step % self.plan.steps_per_epoch) * self.plan.accumulation

    def resume(self, workdir: Path) -> list[str]:
        """Take up the newest sound state in `workdir`; notes tell what was wrong with others."""
        found, notes = checkpoint.load(workdir, self.identity)
        self.ranks.barrier()
        if self.ranks.rank:
            torch.manual_seed(self.seed + 1_000_003 * self.ranks.rank)
        if found is None:
            return [*notes, "training started again from the beginning"] if notes else []
        self.net.load_state_dict(found["weights"])
        self.optimizer.load_state_dict(found["optimizer"])
        self.scaler.load_state_dict(found["scaler"])
        own = found["ranks"][self.ranks.rank]
        self.tally.copy_(own["tally"])
        checkpoint.restore_random_state(own["random"], self.device)
        self.step = found["epoch"] * self.plan.steps_per_epoch + found["micro_batch"] // self.plan.accumulation
        self.problems.update(own["problems"])
        self.curve, self.seconds, self.resumes = found["curve"], found["seconds"], found["resumes"]
        if self.step < self.steps:
            self.resumes += 1
        return notes

    def loop(
        self, workdir: Path, workers: int, cache: Any, on_progress: Progress | None, checkpoint_every_s: float
    ) -> None:
        """All steps that are left, and a checkpoint of the end."""
        if self.step == self.steps:
            return
        first, began, saved = self.step, time.monotonic(), time.monotonic()
        while self.step < self.steps:
            batches = self._batches(workers, cache)
            self.parallel.train()
            if self.train.partial_bn:
                freeze_partial_bn(self.net)
            for _ in range(self.step % self.plan.steps_per_epoch, self.plan.steps_per_epoch):
                clock = time.monotonic()
                rate = self._one_step(batches)
                self.step += 1
                now = time.monotonic()
                self.seconds += now - clock
                if self.step % _CHECK_EVERY == 0:
                    self._require_finite(workdir)
                if self.step % self.plan.steps_per_epoch == 0:
                    self._require_finite(workdir)
                    self._close_epoch(rate)
                due = self.ranks.decide(now - saved >= checkpoint_every_s or stopping.requested())
                if self.step == self.steps or due:
                    self._save(workdir)
                    saved = time.monotonic()
                if due and self.ranks.decide(stopping.requested()):
                    raise stopping.Stopped
                if on_progress is not None:
                    eta = (now - began) / (self.step - first) * (self.steps - self.step)
                    on_progress({"phase": "train", "step": self.step, "steps": self.steps, "eta": round(eta, 1)})
            batches.close()

    def _batches(self, workers: int, cache: Any) -> Generator[tuple[Tensor, Tensor], None, None]:
        """What is left of the present epoch, for this process."""
        from repro.data.loader import train_batches

        made = train_batches(
            self.index,
            self.train,
            clip_length=self.net.clip_length,  # type: ignore[arg-type]
            seed=self.seed,
            epoch=self.step // self.plan.steps_per_epoch,
            micro_batch=self.plan.micro_batch,
            start=self._position(),
            decoder=self.accuracy.decoder,
            workers=workers,
            cache=cache,
            problems=self.problems,
            rank=self.ranks.rank,
            world=self.ranks.world_size,
        )
        return cast("Generator[tuple[Tensor, Tensor], None, None]", made)

    def _one_step(self, batches: Iterator[tuple[Tensor, Tensor]]) -> float:
        """One optimizer step; returns its learning rate."""
        for part in range(self.plan.accumulation):
            x, y = next(batches)
            x, y = self.normalize(x.to(self.device, non_blocking=True)), y.to(self.device, non_blocking=True)
            last = part == self.plan.accumulation - 1
            with synchronised(self.parallel, last):
                with autocast(self.train.amp, self.device):
                    logits = self.parallel(x)
                loss = sum(own_losses(self.net), F.cross_entropy(logits.float(), y))
                self.scaler.scale(loss / self.plan.accumulation).backward()
            with torch.no_grad():
                self.tally[_LOSS] += loss * len(y)
                self.tally[_RIGHT] += (logits.argmax(1) == y).sum()
                self.tally[_CLIPS] += len(y)
                self._note_bad(loss)
        rate = optim.learning_rate(self.train, self.step, self.plan.steps_per_epoch)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["lr_mult"]
        self.scaler.unscale_(self.optimizer)
        self._clip()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        return rate

    @torch.no_grad()
    def _clip(self) -> None:
        gradients = [parameter.grad for parameter in self.parameters if parameter.grad is not None]
        norm = nn.utils.get_total_norm(gradients, foreach=True)
        if self.train.clip_norm > 0:
            nn.utils.clip_grads_with_norm_(self.parameters, self.train.clip_norm, norm, foreach=True)
        finite = norm.isfinite()
        self.tally[_NORM] += torch.where(finite, norm, torch.zeros_like(norm))
        self.tally[_NORMS] += finite
        if not self.scaler.is_enabled():  # the scaler leaves out a step whose gradients overflowed
            self._note_bad(norm)

    def _note_bad(self, value: Tensor) -> None:
        """Remember the first step with a value that is not finite, without waiting for the device."""
        now = ~value.detach().isfinite() & (self.tally[_BAD] < 0)
        self.tally[_BAD] = torch.where(now, float(self.step), self.tally[_BAD])

    def _require_finite(self, workdir: Path) -> None:
        bad = int(self.ranks.maximum(self.tally[_BAD]))
        if bad < 0:
            return
        if self.ranks.rank == 0:
            checkpoint.discard(workdir)  # a second try starts afresh, not beside the cliff
        rate = optim.learning_rate(self.train, bad, self.plan.steps_per_epoch)
        raise ReproError(
            f"training diverged: loss or gradient is not finite at step {bad} of {self.steps} (epoch "
            f"{bad // self.plan.steps_per_epoch}), learning rate {rate:g}",
            fix="a lower learning rate, a longer warm-up, or clip_norm",
        )

    def _close_epoch(self, rate: float) -> None:
        """A point of the curve out of the epoch's sums, over all processes."""
        sums = self.ranks.total(self.tally[: _CLIPS + 1])
        loss, right, clips = sums.tolist()
        norm, norms = self.tally[_NORM : _NORMS + 1].tolist()
        self.curve.append(
            {
                "epoch": self.step // self.plan.steps_per_epoch,
                "step": self.step,
                "loss": loss / clips,
                "top1": 100.0 * right / clips,
                "lr": rate,
                "grad_norm": norm / max(norms, 1.0),
                "seconds": round(self.seconds, 3),
            }
        )
        self.tally[:_BAD] = 0
        self.seconds = 0.0

    def _save(self, workdir: Path) -> None:
        self._require_finite(workdir)
        if self.step == self.steps:
            self.ranks.share_buffers(self.net)
        state = self.state()
        if self.ranks.rank == 0:
            checkpoint.save(workdir, self.step, self.identity, state)


def _default_normalize() -> Normalize:
    from repro.data.loader import normalize

    return normalize
