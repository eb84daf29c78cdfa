"""Normalization layers whose scale and shift come from a relay cell: DNR's CT and CL.

Tensors: N clips, T frames in G groups of t, C channels; maps (N*T, C, H, W), or volumes (N, C, T, H, W) in 3D networks;
pooled (N, G, C). Standardization is the host's own (DNR 3.2): batch normalization, or the statistics of group
normalization, over each frame's channels of one group.

Computed in a form that is equal but for rounding: one pooling for all groups, one projection of the input, statistics
and scale/shift folded into one multiply-add over the map.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm

from methods.dnr.relay import OWNER, Relay, RelayCell, State

Across = Callable[[Tensor, Tensor, int], tuple[Tensor, Tensor, Any]]
Host = nn.BatchNorm2d | nn.BatchNorm3d | nn.GroupNorm


@dataclass(frozen=True)
class Clip:
    """What a layer's input is made of."""

    frames: int
    volume: bool = False
    """Whether maps are (N, C, T, H, W)."""


class DynamicNorm(nn.Module):
    """The host's standardization; a subclass gives scale and shift for each clip and group of frames."""

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor
    in_place = False
    """Whether the input may be written over, where maps lie in channels_last and nothing has a gradient."""

    def __init__(self, norm: Host, clip: Clip, group: int) -> None:
        super().__init__()
        self.clip, self.group, self.eps = clip, group, norm.eps
        self.channel_groups: int | None = None
        self.momentum: float | None = 0.0
        """Share of new statistics in the running ones; None: their plain mean, as in torch."""
        if isinstance(norm, nn.GroupNorm):
            self.channels, self.channel_groups = norm.num_channels, norm.num_groups
            return
        self.across: Across | None = None
        """Who trains on several devices may set it: their moments out of this one's mean, variance and count."""
        self.channels = norm.num_features
        self.momentum = 0.1 if norm.momentum is None else norm.momentum
        for name in ("running_mean", "running_var", "num_batches_tracked"):
            self.register_buffer(name, getattr(norm, name))

    def gates(self, pooled: Tensor) -> State:
        """(N, G, C) pooled -> scale and shift, each (N, G, C)."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """Maps or volumes, normalized."""
        wide = torch.promote_types(x.dtype, torch.float32)
        if self.training or self.channel_groups is not None:
            means, variances = (self._grouped(v) for v in _Moments.apply(x))
            pooled = means.mean(2)  # before the statistics: gradients are summed in this order
            statistics = self._batch_statistics if self.channel_groups is None else self._group_statistics
            mean, var = statistics(means, variances, x.shape[-2] * x.shape[-1])
        else:
            pooled = self._grouped(x.mean((-2, -1), dtype=wide)).mean(2)
            mean, var = self.running_mean.to(wide), self.running_var.to(wide)
        scale, shift = (v[:, :, None] for v in self._gates_wide(pooled, wide))
        if x.device.type == "cpu" and x.is_contiguous() and not torch.is_grad_enabled():
            return self._as_batch_norm(x, mean, var, scale, shift)
        scale = scale * torch.rsqrt(var + self.eps)
        shift = shift - scale * mean
        return _multiply_add(x, self._per_frame(scale), self._per_frame(shift), self.in_place)

    def _as_batch_norm(self, x: Tensor, *values: Tensor) -> Tensor:
        """Batch normalization, in one pass, of one image with all frames' channels; of mean, var, scale, shift."""
        full = (*values[-1].shape[:2], self.group, self.channels)
        mean, var, scale, shift = (self._per_frame(v.expand(full)).flatten() for v in values)
        return batch_norm(x.flatten(0, -3)[None], mean, var, scale, shift, eps=self.eps).view_as(x)

    def _grouped(self, v: Tensor) -> Tensor:
        """(N*T, C), of volumes (N, C, T) -> (N, G, t, C)."""
        if self.clip.volume:
            v = v.transpose(1, 2)
        return v.reshape(-1, self.clip.frames // self.group, self.group, self.channels)

    def _per_frame(self, v: Tensor) -> Tensor:
        """(N, G, 1 or t, C) -> (N*T, C, 1, 1), of volumes (N, C, T, 1, 1)."""
        v = v.expand(-1, -1, self.group, -1)
        if self.clip.volume:
            return v.flatten(1, 2).transpose(1, 2)[..., None, None]
        return v.reshape(-1, self.channels, 1, 1)

    def _gates_wide(self, pooled: Tensor, wide: torch.dtype) -> State:
        """The gates, whatever autocast says, in the precision of the cell's own weights."""
        pooled, device = pooled.to(self._cell().dtype), pooled.device.type
        if device != "meta" and torch.is_autocast_enabled(device):
            with torch.autocast(device, enabled=False):
                scale, shift = self.gates(pooled)
        else:
            scale, shift = self.gates(pooled)
        return scale.to(wide), shift.to(wide)

    def _cell(self) -> RelayCell:
        raise NotImplementedError

    def _batch_statistics(self, means: Tensor, variances: Tensor, pixels: int) -> State:
        """Mean and variance (G, 1, C) over clips, frames of the group and pixels; a running update for each group."""
        mean = means.mean((0, 2))
        var = variances.mean((0, 2)) + (means - mean[:, None]).square().mean((0, 2))
        count = means.shape[0] * means.shape[2] * pixels
        if self.across is not None:
            mean, var, count = self.across(mean, var, count)
        elif count < 2:
            raise ValueError(f"{OWNER}: training needs more than one value a channel and group")
        with torch.no_grad():
            for g in range(mean.shape[0]):
                share = self._share()
                self.running_mean.lerp_(mean[g].to(self.running_mean.dtype), share)
                self.running_var.lerp_(var[g].to(self.running_var.dtype) * (count / (count - 1)), share)
        return mean[:, None], var[:, None]

    def _share(self) -> float:
        if self.momentum is not None:
            return self.momentum
        self.num_batches_tracked += 1
        return 1.0 / float(self.num_batches_tracked)

    def _group_statistics(self, means: Tensor, variances: Tensor, pixels: int) -> State:
        """Mean and variance (N, G, t, C) of each frame, over pixels and the channels of a group."""
        assert self.channel_groups is not None
        split = (self.channel_groups, -1)
        each = means.unflatten(-1, split)
        mean = each.mean(-1, keepdim=True)
        var = (variances.unflatten(-1, split) + (each - mean).square()).mean(-1, keepdim=True)
        return mean.expand_as(each).flatten(-2), var.expand_as(each).flatten(-2)

    def extra_repr(self) -> str:
        """Channels, frames of a clip and of a group, and the host's normalization."""
        host = f"momentum={self.momentum}" if self.channel_groups is None else f"channel_groups={self.channel_groups}"
        return f"{self.channels}, frames={self.clip.frames}, group={self.group}, eps={self.eps}, {host}"


class CrossTemporalNorm(DynamicNorm):
    """CT: a cell of its own, whose state goes from one group of frames to the next.

    With `back`, a second cell goes from the last group to the first, and the scale and shift of both are averaged.
    """

    back: RelayCell | None

    def __init__(self, norm: Host, clip: Clip, group: int, cell: RelayCell, back: RelayCell | None = None) -> None:
        super().__init__(norm, clip, group)
        self.cell, self.back = cell, back

    def gates(self, pooled: Tensor) -> State:
        """Scale and shift of each group."""
        scale, shift = _relayed(self.cell, pooled)
        if self.back is None:
            return scale, shift
        scale_back, shift_back = (v.flip(1) for v in _relayed(self.back, pooled.flip(1)))
        return (scale + scale_back) / 2, (shift + shift_back) / 2

    def _cell(self) -> RelayCell:
        return self.cell


class CrossLayerNorm(DynamicNorm):
    """CL: a cell shared with other blocks, and a state that comes from the block before."""

    def __init__(self, norm: Host, clip: Clip, relay: Relay, *, first: bool, last: bool) -> None:
        super().__init__(norm, clip, clip.frames)
        self.relay, self.first, self.last = relay, first, last

    def gates(self, pooled: Tensor) -> State:
        """Scale and shift of the clip."""
        scale, shift = self.relay.step(pooled[:, 0], first=self.first, last=self.last)[-2:]
        return scale[:, None], shift[:, None]

    def _cell(self) -> RelayCell:
        return self.relay.cell


def _relayed(cell: RelayCell, pooled: Tensor) -> State:
    """(N, G, C) -> scale and shift of each group, (N, G, C), the state going from each to the next."""
    state, states = None, []
    for projected in cell.project(pooled).unbind(1):
        state = cell.step(projected, state)
        states.append(state[-2:])
    return torch.stack([scale for scale, _ in states], 1), torch.stack([shift for _, shift in states], 1)


class _Moments(torch.autograd.Function):
    """Mean and variance (divided by n) of each map: (..., H, W) -> two of (...), in float32 or wider.

    Written out because torch's `var_mean` is some ten times slower on a CPU, and because mean and variance have one
    gradient pass over the map together.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> tuple[Tensor, Tensor]:
        wide = torch.promote_types(x.dtype, torch.float32)
        if x.is_cuda:
            var, mean = torch.var_mean(x.to(wide), (-2, -1), correction=0)
        else:
            mean = x.mean((-2, -1), dtype=wide)
            var = (x - mean[..., None, None]).square_().mean((-2, -1))
        ctx.save_for_backward(x, mean)
        return mean, var

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        x, mean = ctx.saved_tensors
        per_pixel = 1.0 / (x.shape[-2] * x.shape[-1])
        slope = grads[1] * (2 * per_pixel)
        level = grads[0] * per_pixel - slope * mean
        return _multiply_add(x, slope[..., None, None], level[..., None, None])


def _multiply_add(x: Tensor, scale: Tensor, shift: Tensor, in_place: bool = False) -> Tensor:
    """`x * scale + shift` for (..., H, W) and (..., 1, 1), in the type and memory layout of `x`."""
    if x.device.type == "cpu" and x.is_contiguous():
        # torch's addcmul is not vectorized here: rows of x against two single values. Two passes take half its time.
        return (x * scale).add_(shift).to(x.dtype)
    if (in_place or x.dtype != scale.dtype) and not (torch.is_grad_enabled() or torch.compiler.is_compiling()):
        return torch.addcmul(shift, x, scale, out=x if in_place else torch.empty_like(x))  # no float32 map between
    return torch.addcmul(shift, x, scale).to(x.dtype)
