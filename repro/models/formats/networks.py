"""How public checkpoints name their tensors, as small rules that turn each name into ours.

Ours are torchvision's plain names: conv1, bn1, layerL.B.convK, bnK, downsample.{0,1}, fc; beside them TAM
`layerL.B.tam.*`, TDN's own modules under the authors' names, DNR's cells `layerL.cl_cell.*` (one a stage) and
`layerL.B.bn2.cell.*` (one a block), each with `x.{0,2}` on the pooled input and `h.{0,2}` on the state.
"""

from __future__ import annotations

from repro.models.formats import rules_3d
from repro.models.formats.format import AUTHOR, BN_INCEPTION_CONTRACTS, CAFFE, KINETICS, Contract, Format, add, all_of
from repro.models.formats.rules_3d import ADAFUSE

#: TSN and TSM: mit-han-lab/temporal-shift-module@1f6a834. With dropout 0 the classifier stays `base_model.fc`.
TSM_REPO = add(
    Format(
        "tsm-repo",
        "authors of TSM (TSN, TSM): mit-han-lab/temporal-shift-module",
        all_of(r"^base_model\.", without=r"\.tam\.|_bak\.|\.Tconv\.|policy_net|\.res3a_2\.|\.me\.|\.gsm_|^consensus\."),
        (*AUTHOR, (r"\.conv1\.net\.", ".conv1."), *rules_3d.BN_INCEPTION),
        contracts=BN_INCEPTION_CONTRACTS,
        shift=r"\.conv1\.net\.",
    )
)

#: AdaFuse: mengyuest/AdaFuse@91c3a5d
ADAFUSE_REPO = add(
    Format(
        "adafuse-repo",
        "authors of AdaFuse: mengyuest/AdaFuse",
        all_of(r"^base_model\.(gate_fc0s\.|.*policy_net)"),
        (*AUTHOR, *ADAFUSE, *rules_3d.BN_INCEPTION),
        contracts=BN_INCEPTION_CONTRACTS,
        unused={r"^layer\d+\.\d+\.policy\.fc[01]\.": "another name of a policy's shared layer"},
    )
)

#: TANet: liu-zhy/temporal-adaptive-module@5fcb46f
TANET_REPO = add(
    Format(
        "tanet-repo",
        "authors of TANet: liu-zhy/temporal-adaptive-module",
        all_of(r"^base_model\.", r"\.tam\."),
        (*AUTHOR, (r"^(layer\d+\.\d+)\.net\.", r"\1.")),
    )
)

#: GST: chenxuluo/GST-video@47d39fc
GST_REPO = add(Format("gst-repo", "authors of GST: chenxuluo/GST-video", all_of(r"\.Tconv\.weight$"), AUTHOR))

#: TEA: Phoenix1327/tea-action-recognition@f59e2f8
TEA_REPO = add(
    Format(
        "tea-repo",
        "authors of TEA: Phoenix1327/tea-action-recognition",
        all_of(r"^base_model\..*\.me\.conv1\.", r"\.shifts\.3\."),
        AUTHOR,
    )
)

#: GSM: swathikirans/GSM@43e8eba
GSM_REPO = add(
    Format(
        "gsm-repo",
        "authors of GSM: swathikirans/GSM",
        all_of(r"^base_model\.gsm_\w+\.conv3D\."),
        (*AUTHOR, *rules_3d.GSM, *rules_3d.BN_INCEPTION, *rules_3d.INCEPTION_V3),
        usual=CAFFE,
    )
)

#: TDN: MCG-NJU/TDN@a7c7e9b
TDN_REPO = add(
    Format(
        "tdn-repo",
        "authors of TDN: MCG-NJU/TDN",
        all_of(r"^base_model\.layer\d+_bak\."),
        (*AUTHOR, (r"^(layer\d+)_bak\.", r"\1.")),
    )
)

#: DNR: caidonkey/dnr@0110580 on open-mmlab/mmaction@c7e3b7c; also plain TSN of mmaction 0.x
DNR_REPO = add(
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
    )
)

#: SlowFast, I3D, X3D of facebookresearch/SlowFast@287ec00 (.pyth files)
PYSLOWFAST_REPO = add(
    Format(
        "pyslowfast",
        "PySlowFast (SlowFast, I3D, X3D): facebookresearch/SlowFast",
        all_of(r"^s1\.pathway0_stem\.", r"^head\.projection\."),
        rules_3d.PYSLOWFAST,
        usual=KINETICS,
    )
)

#: R(2+1)D in the original form: moabitcoin/ig65m-pytorch
VMZ = add(
    Format(
        "vmz",
        "R(2+1)D of VMZ as torchvision names it: moabitcoin/ig65m-pytorch",
        all_of(r"^stem\.0\.weight$", r"\.conv1\.0\.3\.weight$"),
        rules_3d.TORCHVISION_VIDEO,
        usual=Contract(mean=(0.43216, 0.394666, 0.37645), std=(0.22803, 0.22145, 0.216989)),
    )
)

#: ECO: mzolfaghari/ECO-pytorch@b175e7c
ECO_REPO = add(
    Format(
        "eco-repo",
        "authors of ECO: mzolfaghari/ECO-pytorch",
        all_of(r"^base_model\.res3a_2\."),
        (*AUTHOR, *rules_3d.BN_INCEPTION, *rules_3d.ECO_VOLUME),
        usual=CAFFE,
    )
)

_SIGNED = Contract(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))

#: I3D on Inception-V1: piergiaj/pytorch-i3d@05783d1
PYTORCH_I3D = add(
    Format(
        "pytorch-i3d",
        "I3D on Inception-V1: piergiaj/pytorch-i3d",
        all_of(r"^Conv3d_1a_7x7\.conv3d\."),
        rules_3d.PYTORCH_I3D,
        usual=_SIGNED,
    )
)

#: S3D: kylemin/S3D@ecd3786
S3D_KYLEMIN = add(
    Format(
        "s3d-kylemin",
        "S3D: kylemin/S3D",
        all_of(r"^base\.0\.conv_s\."),
        rules_3d.S3D_KYLEMIN,
        usual=_SIGNED,
    )
)

#: S3D-G: antoine77340/S3D_HowTo100M@b8cd0bb
S3DG_HOWTO = add(
    Format(
        "s3dg-howto100m",
        "S3D-G of HowTo100M: antoine77340/S3D_HowTo100M",
        all_of(r"^mixed_3b\.conv_b0\."),
        rules_3d.S3DG_HOWTO,
        unused={r"^text_module\.": "the network of texts"},
        usual=Contract(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)),
    )
)

#: P3D-63: qijiezhao/pseudo-3d-pytorch@09bba23
P3D_REPO = add(Format("p3d-repo", "P3D: qijiezhao/pseudo-3d-pytorch", all_of(r"^conv1_custom\."), rules_3d.P3D))

#: CorrNet: tefantasy/CorrNet@e533ef7, which keeps PySlowFast's input
CORRNET = add(
    Format(
        "corrnet-tefantasy",
        "CorrNet of a third party: tefantasy/CorrNet",
        all_of(r"\.correlation\.filter_weight$"),
        rules_3d.CORRNET,
        usual=KINETICS,
    )
)

#: torchvision's and timm's own names, which are ours
PLAIN = add(
    Format(
        "plain",
        "torchvision, timm, or a state dict of this suite",
        all_of(r"^conv1\.weight$", r"^layer\d+\.", without=r"\.big1\.1\."),
    )
)
