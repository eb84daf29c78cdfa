"""TSM: Temporal Shift Module (Lin et al., ICCV 2019, arXiv 1811.08383), residual shift on the input of each block.

Authors' code: mit-han-lab/temporal-shift-module@1f6a834:ops/temporal_shift.py (shift_place blockres, shift_div 8).
Tensors: (N*T, C, H, W). The first C/8 channels of frame t come from frame t+1, the second C/8 from t-1, with zeros at
the ends; only the residual branch sees this.

Known differences
1. The shift is part of the convolution that reads it, so parameter names are those of the plain ResNet.
2. BN-Inception has no residual branch: as in the authors' archs/bn_inception.py with shift_place `block`, all of a
   module's input is shifted, from the second convolutions on (their default, `blockres`, adds unequal channels there).
3. On other backbones the first convolution of each residual branch is shifted. On MobileNetV2 these are the ten blocks
   that the authors' ops/models.py shifts: with expansion and with their input added.
4. Backward shifts the gradient the other way instead of replaying slice copies; values are equal bit for bit.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from baselines.backbone import blocks_of, branch_of, copy_of
from baselines.bninception import InceptionModule, SecondConvolutions
from baselines.temporal import SHIFT_DIV
from baselines.video import VideoResNet, build

_MANY_BLOCKS = 23


def tsm(backbone: str, *, num_classes: int, frames: int, dropout: float = 0.5, **options: Any) -> VideoResNet:
    """TSM on a registered backbone. Options: `head` (`frame`, `clip`), and the backbone's.

    With 23 or more blocks in the third stage (ResNet-101) only every second block is shifted, in all stages.
    """
    net: VideoResNet = build(
        VideoResNet, backbone, num_classes=num_classes, frames=frames, dropout=dropout, options=options
    )
    inception = [part for part in net.modules() if isinstance(part, InceptionModule | SecondConvolutions)]
    for part in inception:
        part.before = TemporalShift(frames)
    if inception:
        return net
    stages = dict(net.stages())
    step = 2 if len(blocks_of(stages["layer3"])) >= _MANY_BLOCKS else 1
    shifted = [shift_branch(block, frames) for stage in stages.values() for block in blocks_of(stage)[::step]]
    if not any(shifted):
        raise ValueError(f"tsm on backbone {backbone!r} is not possible: no block of it has a residual branch")
    return net


def shift_branch(block: nn.Module, frames: int) -> bool:
    """Shift what the first convolution of a residual branch reads; False for a block that has no shortcut."""
    branch = branch_of(block)
    if not branch.residual:
        return False
    first = branch.convs[0]
    conv = block.get_submodule(first)
    if not isinstance(conv, ShiftConv2d):
        block.set_submodule(first, ShiftConv2d.like(conv, frames))
    return True


def temporal_shift(x: Tensor, frames: int, div: int = SHIFT_DIV) -> Tensor:
    """(N*T, C, H, W) with an eighth of the channels taken from the next frame and an eighth from the previous one."""
    if torch.jit.is_tracing():
        return _traceable_shift(x, frames, int(x.shape[1]) // div)
    if x.requires_grad and torch.is_grad_enabled():
        return _Shift.apply(x, frames, x.shape[1] // div, False)
    return _shift(x, frames, x.shape[1] // div, False)


class TemporalShift(nn.Module):
    """`temporal_shift` as a module."""

    def __init__(self, frames: int) -> None:
        super().__init__()
        self.frames = frames

    def forward(self, x: Tensor) -> Tensor:
        """(N*T, C, H, W), shifted."""
        return temporal_shift(x, self.frames)


class ShiftConv2d(nn.Conv2d):
    """A convolution over temporally shifted input."""

    frames: int

    @classmethod
    def like(cls, conv: Any, frames: int) -> ShiftConv2d:
        """`conv` with the shift before it; it keeps the weight and bias themselves."""
        new: ShiftConv2d = copy_of(cls, conv)
        new.frames = frames
        return new

    def forward(self, x: Tensor) -> Tensor:
        """`conv(shift(x))`."""
        if self._is_product(x):
            return _shifted_product(x, self.weight, self.bias, self.frames)
        return super().forward(temporal_shift(x, self.frames))

    def _is_product(self, x: Tensor) -> bool:
        """Whether this is a matrix product that a CPU can do without the shifted copy of `x`, and without gradients."""
        if x.device.type != "cpu" or torch.compiler.is_compiling() or torch.jit.is_tracing():
            return False
        if torch.is_autocast_enabled("cpu") or "_conv_forward" in vars(self):  # replaced: it has its own product
            return False
        if torch.is_grad_enabled() and (x.requires_grad or self.weight.requires_grad):
            return False
        if self.kernel_size != (1, 1) or self.stride != (1, 1) or self.padding != (0, 0) or self.groups != 1:
            return False
        return x.dtype == self.weight.dtype and x.dtype in (torch.float32, torch.float64)

    def extra_repr(self) -> str:
        """The convolution's arguments and the frames of a clip."""
        return f"{super().extra_repr()}, frames={self.frames}"


