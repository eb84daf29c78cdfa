"""Arrays out of a pickle that another program wrote, without running anything that the file says.

Nothing is imported for the file: the names by which numpy and PyTorch rebuild arrays lead to inert functions here,
those of frameworks' bookkeeping to stand-ins, and any other name is refused. What an array claims to be is held against
its bytes before it is made.
"""

from __future__ import annotations

import collections
import io
import math
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from repro.core.environment import require_memory
from repro.core.errors import WeightsError
from repro.models.checkpoint_reader import StandIn, is_bookkeeping

_KINDS = "?bhilqBHILQefd"
_MOST_NAMES = 100_000
_ALLOWED = "dicts, lists, numbers, text and numpy arrays"


def read(path: Path) -> Any:
    """The object of a pickle: plain containers, numbers, texts and numpy arrays. `WeightsError` for anything else."""
    require_memory(path.stat().st_size, f"{str(path)!r}")
    refused: list[str] = []
    with path.open("rb") as file:
        try:
            return _plain(_Reader(file, refused).load(), {})
        except Exception as error:  # the bytes decide what the reader trips over
            if refused:
                told = f"{str(path)!r} asks to import {refused[0]}; reading that could run code, so it was not read"
                raise WeightsError(told, allowed=_ALLOWED) from error
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise WeightsError(f"{str(path)!r} is no pickle of arrays: {reason}", allowed=_ALLOWED) from error
        except RecursionError as error:
            raise WeightsError(f"{str(path)!r} is nested too deep") from error


def named(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a pickle of nested dicts, by the keys on their way, joined by `/`, as JAX and Flax write weights;
    numbers and texts are left out.
    """
    found = read(path)
    if not isinstance(found, dict):
        raise WeightsError(f"{str(path)!r} holds a {type(found).__name__} in place of a dict", allowed=_ALLOWED)
    arrays: dict[str, np.ndarray] = {}
    waiting = [("", found)]
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, np.ndarray):
            arrays[name] = value
        elif isinstance(value, dict):
            waiting += [(f"{name}/{key}".lstrip("/"), inner) for key, inner in reversed(list(value.items()))]
        elif isinstance(value, StandIn):
            raise WeightsError(f"{str(path)!r}: {name} is no array", allowed=_ALLOWED)
        if len(waiting) + len(arrays) > _MOST_NAMES:
            raise WeightsError(f"{str(path)!r} names more than {_MOST_NAMES:,} values", allowed=_ALLOWED)
    return arrays


class _Reader(pickle.Unpickler):
    def __init__(self, file: Any, refused: list[str]) -> None:
        super().__init__(file, encoding="latin1")
        self._refused = refused

    def find_class(self, module: str, name: str) -> Any:
        whole = f"{module}.{name}"
        if whole in _KNOWN:
            return _KNOWN[whole]
        if is_bookkeeping(whole) and not whole.startswith("numpy"):
            return StandIn
        self._refused.append(whole)
        raise pickle.UnpicklingError(whole)


class _Dtype:
    """A numpy type by its letters; of numbers alone."""

    def __init__(self, code: Any = "f8", *_: Any) -> None:
        self.order, self.code = "<", str(code)

    def __setstate__(self, state: Any) -> None:
        self.order = state[1] if state[1] in ("<", ">") else "<"

    def made(self) -> np.dtype[Any]:
        found = np.dtype(self.code.lstrip("<>=|"))
        if found.char not in _KINDS:
            raise ValueError(f"an array of {self.code[:20]}, not of numbers")
        return found.newbyteorder(self.order)  # type: ignore[arg-type]


class _Array:
    """An array before its bytes are known."""

    def __init__(self, *_: Any) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def made(self) -> np.ndarray:
        _, shape, dtype, fortran, content = self.state
        return _filled(content, dtype, shape, "F" if fortran else "C")


def _filled(content: Any, dtype: Any, shape: Any, order: Any = "C") -> np.ndarray:
    data = content.encode("latin1") if isinstance(content, str) else content
    kind = dtype.made() if isinstance(dtype, _Dtype) else _Dtype(dtype).made()
    sizes = tuple(int(size) for size in (shape if isinstance(shape, tuple) else (shape,)))
    if min(sizes, default=0) < 0 or math.prod(sizes) * kind.itemsize != len(data):
        raise ValueError(f"an array of {sizes} holds {len(data)} bytes")
    return np.frombuffer(data, kind).reshape(sizes, order="F" if order == "F" else "C")


def _scalar(dtype: Any, content: Any) -> Any:
    return _filled(content, dtype, ()).item()


def _storage(content: Any) -> Any:
    """The numbers of a tensor, which PyTorch pickled on their own."""
    return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> np.ndarray:
    flat = torch.tensor([], dtype=storage.dtype).set_(storage).flatten()
    last = int(offset) + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if min((*size, *stride, offset), default=0) < 0 or math.prod(size) > len(flat) or (len(flat) and last >= len(flat)):
        raise ValueError(f"a tensor of {tuple(size)} holds {len(flat)} numbers")
    return flat.as_strided(tuple(size), tuple(stride), int(offset)).float().numpy().copy()


def _bytes(text: Any, encoding: Any = "latin1") -> bytes:
    return str(text).encode("latin1" if encoding == "latin1" else "utf-8")


def _no_bytes() -> bytes:
    """How older protocols write the content of an empty array."""
    return b""


def _plain(value: Any, made: dict[int, Any]) -> Any:
    """`made`: what each object was made into; one that is named a million times is made once."""
    if id(value) not in made:
        made[id(value)] = _made(value, made)
    return made[id(value)]


def _made(value: Any, made: dict[int, Any]) -> Any:
    if isinstance(value, _Array):
        return value.made()
    if isinstance(value, dict):
        return {key: _plain(inner, made) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner, made) for inner in value]
    if isinstance(value, bool | int | float | str | bytes | np.ndarray | StandIn) or value is None:
        return value
    raise ValueError(f"a {type(value).__name__}")


def _of_numpy(name: str, target: Callable[..., Any]) -> dict[str, Callable[..., Any]]:
    return {f"{package}.{name}": target for package in ("numpy.core", "numpy._core")}


_KNOWN: dict[str, Any] = {
    **_of_numpy("multiarray._reconstruct", _Array),
    **_of_numpy("multiarray.scalar", _scalar),
    **_of_numpy("numeric._frombuffer", _filled),
    "numpy.ndarray": _Array,
    "numpy.dtype": _Dtype,
    "_codecs.encode": _bytes,
    "builtins.bytes": _no_bytes,
    "__builtin__.bytes": _no_bytes,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch.storage._load_from_bytes": _storage,
    "collections.OrderedDict": collections.OrderedDict,
}
