"""Recipes and test protocols of the networks that the tables only quote, one block a network.

`PROTOCOLS` has what the networks' authors published as code. Where there is no such code, `QUOTED` has the little that
the paper with the table says of the row; the rest is not stated, and is not filled in from memory.
"""

from __future__ import annotations

from repro.core.spec import Train, Views, frozen, replace
from repro.data.views import FLIP_STHV1
from repro.papers.recipes.protocol import Protocol

#: (network, dataset) -> the protocol of its authors' code
PROTOCOLS: dict[tuple[str, str], Protocol] = {}
#: paper whose table quotes the network -> (network, dataset) -> what that table says
QUOTED: dict[str, dict[tuple[str, str], Protocol]] = {"dnr": {}, "adafuse": {}, "psn": {}}

#: what a table leaves open that prints frames, views and pretraining alone
_OPEN = ("dropout", "test.sampling", "test.resize", "test.crop", "test.fusion")


def quoted_views(where: str, frames: int) -> Protocol:
    """A row of `frames` frames, 10 clips x 3 crops, from ImageNet; the sampling rule is ours, not stated there."""
    test = Views(sampling=f"mmaction2.dense_test_{frames}", clips=10, crops=3)
    return Protocol(where=where, test=test, pretrained="imagenet", unstated=_OPEN)


# TEA ------------------------------------------------------------------------------------------------------------

TEA = "Phoenix1327/tea-action-recognition@f59e2f8"

#: scripts/train_tea_something_rgb_8f.sh, main.py, opts.py: clips are not mirrored, the classifier has 5 times the rate
TEA_STHV1 = Train(
    epochs=50,
    batch=64,
    lr=0.02,
    sampling="tsm.uniform_train_8",
    weight_decay=5e-4,
    groups="tsm",
    schedule="step",
    milestones=(30, 40, 45),
    clip_norm=20,
    resize=0,
    flip=0.0,
)
#: scripts/single_test_tea_something_rgb_8f.sh, the efficient protocol: one clip, centre crop of 224
TEA_TEST_1x1 = Views(sampling="tsm.uniform_test_8", crop=224, fusion="logits")

PROTOCOLS["tea", "sthv1"] = Protocol(
    where=f"{TEA}, scripts/train_tea_something_rgb_8f.sh, main.py, opts.py and test_models.py",
    train=TEA_STHV1,
    test=TEA_TEST_1x1,
    dropout=0.5,
    pretrained="imagenet",
    said=frozen({"pretrained": "imagenet, of Res2Net-50 26w4s"}),
)
QUOTED["psn"]["tea", "kinetics400"] = quoted_views("PSN Table 5", 8)
# the column of pretraining cannot be read there
QUOTED["dnr"]["tea", "kinetics400"] = replace(quoted_views("DNR Table 6", 16), unstated=(*_OPEN, "pretrained"))

# GSM ------------------------------------------------------------------------------------------------------------

GSM = "swathikirans/GSM@43e8eba"

#: README: BN-Inception, 8 frames
GSM_STHV1 = Train(
    epochs=60,
    batch=32,
    lr=0.01,
    sampling="tsm.uniform_train_8",
    weight_decay=5e-4,
    schedule="cosine",
    warmup_epochs=10,
    clip_norm=20,
    resize=0,
    flip_labels=FLIP_STHV1,
)
#: test_models.py: one clip, centre crop
GSM_TEST_1x1 = Views(sampling="tsm.uniform_test_8", crop=224, fusion="logits")
#: eval_scripts/eval_IncV3_seg16_1clip.sh: short side 261
GSM_TEST_V3_1x1 = Views(sampling="tsm.uniform_test_16", resize=261, crop=229, fusion="logits")
#: eval_scripts/eval_IncV3_seg16_2clip_diving.sh: beginnings and middles of the segments; the row of PSN Table 6
GSM_TEST_V3_2x1 = replace(GSM_TEST_V3_1x1, sampling="tsm.twice_test_16", clips=2)

PROTOCOLS["gsm", "sthv1"] = Protocol(
    where=f"{GSM}, README, opts.py, main.py and test_models.py",
    train=GSM_STHV1,
    test=GSM_TEST_1x1,
    dropout=0.5,
    pretrained="imagenet",
    said=frozen(
        {
            "train.batch": "16, gradients of two batches added",
            "train.clip_norm": "20, after each of the two batches",
            "train.schedule": "cosine over the 50 epochs after the warm-up",
            "train.flip_labels": "those of V2: 86-87 93-94 166-167",
        }
    ),
)
PROTOCOLS["gsm", "diving48"] = Protocol(
    where=f"{GSM}, eval_scripts/eval_IncV3_seg16_2clip_diving.sh and models.py: Inception-v3",
    test=GSM_TEST_V3_2x1,
    dropout=0.5,
    pretrained="imagenet",
)

# STM: no public code --------------------------------------------------------------------------------------------

QUOTED["psn"]["stm", "sthv1"] = quoted_views("PSN Table 4", 16)
QUOTED["psn"]["stm", "kinetics400"] = quoted_views("PSN Table 5", 16)

# TEINet: no public code -----------------------------------------------------------------------------------------

QUOTED["dnr"]["teinet", "kinetics400"] = quoted_views("DNR Table 6", 8)
