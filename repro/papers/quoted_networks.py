"""The networks that the tables quote from other publications: what each is here, at which input its cost is printed.

One entry a network, whichever tables quote it. `repro.papers.quoted` makes rows of them. The readings that make a
printed number true, and the numbers that no reading makes true, stand in `note`; the code studied and the differences
from it stand at the head of the network's file in `baselines/`.
"""

from __future__ import annotations

from dataclasses import dataclass

from repro.core.spec import Model, frozen, replace


@dataclass(frozen=True, kw_only=True)
class Network:
    """A quoted network at the input of its printed cost."""

    model: Model
    """With 400 classes; a row has those of its dataset."""
    size: int = 224
    """Side of the crop in pixels of the printed cost."""
    sizes: tuple[int, ...] = (224, 256)
    """Further crops that the network can run at; none where its input is fixed."""
    twin: Model | None = None
    """The network whose small form is trained on the twins; None: `no_twin` says why."""
    no_twin: str = ""
    trained_frames: int = 0
    """Frames of its training, where the printed cost is of others."""
    heavy: bool = False
    """Of more than 100 GMACs: timed twice, not three times."""
    note: str = ""
    """What a reader of the row must know of the reading."""


_R50 = Model(name="tsn", backbone="resnet50")
_FIXED = "not applicable: the network takes crops of {} alone, the twins have 32"


def _small(model: Model, **more: object) -> Network:
    """A network that has a small form of its own."""
    return Network(model=model, twin=model, **more)  # type: ignore[arg-type]


_TSN = replace(_R50, options=frozen(head="clip"))
_TSN_INCEPTION = replace(_R50, backbone="bninception")
_TSM = replace(_R50, name="tsm")
_GST = replace(_R50, name="gst")
_TEA = replace(_R50, name="tea")
_SLOWFAST = replace(_R50, name="slowfast_8x8", frames=32)
_I3D = replace(_R50, name="i3d_res5s1", frames=32)
_NO_REFERENCE = "no public reference: the authors published no code; the network is read from the paper"

