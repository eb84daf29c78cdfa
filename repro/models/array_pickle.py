"""Read a pickle of dicts, numbers, text and numpy arrays without unpickling it: as JAX and Flax write weights.

The opcodes are parsed by `pickletools`, which runs nothing, and carried out here, where only these can be: containers,
plain values, and the calls by which numpy describes an array, each known by name and turned into data. A pickle that
asks for any other name or opcode is refused, with it.
"""

from __future__ import annotations

import math
import pickletools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from repro.core.errors import WeightsError

_MOST_ARRAYS = 100_000
_KINDS = {f"{kind}{size}" for kind, sizes in {"f": "248", "i": "1248", "u": "1248", "b": "1"}.items() for size in sizes}
_MARK = object()


@dataclass
class _Array:
    """What numpy says of one array: shape, type and bytes, told by the pickle's BUILD."""

    value: np.ndarray | None = None

    def build(self, state: Any) -> None:
        _, shape, dtype, column_major, data = state
        count = math.prod(shape)
        if not all(isinstance(side, int) and side >= 0 for side in shape):
            raise ValueError(f"an array of shape {shape}")
        if not isinstance(dtype, _Type) or not isinstance(data, bytes) or count * dtype.dtype.itemsize != len(data):
            raise ValueError(f"an array of shape {shape} of {len(data)} bytes")
        self.value = np.frombuffer(data, dtype.dtype).reshape(shape, order="F" if column_major else "C")


@dataclass
class _Type:
    """A number type; its byte order is told by BUILD."""

    kind: str
    order: str = field(default="|")

    def build(self, state: Any) -> None:
        self.order = state[1]
        if self.order not in ("<", ">", "=", "|"):
            raise ValueError(f"byte order {self.order!r}")

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(self.order + self.kind)


def _type(kind: str, *_: Any) -> _Type:
    if kind not in _KINDS:
        raise ValueError(f"arrays of {kind!r}")
    return _Type(kind)


def _scalar(dtype: _Type, data: bytes) -> Any:
    return np.frombuffer(data, dtype.dtype, 1)[0].item()


def _of_buffer(data: bytes, dtype: _Type, shape: tuple[int, ...], order: str) -> _Array:
    made = _Array()
    made.build((1, shape, dtype, order == "F", bytes(data)))
    return made


#: what a pickle of arrays asks to import -> what is done instead
_NAMES: dict[str, Callable[..., Any] | None] = {
    "numpy.ndarray": None,
    "numpy.dtype": _type,
    **{f"numpy.{core}.multiarray._reconstruct": lambda *_: _Array() for core in ("core", "_core")},
    **{f"numpy.{core}.multiarray.scalar": _scalar for core in ("core", "_core")},
    **{f"numpy.{core}.numeric._frombuffer": _of_buffer for core in ("core", "_core")},
}


@dataclass(frozen=True)
class _Name:
    name: str


