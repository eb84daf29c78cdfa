"""Recipes and test protocols of the networks' own repositories: TSM (which trains TSN too), TAM and TDN.

Sources: `mit-han-lab/temporal-shift-module@1f6a834`, `liu-zhy/temporal-adaptive-module@5fcb46f`, `MCG-NJU/TDN@a7c7e9b`:
README, scripts, main.py and ops/. All crop at training from the original frame, at 13 positions, and freeze no batch
normalization (`--npb`).

Known differences. TSM's and TAM's parameter groups give every nn.Linear five times the rate, also those inside TAM. TDN
exchanges the labels of Something-Something V2 when it mirrors clips of V1; V1's own are used here.
"""

from __future__ import annotations

from repro.core.spec import Train, Views, frozen, replace
from repro.data.views import FLIP_STHV1, FLIP_STHV2
from repro.papers.recipes.protocol import Protocol
from repro.papers.recipes.used import TDN_K400, TDN_K400_TEST

TSM = "mit-han-lab/temporal-shift-module@1f6a834"
TAM = "liu-zhy/temporal-adaptive-module@5fcb46f"
TDN = "MCG-NJU/TDN@a7c7e9b"

#: scripts/train_tsm_kinetics_rgb_8f.sh; TSN trains alike, without the shift
TSM_K400 = Train(
    epochs=50,
    batch=128,
    lr=0.02,
    sampling="tsm.uniform_train_8",
    groups="tsm-author",
    schedule="step",
    milestones=(20, 40),
    clip_norm=20,
    resize=0,
)

#: scripts/train_tsm_something_rgb_8f.sh; clips are not mirrored
TSM_STH = replace(TSM_K400, batch=64, lr=0.01, weight_decay=5e-4, flip=0.0)

#: scripts/train_tam_kinetics_rgb_8f.sh: rate 0.01 with 8 clips on each of 8 GPUs
TAM_K400 = replace(TSM_K400, epochs=100, batch=64, lr=0.01, sampling="tam.dense_train_8", milestones=(50, 75, 90))

#: scripts/train_tam_something_rgb_8f.sh
TAM_STHV1 = replace(
    TAM_K400,
    epochs=50,
    sampling="tam.uniform_train_8",
    milestones=(30, 40, 45),
    weight_decay=1e-3,
    flip=0.0,
)

#: scripts/train_tam_somethingv2_rgb_8f.sh
TAM_STHV2 = replace(TAM_STHV1, batch=128, lr=0.02, weight_decay=5e-4, flip=0.5, flip_labels=FLIP_STHV2)

#: README and main.py, Something-Something
TDN_STHV1 = replace(
    TDN_K400,
    epochs=60,
    batch=64,
    lr=0.01,
    weight_decay=5e-4,
    milestones=(30, 45, 55),
    flip_labels=FLIP_STHV1,
)
TDN_STHV2 = replace(TDN_STHV1, flip_labels=FLIP_STHV2)

#: one clip, centre crop of 224
TSM_TEST_1x1 = Views(sampling="tsm.uniform_test_8", crop=224, fusion="logits")
#: two clips (`--twice_sample`) x 3 crops of 256 (`--full_res`)
TSM_TEST_2x3 = Views(sampling="tsm.twice_test_8", clips=2, crops=3, fusion="logits")
#: ten dense clips x 3 crops of 256
TSM_TEST_DENSE_10x3 = Views(sampling="tsm.dense_test_8", clips=10, crops=3, fusion="logits")

#: `--sample dense-10`
TAM_TEST_DENSE_10x3 = replace(TSM_TEST_DENSE_10x3, sampling="tam.dense10_test_8")
TAM_TEST_1x1 = replace(TSM_TEST_1x1, sampling="tam.uniform1_test_8")
#: `--sample uniform-2`
TAM_TEST_2x3 = replace(TSM_TEST_2x3, sampling="tam.uniform2_test_8")

#: as the authors test: ten random clips a video, here from a seed
TDN_K400_TEST_RANDOM = replace(TDN_K400_TEST, sampling="tdn.kinetics_random_8x10")
#: one clip, centre crop of 224
TDN_TEST_1x1 = Views(sampling="tdn.sthsth_test_8", crop=224)

_TDN_TEST = frozen({"test.sampling": f"{TDN}, ops/dataset.py:86 and :177 (the training rule, unseeded)"})


def _of(where: str, train: Train, test: Views, dropout: float = 0.5) -> Protocol:
    said = frozen({"train.last_batch": "drop"})  # main.py: drop_last=True
    return Protocol(where=where, train=train, test=test, dropout=dropout, pretrained="imagenet", said=said)


#: (network, dataset) -> the protocol of its authors
PROTOCOLS: dict[tuple[str, str], Protocol] = {
    ("tsn", "kinetics400"): _of(f"{TSM}, README and scripts/test_tsm_kinetics_rgb_8f.sh", TSM_K400, TSM_TEST_1x1),
    ("tsm", "kinetics400"): _of(f"{TSM}, scripts/train_tsm_kinetics_rgb_8f.sh and README", TSM_K400, TSM_TEST_1x1),
    ("tsm", "sthv1"): _of(f"{TSM}, scripts/train_tsm_something_rgb_8f.sh and README", TSM_STH, TSM_TEST_1x1),
    ("tsm", "sthv2"): _of(f"{TSM}, scripts/train_tsm_somethingv2_rgb_8f.sh and README", TSM_STH, TSM_TEST_2x3),
    ("tanet", "kinetics400"): _of(
        f"{TAM}, scripts/train_tam_kinetics_rgb_8f.sh and README", TAM_K400, TAM_TEST_DENSE_10x3
    ),
    ("tanet", "sthv1"): _of(f"{TAM}, scripts/train_tam_something_rgb_8f.sh and README", TAM_STHV1, TAM_TEST_1x1, 0.6),
    ("tanet", "sthv2"): _of(f"{TAM}, scripts/train_tam_somethingv2_rgb_8f.sh and README", TAM_STHV2, TAM_TEST_2x3),
    ("tdn", "kinetics400"): replace(
        _of(f"{TDN}, README and main.py", TDN_K400, TDN_K400_TEST_RANDOM), places=_TDN_TEST
    ),
    ("tdn", "sthv1"): replace(
        _of(f"{TDN}, README and main.py", TDN_STHV1, TDN_TEST_1x1),
        said=frozen({"train.flip_labels": "those of V2: 86-87 93-94 166-167", "train.last_batch": "drop"}),
    ),
    ("tdn", "sthv2"): _of(f"{TDN}, README and main.py", TDN_STHV2, TDN_TEST_1x1),
}
