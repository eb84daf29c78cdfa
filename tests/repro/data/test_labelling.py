"""Labels in the official order: whatever the file's own order and spelling, or a refusal that says why."""

from __future__ import annotations

import random

import pytest

from repro.core.errors import DataError, UnknownName
from repro.data.annotations import Entry
from repro.data.known_datasets import KNOWN, whose
from repro.data.label_maps import difference, fingerprint, flip_pairs, official, plain
from repro.data.labelling import number

SHIPPED = ("kinetics400", "minikinetics", "sthv1", "sthv2", "jester", "diving48", "ucf101", "hmdb51", "ucf101-2")


@pytest.mark.parametrize("name", SHIPPED)
def test_the_official_lists_are_whole_and_their_mirrored_classes_are_those_registered(name):
    classes = official(name)
    assert classes is not None and len(classes) == len(set(map(plain, classes))) == KNOWN[name].classes
    if name in ("sthv1", "sthv2", "jester"):
        assert flip_pairs(classes) == KNOWN[name].flip_labels != ()


def test_the_lists_agree_where_they_must():
    assert set(official("minikinetics")) < set(official("kinetics400"))
    assert sorted(official("sthv1")) == list(official("sthv2"))
    assert official("sthv1")[0] == "Holding something" and official("kinetics400")[208].startswith("passing American")
    assert official("kinetics200") is None


def test_spellings_are_equal_and_orders_are_not():
    classes = ("passing American football (in game)", "massaging person's head")
    other = ("passing_american_football_(in_game)", "massaging_persons_head")
    assert fingerprint(classes) == fingerprint(other) != fingerprint(classes[::-1])
    assert difference(other, classes) is None
    assert "another order, alphabetically ordered: 2 of them moved" in str(difference(classes[::-1], classes))
    assert "1 unknown, the first 'x'" in str(difference(("x", classes[0]), classes))


def entries(labels, folders=None):
    names = [f"{folder}/v{place}" for place, folder in enumerate(folders or ["all"] * len(labels))]
    return [
        Entry((name,), label, "train", 9, place + 1, True)
        for place, (name, label) in enumerate(zip(names, labels, strict=True))
    ]


def test_a_list_in_another_order_is_turned_to_the_official_one():
    ordered = sorted(official("sthv1"))
    named = number("sthv1", entries([0, 93, 94]), tuple(ordered))
    assert [named.classes[place] for place in named.numbers] == [ordered[0], ordered[93], ordered[94]]
    assert "alphabetically ordered" in named.notes[0] and named.classes == official("sthv1")


@pytest.mark.parametrize("name", ["sthv1", "jester"])
def test_numbers_that_could_mean_two_things_are_refused(name):
    with pytest.raises(DataError, match=r"TSM and TDN number.*--labels FILE"):
        number(name, entries([0, 1]), ())
    assert number("sthv2", entries([0, 1]), ()).numbers == (0, 1)


def test_a_shuffled_label_map_shows_in_the_class_folders():
    classes = list(official("kinetics400"))
    labels = [place for place in range(40) for _ in range(3)]
    folders = [classes[place].replace(" ", "_") for place in labels]
    assert number("kinetics400", entries(labels, folders), ()).numbers == tuple(labels)
    random.Random(0).shuffle(classes)
    with pytest.raises(DataError, match=r"shuffled label map: .* of 120 videos.*label \d+ means"):
        number("kinetics400", entries(labels, folders), tuple(classes))


def test_labels_from_1_show_in_the_class_folders():
    classes = official("kinetics400")
    folders = [classes[place] for place in range(40)]
    labels = list(range(1, 41))
    with pytest.raises(DataError, match=r"count from 1.*--first-label 1"):
        number("kinetics400", entries(labels, folders), ())
    assert number("kinetics400", entries(labels, folders), (), 1).numbers == tuple(range(40))


@pytest.mark.parametrize(
    "labels, first, part",
    [
        ([1, 400], 0, r"count from 1.*--first-label 1"),
        ([0, 401], 0, "line 2: label 401"),
        ([0, 5], 1, "line 1: label 0"),
    ],
)
def test_numbers_out_of_range_are_named(labels, first, part):
    with pytest.raises(DataError, match=part):
        number("kinetics400", entries(labels), (), first)
    assert number("kinetics400", entries([1, 400]), (), 1).numbers == (0, 399)


def test_names_that_are_no_class_and_files_of_another_dataset_are_refused():
    with pytest.raises(UnknownName, match="did you mean archery"):
        number("kinetics400", [Entry(("a",), "archerry", "train")], ())
    with pytest.raises(DataError, match="does not fit jester: 48 names, 27 are official"):
        number("jester", entries([0]), official("diving48"))


def test_sizes_are_known_by_whose_copy_has_them():
    assert "official list" in whose("kinetics400", "val", 19906)
    assert "Wang" in whose("kinetics400", "val", 19761) and "DNR" in whose("kinetics400", "val", 19772)
    assert "MMAction2" in whose("kinetics400", "val", 19796)
    assert "nearest is 19,818" in whose("kinetics400", "val", 19820)
    assert "nearest" not in whose("kinetics400", "val", 4)
