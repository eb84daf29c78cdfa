"""What the embedded datasets are drawn with: shapes that move over a coloured texture, among soft blobs.

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
#: shapes whose rotation can be seen
TURNING = ("square", "triangle", "cross", "bar", "stripes", "crescent")
MOTIONS = ("right", "left", "down", "up", "growing", "shrinking", "clockwise", "counterclockwise")

_BLOBS = 2
_CELLS = 3  # of the texture's grid, along each side
DARK = 0.5  # the background and the blobs have red, green and blue below this; the shape, as far from white
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
class Drawn:
    """One video: its class, the stem of its file's name, its yuv420p frames uint8 (FRAMES, SIDE * 3 // 2, SIDE)."""

    label: int
    name: str
    planes: np.ndarray


@dataclass(frozen=True)
class Pose:
    """Where the shape is in each frame: arrays of FRAMES numbers (pixels, pixels, pixels, radians)."""

    x: np.ndarray
    y: np.ndarray
    radius: np.ndarray
    angle: np.ndarray


def _column(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float32)[:, None, None]


def coverage(shape: str, pose: Pose) -> np.ndarray:
    """(FRAMES, SIDE, SIDE): 1 inside, 0 outside, with an edge one pixel wide."""
    sine, cosine = np.sin(pose.angle) / pose.radius, np.cos(pose.angle) / pose.radius
    dx, dy = _X - _column(pose.x), _Y - _column(pose.y)
    u = _column(cosine) * dx + _column(sine) * dy
    v = _column(cosine) * dy - _column(sine) * dx
    return np.clip(np.float32(0.5) - _OUTLINES[shape](u, v) * _column(pose.radius), 0, 1)


def video_colours(rgb: np.ndarray) -> np.ndarray:
    """(..., 3) red, green, blue in 0..1 -> float32 luma and two colour differences, without their offsets (BT.601)."""
    return (rgb[..., None, :] * _RGB_TO_YUV).sum(axis=-1).astype(np.float32)


def _weights(rng: np.random.Generator) -> np.ndarray:
    """(FRAMES, SIDE, CELLS + 1): share of each grid line in each pixel, the grid drifting at a random speed."""
    drift = rng.uniform(-4.0, 4.0) * np.linspace(-0.5, 0.5, FRAMES)[:, None]
    place = (np.arange(SIDE) + drift + 2.0) * (_CELLS / (SIDE + 4.0))
    return np.clip(1 - np.abs(place[..., None] - np.arange(_CELLS + 1)), 0, 1).astype(np.float32)


def texture(rng: np.random.Generator) -> np.ndarray:
    """(FRAMES, 3, SIDE, SIDE): random colours on a coarse grid, blended, drifting slowly in a random direction."""
    grid = video_colours(rng.random((_CELLS + 1, _CELLS + 1, 3)) * DARK).transpose(2, 0, 1)
    down, across = _weights(rng)[:, None, :, :, None], _weights(rng)[:, None, None]
    lines = range(_CELLS + 1)
    bands = sum(down[..., k, :] * grid[:, k][None, :, None] for k in lines)  # FRAMES, 3, SIDE, CELLS + 1
    return sum(bands[..., k, None] * across[..., k] for k in lines)


def paint(picture: np.ndarray, cover: np.ndarray, colour: np.ndarray) -> None:
    """Lay `colour` (3,) over the picture where `cover` (FRAMES, SIDE, SIDE) is above 0."""
    picture += cover[:, None] * (colour[:, None, None] - picture)


def add_blobs(picture: np.ndarray, rng: np.random.Generator) -> None:
    """Soft round spots that tremble about a fixed place: something moves, in no direction."""
    for _ in range(_BLOBS):
        x, y = rng.uniform(0, SIDE, size=2)
        radius = rng.uniform(3.0, 6.0)
        tremble = rng.uniform(-1.5, 1.5, size=(2, FRAMES))
        dx, dy = _X - _column(x + tremble[0]), _Y - _column(y + tremble[1])
        falloff = np.clip(1 - (dx * dx + dy * dy) * np.float32(1 / radius**2), 0, 1)
        paint(picture, falloff * falloff, video_colours(rng.random(3) * DARK))


def developed(picture: np.ndarray, noise: float, rng: np.random.Generator) -> np.ndarray:
    """The planes of a picture in changing light, with triangular noise of the luma of half width `noise` (full range
    is 1)."""
    light = 1 + rng.uniform(-0.3, 0.3) * np.linspace(-0.5, 0.5, FRAMES)
    picture *= light.astype(np.float32)[:, None, None, None]
    grain = rng.random((2, FRAMES, SIDE, SIDE), dtype=np.float32)
    picture[:, 0] += (grain[0] - grain[1]) * np.float32(219 * noise)
    return _planes(picture)


def _planes(picture: np.ndarray) -> np.ndarray:
    """(FRAMES, 3, SIDE, SIDE) -> uint8 (FRAMES, SIDE * 3 // 2, SIDE): the planes of yuv420p, colour at half size."""
    half = SIDE // 2
    luma = np.clip(picture[:, 0] + np.float32(16.5), 16, 235).astype(np.uint8)
    wide = picture[:, 1:]
    colour = wide[..., ::2, ::2] + wide[..., 1::2, ::2] + wide[..., ::2, 1::2] + wide[..., 1::2, 1::2]
    colour = np.clip(colour * np.float32(0.25) + np.float32(128.5), 16, 240).astype(np.uint8)
    return np.concatenate([luma, colour.reshape(FRAMES, half, SIDE)], axis=1)
