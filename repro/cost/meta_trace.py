"""Trace a network for fvcore without computing it.

fvcore reads shapes off a TorchScript trace, and a trace runs the network. On the meta device nothing is computed, but
the kernel of convolutions there is Python, where a trace turns sizes into tensors, and it fails; it also hides the
node `aten::_convolution` that fvcore counts. The two modes below record that node and give the shape of its output.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

_CONVOLUTIONS = (torch.conv1d, torch.conv2d, torch.conv3d)


@contextmanager
def shapes_only() -> Iterator[None]:
    """Inside, convolutions are recorded by `torch.jit` traces and give empty tensors of the right shape."""
    with torch.no_grad(), _EmptyConvolution(), _RecordedConvolution():
        yield


class _RecordedConvolution(TorchFunctionMode):
    """Replace conv1d/2d/3d by the operator that a trace on the CPU records for them."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in _CONVOLUTIONS:
            return _convolution(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))


def _convolution(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Tensor:
    if isinstance(padding, str):
        raise NotImplementedError("padding by name is not traced without computing")
    n = weight.dim() - 2
    stride, padding, dilation = _each(stride, n), _each(padding, n), _each(dilation, n)
    operator: Callable[..., Tensor] = torch._convolution
    return operator(
        input, weight, bias, stride, padding, dilation, False, [0] * n, groups, False, False, True, True
    )  # not transposed; the last four are flags of cuDNN and oneDNN


def _each(value: int | Sequence[int], n: int) -> list[int]:
    values = [value] if isinstance(value, int) else list(value)
    return values * n if len(values) == 1 else values


class _EmptyConvolution(TorchDispatchMode):
    """Answer the recorded operator by an empty tensor."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is not torch.ops.aten._convolution.default:
            return func(*args, **(kwargs or {}))
        x, weight, _, stride, padding, dilation = args[:6]
        batch, *sizes = (int(n) for n in x.shape)
        channels, _, *kernel = (int(n) for n in weight.shape)
        steps = zip(sizes[1:], kernel, stride, padding, dilation, strict=True)
        return x.new_empty([batch, channels, *((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in steps)])
