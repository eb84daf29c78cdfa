"""Which views of a finished test make up a smaller test, and of which that cannot be said.

A test of k clips can be read from one of K where its rule takes, for a video of any length, clips that the K hold too:
the first of mmaction2's `twice` clips are the middles of the segments, which is the test of one clip; three of TAM's
five dense clips are its three dense clips; k draws of a random rule are the first k of K. Other counts lie elsewhere in
the video and are refused. One clip is always to be had: where no rule of one clip is among the K it is the middle one,
of an even number the earlier, and the answer says so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from repro.core.errors import BadOption
from repro.data import sampling
from repro.records.metrics import centre_clip, centre_crop

#: lengths of videos for which two rules are compared
_LENGTHS = (*range(1, 420), 600, 750, 899, 900, 1799, 3601)

#: a rule of K clips -> the same with k clips in its place; `{k}` is put in
_SIBLINGS = (
    (r"(mmaction2\.clip_\d+x\d+_test_)\d+", r"\g<1>{k}"),
    (r"(mmaction2_v015\.clip_\d+x\d+_test_)\d+", r"\g<1>{k}"),
    (r"(mmaction1_dnr_\d+x\d+\.test_)\d+", r"\g<1>{k}"),
    (r"(tam\.(?:uniform|dense))\d+(_test_\d+)", r"\g<1>{k}\g<2>"),
    (r"(tdn\.kinetics_test_\d+x)\d+", r"\g<1>{k}"),
)
_ONE = (
    (r"mmaction2\.uniform_test_(\d+)_twice", r"mmaction2.uniform_test_\g<1>"),
    (r"tsm\.twice_test_(\d+)", r"tsm.uniform_test_\g<1>"),
)
#: the unmirrored ones of ten crops
_FIVE_OF_TEN = (0, 2, 4, 6, 8)


@dataclass(frozen=True)
class Chosen:
    """Views of a file of scores, and what they are."""

    clips: tuple[int, ...]
    crops: tuple[int, ...]
    notes: tuple[str, ...]
    """What a reader must know of them."""

    def of(self, crops: int) -> list[int]:
        """Positions of the views; view = clip * crops + crop."""
        return [clip * crops + crop for clip in self.clips for crop in self.crops]


def choose(rule: str | None, clips: int, crops: int, want_clips: int | None, want_crops: int | None) -> Chosen:
    """The views of a test of `want_clips` x `want_crops` (None: all) within one of `clips` x `crops` by `rule`.

    `rule` is None for a file that does not name it: then only all clips, or the middle one, can be read.
    """
    some_clips, about_clips = _clips(rule, clips, clips if want_clips is None else want_clips)
    some_crops, about_crops = _crops(crops, crops if want_crops is None else want_crops)
    return Chosen(some_clips, some_crops, tuple(note for note in (about_clips, about_crops) if note))


def _clips(rule: str | None, clips: int, want: int) -> tuple[tuple[int, ...], str]:
    if want == clips:
        return tuple(range(clips)), ""
    if want > clips or want < 1:
        raise BadOption(f"{want} clips of a file that holds {clips}", allowed=f"1 to {clips}")
    if rule is not None and sampling.is_random(rule):
        return tuple(range(want)), f"the first {want} of {clips} independent draws of {rule}"
    smaller = sibling(rule, want) if rule else None
    found = places(smaller, rule) if smaller and rule else None
    if found is not None:
        return found, f"the clips of {smaller}, which are among those of {rule}"
    if want == 1:
        middle = centre_clip(clips)
        own = f"{smaller} takes another one" if smaller else f"{rule or 'its rule'} has no form of one clip"
        return (middle,), f"clip {middle + 1} of {clips}, the middle one; {own}"
    where = f"{smaller} lie elsewhere in the video" if smaller else f"{rule or 'the rule of this file'} are not known"
    raise BadOption(
        f"{want} clips cannot be read from a test of {clips}: the {want} of {where}",
        allowed=f"1, {clips}",
        fix="python -m repro test ... --sampling RULE",
    )


def _crops(crops: int, want: int) -> tuple[tuple[int, ...], str]:
    if want == crops:
        return tuple(range(crops)), ""
    if want == 1:
        near = "; up to one pixel from a centre crop" if crops in (5, 10) else ""
        return (centre_crop(crops),), f"the middle crop of {crops}{near}"
    if (crops, want) == (10, 5):
        return _FIVE_OF_TEN, "the five of ten crops that are not mirrored"
    raise BadOption(
        f"{want} crops cannot be read from a test of {crops}: they lie elsewhere in the picture",
        allowed=", ".join(map(str, sorted({1, crops, *((5,) if crops == 10 else ())}))),
        fix="python -m repro test ... --crops N",
    )


def sibling(rule: str, clips: int) -> str | None:
    """The rule of the same origin with another number of clips, if it has one."""
    for pattern, form in (*_SIBLINGS, *(_ONE if clips == 1 else ())):
        match = re.fullmatch(pattern, rule)
        if match:
            return match.expand(form.replace("{k}", str(clips)))
    return None


@lru_cache(maxsize=64)
def places(smaller: str, larger: str) -> tuple[int, ...] | None:
    """For each clip of `smaller` its place among those of `larger`, for videos of every length; else None."""
    left = [set(range(sampling.clips_of(larger))) for _ in range(sampling.clips_of(smaller))]
    for n in _LENGTHS:
        here, there = sampling.indices(smaller, n), sampling.indices(larger, n)
        same = (here[:, None] == there[None]).all(axis=2)
        left = [some & set(np.flatnonzero(row).tolist()) for some, row in zip(left, same, strict=True)]
        if not all(left):
            return None
    return tuple(min(some) for some in left)
