"""Registration of the networks with 3D convolutions that the papers' tables quote. Imports no torch.

Facts beside those of `baselines`: `input_frames` and `input_size` (rows and columns of the test crop) of the published
network, `forms` the public codes that differ under one name (option `form`; the first is the usual one).
"""

from repro.registry import backbones as _backbones
from repro.registry import models

_R = ("resnet50", "resnet101")


def _add(
    name: str,
    target: str,
    summary: str,
    backbones: tuple[str, ...],
    frames: int,
    size: int,
    *,
    published: tuple[str, ...] | None = None,
    forms: tuple[str, ...] = (),
) -> None:
    models.add(
        name,
        f"baselines.{target}",
        summary,
        backbones=backbones,
        published=published or backbones,
        clip_length=1,
        input_frames=frames,
        input_size=size,
        forms=forms,
    )


def _alone(name: str, summary: str) -> None:
    """A backbone that is the whole network of one model, or of few, and that no other model takes."""
    _backbones.add(name, "baselines.volume:no_2d_backbone", summary)


_FORMS = ("pyslowfast", "mmaction2")
_SLOWFAST = "slow pathway with many channels, fast one with few (Feichtenhofer et al., ICCV 2019)"
_add("slowfast_4x16", "slowfast:slowfast_4x16", f"4 and 32 frames: {_SLOWFAST}", _R, 32, 256, forms=_FORMS)
_add(
    "slowfast_8x8",
    "slowfast:slowfast_8x8",
    f"8 and 32 frames: {_SLOWFAST}",
    ("resnet18", *_R, "tiny_resnet"),
    32,
    256,
    published=_R,
    forms=_FORMS,
)
_add(
    "slowfast_nl_16x8",
    "slowfast:slowfast_nl_16x8",
    f"16 and 64 frames, non-local blocks: {_SLOWFAST}",
    ("resnet101",),
    64,
    256,
)

_I3D = "2D kernels inflated in time (Carreira and Zisserman, CVPR 2017; Wang et al., CVPR 2018)"
_SMALL = (*_R, "tiny_resnet")
_add("i3d", "i3d:i3d", f"ResNet, {_I3D}", _SMALL, 32, 256, published=_R, forms=_FORMS)
_add("i3d_res5s1", "i3d:i3d_res5s1", f"ResNet, last stage unstrided, {_I3D}", _SMALL, 32, 224, published=_R)
_add("i3d_nl", "i3d:i3d_nl", f"ResNet with non-local blocks, {_I3D}", _SMALL, 32, 256, published=_R)
_add("i3d_nl_dot", "i3d:i3d_nl_dot", "i3d_nl with dot product, mmaction2's", _R, 32, 256, published=_R[:1])
_add(
    "i3d_nl_embedded_gaussian",
    "i3d:i3d_nl_embedded_gaussian",
    "i3d_nl with embedded Gaussian, mmaction2's",
    _R,
    32,
    256,
    published=_R[:1],
)
_add("i3d_nl_gaussian", "i3d:i3d_nl_gaussian", "i3d_nl with Gaussian, mmaction2's", _R, 32, 256, published=_R[:1])

_add(
    "region_graph",
    "region_graph:region_graph",
    "I3D with non-local blocks and graphs of regions (Wang and Gupta, ECCV 2018), a reading",
    ("resnet50", "tiny_resnet"),
    32,
    224,
    published=_R[:1],
)

_add(
    "r2plus1d",
    "r2plus1d:r2plus1d",
    "3D kernels as a spatial and a temporal one (Tran et al., CVPR 2018)",
    ("resnet18", "resnet34", "tiny_resnet"),
    8,
    256,
    published=("resnet34",),
    forms=("mmaction2", "vmz"),
)

for _size, _frames, _crop in (("s", 13, 182), ("m", 16, 256), ("l", 16, 356), ("xl", 16, 356)):
    _name = f"x3d_{_size}"
    _alone(_name, f"its own, of model {_name}")
    _add(_name, "x3d:x3d", "small network expanded step by step (Feichtenhofer, CVPR 2020)", (_name,), _frames, _crop)

_ECO = "BN-Inception on frames, 3D ResNet on their maps (Zolfaghari et al., ECCV 2018)"
_add("eco", "eco:eco", f"ECO full: {_ECO}", ("bninception",), 8, 224)
_add("eco_lite", "eco:eco_lite", f"ECO Lite: {_ECO}", ("bninception",), 8, 224)
_add("eco_en_lite", "eco:eco_en_lite", f"four ECO Lite of 16, 20, 24, 32 frames: {_ECO}", ("bninception",), 92, 224)

_alone("inceptionv1", "Inception-V1 over volumes, of i3d_inceptionv1 and the S3D networks")
_add(
    "i3d_inceptionv1",
    "i3d_inceptionv1:i3d_inceptionv1",
    "Inception-V1 inflated in time (Carreira and Zisserman, CVPR 2017)",
    ("inceptionv1",),
    64,
    224,
)
_S3D = "Inception-V1 with space and time apart (Xie et al., ECCV 2018)"
_add("s3d", "s3d:s3d", _S3D, ("inceptionv1",), 64, 224)
_add("s3dg", "s3d:s3dg", f"gated {_S3D}", ("inceptionv1",), 64, 224)
_add("s3dg_s2d", "s3d:s3dg_s2d", f"gated, space-to-depth stem, {_S3D}", ("inceptionv1",), 64, 224)

_alone("c3d", "eight 3x3x3 convolutions, of model c3d")
_add("c3d", "c3d:c3d", "eight 3x3x3 convolutions, 112x112 (Tran et al., ICCV 2015)", ("c3d",), 16, 112)
_add("p3d63", "p3d63:p3d63", "1x3x3 and 3x1x1 kernels in three ways (Qiu et al., ICCV 2017)", _R[:1], 16, 160)
_GST = "ResNet-50, read from the GST paper (Luo and Yuille, ICCV 2019), no public reference"
_add(
    "c3d_resnet50", "resnet50_3d:c3d_resnet50", f"C3D as {_GST}", ("resnet50", "tiny_resnet"), 16, 224, published=_R[:1]
)
_add(
    "p3d_resnet50", "resnet50_3d:p3d_resnet50", f"P3D as {_GST}", ("resnet50", "tiny_resnet"), 16, 224, published=_R[:1]
)
_alone("corrnet101", "R(2+1)D bottlenecks and correlation blocks, of model corrnet101")
_add(
    "corrnet101",
    "corrnet:corrnet101",
    "correlation of neighbouring frames (Wang et al., CVPR 2020), a third party's code",
    ("corrnet101",),
    32,
    224,
)
