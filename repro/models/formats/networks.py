"""How public checkpoints name their tensors, as small rules that turn each name into ours, and which naming a file has.

Ours are torchvision's plain names: conv1, bn1, layerL.B.convK, bnK, downsample.{0,1}, fc; beside them TAM
`layerL.B.tam.*`, TDN's own modules under the authors' names, DNR's cells `layerL.cl_cell.*` (one a stage) and
`layerL.B.bn2.cell.*` (one a block), each with `x.{0,2}` on the pooled input and `h.{0,2}` on the state.
"""

from __future__ import annotations

from collections.abc import Iterable

from repro.core.errors import UnknownName, WeightsError
from repro.models.formats import rules_3d
from repro.models.formats.format import CAFFE, KINETICS, Contract, Format, Rule, all_of

_AUTHOR: tuple[Rule, ...] = ((r"^base_model\.", ""), (r"^new_fc\.", "fc."))
_BN_INCEPTION_CONTRACTS = {"bninception": CAFFE}
#: C3D subtracts the means of blue, green, red from red, green, blue: its frames come in as RGB
_MMACTION2_INPUTS = {
    "c3d": Contract("RGB", CAFFE.scale, CAFFE.mean, CAFFE.std),
    **{f"x3d_{size}": KINETICS for size in ("s", "m", "l", "xl")},
}
_SIGNED = Contract(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
_BLVNET_STEM = "tam|b_conv0|bn_b0|l_conv[012]|bn_l[012]|bl_init|bn_bl_init"

_FORMATS = (
    # TSN and TSM: mit-han-lab/temporal-shift-module@1f6a834. With dropout 0 the classifier stays `base_model.fc`.
    Format(
        "tsm-repo",
        "authors of TSM (TSN, TSM): mit-han-lab/temporal-shift-module",
        all_of(r"^base_model\.", without=r"\.tam\.|_bak\.|\.Tconv\.|policy_net|\.res3a_2\.|\.me\.|\.gsm_|^consensus\."),
        (*_AUTHOR, (r"\.conv1\.net\.", ".conv1."), *rules_3d.BN_INCEPTION),
        contracts=_BN_INCEPTION_CONTRACTS,
        shift=r"\.conv1\.net\.",
    ),
    # AdaFuse: mengyuest/AdaFuse@91c3a5d
    Format(
        "adafuse-repo",
        "authors of AdaFuse: mengyuest/AdaFuse",
        all_of(r"^base_model\.(gate_fc0s\.|.*policy_net)"),
        (*_AUTHOR, *rules_3d.ADAFUSE, *rules_3d.BN_INCEPTION),
        contracts=_BN_INCEPTION_CONTRACTS,
        unused={r"^layer\d+\.\d+\.policy\.fc[01]\.": "another name of a policy's shared layer"},
    ),
    # TANet: liu-zhy/temporal-adaptive-module@5fcb46f
    Format(
        "tanet-repo",
        "authors of TANet: liu-zhy/temporal-adaptive-module",
        all_of(r"^base_model\.", r"\.tam\."),
        (*_AUTHOR, (r"^(layer\d+\.\d+)\.net\.", r"\1.")),
    ),
    # GST: chenxuluo/GST-video@47d39fc
    Format("gst-repo", "authors of GST: chenxuluo/GST-video", all_of(r"\.Tconv\.weight$"), _AUTHOR),
    # TEA: Phoenix1327/tea-action-recognition@f59e2f8
    Format(
        "tea-repo",
        "authors of TEA: Phoenix1327/tea-action-recognition",
        all_of(r"^base_model\..*\.me\.conv1\.", r"\.shifts\.3\."),
        _AUTHOR,
    ),
    # GSM: swathikirans/GSM@43e8eba
    Format(
        "gsm-repo",
        "authors of GSM: swathikirans/GSM",
        all_of(r"^base_model\.gsm_\w+\.conv3D\."),
        (*_AUTHOR, *rules_3d.GSM, *rules_3d.BN_INCEPTION, *rules_3d.INCEPTION_V3),
        usual=CAFFE,
    ),
    # TDN: MCG-NJU/TDN@a7c7e9b
    Format(
        "tdn-repo",
        "authors of TDN: MCG-NJU/TDN",
        all_of(r"^base_model\.layer\d+_bak\."),
        (*_AUTHOR, (r"^(layer\d+)_bak\.", r"\1.")),
    ),
    # DNR: caidonkey/dnr@0110580 on open-mmlab/mmaction@c7e3b7c; also plain TSN of mmaction 0.x
    Format(
        "dnr-repo",
        "author of DNR: caidonkey/dnr, on mmaction",
        all_of(r"^backbone\.conv1\.weight$"),
        (
            (r"^backbone\.", ""),
            (r"^cls_head\.fc_cls\.", "fc."),
            (r"\.ModuleList\.", "."),
            (r"^(layer\d+)\.lstm\.", r"\1.cl_cell."),
            (r"\.lstm\.", ".cell."),
            (r"cell\.w_ih\.0\.seq\.", "cell.x."),
            (r"cell\.w_hh\.0\.seq\.", "cell.h."),
        ),
    ),
    # mmaction2 0.x and 1.x: open-mmlab/mmaction2@4d6c934
    Format(
        "mmaction2",
        "mmaction2 0.x and 1.x: open-mmlab/mmaction2",
        all_of(r"^(backbone\..*\.conv\.|cls_head\.fc_cls\.)", without=r"^backbone\.conv1\.weight$"),
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
    ),
    # SlowFast, I3D, X3D of facebookresearch/SlowFast@287ec00 (.pyth files)
    Format(
        "pyslowfast",
        "PySlowFast (SlowFast, I3D, X3D): facebookresearch/SlowFast",
        all_of(r"^s1\.pathway0_stem\.", r"^head\.projection\."),
        rules_3d.PYSLOWFAST,
        usual=KINETICS,
    ),
    # R(2+1)D in the original form: moabitcoin/ig65m-pytorch
    Format(
        "vmz",
        "R(2+1)D of VMZ as torchvision names it: moabitcoin/ig65m-pytorch",
        all_of(r"^stem\.0\.weight$", r"\.conv1\.0\.3\.weight$"),
        rules_3d.TORCHVISION_VIDEO,
        usual=Contract(mean=(0.43216, 0.394666, 0.37645), std=(0.22803, 0.22145, 0.216989)),
    ),
    # ECO: mzolfaghari/ECO-pytorch@b175e7c
    Format(
        "eco-repo",
        "authors of ECO: mzolfaghari/ECO-pytorch",
        all_of(r"^base_model\.res3a_2\."),
        (*_AUTHOR, *rules_3d.BN_INCEPTION, *rules_3d.ECO_VOLUME),
        usual=CAFFE,
    ),
    # I3D on Inception-V1: piergiaj/pytorch-i3d@05783d1
    Format(
        "pytorch-i3d",
        "I3D on Inception-V1: piergiaj/pytorch-i3d",
        all_of(r"^Conv3d_1a_7x7\.conv3d\."),
        rules_3d.PYTORCH_I3D,
        usual=_SIGNED,
    ),
    # S3D: kylemin/S3D@ecd3786
    Format(
        "s3d-kylemin",
        "S3D: kylemin/S3D",
        all_of(r"^base\.0\.conv_s\."),
        rules_3d.S3D_KYLEMIN,
        usual=_SIGNED,
    ),
    # S3D-G: antoine77340/S3D_HowTo100M@b8cd0bb
    Format(
        "s3dg-howto100m",
        "S3D-G of HowTo100M: antoine77340/S3D_HowTo100M",
        all_of(r"^mixed_3b\.conv_b0\."),
        rules_3d.S3DG_HOWTO,
        unused={r"^text_module\.": "the network of texts"},
        usual=Contract(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)),
    ),
    # P3D-63: qijiezhao/pseudo-3d-pytorch@09bba23
    Format("p3d-repo", "P3D: qijiezhao/pseudo-3d-pytorch", all_of(r"^conv1_custom\."), rules_3d.P3D),
    # CorrNet: tefantasy/CorrNet@e533ef7, which keeps PySlowFast's input
    Format(
        "corrnet-tefantasy",
        "CorrNet of a third party: tefantasy/CorrNet",
        all_of(r"\.correlation\.filter_weight$"),
        rules_3d.CORRNET,
        usual=KINETICS,
    ),
    # torchvision's and timm's own names, which are ours
    Format(
        "plain",
        "torchvision, timm, or a state dict of this suite",
        all_of(r"^conv1\.weight$", r"^layer\d+\.", without=r"\.big1\.1\."),
    ),
    # bLVNet-TAM: IBM/bLVNet-TAM@feadcd3
    Format(
        "blvnet-repo",
        "authors of bLVNet-TAM: IBM/bLVNet-TAM",
        all_of(r"^baseline_model\.layer1\.little_e\."),
        (
            (r"^baseline_model\.", ""),
            (r"^new_fc\.", "fc."),
            (rf"^({_BLVNET_STEM})\.", r"stem.\1."),
        ),
    ),
    # TRN: zhoubolei/TRN-pytorch@060509c
    Format(
        "trn-repo",
        "authors of TRN, multi-scale: zhoubolei/TRN-pytorch",
        all_of(r"^base_model\.", r"^consensus\.fc_fusion_scales\.0\.1\."),
        (
            (r"^new_fc\.", "frame_fc."),
            (r"^consensus\.fc_fusion_scales\.(\d+)\.1\.", r"relations.\1.hidden."),
            (r"^consensus\.fc_fusion_scales\.(\d+)\.3\.", r"relations.\1.fc."),
            *_AUTHOR,
            *rules_3d.BN_INCEPTION,
        ),
        contracts=_BN_INCEPTION_CONTRACTS,
    ),
    # SmallBigNet: xhl-video/SmallBigNet@9e6d9ea
    Format(
        "smallbig-repo",
        "authors of SmallBigNet: xhl-video/SmallBigNet",
        all_of(r"^layer2\.0\.big1\.1\.weight$"),
        (
            (r"\.big([123])\.1\.", r".big_bn\1."),
            (r"\.big4_1\.", ".context.reduce."),
            (r"\.big4_2\.0\.", ".context.expand."),
            (r"\.big4_2\.1\.", ".context.bn."),
        ),
    ),
    # AR-Net: mengyuest/AR-Net@2a9d72b
    Format(
        "arnet-repo",
        "authors of AR-Net: mengyuest/AR-Net",
        all_of(r"^lite_backbone\.", r"^base_model_list\.0\."),
        (
            (r"^lite_backbone\.", "policy."),
            (r"^rnn\.", "policy.rnn."),
            (r"^linear\.", "policy.choice."),
            (r"^lite_fc\.", "policy.fc."),
            (r"^base_model_list\.", "networks."),
            (r"^new_fc_list\.(\d+)\.", r"networks.\1.fc."),
        ),
    ),
)
FORMATS = {one.name: one for one in _FORMATS}


def get(name: str) -> Format:
    """The format called `name`."""
    if name not in FORMATS:
        raise UnknownName("checkpoint format", name, FORMATS)
    return FORMATS[name]


def detect(names: Iterable[str], wanted: Iterable[str]) -> Format:
    """The format of a file with these tensor names, for a network that has the `wanted` ones: of those that match, the
    one that names most of them.

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
