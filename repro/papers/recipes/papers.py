"""Recipes and test protocols of DNR, AdaFuse and PSN as the papers print them, and as the code of AdaFuse has them.

Sources: DNR section 4.1 and supplement B; AdaFuse section 4 and `mengyuest/AdaFuse@91c3a5d` (scripts `zz_train.sh`,
`main_gate.py`, `ops/`); PSN section "Implementation Details". No code of PSN is public; what it leaves open is taken
from the same author's later `tianyuan168326/EAN-Pytorch@5d846a5` and named in `unstated`.
"""

from __future__ import annotations

from repro.core.spec import Train, Views, frozen, replace
from repro.data.views import FLIP_STHV1, FLIP_STHV2
from repro.papers.recipes.protocol import Protocol
from repro.papers.recipes.used import DNR_K200, DNR_K400, DNR_K400_TEST, DNR_STH_TEST, DNR_STHV1, DNR_STHV2

ADAFUSE_CODE = "mengyuest/AdaFuse@91c3a5d"

#: AdaFuse section 4: TSM's training, rate 0.002
ADAFUSE = Train(
    epochs=50,
    batch=64,
    lr=0.002,
    sampling="tsm.uniform_train_8",
    weight_decay=5e-4,
    groups="tdn",
    schedule="step",
    milestones=(20, 40),
    clip_norm=20,
    resize=0,
    flip=0.0,
)
ADAFUSE_MINIKINETICS = replace(ADAFUSE, flip=0.5)

#: the scripts: R50 on TSN, Something-Something V1
ADAFUSE_CODE_TSN_STHV1 = replace(ADAFUSE, lr=0.01)
#: TSM and TSM+Last, Something-Something V1
ADAFUSE_CODE_TSM_STHV1 = replace(ADAFUSE, lr=0.02)
#: Something-Something V2 and Jester
ADAFUSE_CODE_STHV2 = replace(ADAFUSE, lr=0.02, weight_decay=1e-4)
ADAFUSE_CODE_JESTER = ADAFUSE_CODE_STHV2
ADAFUSE_CODE_MINIKINETICS = replace(ADAFUSE_CODE_STHV2, flip=0.5)

#: one clip, the middles of 8 segments, centre crop of 224
ADAFUSE_TEST = Views(sampling="tsm.uniform_test_8", crop=224, fusion="logits")

#: PSN: rate 0.01 for 50 epochs, then a tenth every 10 epochs, to epoch 80
PSN_STHV1 = Train(
    epochs=80,
    batch=64,
    lr=0.01,
    sampling="tsm.uniform_train_8",
    weight_decay=5e-4,
    groups="tsm-author",
    schedule="step",
    milestones=(50, 60, 70),
    clip_norm=20,
    crop_rule="random",
    flip_labels=FLIP_STHV1,
)
PSN_STHV2 = replace(PSN_STHV1, flip_labels=FLIP_STHV2)
PSN_K400 = replace(PSN_STHV1, flip_labels=())
PSN_DIVING48 = replace(PSN_K400, sampling="tsm.uniform_train_16")
PSN_STHV1_16, PSN_K400_16 = (replace(train, sampling="tsm.uniform_train_16") for train in (PSN_STHV1, PSN_K400))
#: the ablations: short side 128, crops of 112
PSN_STHV1_SMALL = replace(PSN_STHV1, resize=128, crop=112)

#: the middles of 8 segments, centre crop of 224
PSN_TEST = Views(sampling="tsm.uniform_test_8", crop=224, fusion="logits")
PSN_TEST_SMALL = replace(PSN_TEST, resize=128, crop=112)
#: 16 frames, one or two clips
PSN_TEST_16 = PSN_TEST_DIVING48 = replace(PSN_TEST, sampling="tsm.uniform_test_16")
PSN_TEST_DIVING48_2x1 = replace(PSN_TEST, sampling="tsm.twice_test_16", clips=2)
#: 10 clips x 3 crops of 224, whose cost the tables print; how the clips are drawn is not stated
PSN_TEST_10x3 = replace(PSN_TEST, sampling="tam.uniform10_test_8", clips=10, crops=3)
PSN_TEST_16_10x3 = replace(PSN_TEST_10x3, sampling="tam.uniform10_test_16")

