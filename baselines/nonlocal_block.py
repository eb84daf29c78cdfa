"""Non-local block (Wang et al., Non-local Neural Networks, CVPR 2018, arXiv 1711.07971, equations 1 to 6).

Code studied: facebookresearch/SlowFast@287ec00:slowfast/models/nonlocal_helper.py, and mmcv's NonLocal3d as
open-mmlab/mmaction2@4d6c934 uses it. Tensors: (N, C, T, H, W); P positions T*H*W, Q of them after pooling, D = C/2.

    z = x + bn(out(softmax(theta(x)^T phi(x)) g(x)))        softmax, gaussian
    z = x + bn(out(theta(x)^T phi(x) / Q g(x)))             dot_product

Known differences of the two public codes, each an option here
1. PySlowFast pools x and then projects it to phi and g; mmaction2 projects first.
2. PySlowFast divides by the root of D before the softmax; mmaction2's published configurations do not.
3. PySlowFast's output projection has a bias, mmaction2's has none.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

KINDS = ("softmax", "dot_product", "gaussian")


@dataclass(frozen=True)
class NonLocalForm:
    """How the block is computed."""

    kind: str = "softmax"
    """softmax (called embedded_gaussian in the paper), dot_product, or gaussian (no theta and phi)."""
    pool: tuple[int, int, int] = (1, 2, 2)
    """Window of the pooling before the attention, in frames, rows, columns."""
    pool_first: bool = True
    """Pool x, then project; otherwise project, then pool."""
    scaled: bool = True
    """Divide by the root of D before the softmax."""
    out_bias: bool = True


class NonLocal(nn.Module):
    """(N, C, T, H, W) -> the same, each position with what it attends to added."""

    theta: nn.Module | None
    phi: nn.Module | None

    def __init__(self, channels: int, form: NonLocalForm) -> None:
        super().__init__()
        self.form, self.inner = form, channels // 2
        embedded = form.kind != "gaussian"
        self.theta = nn.Conv3d(channels, self.inner, 1) if embedded else None
        self.phi = nn.Conv3d(channels, self.inner, 1) if embedded else None
        self.g = nn.Conv3d(channels, self.inner, 1)
        self.pool = nn.MaxPool3d(form.pool)
        self.out = nn.Conv3d(self.inner, channels, 1, bias=form.out_bias)
        self.bn = nn.BatchNorm3d(channels)
        nn.init.zeros_(self.bn.weight)

    def forward(self, x: Tensor) -> Tensor:
        """`x` plus the attended values."""
        query = (x if self.theta is None else self.theta(x)).flatten(2)  # N D P
        key, value = self._keys(x)  # N D Q
        affinity = torch.matmul(query.transpose(1, 2), key)  # N P Q
        if self.form.kind == "dot_product":
            affinity = affinity / key.shape[2]
        else:
            affinity = (affinity * self.inner**-0.5 if self.form.scaled else affinity).softmax(dim=2)
        seen = torch.matmul(value, affinity.transpose(1, 2))  # N D P
        return x + self.bn(self.out(seen.unflatten(2, x.shape[2:])))

    def _keys(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if self.form.pool_first:
            x = self.pool(x)
        key, value = (x if self.phi is None else self.phi(x)), self.g(x)
        if not self.form.pool_first:
            key, value = self.pool(key), self.pool(value)
        return key.flatten(2), value.flatten(2)
