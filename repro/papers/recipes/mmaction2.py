"""Recipes and test protocols of `open-mmlab/mmaction2`, for the networks that the papers train or quote.

`V015` is v0.15.0 (May 2021), in use when DNR was written; `V1` is v1.2.0 (`4d6c934`). Batch sizes are those of 8 GPUs.
Scores are averaged after a softmax (`average_clips="prob"`), but TSNHead averages features.

Known differences. The files of v1.2.0 on Something-Something V2 mirror clips without exchanging the labels of left and
right; that is kept here, as it is what their numbers were made with.
"""

from __future__ import annotations

from repro.core.spec import Train, Views, frozen, replace
from repro.data.views import FLIP_STHV1
from repro.papers.recipes.protocol import Protocol
from repro.papers.recipes.used import TANET_K400_DENSE, TSM_K400_DENSE

V015 = "open-mmlab/mmaction2 v0.15.0, configs/recognition"
V1 = "open-mmlab/mmaction2@4d6c934 (v1.2.0), configs/recognition"

#: v1.2.0, 8 x 32 clips, ImageNet weights
TSN_K400 = Train(
    epochs=100,
    batch=256,
    lr=0.01,
    sampling="mmaction2.uniform_train_8",
    schedule="step",
    milestones=(40, 80),
    clip_norm=40,
    crop_rule="multi_scale_5",
)

TSN_STHV2 = replace(TSN_K400, epochs=50, milestones=(20, 40))

#: 8 x 12 clips, one dense window of 64 frames
TSN_K400_DENSE = replace(TSN_K400, batch=96, lr=0.005, sampling="mmaction2.dense_train_8", crop_rule="multi_scale")

#: v1.2.0, 8 x 16 clips
TSM_K400 = Train(
    epochs=50,
    batch=128,
    lr=0.02,
    sampling="mmaction2.uniform_train_8",
    groups="tsm",
    schedule="step",
    milestones=(25, 45),
    warmup_epochs=5,
    clip_norm=20,
)

TSM_STHV2 = replace(TSM_K400, weight_decay=5e-4)

#: v0.15.0, 8 x 8 clips, no mirroring
TSM_STHV1_V015 = replace(
    TSM_K400, batch=64, lr=0.01, weight_decay=5e-4, milestones=(20, 40), warmup_epochs=0.0, flip=0.0
)

#: v0.15.0, 8 x 6 clips
TSM_STHV2_V015 = replace(TSM_STHV1_V015, batch=48, lr=0.0075)

#: 8 frames, mirrored with the labels of left and right exchanged
TANET_STHV1 = replace(TSM_STHV1_V015, weight_decay=1e-3, milestones=(30, 40, 45), flip=0.5, flip_labels=FLIP_STHV1)

#: v1.2.0, windows of 8 frames, 8 apart; from scratch
R2PLUS1D_K400 = Train(
    epochs=180,
    batch=64,
    lr=0.01,
    sampling="mmaction2.clip_8x8_train",
    schedule="cosine",
    clip_norm=40,
    crop_rule="random_resized",
)

#: windows of 32 frames, 2 apart, of which the slow path takes 8; from scratch
SLOWFAST_K400 = replace(
    R2PLUS1D_K400, epochs=256, lr=0.1, sampling="mmaction2.clip_32x2_train", warmup_epochs=34, warmup_ratio=0.1
)

#: 25 single frames x 10 crops of 224, features averaged over all 250
TEST_25x10 = Views(sampling="mmaction2.clip_1x1_test_25", clips=25, crops=10, crop=224, fusion="features")

#: one clip x 10 crops of 224
TEST_1x10 = Views(sampling="mmaction2.uniform_test_8", clips=1, crops=10, crop=224)

#: one clip, centre crop of 224: the "efficient" test on Something-Something
TEST_1x1 = replace(TEST_1x10, crops=1)

#: middles and beginnings of the segments x 3 crops of 256: the "accurate" test on Something-Something
TEST_2x3 = Views(sampling="mmaction2.uniform_test_8_twice", clips=2, crops=3)

#: middles and beginnings x 10 crops of 224
TEST_2x10 = replace(TEST_2x3, crops=10, crop=224)

#: ten dense windows, centre crop of 224
TEST_DENSE_10x1 = Views(sampling="mmaction2.dense_test_8", clips=10, crops=1, crop=224)

#: ten dense windows x 3 crops of 256
TEST_DENSE_10x3 = Views(sampling="mmaction2.dense_test_8", clips=10, crops=3)

