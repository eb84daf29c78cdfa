"""Batches on their way to a GPU: while it works at one, a thread makes the next in memory that it can copy from."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import torch
from torch import Tensor

T = TypeVar("T", bound=tuple[Any, ...])


def ahead(made: Iterator[T], device: torch.device) -> Generator[T, None, None]:
    """The same items in order; for a GPU each is made one ahead, its tensors page-locked, so that a copy with
    `non_blocking` does not wait for the card. An error comes where its item would have come.
    """
    if device.type != "cuda":
        yield from made
        return
    with ThreadPoolExecutor(1, "repro-ahead") as thread:
        if device.index is not None:  # each thread has its own
            thread.submit(torch.cuda.set_device, device).result()
        coming: Future[T | None] = thread.submit(_next, made)
        try:
            while (item := coming.result()) is not None:
                coming = thread.submit(_next, made)
                yield item
        finally:
            thread.submit(getattr(made, "close", int)).result()  # behind the item in work; iterators may have none


def _next(made: Iterator[T]) -> T | None:
    item = next(made, None)
    return item and tuple(v.pin_memory() if isinstance(v, Tensor) else v for v in item)  # type: ignore[return-value]
