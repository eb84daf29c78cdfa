"""The pictures of the twin datasets: a shape that moves over a coloured texture, among soft blobs, in changing light.

What differs between the two twins is which of the random choices is the class:

- appearance: the shape. How it moves is drawn at random, and is a nuisance.
- temporal: how it moves, in four pairs of opposite directions. A video of the second class of a pair is a video of the
  first with its frames in reverse order, and nothing else, so the two have the same distribution of unordered frames.
  What does not move has an offset drawn from the range that it would have moved through, so that one frame, taken at
  random, does not tell which of the four motions it is from.

Pixels are computed with additions, multiplications, square roots and comparisons alone, in float32, so that two
machines draw the same bytes; sines and powers are taken of a few scalars per video, in float64.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

FRAMES = 16
#: pixels of a frame's side; training and testing crop 32 of them
SIDE = 40

SHAPES = ("disk", "square", "triangle", "cross", "ring", "bar", "stripes", "crescent")
#: shapes whose rotation can be seen; only these move in the temporal twin
TURNING = ("square", "triangle", "cross", "bar", "stripes", "crescent")
MOTIONS = ("right", "left", "down", "up", "growing", "shrinking", "clockwise", "counterclockwise")

_TRAVEL = (12.0, 18.0)  # pixels, over a whole video
_GROWTH = (0.6, 0.9)  # natural logarithm of the last size over the first
_TURN = (1.7, 2.6)  # radians; below a quarter turn between any two of eight sampled frames
_RADIUS = (7.0, 9.0)  # pixels, at the middle of a video
_CENTRE = (14.0, 26.0)  # pixels
_NOISE = 0.05  # half the width of the triangular noise of the luma; full range is 1
_BLOBS = 2
_CELLS = 3  # of the texture's grid, along each side
_DARK = 0.5  # the background and the blobs have red, green and blue below this; the shape, as far from white
_RGB_TO_YUV = np.array([[65.481, 128.553, 24.966], [-37.797, -74.203, 112.0], [112.0, -93.786, -18.214]])

Field = np.ndarray


def _disk(u: Field, v: Field) -> Field:
    return np.sqrt(u * u + v * v) - 0.95


def _square(u: Field, v: Field) -> Field:
    return np.maximum(np.abs(u), np.abs(v)) - 0.82


def _triangle(u: Field, v: Field) -> Field:
    return np.maximum(np.abs(u) * 0.866 - v * 0.5, v) - 0.6


def _cross(u: Field, v: Field) -> Field:
    a, b = np.abs(u), np.abs(v)
    return np.minimum(np.maximum(a - 1.1, b - 0.33), np.maximum(a - 0.33, b - 1.1))


def _ring(u: Field, v: Field) -> Field:
    return np.abs(np.sqrt(u * u + v * v) - 0.78) - 0.25


def _bar(u: Field, v: Field) -> Field:
    return np.maximum(np.abs(u) - 1.25, np.abs(v) - 0.36)


def _stripes(u: Field, v: Field) -> Field:
    return np.maximum(np.abs(u) - 1.0, np.abs(np.abs(v) - 0.68) - 0.27)


def _crescent(u: Field, v: Field) -> Field:
    w = u - 0.6
    return np.maximum(np.sqrt(u * u + v * v) - 1.1, 0.8 - np.sqrt(w * w + v * v))


#: signed distance to the outline, in units of the shape's radius; negative inside
_OUTLINES: dict[str, Callable[[Field, Field], Field]] = {
    "disk": _disk,
    "square": _square,
    "triangle": _triangle,
    "cross": _cross,
    "ring": _ring,
    "bar": _bar,
    "stripes": _stripes,
    "crescent": _crescent,
}

_Y, _X = np.meshgrid(np.arange(SIDE, dtype=np.float32), np.arange(SIDE, dtype=np.float32), indexing="ij")


@dataclass(frozen=True)
class Pose:
    """Where the shape is in each frame: arrays of FRAMES numbers (pixels, pixels, pixels, radians)."""

    x: np.ndarray
    y: np.ndarray
    radius: np.ndarray
    angle: np.ndarray


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


def _column(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float32)[:, None, None]


def _coverage(shape: str, pose: Pose) -> np.ndarray:
    """(FRAMES, SIDE, SIDE): 1 inside, 0 outside, with an edge one pixel wide."""
    sine, cosine = np.sin(pose.angle) / pose.radius, np.cos(pose.angle) / pose.radius
    dx, dy = _X - _column(pose.x), _Y - _column(pose.y)
    u = _column(cosine) * dx + _column(sine) * dy
    v = _column(cosine) * dy - _column(sine) * dx
    return np.clip(np.float32(0.5) - _OUTLINES[shape](u, v) * _column(pose.radius), 0, 1)


def _video_colours(rgb: np.ndarray) -> np.ndarray:
    """(..., 3) red, green, blue in 0..1 -> float32 luma and two colour differences, without their offsets (BT.601)."""
    return (rgb[..., None, :] * _RGB_TO_YUV).sum(axis=-1).astype(np.float32)


def _weights(rng: np.random.Generator) -> np.ndarray:
    """(FRAMES, SIDE, CELLS + 1): share of each grid line in each pixel, the grid drifting at a random speed."""
    drift = rng.uniform(-4.0, 4.0) * np.linspace(-0.5, 0.5, FRAMES)[:, None]
    place = (np.arange(SIDE) + drift + 2.0) * (_CELLS / (SIDE + 4.0))
    return np.clip(1 - np.abs(place[..., None] - np.arange(_CELLS + 1)), 0, 1).astype(np.float32)


def _texture(rng: np.random.Generator) -> np.ndarray:
    """(FRAMES, 3, SIDE, SIDE): random colours on a coarse grid, blended, drifting slowly in a random direction."""
    grid = _video_colours(rng.random((_CELLS + 1, _CELLS + 1, 3)) * _DARK).transpose(2, 0, 1)
    down, across = _weights(rng)[:, None, :, :, None], _weights(rng)[:, None, None]
    lines = range(_CELLS + 1)
    bands = sum(down[..., k, :] * grid[:, k][None, :, None] for k in lines)  # FRAMES, 3, SIDE, CELLS + 1
    return sum(bands[..., k, None] * across[..., k] for k in lines)


def _paint(picture: np.ndarray, cover: np.ndarray, colour: np.ndarray) -> None:
    """Lay `colour` (3,) over the picture where `cover` (FRAMES, SIDE, SIDE) is above 0."""
    picture += cover[:, None] * (colour[:, None, None] - picture)


def _add_blobs(picture: np.ndarray, rng: np.random.Generator) -> None:
    """Soft round spots that tremble about a fixed place: something moves, in no direction."""
    for _ in range(_BLOBS):
        x, y = rng.uniform(0, SIDE, size=2)
        radius = rng.uniform(3.0, 6.0)
        tremble = rng.uniform(-1.5, 1.5, size=(2, FRAMES))
        dx, dy = _X - _column(x + tremble[0]), _Y - _column(y + tremble[1])
        falloff = np.clip(1 - (dx * dx + dy * dy) * np.float32(1 / radius**2), 0, 1)
        _paint(picture, falloff * falloff, _video_colours(rng.random(3) * _DARK))


def _planes(picture: np.ndarray) -> np.ndarray:
    """(FRAMES, 3, SIDE, SIDE) -> uint8 (FRAMES, SIDE * 3 // 2, SIDE): the planes of yuv420p, colour at half size."""
    half = SIDE // 2
    luma = np.clip(picture[:, 0] + np.float32(16.5), 16, 235).astype(np.uint8)
    wide = picture[:, 1:]
    colour = wide[..., ::2, ::2] + wide[..., 1::2, ::2] + wide[..., ::2, 1::2] + wide[..., 1::2, 1::2]
    colour = np.clip(colour * np.float32(0.25) + np.float32(128.5), 16, 240).astype(np.uint8)
    return np.concatenate([luma, colour.reshape(FRAMES, half, SIDE)], axis=1)


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
    picture = _texture(rng)
    _add_blobs(picture, rng)
    _paint(picture, _coverage(shape, pose), _video_colours(1 - rng.random(3) * _DARK))
    light = 1 + rng.uniform(-0.3, 0.3) * np.linspace(-0.5, 0.5, FRAMES)
    picture *= light.astype(np.float32)[:, None, None, None]
    grain = rng.random((2, FRAMES, SIDE, SIDE), dtype=np.float32)
    picture[:, 0] += (grain[0] - grain[1]) * np.float32(219 * _NOISE)
    frames = _planes(picture)
    return frames[::-1] if backwards else frames
