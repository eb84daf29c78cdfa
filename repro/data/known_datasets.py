"""Facts of the papers' datasets, which nobody can ship: classes, official sizes, and the copies that are about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

#: share of its videos within which a copy is called the nearest
_NEAR = 0.05


@dataclass(frozen=True)
class Copy:
    """A copy of a split that somebody reported on: its number of videos, and whose it is."""

    split: str
    videos: int
    whose: str


@dataclass(frozen=True)
class Known:
    """One dataset as its makers released it."""

    title: str
    classes: int
    splits: Mapping[str, int]
    """Videos of each split in the official list; `val` is what the papers test on (Diving48 calls it test)."""
    annotations: str
    """The official files, for messages."""
    source: str
    copies: tuple[Copy, ...] = ()
    flip_labels: tuple[tuple[int, int], ...] = ()
    """Labels, in the official order, that change places in a mirrored clip."""
    part_of: str = ""
    """The dataset of which it is a part, by classes or by ids."""
    warm: bool = True
    """Whether its pictures are more red than blue on average, as most are."""


_COPIES_K400 = (
    Copy("val", 19404, "a copy named in threads on accuracies that could not be reproduced (SlowFast, GluonCV)"),
    Copy("val", 19760, "TDN's list: Wang's copy (19,761) less one video (TDN, data/kinetics400; SlowFast #197)"),
    Copy("val", 19761, "Wang's copy, of Non-local networks: what SlowFast and many others test on (SlowFast #255)"),
    Copy("val", 19768, "a tester's copy, 1.6 points below the reported accuracy (SlowFast #28)"),
    Copy("val", 19772, "DNR's copy (supplement, section A)"),
    Copy("val", 19796, "MMAction2's copy (DNR's supplement, section A)"),
    Copy("val", 19799, "a tester's copy (TDN #44)"),
    Copy("val", 19818, "a tester's copy (SlowFast #477)"),
    Copy("val", 13734, "an incomplete mirror of Wang's copy (video-nonlocal-net #67)"),
    Copy("train", 234619, "TDN's list, and the mirror of Wang's copy (video-nonlocal-net #67)"),
    Copy("train", 234643, "Wang's copy (SlowFast #255)"),
    Copy("train", 240171, "DNR's copy (supplement, section A)"),
    Copy("train", 240436, "MMAction2's copy (DNR's supplement, section A)"),
)

KNOWN: dict[str, Known] = {
    "kinetics400": Known(
        "Kinetics-400",
        400,
        {"train": 246534, "val": 19906},
        "kinetics_train.csv and kinetics_val.csv (label,youtube_id,time_start,time_end,split)",
        "Kay et al. 2017, arXiv 1705.06950; sizes of the lists as counted in ActivityNet #38",
        copies=_COPIES_K400,
    ),
    "kinetics200": Known(
        "the 200-class subset of Kinetics-400 of Xie et al. 2018",
        200,
        {"train": 80000, "val": 5000},
        "the Kinetics CSV files with train_ytid_list.txt and val_ytid_list.txt of Mini-Kinetics-200",
        "Xie et al. 2018, arXiv 1712.04851; 400 and 25 videos a class (DNR, supplement, section A)",
        part_of="kinetics400",
    ),
    "minikinetics": Known(
        "Mini-Kinetics as in AR-Net and AdaFuse",
        200,
        {"train": 121215, "val": 9867},
        "mini_train_videofolder.txt and mini_val_videofolder.txt, or the Kinetics CSV files",
        "Meng et al. 2020 (AR-Net), arXiv 2007.15796; 200 classes of Kinetics-400",
        part_of="kinetics400",
    ),
    "sthv1": Known(
        "Something-Something V1",
        174,
        {"train": 86017, "val": 11522},
        "something-something-v1-train.csv, -validation.csv and -labels.csv",
        "Goyal et al. 2017, arXiv 1706.04261",
        flip_labels=((2, 4), (30, 41), (52, 66)),
    ),
    "sthv2": Known(
        "Something-Something V2",
        174,
        {"train": 168913, "val": 24777},
        "something-something-v2-train.json, -validation.json and -labels.json",
        "Goyal et al. 2017, arXiv 1706.04261; Mahdisoltani et al. 2018, arXiv 1804.09235",
        flip_labels=((86, 87), (93, 94), (166, 167)),
    ),
    "jester": Known(
        "Jester V1",
        27,
        {"train": 118562, "val": 14787},
        "jester-v1-train.csv, -validation.csv and -labels.csv",
        "Materzynska et al. 2019, ICCV workshops",
        flip_labels=((0, 1), (6, 7), (14, 15)),
    ),
    "diving48": Known(
        "Diving48",
        48,
        {"train": 15027, "val": 1970},
        "Diving48_V2_train.json, Diving48_V2_test.json and Diving48_vocab.json",
        "Li, Li, Vasconcelos 2018, ECCV; sizes of the cleaned labels (V2, October 2020)",
        copies=(Copy("train", 15943, "the labels of 2018 (V1)"), Copy("val", 2096, "the labels of 2018 (V1)")),
        warm=False,
    ),
}

_UCF = "trainlist01.txt and testlist01.txt of ucfTrainTestlist, or that folder"
_HMDB = "the files *_test_split1.txt of testTrainMulti_7030_splits, or that folder"
_UCF_SIZES, _HMDB_SIZES = ((9537, 3783), (9586, 3734), (9624, 3696)), ((3570, 1530),) * 3
for _number in (1, 2, 3):
    for _family, _title, _classes, _sizes, _files, _source in (
        ("ucf101", "UCF101", 101, _UCF_SIZES, _UCF, "Soomro, Zamir, Shah 2012, arXiv 1212.0402"),
        ("hmdb51", "HMDB51", 51, _HMDB_SIZES, _HMDB, "Kuehne et al. 2011, ICCV"),
    ):
        KNOWN[f"{_family}-{_number}" if _number > 1 else _family] = Known(
            f"{_title}, split {_number} of three",
            _classes,
            dict(zip(("train", "val"), _sizes[_number - 1], strict=True)),
            _files.replace("1.txt", f"{_number}.txt"),
            f"{_source}; results are means over the three splits",
        )


def whose(name: str, split: str, videos: int) -> str:
    """What a number of videos says: the whole official list, somebody's copy, or between which copies it lies."""
    known = KNOWN[name]
    full = known.splits.get(split)
    if videos == full:
        return f"all of the official list ({full:,})"
    copies = sorted((copy for copy in known.copies if copy.split == split), key=lambda copy: copy.videos)
    for copy in copies:
        if copy.videos == videos:
            return copy.whose
    near = min(copies, key=lambda copy: abs(copy.videos - videos), default=None)
    text = f"no copy known to the suite; the official list has {full:,}" if full else "no copy known to the suite"
    close = near is not None and abs(near.videos - videos) < _NEAR * near.videos
    return text + (f"; the nearest is {near.videos:,}, {near.whose}" if near and close else "")
