"""How public checkpoints name their tensors, as small rules that turn each name into ours.

Ours are torchvision's plain names: conv1, bn1, layerL.B.convK, bnK, downsample.{0,1}, fc; beside them TAM
`layerL.B.tam.*`, TDN's own modules under the authors' names, DNR's cells `layerL.cl_cell.*` (one a stage) and
`layerL.B.bn2.cell.*` (one a block), each with `x.{0,2}` on the pooled input and `h.{0,2}` on the state.

A further format is one more `add(Format(...))`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from repro import checkpoint_formats_3d as rules_3d
from repro.checkpoint_formats_adafuse import ADAFUSE
from repro.errors import UnknownName, WeightsError

Rule = tuple[str, str]


@dataclass(frozen=True)
class Contract:
    """What values a network was trained on: (pixel / 255 * scale - mean) / std, in this colour order."""

    order: str = "RGB"
    scale: float = 1.0
    """1 for pixels in 0..1, 255 for pixels in 0..255."""
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Contract:
        """The inverse of `to_dict`."""
        return Contract(data["order"], float(data["scale"]), tuple(data["mean"]), tuple(data["std"]))


IMAGENET = Contract()
#: Caffe's convention, which the BN-Inception weights of the TSN and TSM authors keep
CAFFE = Contract("BGR", 255.0, (104.0, 117.0, 128.0), (1.0, 1.0, 1.0))
#: PySlowFast's, which mmaction2 keeps for X3D (114.75 and 57.38 of 255)
KINETICS = Contract("RGB", 1.0, (0.45, 0.45, 0.45), (0.225, 0.225, 0.225))


@dataclass(frozen=True)
class Format:
    """The naming of one family of checkpoints."""

    name: str
    """As `checkpoint_format` in goldens."""
    origin: str
    """Whose files these are."""
    matches: Callable[[frozenset[str]], bool]
    """Whether these tensor names can be of this family."""
    rules: tuple[Rule, ...] = ()
    """Pattern and replacement, applied to each name in this order."""
    unused: Mapping[str, str] = field(default_factory=dict)
    """Pattern of a (renamed) name that such files hold without use -> why it may be dropped."""
    contracts: Mapping[str, Contract] = field(default_factory=dict)
    """Backbone -> input contract, where it is not the usual one."""
    usual: Contract = Contract()
    """The input contract of the other backbones."""
    shift: str | None = None
    """Pattern of the file's names that only a temporal shift leaves."""

    def rename(self, name: str) -> str:
        """Our name for the file's tensor `name`."""
        for pattern, replacement in self.rules:
            name = re.sub(pattern, replacement, name)
        return name

    def reason_unused(self, name: str) -> str | None:
        """Why a tensor (by our name) may be dropped, or None if it may not."""
        return next((reason for pattern, reason in self.unused.items() if re.search(pattern, name)), None)

    def contract(self, backbone: str) -> Contract:
        """What input the weights of this backbone expect."""
        return self.contracts.get(backbone, self.usual)


FORMATS: dict[str, Format] = {}


def add(rule: Format) -> Format:
    """Register a format; among those that match a file, the one that names most of the network's tensors is taken."""
    FORMATS[rule.name] = rule
    return rule


def get(name: str) -> Format:
    """The format called `name`."""
    if name not in FORMATS:
        raise UnknownName("checkpoint format", name, FORMATS)
    return FORMATS[name]


def strip_wrappers(name: str) -> str:
    """`name` without what DataParallel and torch.compile put before it."""
    while name.startswith(("module.", "_orig_mod.")):
        name = name.partition(".")[2]
    return name


def detect(names: Iterable[str], wanted: Iterable[str]) -> Format:
    """The format of a file with these tensor names, for a network that has the `wanted` ones.

    Raises `WeightsError` naming some of the file's tensors when no format fits.
    """
    present, targets = frozenset(names), frozenset(wanted)
    candidates = [rule for rule in FORMATS.values() if rule.matches(present)]
    if not candidates:
        sample = ", ".join(sorted(present)[:5]) or "none"
        raise WeightsError(
            f"no known checkpoint format names its tensors so: {sample}", allowed=", ".join(sorted(FORMATS))
        )
    return max(candidates, key=lambda rule: len(targets & {rule.rename(name) for name in present}))


def _any(pattern: str) -> Callable[[frozenset[str]], bool]:
    compiled = re.compile(pattern)
    return lambda names: any(compiled.search(name) for name in names)


def _all_of(*patterns: str, without: str | None = None) -> Callable[[frozenset[str]], bool]:
    tests = [_any(pattern) for pattern in patterns]
    banned = _any(without) if without else None
    return lambda names: all(test(names) for test in tests) and not (banned and banned(names))


