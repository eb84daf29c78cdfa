"""Batches for training and views for testing, as torch tensors of uint8; `normalize` makes them floats on the device.

What is drawn for a place in the training depends on (seed, epoch, position) alone: never on the number of workers, on
the time, or on where a run was resumed. Videos are decoded in worker processes (`repro.data.pool`), or taken from a
cache of decoded frames (`repro.data.cache`), in which case no process is started.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from repro.core.errors import BadOption, DataError
from repro.core.spec import Train, Views
from repro.data import sampling, views_of_video
from repro.data.index import Index, Video
from repro.data.pool import Pool, Problem

if TYPE_CHECKING:
    from repro.data.cache import FrameCache

#: RGB, of pixels in 0..1
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
#: bad videos at which training on a dataset gives up, if they are also more than half of it
_MOST_FAILURES = 50
#: bytes of views that may wait for the network in a test
_TEST_WAITING_BYTES = 256 << 20
#: seconds for one video
TIMEOUT_S = 60.0


@dataclass(frozen=True)
class TestVideo:
    """One video of a test: its views are cut out of `cuts` as they are needed, or None with the `problem`."""

    __test__ = False

    position: int
    video: Video
    cuts: views_of_video.Cuts | None
    problem: str | None
    shape: tuple[int, ...] = ()
    """Frames of a view: (T,), for TDN (T, 5)."""
    decoder: str = ""
    """The one that was used: what "auto" chose, "pillow" for a folder of pictures."""

    def part(self, start: int, stop: int) -> torch.Tensor:
        """Views `start` to `stop`, uint8 (V, T, 3, H, W), TDN (V, T, 5, 3, H, W)."""
        assert self.cuts is not None
        x = torch.from_numpy(self.cuts.part(start, stop))
        return x.reshape(len(x), *self.shape, *x.shape[2:])

    @property
    def views(self) -> torch.Tensor | None:
        """All views at once."""
        return None if self.cuts is None else self.part(0, len(self.cuts))


def epoch_order(count: int, seed: int, epoch: int) -> np.ndarray:
    """The permutation of all videos that an epoch walks through, int64 (count,)."""
    return views_of_video.generator(seed, epoch, views_of_video.ORDER, 0).permutation(count)


def clips_per_epoch(count: int, train: Train) -> int:
    """Clips of one epoch: all, or those of whole batches where the recipe drops the rest of the permutation."""
    return count - count % train.batch if train.last_batch == "drop" and count >= train.batch else count


def train_batches(
    index: Index,
    train: Train,
    *,
    clip_length: int,
    seed: int,
    epoch: int,
    micro_batch: int,
    start: int = 0,
    decoder: str = "auto",
    workers: int = 0,
    cache: FrameCache | None = None,
    timeout_s: float = TIMEOUT_S,
    problems: dict[str, str] | None = None,
    used: Counter[str] | None = None,
    rank: int = 0,
    world: int = 1,
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Micro-batches of one epoch: uint8 (B, T[, 5], 3, H, W) and int64 labels (B,). Those of a last, smaller batch are
    divided by `clips.shares`; where that leaves none to this process it gets the first of them, as a stand-in.

    `start` skips that many micro-batches, without decoding them. A video that cannot be read is entered in `problems`
    (id -> reason) and left out; the next readable video of the epoch's order takes its place, with the random numbers
    of that place, so that batches keep their size. `used` counts the clips by the decoder that made them. `rank` of
    `world` takes every world-th clip.
    """
    frames = check_rule(index, train.sampling, clip_length)
    if micro_batch < 1 or start < 0:
        raise BadOption(f"micro_batch {micro_batch}, start {start}", allowed="micro_batch 1 or more, start 0 or more")
    order = epoch_order(len(index), seed, epoch)
    parts = _parts(clips_per_epoch(len(index), train), train.batch, micro_batch, rank, world)[start:]
    bad, counted = {} if problems is None else problems, Counter() if used is None else used
    epoch_clips = _Epoch(index, train, order, seed, epoch, decoder, timeout_s, workers, cache, bad, counted)
    places = [place for part in parts for place in part]
    made = epoch_clips.run(places, ahead=max(2 * micro_batch, 2 * workers))
    shape = (frames,) if clip_length == 1 else (frames, clip_length)
    for part in parts:
        pairs = [next(made) for _ in part]
        x = torch.from_numpy(np.stack([clip for clip, _ in pairs]))
        yield x.reshape(len(pairs), *shape, *x.shape[2:]), torch.tensor([label for _, label in pairs])


