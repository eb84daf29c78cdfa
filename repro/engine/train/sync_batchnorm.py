"""Batch normalization over the clips of all processes at once.

torch's own SyncBatchNorm needs a GPU and knows only torch's layers. Here each process computes mean and variance of its
clips, the others' come by one all-reduce that has a gradient, and they are put together with their counts (Chan, Golub,
LeVeque, Updating Formulae and a Pairwise Algorithm for Computing Sample Variances, 1979). Any layer takes part that has
an attribute `across`: a function of (mean, variance, count) of this process that returns those of all.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from repro.core.errors import BadOption
from repro.engine.distributed import Ranks

Moments = tuple[Tensor, Tensor, Any]
"""Mean and variance (divided by the count), of one shape, and how many values they are of."""


def synchronise(net: nn.Module, ranks: Ranks) -> int:
    """Let all batch normalizations of `net` normalize over the processes, in place; returns how many they are.

    Names, parameters and statistics stay. A layer that is frozen (`eval`) goes on with its running statistics.
    """
    across = functools.partial(combine, ranks)
    layers = [layer for layer in net.modules() if isinstance(layer, _BatchNorm) or hasattr(layer, "across")]
    for layer in layers:
        if not hasattr(layer, "across"):
            if type(layer) not in _FORMS:
                raise BadOption(
                    f"sync_bn on {type(layer).__name__}, which normalizes in its own way",
                    allowed="BatchNorm1d, 2d, 3d, and layers with an attribute `across`",
                    fix="--set sync_bn=false",
                )
            layer.__class__ = _FORMS[type(layer)]  # the same tensors and hooks, another forward pass
        layer.across = across  # type: ignore[assignment]
    return len(layers)


def has_batch_norm(net: nn.Module) -> bool:
    """Whether what a clip gives in training depends on the clips beside it."""
    return any(
        layer.training and (isinstance(layer, _BatchNorm) or hasattr(layer, "across")) for layer in net.modules()
    )


def combine(ranks: Ranks, mean: Tensor, var: Tensor, count: int) -> Moments:
    """Moments over the values of all processes, with gradients to each process's own."""
    if ranks.world_size == 1:
        return mean, var, count
    own = torch.stack((mean, var, torch.full_like(mean, count)))
    means, variances, counts = _Gather.apply(own, ranks).unbind(1)
    total = counts.sum(0)
    share = counts / total
    whole = (share * means).sum(0)
    return whole, (share * (variances + (means - whole).square())).sum(0), total.flatten()[0]


class _Gather(torch.autograd.Function):
    """A tensor of each process (...) -> (P, ...). The gradient of a row is the sum over the processes that used it."""

    @staticmethod
    def forward(ctx: Any, own: Tensor, ranks: Ranks) -> Tensor:
        ctx.rank = ranks.rank
        rows = own.new_zeros((ranks.world_size, *own.shape))
        rows[ranks.rank] = own
        dist.all_reduce(rows)
        return rows

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        summed = grads[0].clone(memory_format=torch.contiguous_format)
        dist.all_reduce(summed)
        return summed[ctx.rank], None


class _Synchronised:
    """The forward pass of a batch normalization in training, with the moments of all processes."""

    across: Callable[[Tensor, Tensor, int], Moments]

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, ...), normalized for each C."""
        if not self.training:  # type: ignore[attr-defined]
            return super().forward(x)  # type: ignore[misc]
        self._check_input_dim(x)  # type: ignore[attr-defined]
        mean, var, count = self.across(*_moments(x))
        if isinstance(count, int) and count < 2:
            raise BadOption(f"batch normalization of one value a channel: {tuple(x.shape)}", allowed="2 or more")
        self._remember(mean.detach(), var.detach(), count)
        scale = torch.rsqrt(var + self.eps)  # type: ignore[attr-defined]
        if self.affine:  # type: ignore[attr-defined]
            scale = scale * self.weight  # type: ignore[attr-defined]
        shift = -mean * scale
        if self.affine:  # type: ignore[attr-defined]
            shift = shift + self.bias  # type: ignore[attr-defined]
        shape = (1, -1, *(1 for _ in x.shape[2:]))
        return torch.addcmul(shift.view(shape), x.to(scale.dtype), scale.view(shape)).to(x.dtype)

    @torch.no_grad()
    def _remember(self, mean: Tensor, var: Tensor, count: Any) -> None:
        if not self.track_running_stats:  # type: ignore[attr-defined]
            return
        self.num_batches_tracked.add_(1)  # type: ignore[attr-defined]
        momentum: Any = self.momentum  # type: ignore[attr-defined]
        if momentum is None:
            momentum = 1.0 / float(self.num_batches_tracked)  # type: ignore[attr-defined]
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), momentum)  # type: ignore[attr-defined]
        unbiased = var * (count / (count - 1))
        self.running_var.lerp_(unbiased.to(self.running_var.dtype), momentum)  # type: ignore[attr-defined]


def _moments(x: Tensor) -> tuple[Tensor, Tensor, int]:
    """Mean and variance of each channel, in float32 or wider."""
    wide, dims = torch.promote_types(x.dtype, torch.float32), (0, *range(2, x.ndim))
    if x.is_cuda:
        var, mean = torch.var_mean(x.to(wide), dims, correction=0)
    else:  # some ten times faster there than var_mean
        mean = x.mean(dims, dtype=wide)
        var = (x.to(wide) - mean.view(1, -1, *(1 for _ in x.shape[2:]))).square().mean(dims)
    return mean, var, x.numel() // x.shape[1]


class SyncBatchNorm1d(_Synchronised, nn.BatchNorm1d):
    """`nn.BatchNorm1d` over all processes."""


class SyncBatchNorm2d(_Synchronised, nn.BatchNorm2d):
    """`nn.BatchNorm2d` over all processes."""


class SyncBatchNorm3d(_Synchronised, nn.BatchNorm3d):
    """`nn.BatchNorm3d` over all processes."""


_FORMS: dict[type, type] = {
    nn.BatchNorm1d: SyncBatchNorm1d,
    nn.BatchNorm2d: SyncBatchNorm2d,
    nn.BatchNorm3d: SyncBatchNorm3d,
}
