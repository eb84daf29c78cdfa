"""The loop of a training over epochs and steps, and the state that a checkpoint holds of it."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Generator
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from repro.core import spec, stop_signal
from repro.core.errors import DataError, ReproError
from repro.core.process import memory_kept
from repro.data.index import Index
from repro.engine.ahead import ahead
from repro.engine.distributed import Ranks
from repro.engine.execution import Progress
from repro.engine.train import checkpoint, optim, resume, sync_batchnorm
from repro.engine.train.freezing import freeze_stages
from repro.engine.train.log import Log, Meter
from repro.engine.train.step import BAD, CLIPS, NORM, NORMS, Normalize, Stepper
from repro.models.device import layout

#: steps from one look at the device's sums, and line of the log, to the next
_LOOK_EVERY = 16
#: a request to stop outweighs that a checkpoint is due
_STOP = 2


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


class Run:
    """One training run: what a checkpoint holds beside the stepper's state, and the loop over steps."""

    reading: dict[str, Any]
    strict: bool

    def __init__(
        self,
        net: nn.Module,
        model: spec.Model,
        accuracy: spec.Accuracy,
        seed: int,
        index: Index,
        plan: optim.Plan,
        device: torch.device,
        normalize: Normalize,
    ) -> None:
        assert accuracy.train is not None
        self.net, self.model, self.accuracy, self.train, self.seed = net, model, accuracy, accuracy.train, seed
        self.index, self.plan, self.device, self.ranks = index, plan, device, Ranks.current()
        self.frozen = freeze_partial_bn(net.train()) if self.train.partial_bn else 0
        if self.train.frozen_stages:
            freeze_stages(net.train(), self.train.frozen_stages)
        across = self.train.sync_bn and self.ranks.world_size > 1
        self.synced = sync_batchnorm.synchronise(net, self.ranks) if across else 0
        self.stepper = Stepper(net, self.train, plan, self.ranks, device, normalize)
        self.checkpoints = checkpoint.Writer(device)
        self.step = 0
        self.seconds = 0.0
        self.history = resume.History()
        self.curve: list[dict[str, Any]] = []
        self.problems: dict[str, str] = {}
        """Training videos that this process could not read -> why; others stood in for them."""
        self.all_problems: dict[str, str] = {}
        """Those of all processes."""
        self.used: Counter[str] = Counter()
        """Clips of this process by the decoder that made them."""
        self.all_used: Counter[str] = Counter()
        """Those of all processes, as of the last checkpoint."""
        self.steps = self.train.epochs * plan.steps_per_epoch

    @property
    def identity(self) -> dict[str, Any]:
        """What a checkpoint must share with the run that goes on from it."""
        experiment = spec.Experiment(model=self.model, measure=self.accuracy)
        return {"experiment": experiment.id, "seed": self.seed, "training data": self.index.fingerprint}

    def effective(self) -> dict[str, Any]:
        """The record's account of what was done."""
        exact = (
            "a repeated run is equal bit for bit on one machine with one number of threads"
            if self.device.type == "cpu"
            else "kernels that have no deterministic form are used as they are"
        )
        return {
            **self.plan.effective(self.train),
            "parameter_groups": self.stepper.group_table,
            "frozen_bn": self.frozen,
            "synchronised_bn": self.synced,
            "amp": self.train.amp,
            "layout": layout(self.net),
            "determinism": f"deterministic algorithms; {exact}",
            **self.history.effective(),
            "training_decoders": dict(sorted(self.all_used.items())),
            "training_problems": [{"id": name, "problem": why} for name, why in sorted(self.all_problems.items())],
        }

    def resume(self, workdir: Path) -> list[str]:
        """Take up the newest sound state in `workdir`; notes tell what was wrong with others, or differs."""
        loaded = checkpoint.load(workdir, self.identity) if self.ranks.rank == 0 else None
        found, notes = cast("tuple[dict[str, Any] | None, list[str]]", self.ranks.share(loaded))
        if self.ranks.rank:
            torch.manual_seed(self.seed + 1_000_003 * self.ranks.rank)
        if found is None:
            return [*notes, "training started again from the beginning"] if notes else []
        self.stepper.load_state(found["stepper"])
        own = resume.own_part(found, self.ranks)
        self.stepper.tally.copy_(own["tally"])
        if own["random"] is not None:
            checkpoint.restore_random_state(own["random"], self.device)
        self.problems.update(own["problems"])
        self.used.update(own["used"])
        for part in found["ranks"]:
            self.all_problems.update(part["problems"])
        self._count(found["ranks"])
        self.step, self.curve, self.seconds = found["step"], found["curve"], found["seconds"]
        self.history = resume.History(**found["history"])
        if self.step < self.steps:
            notes += self.history.note(found, self.plan, self.train, self.net, self.device.type)
        return notes

    def state(self) -> dict[str, Any]:
        """All that the rest of the run depends on. Every process takes part."""
        own = {
            "random": checkpoint.random_state(self.device),
            "tally": self.stepper.tally.cpu(),
            "problems": dict(self.problems),
            "used": dict(self.used),
        }
        parts = self.ranks.gather(own)
        self._count(parts)
        return {
            "stepper": self.stepper.state(),
            "ranks": parts,
            "division": self.plan.division(self.train),
            "step": self.step,
            "curve": self.curve,
            "seconds": self.seconds,
            "history": self.history.state(),
        }

    def _count(self, parts: list[dict[str, Any]]) -> None:
        self.all_used = sum((Counter(part["used"]) for part in parts), Counter())

    @memory_kept()
    def loop(self, workdir: Path, logs: Path, on_progress: Progress | None, checkpoint_every_s: float) -> None:
        """All steps that are left, and a checkpoint of the end."""
        if self.step == self.steps:
            return
        report = on_progress or (lambda facts: None)
        first, began, saved = self.step, time.monotonic(), time.monotonic()
        meter = Meter(self.stepper, self.ranks, self.problems)
        with contextlib.closing(Log(logs if self.ranks.rank == 0 else None, self.step)) as log:
            while self.step < self.steps:
                batches = self._batches()
                self.stepper.parallel.train()
                if self.train.partial_bn:
                    freeze_partial_bn(self.net)
                if self.train.frozen_stages:
                    freeze_stages(self.net, self.train.frozen_stages)
                for _ in range(self.step % self.plan.steps_per_epoch, self.plan.steps_per_epoch):
                    clock = time.monotonic()
                    rate = self.stepper.step(batches, self.step)
                    self.step += 1
                    self.seconds += time.monotonic() - clock
                    eta = (time.monotonic() - began) / (self.step - first) * (self.steps - self.step)
                    facts = {"phase": "train", "step": self.step, "steps": self.steps, "eta": round(eta, 1)}
                    self._look(workdir, rate, facts, meter, log, report)
                    saved = self._pause(workdir, saved, checkpoint_every_s)
                    report({**facts, **meter.last})
                batches.close()

    def _pause(self, workdir: Path, saved: float, every_s: float) -> float:
        """Between two steps: a checkpoint where one is due, or any process was asked to stop; when the last was made.

        A scheduler may take only one of several nodes away.
        """
        stop, due = _STOP * stop_signal.requested(), time.monotonic() - saved >= every_s
        asked = self.ranks.maximum(torch.tensor(float(stop + due)))
        if asked or self.step == self.steps:
            self._save(workdir)
            saved = time.monotonic()
        if asked >= _STOP or self.step == self.steps:
            self.checkpoints.wait()
        if asked >= _STOP:
            raise stop_signal.Stopped
        return saved

    def _batches(self) -> Generator[tuple[Tensor, Tensor], None, None]:
        """What is left of the present epoch, for this process; problems and decoders count as batches are taken."""
        from repro.data.loader import train_batches

        problems, used = dict(self.problems), Counter(self.used)
        made = train_batches(
            self.index,
            self.train,
            clip_length=self.net.clip_length,  # type: ignore[arg-type]
            seed=self.seed,
            epoch=self.step // self.plan.steps_per_epoch,
            micro_batch=self.plan.micro_batch,
            start=(self.step % self.plan.steps_per_epoch) * self.plan.accumulation,
            problems=problems,
            used=used,
            rank=self.ranks.rank,
            world=self.ranks.world_size,
            **self.reading,
        )
        for x, y, bad, counted in ahead(((x, y, dict(problems), Counter(used)) for x, y in made), self.device):
            self.problems.update(bad)
            self.used = counted
            yield x, y

    def _look(
        self, workdir: Path, rate: float, facts: dict[str, Any], meter: Meter, log: Log, report: Progress
    ) -> None:
        """After a step: each few, and at the end of an epoch, fetch the device's sums and tell them."""
        if self.strict and self.problems:
            name, why = next(iter(self.problems.items()))
            raise DataError(f"training video {self._path(name)}: {why}", fix="mend or remove it, or leave out --strict")
        ended = self.step % self.plan.steps_per_epoch == 0
        if self.step % _LOOK_EVERY and not ended:
            return
        self._require_finite(workdir)
        epoch = (self.step - 1) // self.plan.steps_per_epoch + 1
        line = {"step": self.step, "steps": self.steps, "epoch": epoch, "lr": rate, **meter.read(self.problems)}
        log.scalars({**line, "eta_s": facts["eta"]})
        for name, why in meter.new_problems(self.problems):
            self.all_problems[name] = why
            log.video(self.step, name, self._path(name), why)
            report({**facts, "problem": f"{self._path(name)}: {why}; another stands in"})
        if ended:
            self._close_epoch(rate)
            meter.reset()

    def _path(self, name: str) -> str:
        return next(str(video.path) for video in self.index.videos if video.id == name)

    def _require_finite(self, workdir: Path) -> None:
        bad = int(self.ranks.maximum(self.stepper.tally[BAD]))
        if bad < 0:
            return
        if self.ranks.rank == 0:
            self.checkpoints.wait()
            checkpoint.discard(workdir)  # a second try starts afresh, not beside the cliff
        rate = optim.learning_rate(self.train, bad, self.plan.steps_per_epoch)
        raise ReproError(
            f"training diverged: loss or gradient is not finite at step {bad} of {self.steps} (epoch "
            f"{bad // self.plan.steps_per_epoch}), learning rate {rate:g}",
            fix="a lower learning rate, a longer warm-up, or clip_norm",
        )

    def _close_epoch(self, rate: float) -> None:
        """A point of the curve out of the epoch's sums, over all processes."""
        sums = self.ranks.total(self.stepper.tally[: CLIPS + 1])
        loss, right, clips = sums.tolist()
        norm, norms = self.stepper.tally[NORM : NORMS + 1].tolist()
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
        self.stepper.tally[:BAD] = 0
        self.seconds = 0.0

    def _save(self, workdir: Path) -> None:
        self._require_finite(workdir)
        if self.step == self.steps:
            self.ranks.share_buffers(self.net)
        state = self.state()
        if self.ranks.rank == 0:
            self.checkpoints.save(workdir, self.step, self.identity, state)