#: ten windows of 8 frames, 8 apart, x 3 crops of 256
TEST_8x8_10x3 = Views(sampling="mmaction2.clip_8x8_test_10", clips=10, crops=3)

TEST_32x2_10x3 = replace(TEST_8x8_10x3, sampling="mmaction2.clip_32x2_test_10")

#: mmaction/datasets/builder.py of v0.15.0, and the data loaders of v1.2.0: `drop_last` is off
_IMAGENET = Protocol(where="", dropout=0.5, pretrained="imagenet", said=frozen({"train.last_batch": "smaller"}))


def _of(file: str, train: Train, test: Views, dropout: float = 0.5, pretrained: str = "imagenet") -> Protocol:
    return replace(_IMAGENET, where=file, train=train, test=test, dropout=dropout, pretrained=pretrained)


#: (network, dataset) -> the protocol of v0.15.0
PROTOCOLS_V015: dict[tuple[str, str], Protocol] = {
    ("tsn", "kinetics400"): replace(
        _of(
            "open-mmlab/mmaction2@0e0d1d7, configs/recognition/tsn/tsn_r50_dense_1x1x8_100e_kinetics400_rgb.py",
            TSN_K400_DENSE,
            replace(TEST_DENSE_10x1, fusion="features"),
            0.4,
        ),
        places=frozen({"test.fusion": "open-mmlab/mmaction2 v0.15.0, mmaction/models/heads/tsn_head.py"}),
    ),
    ("tsm", "kinetics400"): _of(
        f"{V015}/tsm/tsm_r50_dense_1x1x8_100e_kinetics400_rgb.py", TSM_K400_DENSE, TEST_DENSE_10x1
    ),
    ("tanet", "kinetics400"): _of(
        f"{V015}/tanet/tanet_r50_dense_1x1x8_100e_kinetics400_rgb.py", TANET_K400_DENSE, TEST_DENSE_10x3
    ),
    ("tsm", "sthv1"): _of(f"{V015}/tsm/tsm_r50_1x1x8_50e_sthv1_rgb.py", TSM_STHV1_V015, TEST_1x1),
    ("tsm", "sthv2"): _of(f"{V015}/tsm/tsm_r50_1x1x8_50e_sthv2_rgb.py", TSM_STHV2_V015, TEST_1x1),
    ("tanet", "sthv1"): _of(f"{V015}/tanet/tanet_r50_1x1x8_50e_sthv1_rgb.py", TANET_STHV1, TEST_2x3, 0.6),
}

#: (network, dataset) -> the protocol of v1.2.0
PROTOCOLS_V1: dict[tuple[str, str], Protocol] = {
    ("tsn", "kinetics400"): _of(
        f"{V1}/tsn/tsn_imagenet-pretrained-r50_8xb32-1x1x8-100e_kinetics400-rgb.py", TSN_K400, TEST_25x10, 0.4
    ),
    ("tsn", "sthv2"): _of(f"{V1}/tsn/tsn_imagenet-pretrained-r50_8xb32-1x1x8-50e_sthv2-rgb.py", TSN_STHV2, TEST_25x10),
    ("tsm", "kinetics400"): _of(
        f"{V1}/tsm/tsm_imagenet-pretrained-r50_8xb16-1x1x8-50e_kinetics400-rgb.py", TSM_K400, TEST_1x10
    ),
    ("tsm", "sthv2"): _of(f"{V1}/tsm/tsm_imagenet-pretrained-r50_8xb16-1x1x8-50e_sthv2-rgb.py", TSM_STHV2, TEST_2x10),
    ("tanet", "kinetics400"): _of(
        f"{V1}/tanet/tanet_imagenet-pretrained-r50_8xb8-dense-1x1x8-100e_kinetics400-rgb.py",
        TANET_K400_DENSE,
        TEST_DENSE_10x3,
    ),
    ("tanet", "sthv1"): _of(
        f"{V1}/tanet/tanet_imagenet-pretrained-r50_8xb8-1x1x8-50e_sthv1-rgb.py", TANET_STHV1, TEST_2x3, 0.6
    ),
    ("r2plus1d", "kinetics400"): _of(
        f"{V1}/r2plus1d/r2plus1d_r34_8xb8-8x8x1-180e_kinetics400-rgb.py", R2PLUS1D_K400, TEST_8x8_10x3, 0.5, "none"
    ),
    ("slowfast_8x8", "kinetics400"): _of(
        f"{V1}/slowfast/slowfast_r50_8xb8-8x8x1-256e_kinetics400-rgb.py", SLOWFAST_K400, TEST_32x2_10x3, 0.5, "none"
    ),
}
