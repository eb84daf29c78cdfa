"""Statistics of normalizations estimated anew with the final weights, so that a method is not judged by bookkeeping.

Running statistics trail behind the weights, and a normalization that takes several statistics of a batch in training
(DNR's CT: one for each group of frames) has one running pair for all of them in the test. What the same weights give
with the mean of many batches' statistics (Wu and Johnson, Rethinking "Batch" in BatchNorm, arXiv 2105.07576, section 3)
stands beside what they give as the training left them.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn

from repro.core.spec import Train
from repro.data.cache import FrameCache
from repro.data.index import Index
from repro.data.loader import train_batches
from repro.engine.train.step import Normalize

#: training clips that statistics are estimated anew with
_CLIPS = 1024


def fresh_batches(
    net: nn.Module, index: Index, train: Train, seed: int, *, decoder: str, cache: FrameCache | None
) -> Iterator[Tensor]:
    """Batches as those of the recipe, of clips that no step of the training has drawn."""
    size = min(train.clips_per_device or train.batch, len(index))
    batches = train_batches(
        index,
        train,
        clip_length=net.clip_length,  # type: ignore[arg-type]
        seed=seed,
        epoch=train.epochs,
        micro_batch=size,
        decoder=decoder,
        cache=cache,
    )
    return (x for x, _ in itertools.islice(batches, -(-_CLIPS // size)))


def normalizations(net: nn.Module) -> Iterator[nn.Module]:
    """The parts that keep running statistics."""
    return (part for part in net.modules() if isinstance(getattr(part, "running_mean", None), Tensor))


def reestimated(net: nn.Module, batches: Iterable[Tensor], normalize: Normalize) -> nn.Module | None:
    """A copy of the network, in evaluation, whose running statistics are the mean of those of the batches.

    `batches` are uint8 clips as in training. Only the normalizations see them as in training: nothing is dropped and no
    policy draws at random. None if nothing in the network keeps statistics.
    """
    device = next(net.parameters()).device
    copied = copy.deepcopy(net).eval()
    parts = list(normalizations(copied))
    if not parts:
        return None
    before = [part.momentum for part in parts]
    for part in parts:
        part.train()
        part.momentum = None  # type: ignore[assignment]  # a plain mean over all that comes
        for name, value in (("running_mean", 0), ("running_var", 1), ("num_batches_tracked", 0)):
            getattr(part, name).fill_(value)
    with torch.no_grad():
        for x in batches:
            copied(normalize(x.to(device)))
    for part, momentum in zip(parts, before, strict=True):
        part.momentum = momentum
    return copied.eval()
