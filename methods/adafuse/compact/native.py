"""Parts of the two convolutions around a gate by a kernel in C++, for float32 on a CPU.

The kernel neither gathers activations nor, in the second convolution, weights: both are read through lists of channels.
The first convolution's listed outputs are packed per frame, 1 pass over the weights for H*W passes of arithmetic.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from methods.adafuse.compact.pair import Asked, Pair, PairBase, Source, TorchPair
from methods.native import functions, is_plain, library

_SOURCE = Path(__file__).with_name("compact.cpp")
_POINTER, _INT, _LONG = ctypes.c_void_p, ctypes.c_int, ctypes.c_int64


@functools.cache
def load(folder: Path) -> Kernel:
    """The kernel, compiled into `folder` unless it is there; `CannotCompile` where that is not possible."""
    return Kernel(library(_SOURCE, folder))


class _Segment(ctypes.Structure):
    _fields_ = (("y", _POINTER), ("places", _POINTER), ("channels", _POINTER), ("ld", _LONG), ("count", _LONG))


class Kernel:
    """The compiled functions. Copies of networks share it."""

    def __init__(self, made: ctypes.CDLL) -> None:
        names = ("adafuse_lanes", "adafuse_block", "adafuse_half", "adafuse_group")
        self.lanes, self.block, self.half, self.group = (int(made[name]()) for name in names)
        signatures: dict[str, Sequence[Any]] = {
            "adafuse_rows": [_POINTER, _INT, _INT, _POINTER, _POINTER, _INT, _POINTER, _INT, _POINTER, _INT, _INT],
            "adafuse_reduce": [_POINTER, *[_INT] * 5, _POINTER, _POINTER, _INT, _INT, _POINTER, _INT],
            "adafuse_clip": [
                *(_POINTER, _INT, _POINTER, _INT, _INT, _INT, _POINTER, _POINTER, _INT),
                *(_POINTER, _POINTER, _INT, _INT, _INT, _POINTER, _INT),
            ],
            "adafuse_third": [_POINTER, *[_INT] * 3, _POINTER, _POINTER, _INT, _POINTER, _POINTER, _POINTER, _INT],
            "adafuse_policy": [_POINTER, _INT, _INT, _INT, _POINTER, _POINTER, _INT, _INT, _POINTER, _INT],
        }
        self.rows, self.reduce, self.clip, self.third, self.policy = functions(made, signatures)

    def __deepcopy__(self, memo: dict[int, Any]) -> Kernel:
        return self

    def pair(self, first: nn.Conv2d, second: nn.Conv2d, relu: bool) -> Pair:
        """The kernel's form of two convolutions, or that of plain PyTorch where the kernel does not fit them."""
        fits = (
            first.kernel_size == (1, 1)
            and first.stride == second.dilation == (1, 1)
            and second.kernel_size == (3, 3)
            and second.padding == (1, 1)
            and second.stride[0] == second.stride[1]
            and first.groups == second.groups == 1
            and first.out_channels % self.block == second.out_channels % self.block == 0
            and is_plain(first.weight)
        )
        return NativePair(self, first, second, relu) if fits else TorchPair(first, second, relu)

    def last(self, conv: nn.Conv2d) -> NativeThird | None:
        """The kernel's form of a block's last convolution, or None where the kernel does not fit it."""
        fits = conv.kernel_size == conv.stride == (1, 1) and conv.groups == 1 and conv.out_channels % self.block == 0
        return NativeThird(self, conv) if fits and is_plain(conv.weight) else None

    def scores(self, first: nn.Linear, second: nn.Linear, frames: int) -> NativePolicy | None:
        """The kernel's form of a policy's layers, or None where the kernel does not fit them."""
        fits = first.out_features % self.group == second.out_features % self.group == 0 and is_plain(first.weight)
        return NativePolicy(self, first, second, frames) if fits else None

    def __str__(self) -> str:
        return f"C++ kernel, {self.lanes} lanes"


@dataclass(frozen=True)
class Rows:
    """Channels of one frame: (pixels, channels rounded up), of which the first `count` are meant."""

    y: Tensor
    count: int


