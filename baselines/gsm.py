"""GSM: Gate-Shift Networks (Sudhakaran et al., CVPR 2020, arXiv 1912.00381), on BN-Inception and Inception-v3.

Authors' code: swathikirans/GSM@43e8eba:gsm.py, models.py, model_zoo/bninception.
Tensors: maps (N*T, C, H, W), frames folded into the batch. The module stands behind one 1x1 convolution of an Inception
module, before its normalization. Each half of the channels has a gate in (-1, 1) for each frame and pixel, from a 3x3x3
convolution of that half; gated values of the first half move to the frame before, those of the second half to the frame
after (zeros come in at the ends), what the gate leaves stays. Then the channels of each half are interleaved.

Known differences
1. The 3x3x3 convolution of two outputs is a 3x3 convolution of six, one for each frame that it reads, and a sum over
   neighbouring frames; equal but for rounding.
2. The authors' zeros are float32 on a GPU, so their module runs nowhere else; ours takes any type and device.
3. The gate starts at zero, but the interleaving is always done: at first the module permutes channels, as theirs.
4. Their scheduler sets one rate and decay for all parameters, so the groups that their code prepares have no effect.
5. The weights of ImageNet that the authors start from (both Caffe's) are in no library; import them, or start without.
6. AdaFuse does not fit: a channel skipped in one frame is still read by its neighbours.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad, relu

from baselines.bninception import ConvNorm
from baselines.video import VideoResNet, build

MOMENTUM = 0.1
_TAPS = 3
#: convolutions that can carry the module; the first of a block that is there and 1x1 does
PLACES = ("conv_1x1", "conv_3x3_reduce", "conv", "tower_conv")
#: backbone -> blocks without it, as in the authors' files
WITHOUT: dict[str, tuple[str, ...]] = {"inceptionv3": ("layer3.3",)}


def gsm(backbone: str, *, num_classes: int, frames: int, dropout: float = 0.5, **options: Any) -> VideoResNet:
    """GSM on an Inception network. Options: `head` (`frame`, `clip`), and the backbone's."""
    net: VideoResNet = build(
        VideoResNet, backbone, num_classes=num_classes, frames=frames, dropout=dropout, options=options
    )
    for stage_name, stage in net.stages():
        for name, block in stage.named_children():
            if f"{stage_name}.{name}" not in WITHOUT.get(backbone, ()):
                place = _place(backbone, block)
                block.add_module(place, GatedConvNorm(block.get_submodule(place), frames))
    for part in net.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.momentum = MOMENTUM
    return net


def _place(backbone: str, block: nn.Module) -> str:
    for name in PLACES:
        part = getattr(block, name, None)
        if isinstance(part, ConvNorm) and part.conv.kernel_size == (1, 1):
            return name
    raise ValueError(
        f"gsm on backbone {backbone!r} is not published: it stands behind the 1x1 convolutions of Inception modules; "
        "allowed: bninception, inceptionv3, tiny_inception"
    )


class GatedConvNorm(ConvNorm):
    """Convolution, gate and shift, normalization, ReLU. It takes over the parts of `part`."""

    def __init__(self, part: Any, frames: int) -> None:
        nn.Module.__init__(self)
        self.conv, self.bn = part.conv, part.bn
        self.gsm = GateShift(part.conv.out_channels, frames)

    def forward(self, x: Tensor) -> Tensor:
        """(N*T, C, H, W) -> (N*T, out, H, W)."""
        return relu(self.bn(self.gsm(self.conv(x))), inplace=True)


class GateShift(nn.Module):
    """The module on `channels` channels, a multiple of 4, and clips of `frames` frames."""

    def __init__(self, channels: int, frames: int) -> None:
        super().__init__()
        if channels % 4:
            raise ValueError(f"gsm: {channels} channels cannot be halved twice; allowed: multiples of 4")
        self.frames = frames
        self.bn = nn.BatchNorm2d(channels)
        self.conv = nn.Conv3d(channels, 2, _TAPS, padding=1, groups=2)
        nn.init.zeros_(self.conv.weight)
        nn.init.zeros_(self.conv.bias)  # type: ignore[arg-type]

    def gates(self, x: Tensor) -> Tensor:
        """(N*T, C, H, W) -> (N, T, 2, H, W), in (-1, 1)."""
        kernel = self.conv.weight.transpose(1, 2).flatten(0, 1)  # (2 * 3, C / 2, 3, 3)
        taps = conv2d(relu(self.bn(x), inplace=True), kernel, padding=1, groups=2)
        before, here, after = taps.unflatten(0, (-1, self.frames)).unflatten(2, (2, _TAPS)).unbind(3)
        total = here + pad(before[:, :-1], (0, 0, 0, 0, 0, 0, 1, 0)) + pad(after[:, 1:], (0, 0, 0, 0, 0, 0, 0, 1))
        return torch.tanh(total + self.conv.bias[:, None, None])  # type: ignore[index]

    def forward(self, x: Tensor) -> Tensor:
        """(N*T, C, H, W) -> the same."""
        halves = x.unflatten(0, (-1, self.frames)).unflatten(2, (2, -1))  # (N, T, 2, C / 2, H, W)
        moving = halves * self.gates(x)[:, :, :, None]
        out = halves - moving
        if torch.jit.is_tracing():  # the exporter of traces to ONNX loses in silence what is written into a part
            ahead = pad(moving[:, 1:, 0], (0, 0, 0, 0, 0, 0, 0, 1))
            back = pad(moving[:, :-1, 1], (0, 0, 0, 0, 0, 0, 1, 0))
            out = out + torch.stack((ahead, back), 2)
        else:
            out[:, :-1, 0] += moving[:, 1:, 0]
            out[:, 1:, 1] += moving[:, :-1, 1]
        return out.unflatten(3, (2, -1)).transpose(3, 4).flatten(2, 4).flatten(0, 1)
