"""Crops and flips of decoded frames: numpy in, numpy out, the generator passed in.

Frames are uint8 (..., H, W, 3). A crop is a box (top, left, height, width) in pixels.

Known differences. mmaction2 takes its three crops along the longer side, at steps of (W - w) // 2; the authors of TSM,
TAM and TDN take them along the width at steps of (W - w) // 4, so that a portrait video gives the same crop three
times. mmaction2 crops at training from frames resized to 256, the authors from the original frames.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from repro.core.errors import BadOption, DataError, UnknownName
from repro.data.known_datasets import KNOWN
from repro.data.resize import resize

Box = tuple[int, int, int, int]

#: 0-based labels that change places in a mirrored clip ("from left to right" and so on)
FLIP_STHV1 = KNOWN["sthv1"].flip_labels
FLIP_STHV2 = KNOWN["sthv2"].flip_labels

_SCALES = (1.0, 0.875, 0.75, 0.66)
#: where a multi-scale crop lies, in quarters of the room (right, down): corners and centre, then eight in between
_FIVE = ((0, 0), (4, 0), (0, 4), (4, 4), (2, 2))
_THIRTEEN = (*_FIVE, (0, 2), (4, 2), (2, 4), (2, 0), (1, 1), (3, 1), (1, 3), (3, 3))
#: a crop side nearer than this to the network's input takes its size, to spare a resize
_SNAP = 3
#: share of the area, width to height, and draws of RandomResizedCrop, as Inception's training has them
_RESIZED_AREA, _RESIZED_RATIO, _RESIZED_TRIALS = (0.08, 1.0), (3 / 4, 4 / 3), 10


def _fits(height: int, width: int, size: int) -> None:
    if size > min(height, width):
        raise DataError(
            f"a crop of {size} does not fit into frames of {width}x{height}", fix=f"a resize of {size} or more"
        )


def centre_crop(height: int, width: int, size: int) -> list[Box]:
    """One square box in the middle."""
    _fits(height, width, size)
    return [((height - size) // 2, (width - size) // 2, size, size)]


def three_crops(height: int, width: int, size: int) -> list[Box]:
    """Left, right, middle; in a portrait frame top, bottom, middle. The short side is centred."""
    _fits(height, width, size)
    if width >= height:
        top, step = (height - size) // 2, (width - size) // 2
        return [(top, left, size, size) for left in (0, 2 * step, step)]
    left, step = (width - size) // 2, (height - size) // 2
    return [(top, left, size, size) for top in (0, 2 * step, step)]


def five_crops(height: int, width: int, size: int) -> list[Box]:
    """Upper left, upper right, lower left, lower right, centre; at steps of a quarter of the room."""
    _fits(height, width, size)
    down, across = (height - size) // 4, (width - size) // 4
    return [(y * down, x * across, size, size) for x, y in _FIVE]


def test_boxes(height: int, width: int, size: int, crops: int) -> list[tuple[Box, bool]]:
    """The boxes of `crops` test crops and whether each is mirrored: 1, 3, 5, 10 (each of 5 with its mirror)."""
    makers: dict[int, Callable[[int, int, int], list[Box]]] = {1: centre_crop, 3: three_crops, 5: five_crops}
    if crops == 10:
        return [(box, mirrored) for box in five_crops(height, width, size) for mirrored in (False, True)]
    if crops not in makers:
        raise BadOption(f"{crops} crops", allowed="1, 3, 5, 10", fix="--crops 3")
    return [(box, False) for box in makers[crops](height, width, size)]


def multi_scale_box(height: int, width: int, size: int, rng: np.random.Generator, positions: int = 13) -> Box:
    """MultiScaleCrop's box: sides int(short * {1, 0.875, 0.75, 0.66}) whose steps differ by at most one, at one of 5 or
    13 fixed positions; a side within 3 pixels of `size` becomes `size`, if the frame has room for it.
    """
    short = min(height, width)
    sides = [int(short * scale) for scale in _SCALES]
    pairs = [(w, h) for i, h in enumerate(sides) for j, w in enumerate(sides) if abs(i - j) <= 1]
    w, h = (max(_snapped(side, size, short), 1) for side in pairs[int(rng.integers(len(pairs)))])
    x, y = (_FIVE if positions == 5 else _THIRTEEN)[int(rng.integers(positions))]
    return y * ((height - h) // 4), x * ((width - w) // 4), h, w


def _snapped(side: int, size: int, room: int) -> int:
    return size if abs(side - size) < _SNAP and size <= room else side


def random_box(height: int, width: int, size: int, rng: np.random.Generator) -> Box:
    """A square of the given side anywhere in the frame."""
    _fits(height, width, size)
    top, left = rng.integers(height - size + 1), rng.integers(width - size + 1)
    return int(top), int(left), size, size


def random_resized_box(height: int, width: int, rng: np.random.Generator) -> Box:
    """RandomResizedCrop's box: 8 to 100 % of the area, width to height from 3:4 to 4:3 (log-uniform), anywhere.

    Of ten draws the first that fits into the frame; if none does, the largest square in the middle.
    """
    for _ in range(_RESIZED_TRIALS):
        area = height * width * rng.uniform(*_RESIZED_AREA)
        ratio = float(np.exp(rng.uniform(*np.log(_RESIZED_RATIO))))
        w, h = round(float(np.sqrt(area * ratio))), round(float(np.sqrt(area / ratio)))
        if 0 < w <= width and 0 < h <= height:
            return int(rng.integers(height - h + 1)), int(rng.integers(width - w + 1)), h, w
    short = min(height, width)
    return (height - short) // 2, (width - short) // 2, short, short


def train_box(rule: str, height: int, width: int, size: int, rng: np.random.Generator) -> Box:
    """The box of a training crop by a rule of `spec.Train`; `random` and `centre` need frames of at least `size`."""
    if rule == "multi_scale":
        return multi_scale_box(height, width, size, rng)
    if rule == "multi_scale_5":
        return multi_scale_box(height, width, size, rng, positions=5)
    if rule == "random_resized":
        return random_resized_box(height, width, rng)
    if rule == "random":
        return random_box(height, width, size, rng)
    if rule == "centre":
        return centre_crop(height, width, size)[0]
    known = ("multi_scale", "multi_scale_5", "random_resized", "random", "centre")
    raise UnknownName("crop rule", rule, known, fix="multi_scale")


def crop(frames: np.ndarray, box: Box, size: int | None = None, mirrored: bool = False) -> np.ndarray:
    """The box cut out of all frames, resized to a square of `size` when it has another size, mirrored if asked."""
    top, left, height, width = box
    cut = frames[..., top : top + height, left : left + width, :]
    if size is not None:
        cut = resize(cut, size, size)
    return cut[..., ::-1, :] if mirrored else cut


def swapped_label(label: int, pairs: Iterable[tuple[int, int]]) -> int:
    """The label of the mirrored clip."""
    for one, other in pairs:
        if label in (one, other):
            return other if label == one else one
    return label
