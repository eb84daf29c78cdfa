"""TANet: Temporal Adaptive Module (Liu et al., ICCV 2021, arXiv 2005.06803) in every bottleneck, before the 3x3.

Authors' code: liu-zhy/temporal-adaptive-module@5fcb46f:ops/temporal_module.py, ops/models.py.
Tensors: N clips, T frames, C channels. Maps (N*T, C, H, W); the pooled map p (N, T, C).
Global branch: two linear layers over the T values of each channel give a softmax kernel of 3 taps per clip and channel.
Local branch: two convolutions over time give a gate in (0, 1) per clip, frame and channel. Output: kernel over time of
gate times input.

Known differences
1. Gate and kernel are multiplied as vectors and applied in one pass (baselines/temporal.py) instead of a map of
   products and a grouped convolution; equal but for rounding.
2. The authors' consensus is an autograd function that torch refuses since 1.5; the mean over frames replaces it.
3. Parameters depend on T, so weights of 8 frames do not fit 16.
4. On a backbone of timm TAM is part of the first convolution of more than one pixel of each residual branch.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from baselines.backbone import blocks_of, branch_of, copy_of
from baselines.resnet import OpenBottleneck
from baselines.temporal import TAPS, filter_over_time, gated_taps
from baselines.video import VideoResNet, build, require_bottlenecks


def tanet(backbone: str, *, num_classes: int, frames: int, dropout: float = 0.5, **options: Any) -> VideoResNet:
    """TANet on a backbone of bottlenecks, or one of timm. Options: `head` (`frame`, `clip`), and the backbone's."""
    net: VideoResNet = build(
        VideoResNet, backbone, num_classes=num_classes, frames=frames, dropout=dropout, options=options
    )
    if net.timm_names:
        _adapt_convolutions(net, backbone)
        return net
    require_bottlenecks("tanet", backbone, net)
    for _, stage in net.stages():
        for index, block in enumerate(stage):
            stage[index] = AdaptiveBottleneck(block, frames)
    return net


def _adapt_convolutions(net: VideoResNet, backbone: str) -> None:
    places = [
        (block, name)
        for _, stage in net.stages()
        for block in blocks_of(stage)
        if branch_of(block).residual and (name := branch_of(block).spatial(block))
    ]
    if not places:
        raise ValueError(
            f"tanet on backbone {backbone!r} is not possible: no residual branch of it has a convolution of more than "
            "one pixel"
        )
    for block, name in places:
        block.set_submodule(name, AdaptiveConv2d.like(block.get_submodule(name), net.frames))


class TemporalAdaptive(nn.Module):
    """The module TAM on `channels` channels and clips of `frames` frames."""

    def __init__(self, channels: int, frames: int) -> None:
        super().__init__()
        self.frames = frames
        self.G = nn.Sequential(
            nn.Linear(frames, 2 * frames, bias=False),
            nn.BatchNorm1d(2 * frames),
            nn.ReLU(inplace=True),
            nn.Linear(2 * frames, TAPS, bias=False),
            nn.Softmax(-1),
        )
        self.L = nn.Sequential(
            nn.Conv1d(channels, channels // 4, TAPS, padding=TAPS // 2, bias=False),
            nn.BatchNorm1d(channels // 4),
            nn.ReLU(inplace=True),
            nn.Conv1d(channels // 4, channels, 1, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N*T, C, H, W), filtered over time."""
        pooled = x.mean((2, 3)).unflatten(0, (-1, self.frames)).transpose(1, 2).contiguous()  # (N, C, T)
        kernel = self.G(pooled.flatten(0, 1)).unflatten(0, (-1, x.shape[1]))  # (N, C, 3)
        gate = self.L(pooled).transpose(1, 2)  # (N, T, C)
        return filter_over_time(x, gated_taps(kernel, gate))


class AdaptiveBottleneck(OpenBottleneck):
    """A bottleneck with TAM before its 3x3 convolution."""

    def __init__(self, block: nn.Module, frames: int) -> None:
        super().__init__(block)
        self.tam = TemporalAdaptive(self.conv1.out_channels, frames)  # type: ignore[arg-type]

    def middle(self, x: Tensor) -> Tensor:
        """TAM and the 3x3 convolution."""
        return self.conv2(self.tam(x))


class AdaptiveConv2d(nn.Conv2d):
    """A convolution with TAM before it."""

    tam: TemporalAdaptive

    @classmethod
    def like(cls, conv: Any, frames: int) -> AdaptiveConv2d:
        """`conv` with TAM before it; it keeps the weight and bias themselves."""
        new: AdaptiveConv2d = copy_of(cls, conv)
        new.tam = TemporalAdaptive(conv.in_channels, frames)
        return new

    def forward(self, x: Tensor) -> Tensor:
        """`conv(tam(x))`."""
        return super().forward(self.tam(x))
