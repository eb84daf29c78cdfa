"""How an experiment is run here: device, processes, memory, patience. Never part of what it is. No torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Progress = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, kw_only=True)
class Execution:
    """The means of one measurement, passed down unchanged from whoever starts it."""

    device: str = "cpu"
    """As torch names it; whoever starts the process has resolved `auto`."""
    threads: int | None = None
    """CPU threads of the network; None: as torch has them."""
    decoder: str = "auto"
    """Which library reads videos: whichever is named, a frame asked for by its number is that frame."""
    workers: int | None = None
    """Processes that decode videos; None: a GPU's share of the cores, 1 on a CPU."""
    micro_batch: int | None = None
    """Clips of one forward pass of training; None: what fits."""
    memory_bytes: int | None = None
    """What training may take of the device's memory; None: what is free."""
    checkpoint_every_s: float = 30.0
    video_timeout_s: float | None = None
    """A training video whose decoding takes longer cannot be read; None: the loader's own limit."""
    strict: bool = False
    """A training video that cannot be read ends the training; else another stands in for it."""
    on_progress: Progress | None = None

    def report(self, facts: dict[str, Any]) -> None:
        """Tell how far it is, if somebody listens."""
        if self.on_progress is not None:
            self.on_progress(facts)


@dataclass(frozen=True, kw_only=True)
class Files:
    """Files of one measurement beside its record."""

    weights: Path | None = None
    """Of import-weights or train: replaces the search for `model.pretrained` among the imported ones."""
    save_weights: Path | None = None
    """Where the trained network is written."""
    logs: Path | None = None
    """Folder of the training's log; None: in the cache."""
