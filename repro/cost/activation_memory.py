"""Memory of one view, counted from the shapes of its tensors: at test the peak, in training what backward needs.

Every tensor that an operator makes is followed from its making to its end. What lives at the same time is the same on
every machine and in every allocator, and needs no computation (torch's meta device). An operator's own work buffers,
which differ between libraries, are not seen.
"""

from __future__ import annotations

import weakref
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


def memory_of(module: nn.Module, x: Tensor) -> dict[str, int]:
    """Bytes of weights and buffers, of the peak of the forward at test, and of what one view keeps for backward."""
    weights = sum(tensor.nbytes for tensor in (*module.parameters(), *module.buffers()))
    peak = peak_bytes(module.eval(), x)
    kept = saved_bytes(module.train(), x)
    module.eval()
    return {"weights_bytes": weights, "peak_bytes": peak, "test_bytes": weights + peak, "saved_bytes": kept}


def saved_bytes(module: nn.Module, x: Tensor) -> int:
    """Bytes of tensors that autograd keeps of `module(x)` until backward, without parameters and buffers."""
    own = _storages(module)
    known, kept = weakref.WeakSet(own), dict[int, torch.UntypedStorage]()

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage not in known:
            kept[storage._cdata] = storage  # held here, so that no address is given twice
        return tensor

    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        made = module(x)
    total = sum(storage.nbytes() for storage in kept.values())
    del made, own  # both lived until here: a freed storage would be a stranger under an old address
    return total


def _storages(module: nn.Module) -> list[torch.UntypedStorage]:
    return [tensor.untyped_storage() for tensor in (*module.parameters(), *module.buffers())]


def peak_bytes(module: nn.Module, x: Tensor) -> int:
    """Most bytes of tensors at one time in `module(x)` in inference, with x itself, without parameters and buffers."""
    with _Live(module) as live, torch.no_grad():
        live.follow(x)
        module(x)
    return live.peak


class _Live(TorchDispatchMode):
    """Bytes of the storages that are alive; views of one storage count once."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.now, self.peak = 0, 0
        self._weights = _storages(module)  # alive as long as they are known
        self._known = weakref.WeakSet(self._weights)

    def follow(self, tensor: Tensor) -> None:
        """Count a tensor's storage until it is freed, if it is not counted yet."""
        storage = tensor.untyped_storage()
        if storage in self._known:
            return
        size = storage.nbytes()
        self._known.add(storage)
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._freed, size)

    def _freed(self, size: int) -> None:
        self.now -= size

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(made):
            if isinstance(leaf, Tensor):
                self.follow(leaf)
        return made