def read(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a pickle of nested dicts, by the keys on their way, joined by `/`; numbers are left out.

    Raises `WeightsError` for a pickle that asks for anything but plain containers, plain values and arrays.
    """
    content = path.read_bytes()
    try:
        found = _Machine().run(content)
        if not isinstance(found, Mapping):
            raise ValueError(f"a {type(found).__name__} in place of a dict")
        return dict(_arrays(found))
    except WeightsError:
        raise
    except (ValueError, TypeError, LookupError, RecursionError, AttributeError, OverflowError) as error:
        raise WeightsError(
            f"{str(path)!r} is no pickle of dicts and numpy arrays: {error or type(error).__name__}",
            allowed="dicts, numbers, text and numpy arrays",
        ) from error


def _arrays(found: Mapping[Any, Any]) -> list[tuple[str, np.ndarray]]:
    arrays: list[tuple[str, np.ndarray]] = []
    waiting: list[tuple[str, Any]] = [("", found)]
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, _Array) and value.value is not None:
            arrays.append((name, value.value))
        elif isinstance(value, Mapping):
            waiting += [(f"{name}/{key}".lstrip("/"), inner) for key, inner in reversed(list(value.items()))]
        if len(waiting) + len(arrays) > _MOST_ARRAYS:
            raise ValueError(f"more than {_MOST_ARRAYS} entries")
    return arrays


class _Machine:
    """The few opcodes that containers, plain values and arrays need."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def run(self, content: bytes) -> Any:
        """What the pickle's STOP leaves."""
        for opcode, argument, _ in pickletools.genops(content):
            if opcode.name == "STOP":
                return self.stack.pop()
            if opcode.name in _PLAIN:
                self.stack.append(_PLAIN[opcode.name])
            elif opcode.name in _VALUES:
                self.stack.append(argument)
            elif opcode.name not in ("PROTO", "FRAME"):
                step = _STEPS.get(opcode.name)
                if step is None:
                    raise ValueError(f"it uses {opcode.name}")
                step(self, argument)
        raise ValueError("it ends early")

    def marked(self) -> list[Any]:
        """What lies above the last mark, which goes too."""
        start = len(self.stack) - 1 - self.stack[::-1].index(_MARK)
        values = self.stack[start + 1 :]
        del self.stack[start:]
        return values

    def name(self, module: str, name: str) -> None:
        """Push a known name; any other is an error."""
        full = f"{module}.{name}"
        if full not in _NAMES:
            raise WeightsError(
                f"the pickle asks to import {full}; nothing of it was run", allowed="dicts, numbers and numpy arrays"
            )
        self.stack.append(_Name(full))

    def call(self) -> None:
        """REDUCE: a known name with its arguments."""
        arguments, target = self.stack.pop(), self.stack.pop()
        made = _NAMES[target.name] if isinstance(target, _Name) else None
        if made is None:
            raise ValueError("it calls what is no description of an array")
        self.stack.append(made(*arguments))

    def build(self) -> None:
        """BUILD: the state of an array or a number type."""
        state = self.stack.pop()
        if not isinstance(self.stack[-1], _Array | _Type):
            raise ValueError("it fills what is no array")
        self.stack[-1].build(state)

    def set_items(self, pairs: list[Any]) -> None:
        """Keys and values in turn into the dict on top."""
        if not isinstance(self.stack[-1], dict):
            raise ValueError("it sets an entry of what is no dict")
        self.stack[-1].update(zip(pairs[::2], pairs[1::2], strict=True))

    def global_of_stack(self) -> None:
        """STACK_GLOBAL: a name whose two parts lie on the stack."""
        name, module = self.stack.pop(), self.stack.pop()
        self.name(str(module), str(name))


def _take(count: int) -> Callable[[_Machine, Any], None]:
    def step(machine: _Machine, _: Any) -> None:
        values = tuple(machine.stack[len(machine.stack) - count :])
        if len(values) < count:
            raise ValueError("its stack is empty")
        del machine.stack[len(machine.stack) - count :]
        machine.stack.append(values)

    return step


_PLAIN = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_VALUES = {
    *("BININT", "BININT1", "BININT2", "INT", "LONG", "LONG1", "LONG4", "BINFLOAT", "FLOAT"),
    *("SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "SHORT_BINBYTES", "BINBYTES", "BINBYTES8"),
    "BYTEARRAY8",
}
_STEPS: dict[str, Callable[[_Machine, Any], None]] = {
    "MARK": lambda m, _: m.stack.append(_MARK),
    "EMPTY_DICT": lambda m, _: m.stack.append({}),
    "EMPTY_TUPLE": lambda m, _: m.stack.append(()),
    "TUPLE": lambda m, _: m.stack.append(tuple(m.marked())),
    **{f"TUPLE{count}": _take(count) for count in (1, 2, 3)},
    "SETITEM": lambda m, _: m.set_items([m.stack.pop(-2), m.stack.pop()]),
    "SETITEMS": lambda m, _: m.set_items(m.marked()),
    "MEMOIZE": lambda m, _: m.memo.__setitem__(len(m.memo), m.stack[-1]),
    **{name: lambda m, at: m.memo.__setitem__(at, m.stack[-1]) for name in ("PUT", "BINPUT", "LONG_BINPUT")},
    **{name: lambda m, at: m.stack.append(m.memo[at]) for name in ("GET", "BINGET", "LONG_BINGET")},
    "GLOBAL": lambda m, told: m.name(*str(told).split(" ", 1)),
    "STACK_GLOBAL": lambda m, _: m.global_of_stack(),
    "REDUCE": lambda m, _: m.call(),
    "BUILD": lambda m, _: m.build(),
}
