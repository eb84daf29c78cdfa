"""The pictures of the probes: a shape that moves over a coloured texture, among soft blobs and distractors, in changing
light; made hard by a dial, some on a grid.

- order: eight motions in four pairs of opposite directions. The second class of a pair is the first with its frames in
  reverse order, so the two have the same distribution of unordered frames. What does not move stands where a random
  frame of the motion would have put it, so one frame, taken at random, does not tell which motion it is from.
- sight, batch: eight shapes; how they move is a nuisance.
- redundancy: eight shapes in a video of 1, 2, 4 or 8 different pictures, each held equally long (its grade).
- shapes: the motions of `order` on a grid of size (small, middle, large) x duration (short, middle, long); before and
  after its motion the shape stands still.
- sight-blank: `sight` without the shape, what is left of it is not to tell the class.

Distractors are dark shapes that move in the way of a class drawn at random. The dials of order, sight and shapes were
set on `choose`, as was batch's, an easier one than sight's; redundancy has that of sight.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

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

#: of the drawing; raised when the content of every file changes
VERSION = 8
_SEED = 20261
_SPLITS = ("train", "choose", "test")
_CLASSES = 8
Span = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Dial:
    """How a probe is drawn, and how hard it is. Lengths in pixels of a frame of 40, over a whole video."""

    number: int
    """Of the probe, in its seeds."""
    version: int = VERSION
    """Raised when the content of its files changes; it is part of the folder's name and of every seed."""
    shape: bool
    """Whether the class is the shape; else it is the motion."""
    opacity: float
    """Of the shape that the class is of."""
    noise: float
    """Half the width of the triangular noise of the luma; full range is 1."""
    distractors: int = 2
    travel: Span = (5.0, 9.0)
    growth: Span = (0.3, 0.5)
    """Natural logarithm of the last size over the first."""
    turn: Span = (0.8, 1.3)
    """Radians."""
    radii: tuple[Span, ...] = ((7.0, 9.0),)
    """Of the shape, at the middle of its motion; several make a side of a grid."""
    durations: tuple[int, ...] = (FRAMES,)
    """Frames that the motion takes; several make the other side of it."""
    pictures: tuple[int, ...] = (FRAMES,)
    """Different pictures of a video; several are its grades."""


_SIGHT = Dial(number=1, shape=True, opacity=0.38, noise=0.23)
DIALS: Mapping[str, Dial] = {
    "order": Dial(number=0, shape=False, opacity=0.35, noise=0.25),
    "sight": _SIGHT,
    "sight-blank": replace(_SIGHT, number=2, opacity=0.0),
    "batch": replace(_SIGHT, number=3, version=9, opacity=0.4, noise=0.225),
    "redundancy": replace(_SIGHT, number=4, pictures=(1, 2, 4, 8)),
    "shapes": Dial(
        number=5,
        version=9,
        shape=False,
        opacity=0.47,
        noise=0.21,
        radii=((3.0, 4.5), (5.0, 6.5), (7.0, 9.0)),
        durations=(6, 10, 16),
    ),
}


def draw(kind: str, split: str, position: int) -> Drawn:
    """The video at a position of a split of `kind`. Its name ends in its cell of a grid or its grade, if it has one."""
    dial, label, turn = DIALS[kind], position % _CLASSES, position // _CLASSES
    rng = np.random.default_rng([_SEED, dial.version, dial.number, _SPLITS.index(split), position])
    radius, duration, pictures = (
        turn % len(dial.radii), turn // len(dial.radii) % len(dial.durations), turn % len(dial.pictures)
    )  # fmt: skip
    name = f"{position:05d}"
    if len(dial.radii) > 1:
        name += f"-r{radius}d{duration}"
    if len(dial.pictures) > 1:
        name += f"-p{dial.pictures[pictures]}"
    frames = render(dial, label, rng, dial.radii[radius], dial.durations[duration])
    held = np.arange(FRAMES) // (FRAMES // dial.pictures[pictures]) * (FRAMES // dial.pictures[pictures])
    return Drawn(label, name, frames[held])


def render(
    dial: Dial, label: int, rng: np.random.Generator, radius: Span = (7.0, 9.0), duration: int = FRAMES
) -> np.ndarray:
    """One video of class `label`: uint8 (FRAMES, SIDE * 3 // 2, SIDE), yuv420p.

    With generators in the same state, motions 2k and 2k + 1 give the same frames in opposite order.
    """
    pair, backwards, choice = int(rng.integers(4)), bool(rng.integers(2)), int(rng.integers(len(TURNING)))
    shape = TURNING[choice]
    if dial.shape:
        shape = SHAPES[label]
    else:
        pair, backwards = label // 2, bool(label % 2)
    pose = draw_pose(dial, pair, rng, radius, duration)
    picture = texture(rng)
    add_blobs(picture, rng)
    for _ in range(dial.distractors):
        _add_distractor(picture, dial, rng, radius)
    colour = video_colours(1 - rng.random(3) * DARK)
    paint(picture, coverage(shape, pose) * np.float32(dial.opacity), colour)
    frames = developed(picture, dial.noise, rng)
    return frames[::-1] if backwards else frames


def draw_pose(dial: Dial, pair: int, rng: np.random.Generator, radius: Span, duration: int = FRAMES) -> Pose:
    """Positions of a shape that moves forwards in the way of `pair`: to the right, down, growing, or clockwise.

    Its motion takes `duration` frames, begins at a random one, and is the shorter the smaller the shape.
    """
    begin = rng.uniform(0, FRAMES - duration) if duration < FRAMES else 0.0
    time = np.clip((np.arange(FRAMES) + rng.random() - begin) / duration, 0.0, 1.0) - 0.5
    scale = sum(radius) / 16.0
    offsets = []
    for motion, span in enumerate((dial.travel, dial.travel, dial.growth, dial.turn)):
        amount, frozen = rng.uniform(*span), time[rng.integers(FRAMES)]
        amount *= scale if motion < 2 else 1.0
        offsets.append(amount * (time if motion == pair else np.full(FRAMES, frozen)))
    x, y = rng.uniform(14.0, 26.0, size=2)
    size, angle = rng.uniform(*radius), rng.uniform(0.0, 2.0 * np.pi)
    return Pose(x + offsets[0], y + offsets[1], size * np.exp(offsets[2]), angle + offsets[3])


def _add_distractor(picture: np.ndarray, dial: Dial, rng: np.random.Generator, radius: Span) -> None:
    """A dark shape that moves in the way of some class, in either direction of time."""
    shape, backwards = TURNING[int(rng.integers(len(TURNING)))], bool(rng.integers(2))
    pose = draw_pose(dial, int(rng.integers(4)), rng, radius)
    cover = coverage(shape, pose)
    paint(picture, cover[::-1] if backwards else cover, video_colours(rng.random(3) * DARK))