def _parts(count: int, batch: int, micro_batch: int, rank: int, world: int) -> list[list[int]]:
    """Places in the epoch's order of each micro-batch of process `rank`."""
    whole = count - count % batch
    own = range(whole)[rank::world]
    parts = [list(own[first : first + micro_batch]) for first in range(0, len(own), micro_batch)]
    if whole == count:
        return parts
    rest = iter(range(whole, count)[rank::world])
    for size in views_of_video.shares(count - whole, micro_batch, rank, world):
        parts.append([next(rest) for _ in range(size)] or [whole])
    return parts


@dataclass
class _Epoch:
    """The clips of one epoch, in order, with stand-ins for videos that cannot be read."""

    index: Index
    train: Train
    order: np.ndarray
    seed: int
    epoch: int
    decoder: str
    timeout_s: float
    workers: int
    cache: FrameCache | None
    bad: dict[str, str]
    used: Counter[str]

    def run(self, places: Sequence[int], ahead: int) -> Iterator[tuple[np.ndarray, int]]:
        """(clip, label) of each place."""
        for place, made in zip(places, self._make([(place, place) for place in places], ahead), strict=True):
            if isinstance(made, Problem):
                self.bad[self._video(place).id] = made.reason
                made = self._stand_in(place)
            self.used[made[2]] += 1
            yield made[:2]

    def _stand_in(self, place: int) -> tuple[np.ndarray, int, str]:
        """The clip of the next readable video for a place; what is known to be bad is not tried again."""
        count = len(self.order)
        slots = [(place + step) % count for step in range(1, count)]
        slots = [slot for slot in slots if self._video(slot).id not in self.bad]
        for slot, made in zip(slots, self._make([(place, slot) for slot in slots], ahead=1), strict=False):
            if not isinstance(made, Problem):
                return made
            self.bad[self._video(slot).id] = made.reason
            if len(self.bad) >= _MOST_FAILURES and len(self.bad) > count // 2:
                break
        names = ", ".join(repr(name) for name in list(self.bad)[:3])
        raise DataError(
            f"{len(self.bad)} of {count} videos of {self.index.name} cannot be read, among them {names}",
            fix="check the paths in the CSV, or --decoder auto",
        )

    def _video(self, slot: int) -> Video:
        return self.index.videos[self.order[slot]]

    def _make(self, places: Sequence[tuple[int, int]], ahead: int) -> Iterator[Any]:
        """Clip, label and decoder, or a problem: by the random numbers of each pair's first, of its second's video."""
        train = self.train
        if self.cache is None:
            tasks = (
                (str(video.path), video.label, self.decoder, train, (self.seed, self.epoch, place))
                for place, video in ((place, self._video(slot)) for place, slot in places)
            )
            yield from Pool(views_of_video.train_task, workers=self.workers, timeout_s=self.timeout_s).run(
                tasks, ahead=ahead
            )
            return
        self.cache.check(self.index, self.decoder, train.resize)
        for place, slot in places:
            source, video = self.cache.source(int(self.order[slot])), self._video(slot)
            rng = views_of_video.generator(self.seed, self.epoch, views_of_video.SAMPLE, place)
            made = _of_source(source, views_of_video.train_clip, train, video.label, rng)
            yield made if isinstance(source, Problem) or isinstance(made, Problem) else (*made, source.used)


def test_videos(
    index: Index,
    views: Views,
    *,
    clip_length: int,
    decoder: str = "auto",
    workers: int = 0,
    cache: FrameCache | None = None,
    timeout_s: float = TIMEOUT_S,
    positions: Sequence[int] | None = None,
    seed: int = 0,
) -> Iterator[TestVideo]:
    """All views of each video, in the index's order; a video that cannot be read comes with its problem, never with
    other frames. Each is decoded once. `positions` chooses some videos; `seed` is for rules that draw at random.
    """
    frames = check_rule(index, views.sampling, clip_length)
    if sampling.clips_of(views.sampling) != views.clips:
        raise BadOption(
            f"views of {views.clips} clips with {views.sampling!r}",
            allowed=f"{sampling.clips_of(views.sampling)} clips",
        )
    chosen = list(range(len(index)) if positions is None else positions)
    shape = (frames,) if clip_length == 1 else (frames, clip_length)
    readable = [position for position in chosen if index.videos[position].id not in index.problems]
    found = _test_results(index, views, readable, decoder, workers, cache, timeout_s, seed)
    for position in chosen:
        video = index.videos[position]
        known = index.problems.get(video.id)
        made = next(found) if known is None else Problem(known)
        if isinstance(made, Problem):
            yield TestVideo(position, video, None, made.reason)
        else:
            yield TestVideo(position, video, made[0], None, shape, made[1])


