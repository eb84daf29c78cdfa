"""Datasets that are a part of Kinetics-400, taken out of its annotation files: by class names, or by lists of ids."""

from __future__ import annotations

from collections.abc import Sequence

from repro.core.errors import DataError
from repro.data.annotations import Annotations, Entry
from repro.data.known_datasets import KNOWN
from repro.data.label_maps import official, plain


def select(
    name: str, entries: Sequence[Entry], given: Sequence[str], lists: Sequence[Annotations]
) -> tuple[list[Entry], list[str]]:
    """The entries that belong to dataset `name`, and remarks on what was left out.

    `lists` hold YouTube ids (Mini-Kinetics-200's `train_ytid_list.txt`): a split that has one is cut down to it. Names
    of other classes of the whole dataset are left out where the classes of the part are known, from `given` or from
    the suite. DataError for ids without any annotation file that tells their classes.
    """
    kept, notes = list(entries), []
    for file in lists:
        ids = {entry.names[0] for entry in file.entries}
        splits = {entry.split for entry in file.entries}
        chosen = [entry for entry in kept if entry.split not in splits or entry.names[-1] in ids]
        unknown = len(ids) - len({entry.names[-1] for entry in chosen if entry.split in splits})
        if unknown:
            notes.append(f"{unknown:,} ids of {file.file.name} are in no annotation file")
        kept = chosen
    if lists and not kept:
        raise DataError(
            f"the id lists of {name} do not tell the classes, and no annotation file lists these ids",
            fix="--annotations kinetics_train.csv kinetics_val.csv train_ytid_list.txt val_ytid_list.txt",
        )
    whole, classes = KNOWN[name].part_of, given or official(name)
    if whole and classes:
        wanted, all_names = set(map(plain, classes)), set(map(plain, official(whole) or ()))
        others = all_names - wanted
        inside = [entry for entry in kept if not (isinstance(entry.label, str) and plain(entry.label) in others)]
        if len(inside) < len(kept):
            notes.append(f"{len(kept) - len(inside):,} videos of the other classes of {whole} were left out")
        kept = inside
    return kept, notes
