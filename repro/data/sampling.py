"""Which frames of a video make a clip: the named rules of public samplers, as pure functions of the frame count.

    indices("mmaction2.dense_test_8", n)       -> int64 (10 clips, 8 frames), 0-based
    indices("tdn.train_16", n, rng)            -> int64 (1, 16 segments * 5 consecutive frames)

Sources: SampleFrames and DenseSampleFrames of `open-mmlab/mmaction2@4d6c934`; ops/dataset.py of
`mit-han-lab/temporal-shift-module@1f6a834` (tsm), `liu-zhy/temporal-adaptive-module@5fcb46f` (tam) and
`MCG-NJU/TDN@a7c7e9b` (tdn); RawFramesDataset of `open-mmlab/mmaction@c7e3b7c` as DNR's configuration uses it. Their
rounding, and the order in which they draw, are part of the rules; the rules themselves stand in `sampling_rules`.
Ours, named so: `tdn.kinetics_test_*` (deterministic, where the authors draw anew in every test) and `repro.*`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from repro.core.errors import BadOption, DataError, UnknownName
from repro.data import sampling_rules as rules
from repro.data.sampling_rules import Rng, Rule

#: numbers in a name, beyond which it is taken for a slip of the pen
_MOST_FRAMES, _MOST_CLIPS = 1024, 1000


@dataclass(frozen=True)
class Family:
    """Rules that share a name but for their numbers. `form` shows it: T frames or segments, K clips, L x S a window of
    L frames, S apart.
    """

    form: str
    make: Callable[..., Rule]
    random: bool = False


_FAMILIES = (
    Family("mmaction2.uniform_train_T", rules.mmaction2_uniform_train, True),
    Family("mmaction2.uniform_test_T", rules.uniform_test),
    Family("mmaction2.uniform_test_T_twice", rules.uniform_test_twice),
    Family("mmaction2.dense_train_T", rules.dense_train, True),
    Family("mmaction2.dense_test_T", rules.dense_test),
    Family("mmaction2.clip_LxS_train", rules.mmaction2_clip_train, True),
    Family("mmaction2.clip_LxS_test_K", rules.mmaction2_clip_test),
    Family("mmaction2_v015.clip_LxS_test_K", rules.mmaction2_v015_clip_test),
    Family("tsm.uniform_train_T", rules.author_uniform_train, True),
    Family("tsm.uniform_val_T", rules.author_uniform_val),
    Family("tsm.uniform_test_T", rules.uniform_test),
    Family("tsm.twice_test_T", rules.uniform_test_twice),
    Family("tsm.dense_train_T", rules.dense_train, True),
    Family("tsm.dense_test_T", rules.dense_test),
    Family("tam.uniform_train_T", rules.author_uniform_train, True),
    Family("tam.uniform_val_T", rules.author_uniform_val),
    Family("tam.uniformK_test_T", rules.tam_uniform_test),
    Family("tam.dense_train_T", rules.dense_train, True),
    Family("tam.dense_val_T", rules.tam_dense_val),
    Family("tam.denseK_test_T", rules.tam_dense_test),
    Family("tdn.train_T", rules.tdn_train, True),
    Family("tdn.val_T", rules.tdn_test),
    Family("tdn.sthsth_test_T", rules.tdn_test),
    Family("tdn.kinetics_random_TxK", rules.tdn_kinetics_random, True),
    Family("tdn.kinetics_test_TxK", rules.tdn_kinetics_test),
    Family("mmaction1_dnr_LxS.train", rules.mmaction1_train, True),
    Family("mmaction1_dnr_LxS.val", rules.mmaction1_val),
    Family("mmaction1_dnr_LxS.test_K", rules.mmaction1_test),
    Family("repro.centred5_train_T", rules.centred5_train, True),
    Family("repro.centred5_test_T", rules.centred5_test),
    Family("repro.reversed_test_T", rules.reversed_test),
    Family("repro.shuffled_train_T", rules.shuffled_train, True),
    Family("repro.shuffled_test_T", rules.shuffled_test, True),
)

#: the form of every rule's name
FORMS = tuple(family.form for family in _FAMILIES)


@lru_cache(maxsize=256)
def _find(rule: str) -> tuple[Rule, bool]:
    for family in _FAMILIES:
        match = re.fullmatch(re.sub("[TKLS]", "([1-9][0-9]*)", re.escape(family.form)), rule)
        if match:
            numbers = [int(text) for text in match.groups()]
            made = family.make(*numbers) if max(numbers) <= _MOST_FRAMES else None
            if made is None or made.clips > _MOST_CLIPS:
                raise BadOption(
                    f"sampling rule {rule!r}", allowed=f"at most {_MOST_FRAMES} frames, {_MOST_CLIPS} clips"
                )
            return made, family.random
    raise UnknownName("sampling rule", rule, FORMS, fix="mmaction2.uniform_test_8")


def indices(rule: str, n: int, rng: Rng | None = None) -> np.ndarray:
    """0-based indices of the frames of each clip, int64 of shape (clips, frames); TDN: (clips, segments * 5).

    `n` is the video's frame count. `rng`, a numpy Generator or RandomState, is needed by the random rules alone.
    """
    found, random = _find(rule)
    if n < 1:
        raise DataError(f"a video of {n} frames has nothing to sample for {rule!r}", allowed="1 frame or more")
    if random and rng is None:
        raise BadOption(f"sampling rule {rule!r} draws at random", fix="pass rng=np.random.default_rng(seed)")
    made = np.asarray(found.pick(int(n), rng)).astype(np.int64)
    return made.reshape(found.clips, found.frames * found.window)


def clips_of(rule: str) -> int:
    """Clips that a rule takes of one video."""
    return _find(rule)[0].clips


def frames_of(rule: str) -> int:
    """Frames of one clip, as `spec.Model.frames` counts them: TDN's segments of five count once."""
    return _find(rule)[0].frames


def clip_length_of(rule: str) -> int:
    """Consecutive frames of each segment: 5 for TDN, else 1."""
    return _find(rule)[0].window


def is_random(rule: str) -> bool:
    """Whether a rule draws from a generator."""
    return _find(rule)[1]
