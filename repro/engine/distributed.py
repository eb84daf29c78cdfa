"""What the training loop asks of torch.distributed, with one process as the plain case."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from repro.core import lease

#: seconds between two words of process 0 to those that wait with it: well within what a collective waits
_WORD_S = 30.0

T = TypeVar("T")


@dataclass(frozen=True)
class Ranks:
    """This process among `world_size`; process 0 writes and decides."""

    rank: int = 0
    world_size: int = 1

    @staticmethod
    def current() -> Ranks:
        """The initialised process group, else one process."""
        if dist.is_available() and dist.is_initialized():
            return Ranks(dist.get_rank(), dist.get_world_size())
        return Ranks()

    def wrap(self, module: nn.Module, device: torch.device) -> nn.Module:
        """The module, its gradients averaged over the processes. Layers that a batch leaves unused are allowed."""
        if self.world_size == 1:
            return module
        ids = [device] if device.type == "cuda" else None
        return DistributedDataParallel(module, device_ids=ids, find_unused_parameters=True)

    def barrier(self) -> None:
        """Wait for all processes."""
        if self.world_size > 1:
            dist.barrier()

    def gather(self, value: Any) -> list[Any]:
        """The values of all processes, in order of rank."""
        if self.world_size == 1:
            return [value]
        found: list[Any] = [None] * self.world_size
        dist.all_gather_object(found, value)
        return found

    def share(self, value: T) -> T:
        """What process 0 has."""
        if self.world_size == 1:
            return value
        said = [value]
        dist.broadcast_object_list(said)
        return said[0]

    def total(self, value: Tensor) -> Tensor:
        """Sum over the processes."""
        return self._reduce(value, "SUM")

    def maximum(self, value: Tensor) -> float:
        """Largest over the processes."""
        return float(self._reduce(value, "MAX"))

    def share_buffers(self, module: nn.Module) -> None:
        """Running statistics of process 0 for all: the others saw other clips."""
        if self.world_size > 1:
            for buffer in module.buffers():
                dist.broadcast(buffer, 0)

    def _reduce(self, value: Tensor, how: str) -> Tensor:
        if self.world_size == 1:
            return value
        copied = value.clone()
        dist.all_reduce(copied, getattr(dist.ReduceOp, how))
        return copied


def synchronised(module: nn.Module, now: bool) -> contextlib.AbstractContextManager[Any]:
    """Whether the backward pass in this context averages gradients over the processes."""
    if isinstance(module, DistributedDataParallel) and not now:
        return module.no_sync()
    return contextlib.nullcontext()


@contextlib.contextmanager
def hold_together(
    ranks: Ranks, content_id: str, seed: int, on_wait: Callable[[], None]
) -> Iterator[lease.Holder | None]:
    """`core.lease.hold` by process 0 for all. It may wait for days, telling the others before their time runs out."""
    if ranks.rank:
        while ranks.share(False):
            pass
        yield None
        return
    told = time.monotonic()

    def wait() -> None:
        nonlocal told
        try:
            on_wait()
        except BaseException:  # the end of the wait
            ranks.share(False)
            raise
        if time.monotonic() - told > _WORD_S:
            told = time.monotonic()
            ranks.share(True)

    with lease.hold(content_id, seed, wait) as before:
        ranks.share(False)
        yield before