_DNR_WHERE, _DNR_SUPPLEMENT = "DNR section 4.1", "DNR supplement B"
_FROM_SUPPLEMENT = frozen(
    dict.fromkeys(
        ("dropout", "train.epochs", "train.lr", "train.momentum", "train.weight_decay", "pretrained"), _DNR_SUPPLEMENT
    )
)
#: what none of the three papers says
_SILENT = tuple(
    f"train.{name}" for name in "nesterov decay_on groups schedule_by clip_norm flip_labels partial_bn amp".split()
)
#: what DNR says of no network
_DNR_SILENT = (*_SILENT, "train.batch", "train.flip")
#: DNR's own training, of TSN with and without DNR
DNR_PAPER_K400 = Protocol(
    where=_DNR_WHERE,
    train=DNR_K400,
    test=DNR_K400_TEST,
    dropout=0.4,
    pretrained="none",
    places=_FROM_SUPPLEMENT,
    said=frozen(
        {
            "train.sampling": "8 frames, 8 apart, at random",
            "train.warmup_epochs": "128K iterations",
            "train.resize": "340x256",
            "train.crop_rule": "multi-scale",
            "test.sampling": "10 clips, uniformly",
            "test.fusion": "mean of the prediction scores",
        }
    ),
    unstated=(*_DNR_SILENT, "train.milestones", "test.resize"),
)
#: of TSM, TANet and TDN the supplement says that it takes mmaction2's public configurations; TDN has none there
DNR_PAPER_K400_OTHERS = Protocol(
    where=_DNR_WHERE,
    test=DNR_K400_TEST,
    pretrained="imagenet",
    places=frozen({"pretrained": "DNR Table 6"}),
    said=frozen(
        {
            "train.epochs": "as mmaction2's public configuration (supplement B)",
            "test.sampling": "10 clips, uniformly",
            "test.fusion": "mean of the prediction scores",
        }
    ),
    unstated=("test.resize",),
)

#: Kinetics-200, of every network: from scratch, by the same recipe but for its length
DNR_PAPER_K200 = replace(
    DNR_PAPER_K400,
    train=DNR_K200,
    said=frozen(DNR_PAPER_K400.said, **{"train.warmup_epochs": "60K iterations", "train.batch": "8 clips a GPU"}),
    places=frozen(_FROM_SUPPLEMENT, **{"train.batch": "DNR section 4.4"}),
    unstated=tuple(name for name in DNR_PAPER_K400.unstated if name != "train.batch"),
)


def _dnr_sth(train: Train) -> Protocol:
    """Something-Something from the weights of Kinetics-400, as supplement B tells it."""
    return Protocol(
        where=_DNR_SUPPLEMENT,
        train=train,
        test=DNR_STH_TEST,
        dropout=0.5,
        pretrained="kinetics400",
        places=frozen({"train.resize": _DNR_WHERE, "train.crop": _DNR_WHERE, "train.crop_rule": _DNR_WHERE}),
        said=frozen({"train.resize": "340x256", "train.crop_rule": "multi-scale", "test.crops": "centre crop"}),
        unstated=(*_DNR_SILENT, "train.sampling", "test.sampling", "test.resize", "test.crop", "test.fusion"),
    )


#: (network, dataset) -> what the paper prints, for the tables of `dnr/`
DNR_PAPER: dict[tuple[str, str], Protocol] = {
    ("tsn", "kinetics400"): DNR_PAPER_K400,
    **dict.fromkeys(((net, "kinetics200") for net in ("tsn", "r2plus1d", "slowfast_8x8")), DNR_PAPER_K200),
    **{("tsn", name): _dnr_sth(train) for name, train in (("sthv1", DNR_STHV1), ("sthv2", DNR_STHV2))},
    **dict.fromkeys((("tsm", "kinetics400"), ("tanet", "kinetics400"), ("tdn", "kinetics400")), DNR_PAPER_K400_OTHERS),
}