_AUTHOR: tuple[Rule, ...] = ((r"^base_model\.", ""), (r"^new_fc\.", "fc."))
_BN_INCEPTION = {"bninception": CAFFE}

#: TSN and TSM: mit-han-lab/temporal-shift-module@1f6a834. With dropout 0 the classifier stays `base_model.fc`.
TSM_REPO = add(
    Format(
        "tsm-repo",
        "authors of TSM (TSN, TSM): mit-han-lab/temporal-shift-module",
        _all_of(
            r"^base_model\.", without=r"\.tam\.|_bak\.|\.Tconv\.|policy_net|\.res3a_2\.|\.me\.|\.gsm_|^consensus\."
        ),
        (*_AUTHOR, (r"\.conv1\.net\.", ".conv1."), *rules_3d.BN_INCEPTION),
        contracts=_BN_INCEPTION,
        shift=r"\.conv1\.net\.",
    )
)

#: AdaFuse: mengyuest/AdaFuse@91c3a5d
ADAFUSE_REPO = add(
    Format(
        "adafuse-repo",
        "authors of AdaFuse: mengyuest/AdaFuse",
        _all_of(r"^base_model\.(gate_fc0s\.|.*policy_net)"),
        (*_AUTHOR, *ADAFUSE, *rules_3d.BN_INCEPTION),
        contracts=_BN_INCEPTION,
        unused={r"^layer\d+\.\d+\.policy\.fc[01]\.": "another name of a policy's shared layer"},
    )
)

#: TANet: liu-zhy/temporal-adaptive-module@5fcb46f
TANET_REPO = add(
    Format(
        "tanet-repo",
        "authors of TANet: liu-zhy/temporal-adaptive-module",
        _all_of(r"^base_model\.", r"\.tam\."),
        (*_AUTHOR, (r"^(layer\d+\.\d+)\.net\.", r"\1.")),
    )
)

#: GST: chenxuluo/GST-video@47d39fc
GST_REPO = add(Format("gst-repo", "authors of GST: chenxuluo/GST-video", _all_of(r"\.Tconv\.weight$"), _AUTHOR))

#: TEA: Phoenix1327/tea-action-recognition@f59e2f8
TEA_REPO = add(
    Format(
        "tea-repo",
        "authors of TEA: Phoenix1327/tea-action-recognition",
        _all_of(r"^base_model\..*\.me\.conv1\.", r"\.shifts\.3\."),
        _AUTHOR,
    )
)

#: GSM: swathikirans/GSM@43e8eba
GSM_REPO = add(
    Format(
        "gsm-repo",
        "authors of GSM: swathikirans/GSM",
        _all_of(r"^base_model\.gsm_\w+\.conv3D\."),
        (*_AUTHOR, *rules_3d.GSM, *rules_3d.BN_INCEPTION, *rules_3d.INCEPTION_V3),
        usual=CAFFE,
    )
)

#: TDN: MCG-NJU/TDN@a7c7e9b
TDN_REPO = add(
    Format(
        "tdn-repo",
        "authors of TDN: MCG-NJU/TDN",
        _all_of(r"^base_model\.layer\d+_bak\."),
        (*_AUTHOR, (r"^(layer\d+)_bak\.", r"\1.")),
    )
)

#: DNR: caidonkey/dnr@0110580 on open-mmlab/mmaction@c7e3b7c; also plain TSN of mmaction 0.x
DNR_REPO = add(
    Format(
        "dnr-repo",
        "author of DNR: caidonkey/dnr, on mmaction",
        _all_of(r"^backbone\.conv1\.weight$"),
        (
            (r"^backbone\.", ""),
            (r"^cls_head\.fc_cls\.", "fc."),
            (r"\.ModuleList\.", "."),
            (r"^(layer\d+)\.lstm\.", r"\1.cl_cell."),
            (r"\.lstm\.", ".cell."),
            (r"cell\.w_ih\.0\.seq\.", "cell.x."),
            (r"cell\.w_hh\.0\.seq\.", "cell.h."),
        ),
    )
)

#: C3D subtracts the means of blue, green, red from red, green, blue: its frames come in as RGB
_MMACTION2_INPUTS = {
    "c3d": Contract("RGB", CAFFE.scale, CAFFE.mean, CAFFE.std),
    **{f"x3d_{size}": KINETICS for size in ("s", "m", "l", "xl")},
}