class NativePair(PairBase):
    """By the kernel; maps are channels_last."""

    def __init__(self, kernel: Kernel, first: nn.Conv2d, second: nn.Conv2d, relu: bool) -> None:
        super().__init__(first, second, relu)
        assert first.bias is not None and second.bias is not None
        self.kernel, self.stride = kernel, second.stride[0]
        self.middle, self.outputs = second.in_channels, second.out_channels
        self.weights = first.weight.detach().flatten(1).t().contiguous(), self._packed(second.weight.detach())
        self.biases = first.bias.detach().contiguous(), second.bias.detach().contiguous()

    def _packed(self, weight: Tensor) -> Tensor:
        """(outputs, inputs, 3, 3) -> (blocks of outputs, taps, inputs, outputs of a block)."""
        return weight.flatten(2).unflatten(0, (-1, self.kernel.block)).permute(0, 3, 2, 1).contiguous()

    def rows(self, x: Tensor, rows: np.ndarray) -> Rows:
        """Of one frame (1, c, H, W)."""
        x, pixels = _channels_last(x), x.shape[2] * x.shape[3]
        listed = np.ascontiguousarray(rows, dtype=np.int32)
        y = torch.empty(pixels, -(-len(rows) // self.kernel.half) * self.kernel.half)
        self.kernel.rows(
            x.data_ptr(), pixels, self.inputs, self.weights[0].data_ptr(), self.biases[0].data_ptr(), self.middle,
            listed.ctypes.data, len(listed), y.data_ptr(), y.shape[1], torch.get_num_threads(),
        )  # fmt: skip
        return Rows(y, len(listed))

    def reduce(self, sources: Sequence[Source], x: Tensor) -> Tensor:
        """Of one frame: (1, C', H', W')."""
        places = [np.arange(len(s.channels)) if s.places is None else s.places for s in sources]
        lists = [
            (np.ascontiguousarray(at, dtype=np.int32), np.ascontiguousarray(source.channels, dtype=np.int32))
            for at, source in zip(places, sources, strict=True)
        ]
        segments = (_Segment * len(sources))(
            *(
                _Segment(source.y.y.data_ptr(), at.ctypes.data, channels.ctypes.data, source.y.y.shape[1], len(at))
                for (at, channels), source in zip(lists, sources, strict=True)
            )
        )
        out = self._out(x)
        self.kernel.reduce(
            segments, len(segments), *x.shape[2:], self.middle, self.stride, self.weights[1].data_ptr(),
            self.biases[1].data_ptr(), self.outputs, int(self.relu), out.data_ptr(), torch.get_num_threads(),
        )  # fmt: skip
        return out

    def clips(self, x: Tensor, clips: Sequence[Asked]) -> Tensor:
        """(N*T, c, H, W) -> (N*T, C', H', W'). Threads, if torch has several, take frames next to one another."""
        x, out = _channels_last(x), self._out(x)
        for number, wanted in enumerate(clips):
            codes = wanted.keep.astype(np.int8) * 2 + wanted.reuse.astype(np.int8)
            at = number * len(codes)
            self.kernel.clip(
                codes.ctypes.data, len(codes), x[at].data_ptr(), *x.shape[2:], self.inputs, self.weights[0].data_ptr(),
                self.biases[0].data_ptr(), self.middle, self.weights[1].data_ptr(), self.biases[1].data_ptr(),
                self.stride, self.outputs, int(self.relu), out[at].data_ptr(), torch.get_num_threads(),
            )  # fmt: skip
        return out

    def _out(self, x: Tensor) -> Tensor:
        height, width = self.sizes(x.shape[2:])[1]
        return x.new_empty((len(x), self.outputs, height, width)).contiguous(memory_format=torch.channels_last)


class NativeThird:
    """relu(conv(y) + other) and its mean over the map, which the next block's policy reads."""

    def __init__(self, kernel: Kernel, conv: nn.Conv2d) -> None:
        assert conv.bias is not None
        self.kernel, self.inputs, self.outputs = kernel, conv.in_channels, conv.out_channels
        weight = conv.weight.detach().flatten(1)
        self.weight = weight.unflatten(0, (-1, kernel.block)).transpose(1, 2).contiguous()
        self.bias = conv.bias.detach().contiguous()

    def __call__(self, y: Tensor, other: Tensor, *, in_place: bool) -> tuple[Tensor, Tensor]:
        """(M, c, H, W) and (M, C, H, W) -> the sum, over `other` if `in_place`, and its means (M, C)."""
        y, whole, pixels = _channels_last(y), _channels_last(other), y.shape[2] * y.shape[3]
        out = whole if in_place else torch.empty_like(whole)
        means = torch.empty(len(y), self.outputs)
        self.kernel.third(
            y.data_ptr(), len(y), pixels, self.inputs, self.weight.data_ptr(), self.bias.data_ptr(), self.outputs,
            whole.data_ptr(), out.data_ptr(), means.data_ptr(), torch.get_num_threads(),
        )  # fmt: skip
        return out, means


class NativePolicy(nn.Module):
    """second(relu(first(x))) of pooled features (N*T, c) or, of a policy that reads two frames, joined ones (M, 2c)."""

    joins = True

    def __init__(self, kernel: Kernel, first: nn.Linear, second: nn.Linear, frames: int) -> None:
        super().__init__()
        self.kernel, self.frames, self.inputs = kernel, frames, first.in_features
        self.layers = [(self._packed(one.weight), one.bias.detach(), one.out_features) for one in (first, second)]

    def _packed(self, weight: Tensor) -> Tensor:
        """(outputs, inputs) -> (groups of outputs, inputs, outputs of a group)."""
        return weight.detach().unflatten(0, (-1, self.kernel.group)).transpose(1, 2).contiguous()

    def forward(self, x: Tensor) -> Tensor:
        """(M, C*A)."""
        x = self._layer(x.contiguous(), *self.layers[0], frames=0 if x.shape[1] == self.inputs else self.frames, relu=1)
        return self._layer(x, *self.layers[1], frames=0, relu=0)

    def _layer(self, x: Tensor, weight: Tensor, bias: Tensor, outputs: int, *, frames: int, relu: int) -> Tensor:
        y = torch.empty(len(x), outputs)
        self.kernel.policy(
            x.data_ptr(), len(x), x.shape[1], frames, weight.data_ptr(), bias.data_ptr(), outputs, relu, y.data_ptr(),
            torch.get_num_threads(),
        )  # fmt: skip
        return y


def _channels_last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)
