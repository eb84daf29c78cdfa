"""Which parameter gets which learning rate and decay, and when: SGD groups, schedules, the division of a batch.

Sources: mmaction2 v0.15.0 `core/optimizer/tsm_optimizer_constructor.py` and mmcv's `lr_updater.py`;
mit-han-lab/temporal-shift-module@1f6a834 `ops/models.py:get_optim_policies`; MCG-NJU/TDN@a7c7e9b `ops/models.py`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from repro.core.errors import BadOption
from repro.core.spec import Train
from repro.data.views_of_video import shares

_NORMS = (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm)

#: kind of parameter -> (learning rate, weight decay) as multiples of the recipe's
_FACTORS = {
    "weight": (1.0, 1.0),
    "bias": (2.0, 0.0),
    "norm": (1.0, 0.0),
    "linear weight": (5.0, 1.0),
    "linear bias": (10.0, 0.0),
}


def parameter_groups(module: nn.Module, train: Train) -> list[dict[str, Any]]:
    """Groups for SGD: each trainable parameter in exactly one, with its name, factors and first learning rate.

    `plain` treats all alike. `tsm` doubles the rate of biases, decays neither biases nor normalizations, and gives the
    classifier 5 times (its bias 10 times) the rate. `tsm-author` is the same but takes *every* nn.Linear for a
    classifier, also those inside TAM or DNR. `tdn` leaves the classifier among the others. The authors' group of the
    first convolution has the same factors as the other convolutions on RGB input and is not kept apart.
    """
    found: dict[tuple[str, float, float], list[tuple[str, nn.Parameter]]] = {}
    for name, parameter, kind in _kinds(module, train.groups):
        rate, decay = (1.0, 1.0) if train.groups == "plain" else _FACTORS[kind]
        if train.decay_on == "matrices" and parameter.ndim < 2:
            decay = 0.0
        label = kind if train.groups != "plain" else ("all" if decay else "vectors")
        found.setdefault((label, rate, decay), []).append((name, parameter))
    return [
        {
            "name": label,
            "params": [parameter for _, parameter in members],
            "names": [name for name, _ in members],
            "lr_mult": rate,
            "lr": train.lr * rate,
            "weight_decay": train.weight_decay * decay,
        }
        for (label, rate, decay), members in found.items()
    ]


def _kinds(module: nn.Module, groups: str) -> Iterator[tuple[str, nn.Parameter, str]]:
    """Each trainable parameter once: full name, itself, its kind. A shared parameter counts where it is met first."""
    classifier = _classifier(module) if groups == "tsm" else None
    seen: set[int] = set()
    for path, owner in module.named_modules():
        lifted = owner is classifier or (groups == "tsm-author" and isinstance(owner, nn.Linear))
        for name, parameter in owner.named_parameters(recurse=False):
            if id(parameter) in seen or not parameter.requires_grad:
                continue
            seen.add(id(parameter))
            kind = "weight" if parameter.ndim > 1 else "bias"
            if isinstance(owner, _NORMS):
                kind = "norm"
            yield f"{path}.{name}" if path else name, parameter, f"linear {kind}" if lifted else kind


def _classifier(module: nn.Module) -> nn.Linear:
    """The layer named `fc`, else the last nn.Linear, as mmaction2 takes it."""
    linear = [(name, layer) for name, layer in module.named_modules() if isinstance(layer, nn.Linear)]
    named = [layer for name, layer in linear if name.rpartition(".")[2] == "fc"]
    if not linear:
        raise BadOption("the network has no linear classifier", allowed="groups='plain' or 'tdn'")
    return named[-1] if named else linear[-1][1]


def group_table(groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The groups without their tensors, for the record."""
    return [
        {
            "name": group["name"],
            "tensors": len(group["params"]),
            "parameters": sum(parameter.numel() for parameter in group["params"]),
            "lr": group["lr"],
            "weight_decay": group["weight_decay"],
        }
        for group in groups
    ]


def sgd(groups: list[dict[str, Any]], train: Train) -> torch.optim.SGD:
    """Stochastic gradient descent on the groups; on a GPU one kernel, which asks there whether fp16 overflowed."""
    kept = [{key: value for key, value in group.items() if key != "names"} for group in groups]
    on_gpu = all(parameter.is_cuda for group in kept for parameter in group["params"])
    how = {"fused": True} if on_gpu else {"foreach": True}
    return torch.optim.SGD(kept, lr=train.lr, momentum=train.momentum, nesterov=train.nesterov, **how)  # type: ignore[arg-type]


