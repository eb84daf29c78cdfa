"""What a check says of a copy: each fault with its evidence and how to mend it. Pure functions of what was seen.

Some faults are certain (a truncated file). Others can only be suspected: colour channels in the wrong order are known
for sure where a video lies beside its frames. Else the check counts the videos that are more blue than red: the mean
of Kinetics is 110.6 red, 103.2 green, 96.3 blue (Hara et al. 2018, their code's `mean.py`), so that a majority of blue
videos is a reason to look. Diving48 shows water, of which that says nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import comb
from typing import Literal

from repro.data.annotations import Annotations
from repro.data.catalogue import Catalogue, Row
from repro.data.known_datasets import KNOWN, whose
from repro.data.label_maps import difference, official, plain
from repro.data.locate import video_id

#: how unlikely chance must be before a colour order is suspected, in how many telling videos at least
_CHANCE, _TELLING = 1e-3, 12
#: grey levels by which red and blue must differ in a video that tells
_GAP = 2.0
#: mean difference in grey levels beyond which frames are not those of the video beside them
_SAME, _CLEARLY = 12.0, 2.0

#: datasets that number their videos from 1, and how their folders are called
_NUMBERED = {
    "sthv1": ("somethingv1", "sthv1", "sthsthv1", "smthv1"),
    "sthv2": ("somethingv2", "sthv2", "sthsthv2", "smthv2"),
    "jester": ("jester",),
}


@dataclass(frozen=True)
class Finding:
    """One fault or remark; `fix` mends it."""

    level: Literal["error", "suspect", "note"]
    kind: str
    text: str
    fix: str = ""

    def __str__(self) -> str:
        return f"{self.level} ({self.kind}): {self.text}" + (f"; try: {self.fix}" if self.fix else "")


@dataclass(frozen=True)
class Seen:
    """What a worker saw of one video: frames that decode, and by how many grey levels red exceeds blue on average."""

    frames: int
    red_over_blue: float
    beside: float | None = None
    """Mean difference in grey levels to the same frame of a video beside the frames; None without one."""
    beside_exchanged: float | None = None
    bytes: int = -1
    refused: bool = False
    """Whether the decoder that was named is not used for it."""


def colour_order(name: str, seen: Sequence[Seen]) -> list[Finding]:
    """BGR where RGB should be: certain beside the videos, a suspicion from the mean colours alone."""
    pairs = [(s.beside, s.beside_exchanged) for s in seen if s.beside is not None and s.beside_exchanged is not None]
    turned = sum(exchanged < _SAME and plain_ > _CLEARLY * exchanged for plain_, exchanged in pairs)
    fix = "write the frames again as RGB (cv2.imwrite takes BGR: convert what a decoder gives before it)"
    if pairs and turned * 2 > len(pairs):
        text = (
            f"BGR: with red and blue exchanged, {turned} of {len(pairs)} frames equal those of the videos beside them"
        )
        return [Finding("error", "colour", text, fix)]
    telling = [s.red_over_blue for s in seen if abs(s.red_over_blue) > _GAP]
    blue = sum(value < 0 for value in telling)
    if pairs or not KNOWN[name].warm or len(telling) < _TELLING or _chance(blue, len(telling)) > _CHANCE:
        return []
    text = f"BGR? {blue} of the {len(telling)} videos that tell are more blue than red; most videos are the other way"
    return [Finding("suspect", "colour", text, "no proof: data check with --videos DIR compares frames with videos")]


def _chance(hits: int, trials: int) -> float:
    """Probability of `hits` or more of `trials` fair coins."""
    return sum(comb(trials, k) for k in range(hits, trials + 1)) / 2**trials


def sizes(made: Catalogue) -> list[Finding]:
    """How many videos are here, of how many, and whose copy has as many."""
    found = []
    for split in made.splits():
        here, listed = made.count(split)
        found.append(Finding("note", "size", f"{split}: {here:,} videos: {whose(made.name, split, here)}"))
        if here < listed:
            lacking = [row.id for row in made.rows if row.split == split and not row.path]
            few = here * 2 < listed
            text = f"{split}: {listed - here:,} of {listed:,} videos of the annotations are missing: {some(lacking)}"
            fix = "data add with --root DIR, the folder that holds all of them" if few else ""
            found.append(Finding("error" if few else "note", "wrong root" if few else "missing", text, fix))
    both = {row.id for row in made.rows if row.split == "train"} & {row.id for row in made.rows if row.split == "val"}
    if both:
        text = f"{len(both)} videos are in train and in val: {some(sorted(both))}"
        found.append(Finding("error", "leak", text, "the annotation files of the release"))
    return found


def copied(pairs: Sequence[tuple[str, str]]) -> list[Finding]:
    """Videos of train that are held out under another name; releases have some, too."""
    if not pairs:
        return []
    named = some([f"{one} = {other}" for one, other in pairs])
    text = f"{len(pairs):,} videos stand in train and are held out, byte by byte under two names: {named}"
    return [Finding("suspect", "leak", text, "scores --on a list without them")]


def another_root(made: Catalogue) -> list[Finding]:
    """Videos of another dataset, found because it numbers its videos in the same way."""
    if made.name not in _NUMBERED:
        return []
    path = next((row.path for row in made.rows if row.path), "")
    for folder in reversed((made.root / path).parts[:-1]):
        named = [name for name, words in _NUMBERED.items() if any(word in _letters(folder) for word in words)]
        if named:
            break
    else:
        return []
    if made.name in named:
        return []
    text = f"folder {folder!r} is named as {KNOWN[named[0]].title}, whose videos bear the same numbers"
    return [Finding("suspect", "wrong root", text, f"data add {made.name} with --root DIR, its own folder")]


def _letters(name: str) -> str:
    return "".join(filter(str.isalnum, name.lower()))


def label_map(made: Catalogue) -> list[Finding]:
    """The class names against the official ones, and the labels of each split against each other."""
    classes, wanted = made.header["classes"], official(made.name)
    if wanted is None and KNOWN[made.name].part_of:
        return [_part_of(classes, KNOWN[made.name].part_of)]
    if wanted is None:
        return [Finding("note", "labels", "the suite has no official class list of this dataset to compare with")]
    wrong = difference(classes, wanted)
    if wrong:
        return [Finding("error", "labels", f"label map: {wrong}", "data add again, with the release's label file")]
    return [Finding("note", "labels", f"label map: the {len(classes)} official classes in the official order")]


def _part_of(classes: Sequence[str], whole: str) -> Finding:
    """The classes of a part, of which the suite has no list, against those of the whole dataset."""
    names = set(map(plain, official(whole) or ()))
    strange = [name for name in classes if plain(name) not in names]
    if strange:
        text = f"label map: {len(strange)} of {len(classes)} classes are none of {whole}: {some(strange)}"
        return Finding("error", "labels", text, "data add again with --labels FILE, the names of the classes")
    order = "alphabetically ordered" if list(classes) == sorted(classes) else "not alphabetically ordered"
    return Finding(
        "note", "labels", f"label map: {len(classes)} classes of {whole}, {order}; no official list to compare"
    )


def start_index(rows: Sequence[Row]) -> list[Finding]:
    """Folders whose numbering or number of pictures is not that of the release or of the list."""
    folders = [row for row in rows if row.first >= 0]
    firsts = Counter(row.first for row in folders)
    found = []
    if set(firsts) == {1}:
        found.append(Finding("note", "start index", f"pictures are numbered from 1 in all {len(folders):,} folders"))
    elif firsts:
        shown = ", ".join(f"from {first} in {count:,} folders" for first, count in firsts.most_common(3))
        text = f"pictures are numbered {shown}; the releases and the public lists count from 1"
        if max(firsts) > 1:
            mend = "extract these folders again: their first pictures are gone"
            found.append(Finding("error", "start index", text, mend))
        else:
            mend = "nothing is lost here, where frame 0 is the first picture; other code needs start_index"
            found.append(Finding("note", "start index", text, mend))
    listed = [row for row in folders if row.listed_frames >= 0]
    off = Counter(row.frames - row.listed_frames for row in listed if row.frames != row.listed_frames)
    if off:
        (by, count), total = off.most_common(1)[0], sum(off.values())
        names = [row.id for row in listed if row.frames != row.listed_frames]
        text = (
            f"{total:,} of {len(listed):,} folders hold another number of pictures than the list says, most by {by:+}"
        )
        text += f" ({count:,}): {some(names)}"
        mend = "data add with a list of this extraction; a list may count from 0 where the pictures count from 1"
        found.append(Finding("suspect", "frame count", text, mend))
    return found


def against_official(made: Catalogue, files: Sequence[Annotations]) -> list[Finding]:
    """The stored index against official annotation files: videos that it lacks, and labels that differ."""
    classes = {plain(name): number for number, name in enumerate(made.header["classes"])}
    found = []
    ours = {(row.split, row.id): row for row in made.rows if row.path}
    short = {(split, name[:11]): row for (split, name), row in ours.items()} if "kinetics" in made.name else {}
    for file in files:
        lacking, other = [], []
        for entry in file.entries:
            split = "val" if entry.split == "test" and ("test", video_id(entry)) not in ours else entry.split or "val"
            row = ours.get((split, video_id(entry))) or short.get((split, entry.names[-1][:11]))
            label = classes.get(plain(entry.label)) if isinstance(entry.label, str) else entry.label
            if row is None:
                lacking.append(video_id(entry))
            elif label != row.label:
                other.append(row.id)
        name = file.file.name
        if lacking:
            text = f"{len(lacking):,} of {len(file.entries):,} videos of {name} are not here: {some(lacking)}"
            found.append(Finding("note", "missing", text))
        if other:
            text = f"{len(other):,} videos have another label than in {name}: {some(other)}"
            found.append(Finding("error", "labels", text, f"data add {made.name} with --annotations {name}"))
    return found


def corrupt(problems: Mapping[tuple[str, str], str], quarantine: str) -> list[Finding]:
    """Every video that does not decode, named with its reason; the first 20 in full."""
    found = [
        Finding("error", "corrupt", f"{split} {name}: {why}", "copy or download it again, then data check")
        for (split, name), why in list(problems.items())[:20]
    ]
    if problems:
        text = f"{len(problems):,} videos are set aside in {quarantine}; a test reports them as missing"
        found.append(Finding("note", "quarantine", text, "delete that file to take them in again"))
    return found


def refused(decoder: str, by: Mapping[tuple[str, str], bool]) -> list[Finding]:
    """Good videos that the decoder which was named is not used for."""
    names = [name for (_, name), no in by.items() if no]
    if not names:
        return []
    text = f"{decoder} is not used for {len(names):,} good videos, as it would give other frames: {some(names)}"
    return [Finding("note", "decoder", text, "--decoder auto reads them")]


def changed(rows: Sequence[Row], now: Mapping[tuple[str, str], int]) -> list[Finding]:
    """Videos whose size in bytes is not the stored one."""
    names = [row.id for row in rows if now.get((row.split, row.id), row.bytes) != row.bytes]
    if not names:
        return []
    text = f"{len(names):,} videos have changed since data add: {some(names)}"
    return [Finding("error", "changed", text, "data add again, so that records name the copy as it is")]


def release(name: str) -> Finding:
    """Where the facts come from."""
    return Finding("note", "release", f"{KNOWN[name].title}: {KNOWN[name].source}")


def some(names: Sequence[str]) -> str:
    """The first few names, and how many there are."""
    return ", ".join(names[:5]) + (f", ... ({len(names):,} in all)" if len(names) > 5 else "")