NETWORKS: dict[str, Network] = {
    # two dimensions and time mixed between frames
    "tsn_frame": Network(
        model=replace(_R50, frames=1),
        twin=_TSN,
        trained_frames=8,
        note="4.11 GFLOPs are one frame's, normalizations counted; the printed 250 views are 25 frames x 10 crops.",
    ),
    "tsn_inception_8": _small(_TSN_INCEPTION, sizes=()),
    "tsn_inception_25": Network(model=replace(_TSN_INCEPTION, frames=25), twin=_TSN_INCEPTION, sizes=()),
    "tsm_8": Network(model=_TSM, twin=_TSM),
    "tsm_16": Network(model=replace(_TSM, frames=16), twin=_TSM),
    "tanet_8": _small(replace(_R50, name="tanet")),
    "tdn_8": _small(replace(_R50, name="tdn")),
    "gst_8": _small(_GST),
    "gst_16": Network(model=replace(_GST, frames=16), twin=_GST),
    "tea_8": _small(_TEA),
    "tea_16": Network(model=replace(_TEA, frames=16), twin=_TEA),
    "stm_16": Network(model=replace(_R50, name="stm", frames=16), twin=replace(_R50, name="stm"), note=_NO_REFERENCE),
    "teinet_8": _small(replace(_R50, name="teinet"), note=_NO_REFERENCE),
    "tam_48": Network(
        model=replace(_R50, name="blvnet_tam", backbone="blresnet50", frames=48),
        twin=replace(_R50, name="blvnet_tam", backbone="blresnet50"),
        size=256,
        note="TAM is bLVNet-TAM on bLResNet-50: 93.4 GFLOPs are those of 48 frames of 256x256 (71.6 at 224).",
    ),
    "trn_8": _small(replace(_R50, name="trn_multiscale", backbone="bninception", dropout=0.8), sizes=()),
    "gsm_16": Network(
        model=replace(_R50, name="gsm", backbone="inceptionv3", frames=16),
        twin=replace(_R50, name="gsm", backbone="bninception"),
        size=229,
        sizes=(),
    ),
    "smallbig_8": _small(replace(_R50, name="smallbignet")),
    "arnet_16": Network(
        model=replace(_R50, name="arnet", frames=16),
        twin=replace(_R50, name="arnet"),
        sizes=(),
        note="AR-Net's cost depends on its decisions. Its largest network on all of 8 frames has 33.1 GMACs, less than "
        "the printed 41.4, so that the printed rows have 16 frames. The count here is of all four networks on all "
        "frames, which is what the code executes.",
    ),
    # three dimensions
    "slowfast_r50": Network(
        model=replace(_SLOWFAST, name="slowfast_4x16"),
        twin=_SLOWFAST,
        size=256,
        note="SlowFast 4x16. Its small form on the twins is that of SlowFast 8x8.",
    ),
    "slowfast_r101": Network(
        model=replace(_SLOWFAST, backbone="resnet101"),
        twin=_SLOWFAST,
        size=256,
        heavy=True,
        note="SlowFast 8x8 with temporal kernels in the first 6 of the 23 blocks of the third stage (PySlowFast).",
    ),
    "slowfast_nl_r101": Network(
        model=replace(
            _SLOWFAST,
            name="slowfast_nl_16x8",
            backbone="resnet101",
            frames=64,
            options=frozen(nonlocal_pool=2),
        ),
        no_twin="not applicable: no small form; SlowFast's without non-local blocks stands in its row",
        size=256,
        heavy=True,
        note="SlowFast 16x8: 16 slow and 64 fast frames, where PSN prints 8+16. 234 GFLOPs are those of non-local "
        "blocks that pool 2x2x2; the public code pools 1x2x2 and has 242.",
    ),
    "x3d_xl": Network(
        model=replace(_R50, name="x3d_xl", backbone="x3d_xl", frames=16),
        no_twin="not run: X3D has no small form; XL itself on the clips of the twins would train 12 minutes on a core",
        size=356,
        note="16 frames of 356x356, widths rounded to multiples of 8.",
    ),
    "i3d_r50": Network(
        model=_I3D,
        twin=replace(_I3D, name="i3d"),
        sizes=(224,),
        heavy=True,
        note="32 frames of 224, last stage without stride: of the four networks of this name the one of 153 GMACs.",
    ),
    "i3d_nl_r101": Network(
        model=replace(_I3D, name="i3d_nl", backbone="resnet101"),
        twin=replace(_I3D, name="i3d_nl"),
        size=256,
        heavy=True,
        note="32 frames of 256, PySlowFast's configuration.",
    ),
    "i3d_inceptionv1": Network(
        model=replace(_R50, name="i3d_inceptionv1", backbone="inceptionv1", frames=64),
        no_twin="not run: no small form; the network itself on the clips of the twins would train 3 minutes on a core",
        sizes=(224,),
        heavy=True,
    ),
    "s3dg": Network(
        model=replace(_R50, name="s3dg", backbone="inceptionv1", frames=64),
        no_twin="not run: no small form; the network itself on the clips of the twins would train 3 minutes on a core",
        sizes=(224,),
        note="S3D-G as published with the HowTo100M weights.",
    ),
    "r2plus1d": Network(
        model=replace(_R50, name="r2plus1d", backbone="resnet34", frames=32, options=frozen(form="vmz")),
        twin=replace(_R50, name="r2plus1d", backbone="resnet34"),
        size=112,
        sizes=(),
        heavy=True,
        note="152 GFLOPs are those of the authors' form at 32 frames of 112x112, not of 224.",
    ),
    "eco_8": Network(model=replace(_R50, name="eco", backbone="bninception"), sizes=(), no_twin=_FIXED.format(224)),
    "eco_en_92": Network(
        model=replace(_R50, name="eco_en_lite", backbone="bninception", frames=92),
        sizes=(),
        no_twin=_FIXED.format(224),
        heavy=True,
        note="Four ECO Lite of 16, 20, 24 and 32 frames: 267 GFLOPs are theirs together.",
    ),
    "c3d_r50": Network(
        model=replace(_R50, name="c3d_resnet50", frames=16),
        twin=replace(_R50, name="c3d_resnet50"),
        sizes=(224,),
        heavy=True,
        note=f"The ResNet-50 of the GST paper, not the network of eight convolutions. {_NO_REFERENCE[0].upper()}"
        f"{_NO_REFERENCE[1:]}.",
    ),
    "p3d_r50": Network(
        model=replace(_R50, name="p3d_resnet50", frames=16),
        twin=replace(_R50, name="p3d_resnet50"),
        sizes=(224,),
        note=f"The ResNet-50 of the GST paper, not P3D-63. {_NO_REFERENCE[0].upper()}{_NO_REFERENCE[1:]}.",
    ),
    "corrnet101_32": Network(
        model=replace(_R50, name="corrnet101", backbone="corrnet101", frames=32),
        no_twin="not run: no small form; the network itself on the clips of the twins would train 24 minutes on a core",
        sizes=(224,),
        heavy=True,
        note="A third party's code; the authors' is not public. Their paper prints 224 GFLOPs, this code has 372.",
    ),
}

#: rows that are no network here, and why
QUOTATIONS: dict[str, str] = {
    "gcn_nl": "not run: a graph over boxes of a region proposal network, which no public code describes; its I3D with "
    "non-local blocks alone has 221 GMACs",
    "trn_rgb_flow": "not run: the row adds a second network on optical flow, which this suite does not compute",
    "kanojia": "not run: attentive spatio-temporal representation (Kanojia et al., 2019) is not described well enough "
    "to be built, and has no public code",
}