def learning_rate(train: Train, step: int, steps_per_epoch: int) -> float:
    """The recipe's rate at optimizer step `step` (from 0), before the groups' factors.

    The warm-up multiplies the scheduled rate, per step, by a line from `warmup_ratio` to 1, as in mmcv.
    """
    at = float(step // steps_per_epoch) if train.schedule_by == "epoch" else step / steps_per_epoch
    if train.schedule == "cosine":
        rate = train.lr * 0.5 * (1.0 + math.cos(math.pi * at / train.epochs))
    else:
        rate = train.lr * 0.1 ** sum(at >= milestone for milestone in train.milestones)
    warm = train.warmup_epochs * steps_per_epoch
    if step < warm:
        rate *= 1.0 - (1.0 - step / warm) * (1.0 - train.warmup_ratio)
    return rate


@dataclass(frozen=True)
class Plan:
    """How the recipe's batch is made up on this machine; the product of the last three is `batch`."""

    videos: int
    steps_per_epoch: int
    batch: int
    micro_batch: int
    """Clips in one forward pass: what training batch normalization sees."""
    accumulation: int
    world_size: int
    last_batch: int = 0
    """Clips of an epoch's last step where it takes a smaller batch, else 0."""

    def passes(self, step: int, rank: int) -> list[tuple[int, float]]:
        """Clips of each forward pass that process `rank` makes in optimizer step `step`, and what their mean loss is
        divided by: the mean over processes of the sum is then the mean over the step's clips. 0 clips: it has no say.
        """
        if self.last_batch and step % self.steps_per_epoch == self.steps_per_epoch - 1:
            sizes = shares(self.last_batch, self.micro_batch, rank, self.world_size)
            return [(size, self.last_batch / (size * self.world_size) if size else math.inf) for size in sizes]
        return [(self.micro_batch, self.accumulation)] * self.accumulation

    def effective(self, train: Train) -> dict[str, Any]:
        """For the record: the values that were used, and each way in which they differ from the recipe."""
        deviations = []
        seen = self.norm_batch(train)
        if seen != (train.clips_per_device or self.batch):
            deviations.append(
                f"batch normalization sees {seen} clips at a time, {self.accumulation} forward passes on "
                f"each of {self.world_size} devices make the batch of {self.batch}"
            )
        if self.last_batch % self.world_size:
            deviations.append(f"the last batch of {self.last_batch} clips falls unevenly to {self.world_size} devices")
        return {
            **asdict(self),
            "norm_batch": seen,
            "lr": train.lr,
            "lr_first": learning_rate(train, 0, self.steps_per_epoch),
            "steps": self.steps_per_epoch * train.epochs,
            "deviations": deviations,
        }

    def norm_batch(self, train: Train) -> int:
        """Clips over which a training batch normalization takes its statistics."""
        return self.micro_batch * (self.world_size if train.sync_bn else 1)

    def division(self, train: Train) -> dict[str, int]:
        """What a run may change when it goes on from a checkpoint."""
        divided = {key: getattr(self, key) for key in ("world_size", "micro_batch", "accumulation")}
        return {**divided, "norm_batch": self.norm_batch(train)}


def plan(
    train: Train, videos: int, *, world_size: int = 1, micro_batch: int | None = None, exact: bool = False
) -> Plan:
    """Divide the batch over devices and forward passes of at most `micro_batch` clips; the learning rate stays true.

    With `exact`, of exactly so many. A recipe's own `clips_per_device` goes before `micro_batch`.
    """
    if train.batch % world_size:
        raise BadOption(
            f"the recipe's batch of {train.batch} clips does not divide over {world_size} processes",
            allowed=f"{_divisors(train.batch)} processes",
            fix=f"torchrun --nproc-per-node {max(n for n in range(1, world_size) if train.batch % n == 0)} ...",
        )
    if micro_batch is not None and micro_batch < 1:
        raise BadOption(f"micro_batch {micro_batch}", allowed="1 or more")
    if videos < train.batch and train.last_batch == "drop":
        raise BadOption(
            f"{videos} training videos are fewer than one batch of {train.batch}",
            allowed=f"batches of 1 to {videos}: this recipe's epochs are made of whole ones",
            fix=f"python -m repro train ... --set batch={videos}, or last_batch=smaller",
        )
    share = train.batch // world_size
    if train.clips_per_device and share % train.clips_per_device:
        raise BadOption(
            f"{train.clips_per_device} clips at a time do not make up the {share} of a batch that fall to each device",
            fix="a number of processes at which they do, or another clips_per_device",
        )
    if exact and micro_batch and share % micro_batch:
        raise BadOption(
            f"{micro_batch} clips at a time do not make up the {share} of a batch of {train.batch} that fall to each "
            f"of {world_size} processes",
            allowed=_divisors(share),
        )
    limit = min(share, train.clips_per_device or micro_batch or share)
    micro = next(size for size in range(limit, 0, -1) if share % size == 0)
    whole, rest = divmod(videos, train.batch)
    rest = rest if train.last_batch == "smaller" else 0
    return Plan(videos, whole + bool(rest), train.batch, micro, share // micro, world_size, rest)


def _divisors(number: int) -> str:
    return ", ".join(str(part) for part in range(1, number + 1) if number % part == 0)
