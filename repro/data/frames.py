"""Frames that lie as pictures in a folder (Something-Something V1, Jester, extracted Kinetics), read like a video.

The numbers in the names give the order: `00001.jpg`, `img_00001.jpg`, `image_000001.png`, from 0 or from 1 or from any
other number on, since frame 0 is the first picture whatever its name. Optical flow beside the pictures (`flow_x_`,
`x_`, `y_`) is left alone. A hole in the numbers is an error: nothing stands in for a missing picture.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from repro.core.errors import DecodeError
from repro.data.frame_buffer import Stack

_PICTURE = re.compile(r"(?P<prefix>.*?)(?P<number>\d+)(?P<suffix>\.(?:jpe?g|png|bmp|webp))", re.IGNORECASE)
#: what such names stand for; Pillow knows formats that are programs, and would run them
_FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "GIF", "TIFF", "PPM")
_FLOW = re.compile(r"(?:.*flow_?|[xy]_?|tvl1_?|flow_?[xyuv]_?)", re.IGNORECASE)


@dataclass(frozen=True)
class FrameFolder:
    """The pictures of one folder in their order; `first` is the number in the name of the first one."""

    first: int
    names: tuple[str, ...]


def is_picture(name: str) -> bool:
    """Whether a file name ends in a number and the suffix of a picture, and is no optical flow, nor hidden: what a Mac
    writes as `._00001.jpg` beside a picture holds none.
    """
    return _parts(name) is not None


def _parts(name: str) -> re.Match[str] | None:
    found = None if name.startswith(".") else _PICTURE.fullmatch(name)
    return found if found is not None and not _FLOW.fullmatch(found["prefix"]) else None


def list_folder(folder: Path) -> FrameFolder:
    """The pictures of a folder, sorted by number; DecodeError for none, for two kinds of names, or for a hole."""
    kinds: dict[tuple[str, str], list[tuple[int, str]]] = {}
    for name in (path.name for path in folder.iterdir()):
        if found := _parts(name):
            kinds.setdefault((found["prefix"], found["suffix"]), []).append((int(found["number"]), name))
    if not kinds:
        raise DecodeError(folder, "not a regular file, nor a folder of frames: no picture in it is named by a number")
    if len(kinds) > 1:
        shown = ", ".join(f"{prefix}*{suffix}" for prefix, suffix in sorted(kinds))
        raise DecodeError(folder, f"pictures of {len(kinds)} kinds of names in one folder: {shown}")
    (numbered,) = kinds.values()
    numbered.sort()
    _refuse_holes(folder, [number for number, _ in numbered])
    return FrameFolder(numbered[0][0], tuple(name for _, name in numbered))


def _refuse_holes(folder: Path, numbers: list[int]) -> None:
    for before, after in itertools.pairwise(numbers):
        if after != before + 1:
            what = f"frame {before + 1} is missing" if after > before else f"frame {after} is there twice"
            raise DecodeError(folder, f"{what}, of {numbers[0]} to {numbers[-1]}")


def read(folder: Path, unique: Callable[[int], np.ndarray], stack: Stack) -> None:
    """Put the pictures at the sorted, distinct indices `unique(frame count)` on the stack, by Pillow."""
    listed = list_folder(folder)
    for place, number in enumerate(unique(len(listed.names)).tolist()):
        stack.put(place, read_picture(folder / listed.names[number]))


def read_picture(path: Path) -> np.ndarray:
    """One picture as RGB uint8 (H, W, 3), turned and mirrored as its camera says."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(path, formats=_FORMATS) as picture:
            ImageOps.exif_transpose(picture, in_place=True)
            if picture.mode.startswith("I"):
                return _of_16_bits(np.asarray(picture))
            if picture.mode == "F":
                raise ValueError("its values are floating-point numbers, and what is white is not told")
            return np.asarray(picture.convert("RGB"))
    except UnidentifiedImageError:
        reason = "empty file" if path.stat().st_size == 0 else "not a picture"
        raise DecodeError(path.parent, f"{path.name}: {reason}") from None
    except Exception as error:  # the bytes decide what Pillow trips over
        reason = "truncated" if re.search("truncated|broken", str(error), re.IGNORECASE) else str(error)
        raise DecodeError(path.parent, f"{path.name}: {reason}") from error


def _of_16_bits(grey: np.ndarray) -> np.ndarray:
    """A grey picture (H, W) of 0 to 65535, as depth and infrared are stored, as RGB of 0 to 255: Pillow would cut off
    what exceeds 255.
    """
    wide = grey.astype(np.int64)
    if wide.size and (wide.min() < 0 or wide.max() > 65535):
        raise ValueError(f"its values are {wide.min()} to {wide.max()}, and what is white is not told")
    scaled = (wide + 128) // 257
    return np.repeat(scaled.astype(np.uint8)[..., None], 3, axis=2)