test_videos.__test__ = False  # type: ignore[attr-defined]


def _test_results(
    index: Index,
    views: Views,
    chosen: Sequence[int],
    decoder: str,
    workers: int,
    cache: FrameCache | None,
    timeout_s: float,
    seed: int,
) -> Iterator[Any]:
    """(cuts, decoder) of each video, or its problem."""
    videos = (index.videos[position] for position in chosen)
    if cache is None:
        tasks = ((str(video.path), video.id, decoder, views, seed) for video in videos)
        pool = Pool(views_of_video.test_task, workers=workers, timeout_s=timeout_s)
        yield from pool.run(tasks, ahead=_test_ahead(views, workers))
        return
    cache.check(index, decoder, views.resize)
    for position, video in zip(chosen, videos, strict=True):
        source = cache.source(position)
        made = _of_source(source, views_of_video.test_cuts, views, video.id, seed)
        yield made if isinstance(source, Problem) or isinstance(made, Problem) else (made, source.used)


def _test_ahead(views: Views, workers: int) -> int:
    """Videos whose views may wait here: two a worker; one where that would take too much memory, and of a single
    worker none, which keeps them until they are asked for.
    """
    frames = views.count * sampling.frames_of(views.sampling) * sampling.clip_length_of(views.sampling)
    waiting = max(2, 2 * workers)
    return waiting if waiting * frames * 3 * views.crop**2 <= _TEST_WAITING_BYTES else workers if workers > 1 else 0


def _of_source(source: views_of_video.Source | Problem, make: Callable[..., Any], *arguments: Any) -> Any:
    """What the pool gives, without a process: the value, or the problem of this video."""
    if isinstance(source, Problem):
        return source
    try:
        return make(source, *arguments)
    except DataError as error:
        return Problem(str(error))


def check_rule(index: Index, rule: str, clip_length: int) -> int:
    """The frames of the rule's clips; refuses a rule whose segments are not those of the network."""
    made = sampling.clip_length_of(rule)
    if made != clip_length:
        raise BadOption(
            f"sampling rule {rule!r} gives segments of {made} frames, the network takes {clip_length}",
            allowed="tdn.* and repro.centred5_* for TDN (5), other rules for other networks (1)",
        )
    if not len(index):
        raise DataError(f"the {index.split} split of {index.name} holds no video")
    return sampling.frames_of(rule)


def normalize(
    x: torch.Tensor,
    *,
    mean: Sequence[float] = MEAN,
    std: Sequence[float] = STD,
    order: str = "RGB",
    scale: float = 1.0,
    dtype: torch.dtype = torch.float32,
) -> torch.Tensor:
    """uint8 RGB (..., 3, H, W) -> (pixel / 255 * scale - mean) / std on its device; `order` "BGR" turns the channels.

    `mean` and `std` are in the order and the scale of the network's input, as `Contract.to_dict()` gives them.
    """
    if order not in ("RGB", "BGR"):
        raise BadOption(f"colour order {order!r}", allowed="RGB, BGR")
    if x.dtype != torch.uint8 or x.shape[-3] != 3:
        raise BadOption(f"frames of {x.dtype}, shape {tuple(x.shape)}", allowed="uint8 (..., 3, H, W)")
    frames = x.reshape(-1, *x.shape[-3:]).flip(-3) if order == "BGR" else x.reshape(-1, *x.shape[-3:])
    # laid out as the first convolution takes them, which else copies them in every pass, forward and backward
    values = frames.to(torch.float32, memory_format=torch.channels_last).reshape(x.shape)
    factor, shift = _factor_and_shift(tuple(mean), tuple(std), scale, x.device)
    return values.mul_(factor).add_(shift).to(dtype)


@functools.lru_cache(maxsize=64)
@torch.inference_mode(False)
def _factor_and_shift(
    mean: tuple[float, ...], std: tuple[float, ...], scale: float, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Each (3, 1, 1), kept on the device: a GPU is waited for when they are made."""
    factor = torch.tensor([scale / 255.0 / float(s) for s in std], device=device)
    shift = torch.tensor([-float(m) / float(s) for m, s in zip(mean, std, strict=True)], device=device)
    return factor.reshape(3, 1, 1), shift.reshape(3, 1, 1)
