"""A normalization layer of DNR, and the ReLU behind it, by a kernel in C++: inference in float32 or bfloat16, on a CPU.

After a convolution caches hold little of the maps and nothing of the cell's code, so that each of some 30 small
operations of plain PyTorch costs more by its start than by its arithmetic. Here a layer is one call: two passes over
the maps, the means and the multiply-add, and the cell between.
"""

from __future__ import annotations

import copy
import ctypes
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from methods.dnr.norm import CrossLayerNorm, CrossTemporalNorm
from methods.dnr.relay import LstmCell, RelayCell, State
from methods.native import functions, library

_SOURCE = Path(__file__).with_name("norm.cpp")
_POINTER, _INT, _LONG = ctypes.c_void_p, ctypes.c_int, ctypes.c_int64
#: maps of fewer values are not worth a second thread
_SHARED = 1 << 17


@functools.cache
def load(folder: Path) -> Kernel:
    """The kernel, compiled into `folder` unless it is there; `CannotCompile` where that is not possible."""
    return Kernel(library(_SOURCE, folder))


class _Layer(ctypes.Structure):
    _fields_ = (
        *((f"{half}_{name}", _POINTER) for half in "xh" for name in ("w0", "b0", "w1", "b1")),
        *((name, _POINTER) for name in ("from_zero", "mean", "inverse")),
        *((name, _INT) for name in ("channels", "width", "relu", "half")),
    )


class Kernel:
    """The compiled functions. Copies of networks share it."""

    def __init__(self, made: ctypes.CDLL) -> None:
        self.lanes = int(made["dnr_lanes"]())
        signatures: dict[str, Sequence[Any]] = {
            "dnr_norm": [_POINTER, _POINTER, _INT, _INT, _INT, _LONG, *[_POINTER] * 5, _INT],
        }
        (self.run,) = functions(made, signatures)

    def __deepcopy__(self, memo: dict[int, Any]) -> Kernel:
        return self

    def norm(self, norm: nn.Module) -> NativeNorm | None:
        """The kernel's form of a layer, or None where it does not fit: one LSTM cell of one unit on frames' maps."""
        if not isinstance(norm, CrossLayerNorm | CrossTemporalNorm):
            return None
        cell, back = _cell(norm), getattr(norm, "back", None)
        fits = (
            isinstance(cell, LstmCell)
            and len(cell.x) == 3
            and back is None
            and norm.channel_groups is None
            and not norm.clip.volume
            and norm.channels % self.lanes == 0
            and _readable(next(cell.parameters()))
        )
        return NativeNorm(self, norm) if fits else None


class _Weights:
    """What the kernel reads of a layer, as it was when this was made; copies share it."""

    def __init__(self, norm: CrossLayerNorm | CrossTemporalNorm, relu: bool, dtype: torch.dtype) -> None:
        self.dtype = dtype
        cell: Any = _cell(norm)
        if dtype != torch.float32:
            cell = copy.deepcopy(cell).float()
        zero = cell.from_zero(cell.x[0].weight.new_empty(1, 4 * norm.channels))
        inverse = torch.rsqrt(norm.running_var.float() + norm.eps)
        values = [*cell.x.parameters(), *cell.h.parameters(), zero, norm.running_mean, inverse]
        self.held = [value.detach().float().contiguous() for value in values]
        pointers = (value.data_ptr() for value in self.held)
        half = dtype == torch.bfloat16
        self.layer = _Layer(*pointers, norm.channels, cell.x[0].out_features, int(relu), int(half))
        self.at = ctypes.addressof(self.layer)

    def __deepcopy__(self, memo: dict[int, Any]) -> _Weights:
        return self


class NativeNorm(nn.Module):
    """relu(norm(x)), or without the ReLU."""

    def __init__(self, kernel: Kernel, norm: CrossLayerNorm | CrossTemporalNorm) -> None:
        super().__init__()
        self.kernel, self.norm = kernel, norm
        self.relu, self.in_place = False, norm.in_place
        """Whether a ReLU follows; whether the input may be written over."""
        self.relay = norm.relay if isinstance(norm, CrossLayerNorm) else None
        self.weights: _Weights | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Maps (N*T, C, H, W)."""
        if not _readable(x) or not x.is_contiguous(memory_format=torch.channels_last) or torch.is_grad_enabled():
            y = self.norm(x)
            return y.relu_() if self.relu else y
        if self.weights is None or self.weights.dtype != x.dtype:
            self.weights = _Weights(self.norm, self.relu, x.dtype)
        norm, relay = self.norm, self.relay
        before = None if relay is None or norm.first else relay.state  # type: ignore[union-attr]
        out = x if self.in_place else torch.empty_like(x)
        state = self._computed(x, [value.float().contiguous() for value in before or ()], out)
        if relay is not None:
            relay.state = None if norm.last else tuple(value.to(x.dtype) for value in state)  # type: ignore[union-attr]
        return out

    def _computed(self, x: Tensor, before: Sequence[Tensor], out: Tensor) -> State:
        """Scale and shift, each (clips * groups, C), of maps that go to `out`."""
        assert self.weights is not None
        kernel, clip, each = self.kernel, self.norm.clip.frames, self.norm.group
        frames, channels, height, width = x.shape
        clips, groups, pixels = frames // clip, clip // each, height * width
        layer, maps, to = self.weights.at, x.data_ptr(), out.data_ptr()
        scale, shift = torch.empty(2, clips * groups, channels).unbind()
        states = [value.data_ptr() for value in before] or (None, None)
        states = (*states, scale.data_ptr(), shift.data_ptr())
        threads = torch.get_num_threads() if x.numel() >= _SHARED else 1
        kernel.run(layer, maps, clips, groups, each, pixels, *states, to, threads)
        return scale, shift


def _readable(x: Tensor) -> bool:
    return x.dtype in (torch.float32, torch.bfloat16) and x.device.type == "cpu"


def _cell(norm: CrossLayerNorm | CrossTemporalNorm) -> RelayCell:
    return norm.cell if isinstance(norm, CrossTemporalNorm) else norm.relay.cell
