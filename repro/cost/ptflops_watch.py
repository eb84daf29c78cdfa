"""What ptflops' `pytorch` backend misses and what it counts twice, seen while it counts.

It notes the cost of layers by hooks on modules and of some functions by replacing them. So it misses a product of
matrices that is called in another way; it adds a module that stands in two places twice over; and on the meta device,
where kernels are Python, it sees functions again that other functions call.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

from torch import nn
from torch.nn.modules import module as every_module
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry


@dataclass
class Seen:
    """Multiply-accumulates of torch's own products of matrices."""

    products: float = 0.0
    missed: float = 0.0
    """Outside of the layers and functions that ptflops knows."""
    twice: float = 0.0
    """Noted by ptflops inside of another function."""
    names: set[str] = field(default_factory=set)
    """Operators that were missed."""


@contextlib.contextmanager
def watched(known: Collection[type[nn.Module]]) -> Iterator[Seen]:
    """Inside, ptflops counts each module once, and what it misses and counts again is noted."""
    from ptflops import pytorch_engine as engine

    seen, places = Seen(), _Places()
    theirs = engine.accumulate_flops, engine.torch_function_wrapper
    engine.accumulate_flops = _each_once(engine)
    engine.torch_function_wrapper = _wrapper(seen, places)
    layers = tuple(known)

    def enter(part: nn.Module, _: Any) -> None:
        places.known += isinstance(part, layers)

    def leave(part: nn.Module, *_: Any) -> None:
        places.known -= isinstance(part, layers)

    hooks = (
        every_module.register_module_forward_pre_hook(enter),
        every_module.register_module_forward_hook(leave, always_call=True),
    )
    try:
        with _Products(seen, places):
            yield seen
    finally:
        for hook in hooks:
            hook.remove()
        engine.accumulate_flops, engine.torch_function_wrapper = theirs


@dataclass
class _Places:
    """How deep the call is."""

    known: int = 0
    """In layers and functions that ptflops knows."""
    operators: int = 0
    """In operators of torch."""


def _each_once(engine: Any) -> Any:
    counted: set[int] = set()

    def accumulate(self: Any) -> float:
        if id(self) in counted:
            return 0
        counted.add(id(self))
        if engine.is_supported_instance(self):
            return float(self.__flops__)
        return sum(part.accumulate_flops() for part in self.children())

    return accumulate


def _wrapper(seen: Seen, places: _Places) -> type:
    class Wrapper:
        """In the place of ptflops' own, which it equals but for what it tells."""

        def __init__(self, op: Any, handler: Any, collector: list[Any]) -> None:
            self.op, self.handler, self.collector = op, handler, collector

        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            cost = self.handler(*args, **kwargs)
            self.collector.append(cost)
            if places.operators:
                seen.twice += cost
            places.known += 1
            try:
                return self.op(*args, **kwargs)
            finally:
                places.known -= 1

    return Wrapper


class _Products(TorchDispatchMode):
    """Notes the products of matrices that are called outside of what ptflops knows."""

    def __init__(self, seen: Seen, places: _Places) -> None:
        super().__init__()
        self.seen, self.places = seen, places

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        packet = func._overloadpacket
        self.places.operators += 1
        try:
            out = func(*args, **(kwargs or {}))
        finally:
            self.places.operators -= 1
        formula = flop_registry.get(packet)
        if formula is not None and packet._qualified_op_name.startswith("aten::"):
            macs = formula(*args, **(kwargs or {}), out_val=out) / 2
            self.seen.products += macs
            if not self.places.known:
                self.seen.missed += macs
                self.seen.names.add(packet._qualified_op_name)
        return out