#: mmaction2 0.x and 1.x: open-mmlab/mmaction2@4d6c934
MMACTION2 = add(
    Format(
        "mmaction2",
        "mmaction2 0.x and 1.x: open-mmlab/mmaction2",
        _all_of(r"^(backbone\..*\.conv\.|cls_head\.fc_cls\.)", without=r"^backbone\.conv1\.weight$"),
        (
            (r"^backbone\.", ""),
            (r"^cls_head\.fc_cls\.", "fc."),
            (r"^(layer\d+\.\d+)\.block\.", r"\1."),
            (r"\bconv(\d)\.conv\.(?:net\.)?", r"conv\1."),
            (r"\bconv(\d)\.bn\.", r"bn\1."),
            (r"\bdownsample\.conv\.", "downsample.0."),
            (r"\bdownsample\.bn\.", "downsample.1."),
            *rules_3d.MMACTION2_3D,
        ),
        contracts=_MMACTION2_INPUTS,
        unused={r"^data_preprocessor\.": "mean and std of the input; the input contract has them"},
        shift=r"\bconv1\.conv\.net\.",
    )
)

#: SlowFast, I3D, X3D of facebookresearch/SlowFast@287ec00 (.pyth files)
PYSLOWFAST_REPO = add(
    Format(
        "pyslowfast",
        "PySlowFast (SlowFast, I3D, X3D): facebookresearch/SlowFast",
        _all_of(r"^s1\.pathway0_stem\.", r"^head\.projection\."),
        rules_3d.PYSLOWFAST,
        usual=KINETICS,
    )
)

#: R(2+1)D in the original form: moabitcoin/ig65m-pytorch
VMZ = add(
    Format(
        "vmz",
        "R(2+1)D of VMZ as torchvision names it: moabitcoin/ig65m-pytorch",
        _all_of(r"^stem\.0\.weight$", r"\.conv1\.0\.3\.weight$"),
        rules_3d.TORCHVISION_VIDEO,
        usual=Contract(mean=(0.43216, 0.394666, 0.37645), std=(0.22803, 0.22145, 0.216989)),
    )
)

#: ECO: mzolfaghari/ECO-pytorch@b175e7c
ECO_REPO = add(
    Format(
        "eco-repo",
        "authors of ECO: mzolfaghari/ECO-pytorch",
        _all_of(r"^base_model\.res3a_2\."),
        (*_AUTHOR, *rules_3d.BN_INCEPTION, *rules_3d.ECO_VOLUME),
        usual=CAFFE,
    )
)

_SIGNED = Contract(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))

#: I3D on Inception-V1: piergiaj/pytorch-i3d@05783d1
PYTORCH_I3D = add(
    Format(
        "pytorch-i3d",
        "I3D on Inception-V1: piergiaj/pytorch-i3d",
        _all_of(r"^Conv3d_1a_7x7\.conv3d\."),
        rules_3d.PYTORCH_I3D,
        usual=_SIGNED,
    )
)

#: S3D: kylemin/S3D@ecd3786
S3D_KYLEMIN = add(
    Format(
        "s3d-kylemin",
        "S3D: kylemin/S3D",
        _all_of(r"^base\.0\.conv_s\."),
        rules_3d.S3D_KYLEMIN,
        usual=_SIGNED,
    )
)

#: S3D-G: antoine77340/S3D_HowTo100M@b8cd0bb
S3DG_HOWTO = add(
    Format(
        "s3dg-howto100m",
        "S3D-G of HowTo100M: antoine77340/S3D_HowTo100M",
        _all_of(r"^mixed_3b\.conv_b0\."),
        rules_3d.S3DG_HOWTO,
        unused={r"^text_module\.": "the network of texts"},
        usual=Contract(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)),
    )
)

#: P3D-63: qijiezhao/pseudo-3d-pytorch@09bba23
P3D_REPO = add(Format("p3d-repo", "P3D: qijiezhao/pseudo-3d-pytorch", _all_of(r"^conv1_custom\."), rules_3d.P3D))

#: CorrNet: tefantasy/CorrNet@e533ef7, which keeps PySlowFast's input
CORRNET = add(
    Format(
        "corrnet-tefantasy",
        "CorrNet of a third party: tefantasy/CorrNet",
        _all_of(r"\.correlation\.filter_weight$"),
        rules_3d.CORRNET,
        usual=KINETICS,
    )
)

#: torchvision's and timm's own names, which are ours
PLAIN = add(
    Format(
        "plain",
        "torchvision, timm, or a state dict of this suite",
        _all_of(r"^conv1\.weight$", r"^layer\d+\.", without=r"\.big1\.1\."),
    )
)

from repro import checkpoint_formats_2d  # noqa: E402, F401
