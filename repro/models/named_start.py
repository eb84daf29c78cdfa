"""First weights that do not depend on what else a network has: each tensor is drawn from the seed and its name.

Networks are built by drawing one tensor after the other, so that what a method inserts moves the draws of all that
follow. Arms of a question are to share the first value of every tensor that both have. What was done to each tensor
while the network was built is noted, and done again with a generator of its own: the distributions are those of the
network's own code, whatever it is.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from repro.models.device import seed_all

_DRAWS = ("normal_", "uniform_", "random_", "bernoulli_", "exponential_")


class _Notes(TorchDispatchMode):
    """What changes tensors in place, in order, by the memory that they lie in."""

    def __init__(self) -> None:
        super().__init__()
        self.of: dict[int, list[tuple[Any, tuple[Any, ...], dict[str, Any]]]] = defaultdict(list)

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        if func._schema.is_mutable and args and isinstance(args[0], Tensor):
            # the tensor is held, so that no other takes its memory
            self.of[_memory(args[0])].append((func, args, dict(kwargs or {})))
        return made


def built_by_name(build: Callable[[], nn.Module], seed: int) -> nn.Module:
    """The network that `build` makes, its random tensors drawn anew, each from `seed` and its name.

    A tensor that was filled with what other random tensors were computed to (an orthogonal start) keeps that value.
    What training draws afterwards does not depend on the network either.
    """
    seed_all(seed)
    with _Notes() as notes:
        net = build()
    with torch.no_grad():
        for name, tensor in chain(net.named_parameters(), net.named_buffers()):
            done = notes.of.get(_memory(tensor), [])
            if any(_draws(func) for func, _, _ in done):
                generator = torch.Generator(tensor.device).manual_seed(_seed_of(seed, name))
                for func, args, kwargs in done:
                    func(*args, **({**kwargs, "generator": generator} if _draws(func) else kwargs))
    seed_all(seed)
    return net


def _memory(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def _draws(func: Any) -> bool:
    return func._schema.name.partition("::")[2] in _DRAWS


def _seed_of(seed: int, name: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed} {name}".encode()).digest()[:8], "big") >> 1
