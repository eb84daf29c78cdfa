"""Processes that torchrun started: how they join, and how they end together.

A process that fails while the others wait for it in a collective would leave them waiting. So each stage of the work
has an entry in torchrun's store: who failed there, and how many have come to its end. Where somebody failed and not all
come to the end soon after, a thread of each process ends it; process 0 first writes down why.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator

import torch
import torch.distributed as dist

from repro.core import paths
from repro.core.errors import BadOption, ReproError
from repro.core.stop_signal import EXIT_STOPPED, Stopped
from repro.models.device import device_of

#: seconds until those who did not fail are taken to wait for one who did
GRACE_S = 5.0
#: seconds that a collective waits for the slowest process: it may be preparing a dataset, or waiting for bad videos
TIMEOUT_S = 1800.0
_POLL_S = 0.25
_LAST_WORDS_S = 30.0

Loss = Callable[[str], object]


class _Company:
    """This process's view of the stages that are open, and the thread that watches them."""

    def __init__(self, store: dist.Store, rank: int, world: int) -> None:
        self.store, self.rank, self.world = store, rank, world
        self._watching = store.clone()  # a store answers one thread at a time
        self._open: list[tuple[int, Loss]] = []
        self._entered = 0
        self._left = False
        threading.Thread(target=self._watch, name="repro-torchrun", daemon=True).start()

    def enter(self, on_loss: Loss) -> None:
        self._open.append((self._entered, on_loss))
        self._entered += 1

    def meet(self, reason: str | None) -> str | None:
        stage, _ = self._open[-1]
        if reason is not None:
            self.store.set(f"failed/{stage}", f"process {self.rank}: {reason}")
        self.store.add(f"arrived/{stage}", 1)
        while self.store.add(f"arrived/{stage}", 0) < self.world:
            time.sleep(_POLL_S / 5)
        self._open.pop()
        return reason or _failure(self.store, stage)

    def leave(self) -> None:
        self._left = True

    def _watch(self) -> None:
        seen: dict[int, float] = {}
        while not self._left:
            time.sleep(_POLL_S)
            for stage, _ in list(self._open):
                reason = _failure(self._watching, stage)
                if reason is None or self._watching.add(f"arrived/{stage}", 0) == self.world:
                    continue
                if time.monotonic() - seen.setdefault(stage, time.monotonic()) > GRACE_S:
                    self._end(reason)

    def _end(self, reason: str) -> None:
        """End this process, whatever its main thread waits for."""
        try:
            if self.rank == 0:
                for _, on_loss in reversed(self._open):
                    on_loss(reason)
                self._watching.set("ended", "")
            else:
                self._watching.wait(["ended"], datetime.timedelta(seconds=_LAST_WORDS_S))
        finally:
            sys.stderr.flush()
            os._exit(1)


def _failure(store: dist.Store, stage: int) -> str | None:
    return store.get(f"failed/{stage}").decode() if store.check([f"failed/{stage}"]) else None


_company: _Company | None = None


def enter(on_loss: Loss) -> None:
    """Begin a stage that all processes go through and end with `meet`.

    Should one fail there while others wait for it, all are ended, process 0 after `on_loss(reason)`.
    """
    if _company is not None:
        _company.enter(on_loss)


def meet(reason: str | None) -> str | None:
    """The end of the stage: waits for all processes; returns why it failed, here or in another process, or None."""
    return reason if _company is None else _company.meet(reason)


@contextlib.contextmanager
def together(device: str, timeout_s: float = TIMEOUT_S) -> Iterator[str]:
    """Join the other processes that torchrun started; yields this process's device. Alone, that is `device` itself.

    Errors come out of process 0 only, the others exit with its status.
    """
    global _company
    told = paths.torchrun()
    if told is None:
        yield device_of(device)
        return
    rank, world, local = told
    own = own_device(device, local)
    store, _, _ = next(iter(dist.rendezvous("env://")))
    backend = "gloo"
    if own.startswith("cuda"):
        torch.cuda.set_device(own)
        backend = "cpu:gloo,cuda:nccl"
    dist.init_process_group(
        backend,
        store=dist.PrefixStore("group", store),
        rank=rank,
        world_size=world,
        timeout=datetime.timedelta(seconds=timeout_s),
    )
    _company = _Company(dist.PrefixStore("repro", store), rank, world)
    try:
        with _one_voice(_company):
            yield own
    finally:
        _company.leave()
        _company = None
        dist.destroy_process_group()


@contextlib.contextmanager
def _one_voice(company: _Company) -> Iterator[None]:
    """What fails in any process is told by process 0, once all have come here."""
    company.enter(_tell)
    try:
        yield
    except (ReproError, OSError) as error:
        company.meet(str(error))
        if company.rank == 0:
            raise
        raise SystemExit(2) from error
    except (KeyboardInterrupt, Stopped) as end:
        if company.rank == 0:
            raise
        raise SystemExit(EXIT_STOPPED if isinstance(end, Stopped) else 130) from None
    reason = company.meet(None)
    if reason is not None:
        if company.rank == 0:
            raise ReproError(reason)
        raise SystemExit(2)


def _tell(reason: str) -> None:
    print(f"repro: {reason}", file=sys.stderr)


def own_device(device: str, local: int) -> str:
    """Each process of a machine has a GPU of its own."""
    if ":" in device:
        raise BadOption(
            f"--device {device} with several processes", allowed="auto, cpu, cuda: each process takes its own GPU"
        )
    found = device_of(device)
    if not found.startswith("cuda"):
        return found
    if local >= torch.cuda.device_count():
        raise BadOption(
            f"process {local} of this machine has no GPU of its own: there are {torch.cuda.device_count()}",
            allowed=f"--nproc-per-node 1 to {torch.cuda.device_count()}",
            fix="torchrun --nproc-per-node gpu ...",
        )
    return f"cuda:{local}"
