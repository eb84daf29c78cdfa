"""The sampling rules themselves, by origin. Each function makes a `Rule` out of the numbers in its name.

n is the number of frames of a video, T of frames or segments of a clip. Known differences between the origins:
1. n <= T in training: mmaction2 spreads the frames there are (half-even rounding), the authors' codes take frame 0.
2. Windows of L frames, S apart: mmaction2 1.x tests over n - ((L-1)S+1) and rounds, 0.15 and mmaction over n - LS + 1.
3. Past the end: mmaction2, TSM and TAM wrap round (modulo n); mmaction and TDN stay on the last frame they reached.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Rng = np.random.Generator | np.random.RandomState
Pick = Callable[[int, "Rng | None"], np.ndarray]

#: frames that dense sampling spans, in all repositories that have it
_DENSE_SPAN = 64
#: positions of dense testing
_DENSE_CLIPS = 10
#: consecutive frames of a TDN segment
_TDN_WINDOW = 5


@dataclass(frozen=True)
class Rule:
    """`pick(n, rng)` gives clips * frames * window indices in that order (any shape, truncated to integers)."""

    clips: int
    frames: int
    pick: Pick
    window: int = 1


def draw(rng: Rng | None, high: int, size: int | None = None) -> np.ndarray:
    """Integers in [0, high) of either generation of numpy's generators."""
    assert rng is not None, "a random rule was called without a generator"
    if isinstance(rng, np.random.RandomState):
        return np.asarray(rng.randint(high, size=size))
    return np.asarray(rng.integers(high, size=size))


# ---- mmaction2 ------------------------------------------------------------------------------------------------------


def _train_starts(n: int, count: int, window: int, rng: Rng | None, spread: bool) -> np.ndarray:
    """Starts of `count` windows, one at random in each of `count` equal parts: SampleFrames._get_train_clips (spread)
    and its ancestors in TSN's code. `window` is the number of frames that a start needs.
    """
    room = n - window + 1
    average = room // count
    if average > 0:
        return np.arange(count) * average + draw(rng, average, count)
    if n > max(count, window):
        return np.sort(draw(rng, room, count))
    if spread and average == 0:
        return np.around(np.arange(count) * (room / count))
    return np.zeros(count)


def mmaction2_uniform_train(frames: int) -> Rule:
    """SampleFrames(clip_len=1, num_clips=frames), training."""
    return Rule(1, frames, lambda n, rng: np.mod(_train_starts(n, frames, 1, rng, spread=True), n))


def _looped(starts: np.ndarray, length: int, step: int, n: int) -> np.ndarray:
    """Windows of `length` frames, `step` apart, from each start; modulo n."""
    return np.mod(starts[:, None] + np.arange(length)[None, :] * step, n)


def mmaction2_clip_train(length: int, step: int) -> Rule:
    """SampleFrames(clip_len, frame_interval, num_clips=1), training."""

    def pick(n: int, rng: Rng | None) -> np.ndarray:
        return _looped(_train_starts(n, 1, length * step, rng, spread=True), length, step, n)

    return Rule(1, length, pick)


