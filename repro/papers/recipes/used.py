"""Training recipes and test protocols as their authors give them, for the networks that the papers train.

Sources: DNR's supplement B and `caidonkey/dnr@0110580` (its one configuration); `open-mmlab/mmaction2` v0.15.0, the
version in use when DNR was written; `MCG-NJU/TDN@a7c7e9b`.
"""

from __future__ import annotations

from repro.core.spec import Train, Views, replace
from repro.data.views import FLIP_STHV1, FLIP_STHV2

#: DNR, Kinetics-400 from scratch: 196 epochs, cosine from 0.1, warm-up over 127,840 steps (34 epochs) from 0.01 of it
DNR_K400 = Train(
    epochs=196,
    batch=64,
    lr=0.1,
    sampling="mmaction1_dnr_8x8.train",
    weight_decay=1e-4,
    schedule="cosine",
    warmup_epochs=34,
    warmup_ratio=0.01,
    clip_norm=40,
    crop_rule="multi_scale_5",
)

#: DNR, Kinetics-200 from scratch: 120 epochs, warm-up over 60,000 steps of about 1,250 an epoch; 8 clips a GPU (4.4)
DNR_K200 = replace(DNR_K400, epochs=120, warmup_epochs=48, clips_per_device=8)

#: DNR, Something-Something V1 and V2 from the weights of Kinetics-400. The supplement tells rate, epochs, momentum,
#: decay and test; batch, sampling, clipping and the exchange of left and right are mmaction2's for TSN on these data
DNR_STHV1 = Train(
    epochs=50,
    batch=64,
    lr=0.005,
    sampling="mmaction2.uniform_train_8",
    weight_decay=5e-4,
    schedule="step",
    milestones=(20, 40),
    clip_norm=40,
    crop_rule="multi_scale_5",
    flip_labels=FLIP_STHV1,
)
DNR_STHV2 = replace(DNR_STHV1, flip_labels=FLIP_STHV2)

#: mmaction2 v0.15 tsm_r50_dense_1x1x8_100e_kinetics400_rgb
TSM_K400_DENSE = Train(
    epochs=100,
    batch=64,
    lr=0.02,
    sampling="mmaction2.dense_train_8",
    weight_decay=1e-4,
    groups="tsm",
    schedule="step",
    milestones=(40, 80),
    clip_norm=20,
)

#: mmaction2 v0.15 tanet_r50_dense_1x1x8_100e_kinetics400_rgb
TANET_K400_DENSE = replace(TSM_K400_DENSE, lr=0.01, milestones=(50, 75, 90))

#: TDN's README and main.py, Kinetics-400, 8 segments; crops from the original frame
TDN_K400 = Train(
    epochs=100,
    batch=128,
    lr=0.02,
    sampling="tdn.train_8",
    weight_decay=1e-4,
    groups="tdn",
    schedule="step",
    milestones=(50, 75, 90),
    schedule_by="step",
    clip_norm=20,
    resize=0,
)

#: 10 clips x 3 crops of 256: DNR's supplement B ("uniformly sample 10 clips"), with its code's 8 x 8 windows
DNR_K400_TEST = Views(sampling="mmaction1_dnr_8x8.test_10", clips=10, crops=3, fusion="features")

#: one clip, centre crop: DNR's supplement B; 224 as in mmaction2's test of one view
DNR_STH_TEST = Views(sampling="mmaction2.uniform_test_8", crop=224)

#: 10 dense clips x 3 crops of 256; mmaction2's own configuration takes one centre crop
DENSE_K400_TEST = Views(sampling="mmaction2.dense_test_8", clips=10, crops=3)

#: the authors draw ten random clips a video; these are ten fixed ones
TDN_K400_TEST = replace(DENSE_K400_TEST, sampling="tdn.kinetics_test_8x10")

#: network -> its recipe and test protocol on Kinetics-400, as DNR's Table 6 uses them
KINETICS: dict[str, tuple[Train, Views]] = {
    "tsn": (DNR_K400, DNR_K400_TEST),
    "tsm": (TSM_K400_DENSE, DENSE_K400_TEST),
    "tanet": (TANET_K400_DENSE, DENSE_K400_TEST),
    "tdn": (TDN_K400, TDN_K400_TEST),
}
