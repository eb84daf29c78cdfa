"""Formats of the networks over 2D backbones that the papers' tables quote."""

from __future__ import annotations

from repro.models.formats.format import AUTHOR, BN_INCEPTION_CONTRACTS, Format, add, all_of
from repro.models.formats.rules_3d import BN_INCEPTION

_STEM = "tam|b_conv0|bn_b0|l_conv[012]|bn_l[012]|bl_init|bn_bl_init"

#: bLVNet-TAM: IBM/bLVNet-TAM@feadcd3
BLVNET_REPO = add(
    Format(
        "blvnet-repo",
        "authors of bLVNet-TAM: IBM/bLVNet-TAM",
        all_of(r"^baseline_model\.layer1\.little_e\."),
        (
            (r"^baseline_model\.", ""),
            (r"^new_fc\.", "fc."),
            (rf"^({_STEM})\.", r"stem.\1."),
        ),
    )
)

#: TRN: zhoubolei/TRN-pytorch@060509c
TRN_REPO = add(
    Format(
        "trn-repo",
        "authors of TRN, multi-scale: zhoubolei/TRN-pytorch",
        all_of(r"^base_model\.", r"^consensus\.fc_fusion_scales\.0\.1\."),
        (
            (r"^new_fc\.", "frame_fc."),
            (r"^consensus\.fc_fusion_scales\.(\d+)\.1\.", r"relations.\1.hidden."),
            (r"^consensus\.fc_fusion_scales\.(\d+)\.3\.", r"relations.\1.fc."),
            *AUTHOR,
            *BN_INCEPTION,
        ),
        contracts=BN_INCEPTION_CONTRACTS,
    )
)

#: SmallBigNet: xhl-video/SmallBigNet@9e6d9ea
SMALLBIG_REPO = add(
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
    )
)

#: AR-Net: mengyuest/AR-Net@2a9d72b
ARNET_REPO = add(
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
    )
)