def mmaction2_clip_test(length: int, step: int, clips: int) -> Rule:
    """SampleFrames(clip_len, frame_interval, num_clips, test_mode=True) of mmaction2 1.x."""
    if length == 1:
        return Rule(clips, 1, uniform_test(clips).pick)

    def pick(n: int, rng: Rng | None) -> np.ndarray:
        furthest = max(n - ((length - 1) * step + 1), 0)
        if clips == 1:
            starts = np.array([furthest // 2])
        else:
            starts = np.round(np.arange(clips) * (furthest / float(clips - 1)))
        return _looped(starts, length, step, n)

    return Rule(clips, length, pick)


def _middle_starts(n: int, count: int, window: int) -> np.ndarray:
    """The middle of each of `count` equal parts of the possible starts; 0 where no window fits."""
    if n < window:
        return np.zeros(count, dtype=np.int64)
    tick = (n - window + 1) / float(count)
    return np.array([int(tick / 2.0 + tick * i) for i in range(count)])


def mmaction2_v015_clip_test(length: int, step: int, clips: int) -> Rule:
    """The same of mmaction2 0.15, the version in use when DNR was written."""
    return Rule(clips, length, lambda n, rng: _looped(_middle_starts(n, clips, length * step), length, step, n))


# ---- mmaction2, TSM and TAM agree -----------------------------------------------------------------------------------


def uniform_test(frames: int) -> Rule:
    """SampleFrames(clip_len=1, num_clips=frames, test_mode=True), _get_test_indices: the middle of each of `frames`
    equal parts.
    """
    return Rule(1, frames, lambda n, rng: _middle_starts(n, frames, 1))


def uniform_test_twice(frames: int) -> Rule:
    """The same with twice_sample: a first clip of the middles, a second of the beginnings."""

    def pick(n: int, rng: Rng | None) -> np.ndarray:
        tick = n / float(frames)
        return np.concatenate([_middle_starts(n, frames, 1), [int(tick * i) for i in range(frames)]])

    return Rule(2, frames, pick)


def _dense(starts: np.ndarray, frames: int, n: int) -> np.ndarray:
    return _looped(starts, frames, _DENSE_SPAN // frames, n)


def dense_train(frames: int) -> Rule:
    """One window of 64 frames at random. As written by the authors, the last possible start is never drawn."""

    def pick(n: int, rng: Rng | None) -> np.ndarray:
        positions = max(1, 1 + n - _DENSE_SPAN)
        start = 0 if positions == 1 else draw(rng, positions - 1)
        return _dense(np.atleast_1d(start), frames, n)

    return Rule(1, frames, pick)


def dense_test(frames: int, clips: int = _DENSE_CLIPS) -> Rule:
    """Windows of 64 frames, their starts evenly from the first to the last possible."""

    def pick(n: int, rng: Rng | None) -> np.ndarray:
        positions = max(1, 1 + n - _DENSE_SPAN)
        return _dense(np.linspace(0, positions - 1, num=clips, dtype=int), frames, n)

    return Rule(clips, frames, pick)


# ---- TSM and TAM ----------------------------------------------------------------------------------------------------


def author_uniform_train(frames: int) -> Rule:
    """_sample_indices of both repositories."""
    return Rule(1, frames, lambda n, rng: _train_starts(n, frames, 1, rng, spread=False))


def author_uniform_val(frames: int) -> Rule:
    """_get_val_indices: the middles, but all frame 0 when there are no more frames than segments."""
    return Rule(1, frames, lambda n, rng: _middle_starts(n, frames, 1) if n > frames else np.zeros(frames))


def tam_uniform_test(clips: int, frames: int) -> Rule:
    """test_sample uniform-K: K clips whose starts lie evenly in the first part; one clip takes the middles.

    With less than one frame a part, numpy rounds the last starts down to -1, which wraps to the last frame.
    """
    if clips == 1:
        return uniform_test(frames)

    def pick(n: int, rng: Rng | None) -> np.ndarray:
        tick = n / float(frames)
        starts = np.linspace(0, tick - 1, num=clips, dtype=int)
        return np.array([[int(start + tick * i) % n for i in range(frames)] for start in starts])

    return Rule(clips, frames, pick)


def tam_dense_val(frames: int) -> Rule:
    """The middle window of 64 frames."""

    def pick(n: int, rng: Rng | None) -> np.ndarray:
        positions = max(1, 1 + n - _DENSE_SPAN)
        return _dense(np.array([positions // 2]), frames, n)

    return Rule(1, frames, pick)


def tam_dense_test(clips: int, frames: int) -> Rule:
    """test_sample dense-K."""
    return tam_dense_val(frames) if clips == 1 else dense_test(frames, clips)


# ---- TDN ------------------------------------------------------------------------------------------------------------


def _windows(starts: np.ndarray, n: int) -> np.ndarray:
    """Five consecutive frames from each start; the pointer stays on the last frame of the video."""
    steps = np.asarray(starts).astype(np.int64).reshape(-1, 1) + np.arange(_TDN_WINDOW)
    return np.minimum(steps, n - 1)


def _tdn_train_starts(n: int, segments: int, rng: Rng | None) -> np.ndarray:
    room = n - _TDN_WINDOW + 1
    average = room // segments
    if average > 0:
        return np.arange(segments) * average + draw(rng, average, segments)
    if n > segments and room > 0:
        return np.sort(draw(rng, room, segments))
    return np.zeros(segments)


def tdn_train(segments: int) -> Rule:
    """_sample_indices; the segments lie in the first n - 4 frames."""
    return Rule(1, segments, lambda n, rng: _windows(_tdn_train_starts(n, segments, rng), n), _TDN_WINDOW)


def tdn_test(segments: int) -> Rule:
    """_get_val_indices, and the test on Something-Something: all from frame 0 when n <= segments + 4."""

    def pick(n: int, rng: Rng | None) -> np.ndarray:
        fits = n > segments + _TDN_WINDOW - 1
        return _windows(_middle_starts(n, segments, _TDN_WINDOW) if fits else np.zeros(segments), n)

    return Rule(1, segments, pick, _TDN_WINDOW)


def tdn_kinetics_random(segments: int, clips: int) -> Rule:
    """The authors' test on Kinetics: K independent draws of the training rule, from a generator that the caller seeds.
    (Theirs is not seeded, and `clip_index` only names the output file, so no two of their tests agree.)
    """

    def pick(n: int, rng: Rng | None) -> np.ndarray:
        return np.concatenate([_windows(_tdn_train_starts(n, segments, rng), n) for _ in range(clips)])

    return Rule(clips, segments, pick, _TDN_WINDOW)


def tdn_kinetics_test(segments: int, clips: int) -> Rule:
    """Ours, in place of the random test: clip k starts (k + 1/2) / K into each segment, so K clips cover evenly what
    the authors' draws cover at random. All clips differ when a segment has at least K starts: n - 4 >= T * K.
    """

    def pick(n: int, rng: Rng | None) -> np.ndarray:
        tick = max(n - _TDN_WINDOW + 1, 1) / float(segments)
        starts = [int(tick * i + tick * (k + 0.5) / clips) for k in range(clips) for i in range(segments)]
        return _windows(np.array(starts), n)

    return Rule(clips, segments, pick, _TDN_WINDOW)


# ---- mmaction 1.x as DNR uses it ------------------------------------------------------------------------------------


def _paused(starts: np.ndarray, length: int, step: int, n: int) -> np.ndarray:
    """Windows whose pointer stops when the next step would reach the last frame: `p + step < n` with p from 1."""
    steps = np.arange(length) * step
    reach = np.maximum((n - 2 - starts) // step, 0) * step
    return np.asarray(starts[:, None] + np.minimum(steps[None, :], reach[:, None]))


def mmaction1_train(length: int, step: int) -> Rule:
    """_sample_indices with num_segments=1, new_length * new_step frames."""

    def pick(n: int, rng: Rng | None) -> np.ndarray:
        starts = _train_starts(n, 1, length * step, rng, spread=False).astype(np.int64)
        return _paused(starts, length, step, n)

    return Rule(1, length, pick)


def mmaction1_val(length: int, step: int) -> Rule:
    """_get_val_indices: the middle window."""
    return mmaction1_test(length, step, 1)


def mmaction1_test(length: int, step: int, clips: int) -> Rule:
    """_get_test_indices with num_segments=clips: windows at the middle of each of `clips` parts."""
    return Rule(clips, length, lambda n, rng: _paused(_middle_starts(n, clips, length * step), length, step, n))


# ---- ours -----------------------------------------------------------------------------------------------------------


def _centred(centres: np.ndarray, n: int) -> np.ndarray:
    """Five consecutive frames around each centre; frames past an end are the end's."""
    around = np.arange(_TDN_WINDOW) - _TDN_WINDOW // 2
    return np.clip(np.asarray(centres).astype(np.int64).reshape(-1, 1) + around, 0, n - 1)


def centred5_test(segments: int) -> Rule:
    """Ours, for short videos: TDN's five frames around each frame of `mmaction2.uniform_test_T`."""
    base = uniform_test(segments)
    return Rule(1, segments, lambda n, rng: _centred(base.pick(n, rng), n), _TDN_WINDOW)


def centred5_train(segments: int) -> Rule:
    """Ours, for short videos: TDN's five frames around each frame of `mmaction2.uniform_train_T`."""
    base = mmaction2_uniform_train(segments)
    return Rule(1, segments, lambda n, rng: _centred(base.pick(n, rng), n), _TDN_WINDOW)


def reversed_test(frames: int) -> Rule:
    """Ours, a control: the frames of `mmaction2.uniform_test_T` from the last to the first."""
    base = uniform_test(frames)
    return Rule(1, frames, lambda n, rng: np.asarray(base.pick(n, rng))[..., ::-1])


def shuffled(base: Rule) -> Rule:
    """Ours, a control: the frames of another rule in an order drawn at random."""
    return Rule(1, base.frames, lambda n, rng: _in_random_order(np.asarray(base.pick(n, rng)), rng))


def shuffled_test(frames: int) -> Rule:
    """Ours: the frames of `mmaction2.uniform_test_T` in random order."""
    return shuffled(uniform_test(frames))


def shuffled_train(frames: int) -> Rule:
    """Ours: the frames of `mmaction2.uniform_train_T` in random order."""
    return shuffled(mmaction2_uniform_train(frames))


def _in_random_order(frames: np.ndarray, rng: Rng | None) -> np.ndarray:
    assert rng is not None, "a random rule was called without a generator"
    return rng.permutation(frames)
