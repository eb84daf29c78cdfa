"""TEINet: Temporal Enhancement-and-Interaction (Liu et al., AAAI 2020, arXiv 1911.09435), in every bottleneck.

No public reference: the authors published no code. Read from the paper, section 3, with the printed 33 GMACs (8 frames)
as the test; 32.9 come out here.
Tensors: maps (N*T, C, H, W), frames folded into the batch; the pooled map p (N, T, C). Two modules one after the other
on the residual branch: MEM scales the channels of frame t by sigmoid(W3(W1 p[t] - W2 p[t+1])), W1 and W2 from C to C/8
and W3 back, the last frame by 1; TIM filters each channel over time with 3 taps of its own.

Known differences, all of them places where the paper is silent
1. The modules stand at the input of the first convolution of all blocks. Before the 3x3 convolution they would cost the
   same within the printed digits, but the network would have 24.8 M parameters in place of 30.4 M (400 classes), the
   size that later papers give for TEINet.
2. W1, W2 and W3 have biases.
3. TIM starts as TSM's shift: an eighth of the channels reads the next frame, an eighth the previous one.
4. Gate and filter are multiplied as vectors and applied in one pass (baselines/temporal.py); equal but for rounding.
5. Methods that interlace channels (DNR) shift behind TIM, which is a shift already; turn that off to keep one.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn.functional import pad

from baselines.resnet import OpenBottleneck
from baselines.temporal import LearnableShift, filter_over_time, gated_taps
from baselines.video import VideoResNet, build, require_bottlenecks

REDUCTION = 8


def teinet(backbone: str, *, num_classes: int, frames: int, dropout: float = 0.5, **options: Any) -> VideoResNet:
    """TEINet on a backbone of bottlenecks. Options: `head` (`frame`, `clip`), and the backbone's."""
    net: VideoResNet = build(
        VideoResNet, backbone, num_classes=num_classes, frames=frames, dropout=dropout, options=options
    )
    require_bottlenecks("teinet", backbone, net)
    for _, stage in net.stages():
        for index, block in enumerate(stage):
            stage[index] = EnhancedBottleneck(block, frames)
    return net


class MotionEnhancement(nn.Module):
    """The gate of MEM, of pooled maps: (N, T, C) -> (N, T, C), 1 at the last frame."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.here = nn.Linear(channels, channels // REDUCTION)
        self.next = nn.Linear(channels, channels // REDUCTION)
        self.expand = nn.Linear(channels // REDUCTION, channels)

    def forward(self, pooled: Tensor) -> Tensor:
        """Gates in (0, 1]."""
        gate = self.expand(self.here(pooled[:, :-1]) - self.next(pooled[:, 1:])).sigmoid()
        return pad(gate, (0, 0, 0, 1), value=1.0)


class EnhancementInteraction(nn.Module):
    """MEM, then TIM, on `channels` channels."""

    def __init__(self, channels: int, frames: int) -> None:
        super().__init__()
        self.frames = frames
        self.mem = MotionEnhancement(channels)
        self.tim = LearnableShift(channels, frames)

    def forward(self, x: Tensor) -> Tensor:
        """(N*T, C, H, W) -> the same."""
        gate = self.mem(x.mean((2, 3)).unflatten(0, (-1, self.frames)))
        return filter_over_time(x, gated_taps(self.tim.kernel, gate))


class EnhancedBottleneck(OpenBottleneck):
    """A bottleneck with MEM and TIM before its first convolution."""

    def __init__(self, block: nn.Module, frames: int) -> None:
        super().__init__(block)
        self.tei = EnhancementInteraction(self.conv1.in_channels, frames)  # type: ignore[arg-type]

    def enter(self, x: Tensor) -> Tensor:
        """MEM and TIM."""
        return self.tei(x)
