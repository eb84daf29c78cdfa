"""One optimizer step: the gradient of the mean loss over the whole batch, however it is divided, clipped, and SGD."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from repro.core.spec import Train
from repro.engine.distributed import Ranks, synchronised
from repro.engine.train import optim
from repro.models.device import autocast

Normalize = Callable[[Tensor], Tensor]
Batches = Iterator[tuple[Tensor, Tensor]]

#: what is summed over an epoch, on the device; _BAD is the first step with a value that is not finite, or -1
LOSS, RIGHT, CLIPS, NORM, NORMS, BAD = range(6)


def own_losses(net: nn.Module) -> list[Tensor]:
    """What a method adds to the cross entropy, weighted, of the forward pass just made: AdaFuse's efficiency loss,
    PSN's interaction and capacity. A part of the network tells it by a method `losses() -> {name: scalar}`.
    """
    parts = [part for part in net.children() if callable(getattr(part, "losses", None))]
    return [value for part in parts for value in part.losses().values()]  # type: ignore[operator]


class Stepper:
    """The network, its optimizer, and the sums of the present epoch."""

    def __init__(
        self, net: nn.Module, train: Train, plan: optim.Plan, ranks: Ranks, device: torch.device, normalize: Normalize
    ) -> None:
        self.net, self.train, self.plan, self.device, self.normalize = net, train, plan, device, normalize
        groups = optim.parameter_groups(net, train)
        self.group_table = optim.group_table(groups)
        self.optimizer = optim.sgd(groups, train)
        self.parameters = [parameter for group in groups for parameter in group["params"]]
        self.scaler = torch.amp.GradScaler(device.type, enabled=train.amp == "fp16")
        self.parallel, self.rank = ranks.wrap(net, device), ranks.rank
        self.tally = torch.zeros(6, dtype=torch.float64, device=device)
        self.tally[BAD] = -1
        self.images = 0
        """Frames that this process has taken in."""
        self.waited = 0.0
        """Seconds that it waited for them."""

    def step(self, batches: Batches, number: int) -> float:
        """Optimizer step `number`; returns its learning rate."""
        passes = self.plan.passes(number, self.rank)
        for part, (clips, divisor) in enumerate(passes):
            began = time.monotonic()
            x, y = next(batches)
            self.waited += time.monotonic() - began
            self.images += len(x) * math.prod(x.shape[1:-3])
            last = part == len(passes) - 1
            with synchronised(self.parallel, last):
                self._accumulate(x, y.to(self.device, non_blocking=True), number, clips, divisor)
        rate = optim.learning_rate(self.train, number, self.plan.steps_per_epoch)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["lr_mult"]
        self.scaler.unscale_(self.optimizer)
        self._clip(number)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        return rate

    def _accumulate(self, x: Tensor, y: Tensor, number: int, clips: int, divisor: float) -> None:
        x = self.normalize(x.to(self.device, non_blocking=True))
        with autocast(self.train.amp, self.device):
            logits = self.parallel(x)
        loss = sum(own_losses(self.net), F.cross_entropy(logits.float(), y))
        self.scaler.scale(loss / divisor).backward()
        with torch.no_grad():
            if clips:
                self.tally[LOSS] += loss * len(y)
                self.tally[RIGHT] += (logits.argmax(1) == y).sum()
                self.tally[CLIPS] += len(y)
            self._note_bad(loss, number)

    @torch.no_grad()
    def _clip(self, number: int) -> None:
        gradients = [parameter.grad for parameter in self.parameters if parameter.grad is not None]
        norm = nn.utils.get_total_norm(gradients, foreach=True)
        if self.train.clip_norm > 0:
            nn.utils.clip_grads_with_norm_(self.parameters, self.train.clip_norm, norm, foreach=True)
        finite = norm.isfinite()
        self.tally[NORM] += torch.where(finite, norm, torch.zeros_like(norm))
        self.tally[NORMS] += finite
        if not self.scaler.is_enabled():  # the scaler leaves out a step whose gradients overflowed
            self._note_bad(norm, number)

    def _note_bad(self, value: Tensor, number: int) -> None:
        """Remember the first step with a value that is not finite, without waiting for the device."""
        now = ~value.detach().isfinite() & (self.tally[BAD] < 0)
        self.tally[BAD] = torch.where(now, float(number), self.tally[BAD])

    def state(self) -> dict[str, Any]:
        """What a checkpoint holds of it, the same on all processes."""
        return {
            "weights": self.net.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """The inverse of `state`."""
        self.net.load_state_dict(state["weights"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
