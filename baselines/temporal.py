"""A three-tap filter over time whose weights differ by clip, frame and channel: one operator that counters can see.

`y[t] = w[0,t] x[t-1] + w[1,t] x[t] + w[2,t] x[t+1]`, zeros outside the clip. TAM's generated kernels (with its gate
folded in) and TDN's learnable shift are of this form. Their authors' code calls grouped convolutions with one group per
clip and channel, up to 20 times slower on a CPU; three shifted multiply-adds are equal. As an operator of its own it
has a registered count, 3 multiply-accumulates a value, the same as the grouped convolution's.

Tensors: x (N*T, C, H, W); w (3, N, T, C).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad
from torch.utils.flop_counter import register_flop_formula

TAPS = 3
SHIFT_DIV = 8


def filter_over_time(x: Tensor, w: Tensor) -> Tensor:
    """`x` filtered over time by `w`; for export and compilers by operators that every runtime has, or that one kernel
    takes together.
    """
    if torch.onnx.is_in_onnx_export() or torch.compiler.is_exporting() or torch.compiler.is_compiling():
        return _portable(x, w)
    return temporal_filter(x, w)


def _portable(x: Tensor, w: Tensor) -> Tensor:
    clips = x.unflatten(0, (-1, w.shape[2]))
    before, here, after = w.to(x.dtype)[..., None, None].unbind(0)
    earlier = pad(clips[:, :-1], (0, 0, 0, 0, 0, 0, 1, 0))
    later = pad(clips[:, 1:], (0, 0, 0, 0, 0, 0, 0, 1))
    return (clips * here + earlier * before + later * after).flatten(0, 1)


@torch.library.custom_op("repro_video::temporal_filter", mutates_args=())
def temporal_filter(x: Tensor, w: Tensor) -> Tensor:
    """As one operator; the layout of memory stays that of `x`."""
    frames = w.shape[2]
    before, here, after = w.to(x.dtype)[..., None, None].contiguous().unbind(0)
    x_clips = x.unflatten(0, (-1, frames))
    out = x_clips * here
    out[:, 1:].addcmul_(x_clips[:, :-1], before[:, 1:])
    out[:, :-1].addcmul_(x_clips[:, 1:], after[:, :-1])
    return out.flatten(0, 1)


@temporal_filter.register_fake
def _(x: Tensor, w: Tensor) -> Tensor:
    return torch.empty_like(x)


def _save(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
    ctx.save_for_backward(*inputs)


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None]:
    x, w = ctx.saved_tensors
    grad_x = grad_w = None
    if ctx.needs_input_grad[0]:
        flipped = torch.stack([w[2].roll(1, dims=1), w[1], w[0].roll(-1, dims=1)])
        grad_x = temporal_filter(grad, flipped)
    if ctx.needs_input_grad[1]:
        clips, grads = (v.unflatten(0, (-1, w.shape[2])) for v in (x, grad))
        grad_w = torch.zeros_like(w)
        grad_w[0, :, 1:] = (clips[:, :-1] * grads[:, 1:]).sum((-2, -1))
        grad_w[1] = (clips * grads).sum((-2, -1))
        grad_w[2, :, :-1] = (clips[:, 1:] * grads[:, :-1]).sum((-2, -1))
    return grad_x, grad_w


temporal_filter.register_autograd(_backward, setup_context=_save)


@register_flop_formula(torch.ops.repro_video.temporal_filter)
def _flops(x_shape: Any, w_shape: Any, *args: Any, **kwargs: Any) -> int:
    return 2 * TAPS * int(torch.Size(x_shape).numel())


def gated_taps(kernel: Tensor, gate: Tensor) -> Tensor:
    """(3, N, T, C): each tap of the kernel (N or 1, C, 3) times the gate (N, T, C) of the frame that it reads."""
    before, here, after = kernel[:, None].unbind(-1)  # each (N or 1, 1, C)
    return torch.stack([before * gate.roll(1, dims=1), here * gate, after * gate.roll(-1, dims=1)])


class LearnableShift(nn.Module):
    """A filter of 3 taps over time per channel, no bias, started as TSM's shift.

    At first one `div`-th of the channels reads the next frame, one the previous frame, the rest (with `div` None, all)
    the frame itself.
    """

    def __init__(self, channels: int, frames: int, div: int | None = SHIFT_DIV) -> None:
        super().__init__()
        self.frames = frames
        self.conv = nn.Conv1d(channels, channels, TAPS, padding=1, groups=channels, bias=False)
        fold = channels // div if div else 0
        with torch.no_grad():
            self.conv.weight.zero_()
            self.conv.weight[:fold, 0, 2] = 1
            self.conv.weight[fold : 2 * fold, 0, 0] = 1
            self.conv.weight[2 * fold :, 0, 1] = 1

    @property
    def kernel(self) -> Tensor:
        """(1, C, 3)."""
        return self.conv.weight.transpose(0, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N*T, C, H, W), filtered over time."""
        taps = self.conv.weight[:, 0].t()[:, None, None]  # (3, 1, 1, C)
        return filter_over_time(x, taps.expand(TAPS, x.shape[0] // self.frames, self.frames, -1))