class _Shift(torch.autograd.Function):
    """The shift; its derivative is the shift the other way."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, frames: int, fold: int, reverse: bool) -> Tensor:
        ctx.how = (frames, fold, reverse)
        return _shift(x, frames, fold, reverse)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None, None]:
        frames, fold, reverse = ctx.how
        return _Shift.apply(grads[0], frames, fold, not reverse), None, None, None


def _shifted_product(x: Tensor, weight: Tensor, bias: Tensor | None, frames: int) -> Tensor:
    """`conv2d(shift(x), weight, bias)` of a 1x1 convolution, (N*T, C, H, W) -> (N*T, C', H, W).

    Channels that stay, that come from the next frame and from the one before have a product each, the last two added to
    the frames that have such a neighbour. A shifted copy costs a fifth of the convolution.
    """
    fold, matrix = x.shape[1] // SHIFT_DIV, weight.flatten(1)
    after, before, stay = matrix.split((fold, fold, x.shape[1] - 2 * fold), 1)
    height, width = x.shape[-2:]
    if x.is_contiguous(memory_format=torch.channels_last):
        pixels = x.permute(0, 2, 3, 1).flatten(0, 2)
        out = pixels[:, 2 * fold :] @ stay.t()
        clips = zip(*(v.split(frames * height * width) for v in (pixels, out)), strict=True)
        for old, new in clips:
            new[: -height * width].addmm_(old[height * width :, :fold], after.t())
            new[height * width :].addmm_(old[: -height * width, fold : 2 * fold], before.t())
        out = out.view(-1, height, width, len(matrix)).permute(0, 3, 1, 2)
    else:
        maps = x.flatten(2)
        out = stay.expand(len(x), -1, -1) @ maps[:, 2 * fold :]
        for old, new in zip(maps.split(frames), out.split(frames), strict=True):
            new[:-1].baddbmm_(after.expand(frames - 1, -1, -1), old[1:, :fold])
            new[1:].baddbmm_(before.expand(frames - 1, -1, -1), old[:-1, fold : 2 * fold])
        out = out.unflatten(-1, (height, width))
    return out if bias is None else out.add_(bias[:, None, None])


def _traceable_shift(x: Tensor, frames: int, fold: int) -> Tensor:
    """The shift without writing into parts of a tensor, which the exporter of traces to ONNX loses in silence."""
    after, before, stay = x.unflatten(0, (-1, frames)).split((fold, fold, int(x.shape[1]) - 2 * fold), 2)
    after = pad(after[:, 1:], (0, 0, 0, 0, 0, 0, 0, 1))
    before = pad(before[:, :-1], (0, 0, 0, 0, 0, 0, 1, 0))
    return torch.cat((after, before, stay), 2).flatten(0, 1)


def _shift(x: Tensor, frames: int, fold: int, reverse: bool) -> Tensor:
    first, second = (slice(fold, 2 * fold), slice(fold)) if reverse else (slice(fold), slice(fold, 2 * fold))
    # in channels_last one copy of whole pixels is faster than three of channel slices
    pixels = x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last)
    out = x.clone() if pixels else torch.empty_like(x)
    old, new = x.unflatten(0, (-1, frames)), out.unflatten(0, (-1, frames))
    new[:, :-1, first], new[:, -1, first] = old[:, 1:, first], 0
    new[:, 1:, second], new[:, 0, second] = old[:, :-1, second], 0
    if not pixels:
        new[:, :, 2 * fold :] = old[:, :, 2 * fold :]
    return out
