"""How many clips fit into memory, estimated before anything big is allocated.

The estimates depend on shapes alone, so that two runs on one kind of machine divide the work alike.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from repro.cost.activation_memory import peak_bytes

#: of the estimate: work buffers of convolutions, fragments, gradients of the layer in work
_HEADROOM = 2.0
_CPU_TRAINING = 8 * 2**30
_SCORING = {"cpu": 2**29, "cuda": 8 * 2**30}


def scoring_budget(device: torch.device) -> int:
    """Bytes for views on their way through the network."""
    return _SCORING.get(device.type, 2**30)


def training_budget(device: torch.device) -> int:
    """Bytes for a training step, unless the caller says otherwise: 85 % of what a GPU has free, 8 GiB on a CPU."""
    if device.type == "cuda":
        return int(0.85 * (torch.cuda.mem_get_info(device)[0] + torch.cuda.memory_reserved(device)))
    return _CPU_TRAINING


def training_clips(module: nn.Module, x: Tensor, budget: int) -> int:
    """Clips whose saved activations fit beside weights, gradients and momentum; x is one clip. At least 1."""
    saved: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    parameters = sum(p.numel() * p.element_size() for p in module.parameters())
    with _scratch(module) as net, torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        own = {p.untyped_storage().data_ptr() for p in net.parameters()}
        kept = net.train()(x).sum()  # alive, so that no storage is freed and counted under another's address
        per_clip = sum(size for place, size in saved.items() if place not in own)
        del kept
    return max(1, int((budget - 4 * parameters) / (_HEADROOM * max(per_clip, 1))))


def scoring_views(module: nn.Module, x: Tensor, budget: int) -> int:
    """Views that fit into the budget, by what lives at the same time in one forward; x is one view. At least 1."""
    return max(1, int(budget / (_HEADROOM * peak_bytes(module.eval(), x))))


@contextmanager
def _scratch(module: nn.Module) -> Iterator[nn.Module]:
    """A copy whose forward leaves the module's statistics and the random generators as they were."""
    devices = [p.device for p in module.parameters() if p.device.type == "cuda"][:1]
    with torch.random.fork_rng(devices=devices):
        yield copy.deepcopy(module)