#: DNR's released code: one configuration, of TSN-ResNet-50
DNR_CODE_K400 = Protocol(
    where="caidonkey/dnr@0110580, configs/DNR_resnet50_kinetics400_rgb_seg1_f8s8.py",
    train=DNR_K400,
    test=DNR_K400_TEST,
    dropout=0.4,
    pretrained="none",
    said=frozen({"train.warmup_epochs": "34 (127,840 iterations)"}),
    places=frozen({"train.batch": "the same file: 8 clips a GPU; 8 GPUs follow from the warm-up's length"}),
)

#: what neither AdaFuse nor PSN says
_BOTH_SILENT = (
    *_SILENT,
    "train.weight_decay",
    "train.momentum",
    "train.warmup_epochs",
    "train.warmup_ratio",
    "test.fusion",
)


def _adafuse(train: Train) -> Protocol:
    return Protocol(
        where='AdaFuse section 4, "Implementation details"',
        train=train,
        test=ADAFUSE_TEST,
        dropout=0.5,
        pretrained="imagenet",
        said=frozen({"train.sampling": "8 frames, uniformly", "train.crop_rule": "random scaling and cropping"}),
        unstated=(*_BOTH_SILENT, "train.resize", "dropout", "test.resize"),
    )


def _adafuse_code(train: Train) -> Protocol:
    where = f"{ADAFUSE_CODE}, zz_train.sh, main_gate.py and ops/"
    return Protocol(where=where, train=train, test=ADAFUSE_TEST, dropout=0.5, pretrained="imagenet")


ADAFUSE_PAPER: dict[tuple[str, str], Protocol] = {
    **{(net, data): _adafuse(ADAFUSE) for net in ("tsn", "tsm") for data in ("sthv1", "sthv2", "jester")},
    ("tsn", "minikinetics"): _adafuse(ADAFUSE_MINIKINETICS),
}
ADAFUSE_AUTHORS: dict[tuple[str, str], Protocol] = {
    ("tsn", "sthv1"): _adafuse_code(ADAFUSE_CODE_TSN_STHV1),
    ("tsm", "sthv1"): _adafuse_code(ADAFUSE_CODE_TSM_STHV1),
    **{(net, "sthv2"): _adafuse_code(ADAFUSE_CODE_STHV2) for net in ("tsn", "tsm")},
    ("tsn", "jester"): _adafuse_code(ADAFUSE_CODE_JESTER),
    ("tsn", "minikinetics"): _adafuse_code(ADAFUSE_CODE_MINIKINETICS),
}


def _psn(train: Train, test: Views = PSN_TEST) -> Protocol:
    said = {"train.sampling": "sparse, as TSN", "train.epochs": "about 80", "train.flip": "random"}
    small = {"train.resize": "256; ablations 128", "train.crop": "224; ablations 112"}
    small |= {f"test.{name}": small[f"train.{name}"] for name in ("resize", "crop")}
    return Protocol(
        where='PSN, "Implementation Details" and "Ablation Study"',
        train=train,
        test=test,
        dropout=0.3,
        pretrained="imagenet",
        said=frozen(said, **(small if train == PSN_STHV1 else {})),
        unstated=_BOTH_SILENT,
    )


#: Table 1 runs TSM and GST by the same training
PSN_PAPER: dict[tuple[str, str], Protocol] = {
    **dict.fromkeys(((network, "sthv1") for network in ("tsn", "tsm", "gst")), _psn(PSN_STHV1)),
    ("tsn", "sthv2"): _psn(PSN_STHV2),
    ("tsn", "kinetics400"): _psn(PSN_K400),
    ("tsn", "diving48"): _psn(PSN_DIVING48, PSN_TEST_DIVING48),
}
