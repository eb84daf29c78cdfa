"""Parts of Kinetics-400 out of its own files: by ids, by classes, and what is said of the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from repro.core.errors import DataError
from repro.data.annotations import Annotations, Entry
from repro.data.label_maps import official
from repro.data.subsets import select

IDS = ("abcdefgh_00", "abcdefgh_01", "abcdefgh_02")
ENTRIES = [
    Entry((f"{video}_000000_000010", video), label, "train")
    for video, label in zip(IDS, ("yoga", "zumba", "yawning"), strict=True)
]


def ids(*chosen, split="train"):
    return Annotations(Path(f"{split}_ytid_list.txt"), "ids", tuple(Entry((video,), None, split) for video in chosen))


def test_a_list_of_ids_cuts_its_split_down_and_leaves_the_others():
    val = Entry(("zzzzzzzz_00_000000_000010", "zzzzzzzz_00"), "yoga", "val")
    kept, notes = select("kinetics200", [*ENTRIES, val], (), [ids(IDS[0], "not-there-1")])
    assert kept == [ENTRIES[0], val] and notes == ["1 ids of train_ytid_list.txt are in no annotation file"]


def test_classes_outside_the_part_are_left_out_and_strange_names_stay_to_be_refused():
    strange = Entry(("x", "x"), "no such class", "train")
    kept, notes = select("minikinetics", [*ENTRIES, strange], (), [])
    assert kept == [ENTRIES[0], ENTRIES[2], strange] and "1 videos of the other classes of kinetics400" in notes[0]
    assert select("kinetics400", ENTRIES, (), []) == (ENTRIES, [])
    assert select("kinetics200", ENTRIES, official("minikinetics"), [])[0] == kept[:2]


def test_ids_alone_tell_no_class():
    with pytest.raises(DataError, match=r"do not tell the classes.*kinetics_train\.csv"):
        select("kinetics200", [], (), [ids(*IDS)])
