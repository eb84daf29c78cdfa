"""How the spatial kernels' features reach the temporal kernels: PSN's fusion layer, the ways it replaces, its losses.

Paper: section "Optimized Feature Fusion Layer", equations 2 to 4. X has G groups of c = u / G channels, one for each
spatial kernel; Y the same, one for each temporal kernel. Y = T X on the channels, T a u x u matrix; block T_ij, c x c,
leads from spatial kernel j to temporal kernel i. Tensors: (N*T, u, H, W).

Known differences
1. The paper speaks of T as G x G vectors of c values. Its number of parameters, 0.086 M, is that of full matrices
   (16^2 + 64^2 + 128^2 + 256^2 on ResNet-50), and only these have channel shuffling as a case.
2. Channel dropout stands in a supplement that is not public. Here every temporal kernel gets the same u / G channels,
   the first of each spatial group: three quarters are dropped, as the paper's table says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

FUSIONS = ("optimized", "shuffle", "dropout", "grouping")


class OptimizedFusion(nn.Conv2d):
    """T itself, learned: a 1x1 convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, channels, 1, bias=False)

    def matrix(self) -> Tensor:
        """T, (u, u)."""
        return self.weight.flatten(1)


class FixedFusion(nn.Module):
    """Each channel of Y is one of X, `order` says which: a matrix of zeros and ones without parameters."""

    index: Tensor

    def __init__(self, order: Sequence[int]) -> None:
        super().__init__()
        self.order = tuple(order)
        self.as_it_is = self.order == tuple(range(len(self.order)))
        self.register_buffer("index", torch.tensor(self.order), persistent=False)

    def matrix(self) -> Tensor:
        """T, (u, u)."""
        return nn.functional.one_hot(torch.tensor(self.order, device="cpu"), len(self.order)).float()

    def forward(self, x: Tensor) -> Tensor:
        """(N*T, u, H, W) in another order."""
        return x if self.as_it_is else x.index_select(1, self.index)


def fusion(kind: str, groups: int, channels: int) -> OptimizedFusion | FixedFusion:
    """The fusion called `kind` for `channels` channels in `groups` groups."""
    if kind == "optimized":
        return OptimizedFusion(channels)
    if kind == "grouping":
        return FixedFusion(range(channels))
    shuffled = interleaved(groups, channels)
    return FixedFusion(shuffled if kind == "shuffle" else shuffled[: channels // groups] * groups)


def interleaved(groups: int, channels: int) -> list[int]:
    """ShuffleNet's order: the first channel of each group, then the second of each, and so on."""
    each = channels // groups
    return [group * each + channel for channel in range(each) for group in range(groups)]


def blocks(matrix: Tensor, groups: int) -> Tensor:
    """(u, u) -> (G, c, G, c): temporal kernel, its channel, spatial kernel, its channel."""
    return matrix.unflatten(0, (groups, -1)).unflatten(2, (groups, -1))


def norms(matrix: Tensor, groups: int) -> Tensor:
    """||T_ij||_1, (G, G): how much temporal kernel i takes from spatial kernel j (the paper's Figure 5)."""
    return blocks(matrix, groups).abs().sum((1, 3))


def interaction_loss(matrix: Tensor, groups: int) -> Tensor:
    """Equation 2: minus the mean of sigmoid(||T_ij||_1)."""
    return -norms(matrix, groups).sigmoid().mean()


def capacity_loss(means: Tensor, groups: int) -> Tensor:
    """Equation 3: mean cosine of the groups of Y, each averaged over the clip, i = j included; `means` is (N, u)."""
    unit = normalize(means.unflatten(1, (groups, -1)), dim=2)
    return unit.sum(1).square().sum(1).mean() / groups**2


def weights(fusion: OptimizedFusion | FixedFusion) -> Tensor:
    """T on the CPU. On the meta device it has no values; all its weights count as ones."""
    matrix = fusion.matrix().detach()
    return torch.ones(matrix.shape, device="cpu") if matrix.is_meta else matrix.cpu()


def routes(fusion: OptimizedFusion | FixedFusion, groups: int, threshold: float = 0.0) -> Tensor:
    """(G, G), how many channels of spatial kernel j reach temporal kernel i with a weight above `threshold`."""
    return (blocks(weights(fusion), groups).abs().amax(1) > threshold).sum(2)


@dataclass
class LastMeans:
    """The averages of Y that the last training forward left. A copy of a network starts without."""

    value: Tensor | None = field(default=None)

    def __deepcopy__(self, memo: dict[int, Any]) -> LastMeans:
        return LastMeans()

    def __getstate__(self) -> dict[str, Any]:
        return {"value": None}
