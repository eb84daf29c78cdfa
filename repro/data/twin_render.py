"""The pictures of the twin datasets: a shape that moves over a coloured texture, among soft blobs, in changing light.

What differs between the two twins is which of the random choices is the class:

- appearance: the shape. How it moves is drawn at random, and is a nuisance.
- temporal: how it moves, in four pairs of opposite directions. A video of the second class of a pair is a video of the
  first with its frames in reverse order, and nothing else, so the two have the same distribution of unordered frames.
  What does not move has an offset drawn from the range that it would have moved through, so that one frame, taken at
  random, does not tell which of the four motions it is from.
"""

from __future__ import annotations

import numpy as np

from repro.data.drawing import (
    DARK,
    FRAMES,
    SHAPES,
    TURNING,
    Drawn,
    Pose,
    add_blobs,
    coverage,
    developed,
    paint,
    texture,
    video_colours,
)  # fmt: skip

#: raised when a file's content changes; it is part of the folder's name and of every seed
VERSION = 2
_SEED = 20211
_KINDS = ("appearance", "temporal")
_CLASSES = 8
_SPLITS = ("train", "val")
_TRAVEL = (12.0, 18.0)  # pixels, over a whole video
_GROWTH = (0.6, 0.9)  # natural logarithm of the last size over the first
_TURN = (1.7, 2.6)  # radians; below a quarter turn between any two of eight sampled frames
_RADIUS = (7.0, 9.0)  # pixels, at the middle of a video
_CENTRE = (14.0, 26.0)  # pixels
_NOISE = 0.05  # half the width of the triangular noise of the luma; full range is 1


def draw_pose(pair: int, rng: np.random.Generator) -> Pose:
    """Positions of a shape that moves forwards in the way of `pair`: to the right, down, growing, or clockwise."""
    time = (np.arange(FRAMES) + rng.random()) / FRAMES - 0.5
    offsets = []
    for motion, span in enumerate((_TRAVEL, _TRAVEL, _GROWTH, _TURN)):
        amount, frozen = rng.uniform(*span), rng.random() - 0.5
        offsets.append(amount * (time if motion == pair else np.full(FRAMES, frozen)))
    x, y = rng.uniform(*_CENTRE, size=2)
    radius, angle = rng.uniform(*_RADIUS), rng.uniform(0.0, 2.0 * np.pi)
    return Pose(x + offsets[0], y + offsets[1], radius * np.exp(offsets[2]), angle + offsets[3])


def render(kind: str, label: int, rng: np.random.Generator) -> np.ndarray:
    """One video of class `label` of the `appearance` or `temporal` twin: uint8 (FRAMES, SIDE * 3 // 2, SIDE), yuv420p.

    With generators in the same state, labels 2k and 2k + 1 of the temporal twin give the same frames in opposite order.
    """
    pair, backwards, choice = int(rng.integers(4)), bool(rng.integers(2)), int(rng.integers(len(TURNING)))
    if kind == "temporal":
        pair, backwards, shape = label // 2, bool(label % 2), TURNING[choice]
    else:
        shape = SHAPES[label]
    pose = draw_pose(pair, rng)
    picture = texture(rng)
    add_blobs(picture, rng)
    paint(picture, coverage(shape, pose), video_colours(1 - rng.random(3) * DARK))
    frames = developed(picture, _NOISE, rng)
    return frames[::-1] if backwards else frames


def generator(kind: str, split: str, position: int) -> np.random.Generator:
    """The random numbers of one video, which no other video of any twin shares."""
    return np.random.default_rng([_SEED, VERSION, _KINDS.index(kind), _SPLITS.index(split), position])


def draw(kind: str, split: str, position: int) -> Drawn:
    """The video at a position of a split."""
    label = position % _CLASSES
    return Drawn(label, f"{position:05d}", render(kind, label, generator(kind, split, position)))
