"""STM: SpatioTemporal and Motion Encoding (Jiang et al., ICCV 2019, arXiv 1908.02486), in every bottleneck.

No public reference: the authors published no code, and the third-party versions differ from the paper's cost. Read from
the paper, section 3, with its printed 67 GMACs (16 frames) as the test; 66.0 come out here.
Tensors: maps (N*T, C, H, W), frames folded into the batch. Between the first activation and the second normalization of
a bottleneck stands the sum of two modules: CSTM, a 3-tap filter over time per channel and then the 3x3 convolution; and
CMM, 1x1 to C/16 channels, the difference between the next frame's map under a 3x3 filter per channel and this frame's
map (zero at the last frame), and 1x1 back to C.

Known differences, all of them places where the paper is silent
1. A full convolution over time (C x C x 3) would cost 81 GMACs: the filters of CSTM and CMM are per channel.
2. In the blocks of stride 2 the differences are averaged over 2x2 before the last 1x1 convolution.
3. CMM has no normalization of its own, and no convolution has a bias.
4. The filter over time starts as a shift: a quarter of the channels reads the next frame, a quarter the previous one.
5. Weights of ImageNet fill the bottleneck; CMM starts at random.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn.functional import pad

from baselines.resnet import OpenBottleneck, initialize_convolutions
from baselines.temporal import LearnableShift
from baselines.video import VideoResNet, build, require_bottlenecks

REDUCTION = 16
SHIFT_DIV = 4


def stm(backbone: str, *, num_classes: int, frames: int, dropout: float = 0.5, **options: Any) -> VideoResNet:
    """STM on a backbone of bottlenecks. Options: `head` (`frame`, `clip`), and the backbone's."""
    net: VideoResNet = build(
        VideoResNet, backbone, num_classes=num_classes, frames=frames, dropout=dropout, options=options
    )
    require_bottlenecks("stm", backbone, net)
    for _, stage in net.stages():
        for index, block in enumerate(stage):
            stage[index] = MotionBottleneck(block, frames)
    return net


class ChannelMotion(nn.Module):
    """CMM on `channels` channels; it gives maps of the size of a 3x3 convolution of that stride."""

    def __init__(self, channels: int, frames: int, stride: int) -> None:
        super().__init__()
        self.frames, width = frames, channels // REDUCTION
        self.squeeze = nn.Conv2d(channels, width, 1, bias=False)
        self.move = nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False)
        # ceil_mode: as many rows as the 3x3 convolution has, also of odd maps
        self.pool = nn.Identity() if stride == 1 else nn.AvgPool2d(stride, ceil_mode=True)
        self.expand = nn.Conv2d(width, channels, 1, bias=False)
        initialize_convolutions(self)

    def forward(self, x: Tensor) -> Tensor:
        """(N*T, C, H, W) -> (N*T, C, H / stride, W / stride)."""
        here = self.squeeze(x)
        clips, moved = (v.unflatten(0, (-1, self.frames)) for v in (here, self.move(here)))
        difference = pad(moved[:, 1:] - clips[:, :-1], (0, 0, 0, 0, 0, 0, 0, 1)).flatten(0, 1)
        return self.expand(self.pool(difference))


class MotionBottleneck(OpenBottleneck):
    """A bottleneck with CSTM and CMM in place of its 3x3 convolution, which is CSTM's."""

    def __init__(self, block: nn.Module, frames: int) -> None:
        super().__init__(block)
        conv: Any = self.conv2
        self.temporal = LearnableShift(conv.in_channels, frames, SHIFT_DIV)
        self.cmm = ChannelMotion(conv.in_channels, frames, conv.stride[0])

    def middle(self, x: Tensor) -> Tensor:
        """CSTM + CMM."""
        return self.conv2(self.temporal(x)) + self.cmm(x)
