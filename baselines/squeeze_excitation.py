"""Squeeze and excitation (Hu et al., CVPR 2018, arXiv 1709.01507) over volumes, as X3D has it."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import relu


class SqueezeExcitation(nn.Module):
    """(N, C, T, H, W) scaled per clip and channel by sigmoid(fc2(relu(fc1(mean))))."""

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv3d(channels, squeezed, 1)
        self.fc2 = nn.Conv3d(squeezed, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """`x` scaled."""
        pooled = x.mean((2, 3, 4), keepdim=True)
        return x * self.fc2(relu(self.fc1(pooled), inplace=True)).sigmoid()
