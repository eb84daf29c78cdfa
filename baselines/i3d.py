"""I3D on ResNet-50 and -101, plain and with non-local blocks (Wang et al., Non-local Neural Networks, CVPR 2018).

Code studied: facebookresearch/SlowFast@287ec00:video_model_builder.py and configs/Kinetics/c2/I3D_*;
open-mmlab/mmaction2@4d6c934:mmaction/models/backbones/resnet3d.py and configs/recognition/i3d.
Tensors: N clips, T frames; maps (N, C, T, H, W). Temporal kernels of 3 alternate with 1 over the blocks, time is halved
after the first stage.

Networks
  i3d             plain.
  i3d_res5s1      without the spatial stride of the last stage: the 153 GMACs that PSN and AdaFuse print for 32 frames
                  (region-graph paper) are this reading.
  i3d_nl          non-local (softmax, scaled) after every second block of the middle stages.
  i3d_nl_dot, i3d_nl_embedded_gaussian, i3d_nl_gaussian       mmaction2's three configurations of it.

Option
  form            pyslowfast (default, but for the last three) or mmaction2, whose 32 frames are halved twice more, in
                  stem and pooling.

Known differences
1. The paper's Caffe2 code pads its first pooling by zero and puts the non-local blocks of ResNet-101 elsewhere
   (after blocks 7, 14, 21); this is PySlowFast's reading, with the same number of operations.
2. Four networks called "32-frame I3D ResNet-50" are about: 33.1, 113.6, 126.8 and 152.5 GMACs at 224. This file has the
   first (mmaction2), second (pyslowfast) and fourth (i3d_res5s1).
3. The head averages over the whole map; PySlowFast over windows of the training crop. With an unstrided last stage its
   windows of 7x7 take 64 places on the 14x14 map and the classifier runs on each: 152.523 GMACs instead of 152.472.
4. On `tiny_resnet`, for 32x32 probes, three stages of two bottlenecks of 16 to 64 channels; it is nobody's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

from torch import Tensor, nn
from torch.nn.functional import relu

from baselines.nonlocal_block import NonLocalForm
from baselines.resnet3d import BLOCKS, Bottleneck3d, stage
from baselines.volume import Sizes, VolumeNetwork, conv3d, initialize_volumes, read_options

FORMS = ("pyslowfast", "mmaction2")
WIDTHS, TINY_WIDTHS = (64, 128, 256, 512), (16, 32, 64)
#: temporal kernels, repeated over a stage's blocks
KERNELS = ((3,), (3, 1), (3, 1), (1, 3))
NON_LOCAL_BLOCKS: Mapping[int, tuple[int, ...]] = {1: (1, 3), 2: (1, 3, 5)}


class I3D(VolumeNetwork):
    """`(N, T, 3, H, W) -> (N, K)`."""

    def __init__(
        self,
        backbone: str,
        *,
        stem_strides: tuple[int, int],
        last_stride: int,
        non_local: NonLocalForm | None,
        num_classes: int,
        frames: int,
        dropout: float,
    ) -> None:
        widths = TINY_WIDTHS if backbone == "tiny_resnet" else WIDTHS
        super().__init__(widths[-1] * Bottleneck3d.expansion, num_classes=num_classes, frames=frames, dropout=dropout)
        self.conv1 = conv3d(3, widths[0], (5, 7, 7), (stem_strides[0], 2, 2))
        self.bn1 = nn.BatchNorm3d(widths[0])
        self.maxpool = nn.MaxPool3d((1, 3, 3), (stem_strides[1], 2, 2), (0, 1, 1))
        self.pool2 = nn.MaxPool3d((2, 1, 1))
        channels = widths[0]
        strides = (1, *(2,) * (len(widths) - 2), last_stride)
        for index, (width, blocks, stride) in enumerate(zip(widths, BLOCKS[backbone], strides, strict=True)):
            kernels = [KERNELS[index][block % len(KERNELS[index])] for block in range(blocks)]
            after = {block: non_local for block in NON_LOCAL_BLOCKS.get(index, ())} if non_local else {}
            self.add_module(f"layer{index + 1}", stage(Bottleneck3d, channels, width, kernels, stride, after))
            channels = width * Bottleneck3d.expansion
        self._later = [f"layer{index + 1}" for index in range(1, len(widths))]
        initialize_volumes(self)

    def maps(self, x: Tensor) -> Tensor:
        """The last map: (N, 3, T, H, W) -> (N, 2048, T', H', W')."""
        x = self.maxpool(relu(self.bn1(self.conv1(x)), inplace=True))
        x = self.pool2(self.get_submodule("layer1")(x))
        for name in self._later:
            x = self.get_submodule(name)(x)
        return x

    def features(self, x: Tensor) -> Tensor:
        """(N, 3, T, H, W) -> (N, 2048)."""
        return self.maps(x).mean((2, 3, 4))


#: model -> its non-local block
_NON_LOCAL: dict[str, NonLocalForm] = {
    "i3d_nl": NonLocalForm("softmax"),
    "i3d_nl_dot": NonLocalForm("dot_product", pool_first=False, scaled=False, out_bias=False),
    "i3d_nl_embedded_gaussian": NonLocalForm("softmax", pool_first=False, scaled=False, out_bias=False),
    "i3d_nl_gaussian": NonLocalForm("gaussian", pool_first=False, scaled=False, out_bias=False),
}
_MMACTION2_ONLY = ("i3d_nl_dot", "i3d_nl_embedded_gaussian", "i3d_nl_gaussian")


def _build(
    model: str, backbone: str, options: Mapping[str, Any], *, last_stride: int = 2, **sizes: Unpack[Sizes]
) -> VolumeNetwork:
    forms = FORMS[1:] if model in _MMACTION2_ONLY else FORMS[:1] if model in ("i3d_nl", "i3d_res5s1") else FORMS
    form = read_options(model, options, {"form": forms}).get("form", forms[0])
    strides = (2, 2) if form == "mmaction2" else (1, 1)
    return I3D(backbone, stem_strides=strides, last_stride=last_stride, non_local=_NON_LOCAL.get(model), **sizes)


def i3d(backbone: str, *, num_classes: int, frames: int, dropout: float = 0.5, **options: Any) -> VolumeNetwork:
    """Plain I3D. Option: `form`."""
    return _build("i3d", backbone, options, num_classes=num_classes, frames=frames, dropout=dropout)


def i3d_res5s1(backbone: str, *, num_classes: int, frames: int, dropout: float = 0.5, **options: Any) -> VolumeNetwork:
    """I3D whose last stage keeps the resolution."""
    sizes: Sizes = {"num_classes": num_classes, "frames": frames, "dropout": dropout}
    return _build("i3d_res5s1", backbone, options, last_stride=1, **sizes)


def i3d_nl(backbone: str, *, num_classes: int, frames: int, dropout: float = 0.5, **options: Any) -> VolumeNetwork:
    """I3D with five non-local blocks, softmax (PySlowFast)."""
    return _build("i3d_nl", backbone, options, num_classes=num_classes, frames=frames, dropout=dropout)


def i3d_nl_dot(backbone: str, *, num_classes: int, frames: int, dropout: float = 0.5, **options: Any) -> VolumeNetwork:
    """I3D with five non-local blocks, dot product (mmaction2)."""
    return _build("i3d_nl_dot", backbone, options, num_classes=num_classes, frames=frames, dropout=dropout)


def i3d_nl_embedded_gaussian(
    backbone: str, *, num_classes: int, frames: int, dropout: float = 0.5, **options: Any
) -> VolumeNetwork:
    """I3D with five non-local blocks, embedded Gaussian (mmaction2)."""
    sizes: Sizes = {"num_classes": num_classes, "frames": frames, "dropout": dropout}
    return _build("i3d_nl_embedded_gaussian", backbone, options, **sizes)


def i3d_nl_gaussian(
    backbone: str, *, num_classes: int, frames: int, dropout: float = 0.5, **options: Any
) -> VolumeNetwork:
    """I3D with five non-local blocks, Gaussian (mmaction2)."""
    return _build("i3d_nl_gaussian", backbone, options, num_classes=num_classes, frames=frames, dropout=dropout)
