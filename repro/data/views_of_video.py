"""One video into what a network sees: the views of a test, or one augmented training clip. Runs beside the decoder.

A source is a video's path, or frames that are decoded already (`repro.data.cache`); the same code serves both.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from repro.core.spec import Train, Views
from repro.data import sampling, views
from repro.data.decode import Pick, read_picked

#: purposes of random streams, so that no two share numbers
ORDER, SAMPLE, TEST = 0, 1, 2


def generator(seed: int, epoch: int, purpose: int, position: int) -> np.random.Generator:
    """The random numbers of one place in the training: a function of these four alone (Philox counts)."""
    key = [seed & (2**64 - 1), epoch & (2**64 - 1)]
    return np.random.Generator(np.random.Philox(key=key, counter=[0, 0, purpose, position]))


def shares(clips: int, most: int, rank: int, world: int) -> list[int]:
    """The clips of each forward pass that process `rank` makes over its part of a batch of `clips`, every `world`-th.

    At most `most`, as even as can be. All processes make equally many passes: who has too few clips makes one of 0.
    """
    passes = -(-clips // (world * most))
    own = len(range(rank, clips, world))
    return [own // passes + (number < own % passes) for number in range(passes)]


class Source:
    """Where frames come from; `pick(frame count)` says which, in any shape."""

    used = ""
    """The decoder that made the frames, once they are read."""

    def read(self, pick: Pick) -> tuple[np.ndarray, np.ndarray]:
        """Distinct frames (U, H, W, 3), already resized, and the place of each picked index in them."""
        raise NotImplementedError


class FileSource(Source):
    """A video file."""

    def __init__(self, path: str | Path, decoder: str, resize: int) -> None:
        self.path, self.decoder, self.resize = path, decoder, resize

    def read(self, pick: Pick) -> tuple[np.ndarray, np.ndarray]:
        """See `Source`."""
        picked = read_picked(self.path, pick, decoder=self.decoder, resize_short=self.resize)
        self.used = picked.decoder
        return picked.frames, picked.place


class ArraySource(Source):
    """All frames of a video, decoded and resized (N, H, W, 3)."""

    def __init__(self, frames: np.ndarray, used: str = "") -> None:
        self.frames, self.used = frames, used

    def read(self, pick: Pick) -> tuple[np.ndarray, np.ndarray]:
        """See `Source`."""
        wanted = pick(len(self.frames))
        return self.frames[wanted.reshape(-1)], np.arange(wanted.size).reshape(wanted.shape)


def train_clip(source: Source, train: Train, label: int, rng: np.random.Generator) -> tuple[np.ndarray, int]:
    """One augmented clip uint8 (T * clip_length, 3, crop, crop) and its label. Draws: frames, box, flip."""
    frames, place = source.read(lambda n: sampling.indices(train.sampling, n, rng)[0])
    height, width = frames.shape[1:3]
    box = views.train_box(train.crop_rule, height, width, train.crop, rng)
    mirrored = bool(rng.random() < train.flip)
    cut = views.crop(frames, box, train.crop, mirrored)
    if mirrored:
        label = views.swapped_label(label, train.flip_labels)
    return np.ascontiguousarray(np.moveaxis(cut, -1, -3)[place]), label


@dataclass(frozen=True)
class Cuts:
    """The views of a test video, uint8, cut out of its frames when they are asked for; view = clip * crops + crop.

    30 views of five-frame segments are 236 MB, the frames that they are cut from a third of it.
    """

    frames: np.ndarray
    """Distinct frames (U, H, W, 3)."""
    place: np.ndarray
    """(clips, T * clip_length), places in `frames`."""
    boxes: tuple[tuple[views.Box, bool], ...]
    """A crop and whether it is mirrored, for each of the crops of a clip."""

    def __len__(self) -> int:
        return len(self.place) * len(self.boxes)

    def part(self, start: int, stop: int) -> np.ndarray:
        """Views `start` to `stop`, (stop - start, T * clip_length, 3, crop, crop)."""
        _, _, height, width = self.boxes[0][0]
        out = np.empty((stop - start, self.place.shape[1], 3, height, width), dtype=np.uint8)
        for number, view in enumerate(range(start, stop)):
            clip, crop = divmod(view, len(self.boxes))
            box, mirrored = self.boxes[crop]
            out[number] = np.moveaxis(views.crop(self.frames[self.place[clip]], box, mirrored=mirrored), -1, -3)
        return out


def test_cuts(source: Source, test: Views, video_id: str, seed: int = 0) -> Cuts:
    """The views of one video of a test.

    Random test rules draw from a stream of (seed, video id), so a video's views do not depend on the others.
    """
    stream = zlib.crc32(video_id.encode("utf-8", "surrogateescape"))
    rng = generator(seed, 0, TEST, stream) if sampling.is_random(test.sampling) else None
    frames, place = source.read(lambda n: sampling.indices(test.sampling, n, rng))
    height, width = frames.shape[1:3]
    return Cuts(frames, place, tuple(views.test_boxes(height, width, test.crop, test.crops)))


def train_task(
    path: str, label: int, decoder: str, train: Train, where: tuple[int, int, int]
) -> tuple[np.ndarray, int, str]:
    """`train_clip` of a file at (seed, epoch, place) and the decoder that was used; in a worker, without torch."""
    seed, epoch, place = where
    rng = generator(seed, epoch, SAMPLE, place)
    source = FileSource(path, decoder, train.resize)
    return *train_clip(source, train, label, rng), source.used


def test_task(path: str, video_id: str, decoder: str, test: Views, seed: int) -> tuple[Cuts, str]:
    """`test_cuts` of a file and the decoder that was used, in a worker."""
    source = FileSource(path, decoder, test.resize)
    return test_cuts(source, test, video_id, seed), source.used
