"""CPU time of one video's views, beside the public pipeline and beside every decoder that can be chosen.

The protocol: one process without workers; the whole way from the file to the uint8 views; every way in turn in each
repeat, so that what slows the machine slows all; CPU time of the process, threads included, not wall-clock time. The
ratio to the public pipeline is taken within each repeat. Before the first repeat each way runs once, and its views are
compared: what is not the same work is not timed.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from repro.core.errors import BadOption, DataError
from repro.core.spec import Views
from repro.cost import mmaction2_pipeline
from repro.cost.runtime import threads_of
from repro.data import decode
from repro.data.views_of_video import FileSource, test_clips

#: what is timed: 8 frames over the whole video, 8 frames of one dense clip, 10 such clips, 30 views
CASES = {
    "8 sparse": Views(sampling="mmaction2.uniform_test_8", clips=1, crops=1, resize=256, crop=224),
    "8 dense": Views(sampling="tam.dense_val_8", clips=1, crops=1, resize=256, crop=224),
    "10 clips x 8": Views(sampling="mmaction2.dense_test_8", clips=10, crops=1, resize=256, crop=224),
    "30 views": Views(sampling="mmaction2.dense_test_8", clips=10, crops=3, resize=256, crop=256),
}
PUBLIC = "public pipeline"
#: grey levels by which OpenCV's rounding of weights, on top of ours, may move a pixel
_TOLERANCE = 2


@dataclass(frozen=True)
class DataSpeed:
    """One case of one clip. `times_s` are CPU seconds of each repeat, of `PUBLIC` and of each decoder."""

    clip: str
    case: str
    chosen: str
    """What decoder "auto" chose."""
    times_s: dict[str, list[float]]
    left_out: dict[str, str]
    """Ways that do not do the same work on this file, and why."""

    def median(self, way: str = "auto") -> float:
        """Seconds."""
        return statistics.median(self.times_s[way])

    def spread(self, way: str = "auto") -> list[float]:
        """First and third quartile, seconds."""
        return np.quantile(self.times_s[way], [0.25, 0.75]).tolist()

    @property
    def ratio(self) -> float | None:
        """Public pipeline / auto, median over the repeats: above 1 means that auto is faster."""
        return statistics.median(self._ratios) if PUBLIC in self.times_s else None

    @property
    def ratio_spread(self) -> list[float] | None:
        """First and third quartile of the ratio."""
        return np.quantile(self._ratios, [0.25, 0.75]).tolist() if PUBLIC in self.times_s else None

    @property
    def _ratios(self) -> list[float]:
        return [theirs / ours for theirs, ours in zip(self.times_s[PUBLIC], self.times_s["auto"], strict=True)]

    @property
    def fastest(self) -> str:
        """The fastest of the decoders that were tried by name."""
        named = [way for way in self.times_s if way not in (PUBLIC, "auto")]
        return min(named, key=self.median)

    @property
    def behind(self) -> float:
        """Time of auto / time of the fastest decoder, the median over the repeats."""
        pairs = zip(self.times_s["auto"], self.times_s[self.fastest], strict=True)
        return statistics.median(auto / best for auto, best in pairs)


def measure(path: Path, case: str, *, repeats: int = 5) -> DataSpeed:
    """Time one case of `CASES` on one file. What cannot read the file, or reads other frames, is left out and named."""
    if case not in CASES:
        raise BadOption(f"case {case!r}", allowed=", ".join(CASES))
    if repeats < 1:
        raise BadOption(f"{repeats} repeats", allowed="1 or more")
    with threads_of(1):  # PyTorch's, which resize for the public pipeline where OpenCV is not installed
        runs, left_out = ways(path, CASES[case])
        times: dict[str, list[float]] = {way: [] for way in runs}
        for _ in range(repeats):
            for way, run in runs.items():
                began = time.process_time()
                run()
                times[way].append(time.process_time() - began)
    chosen = decode.read_picked(path, lambda n: np.zeros(1, np.int64), decoder="auto").decoder
    return DataSpeed(path.name, case, chosen, times, left_out)


def ways(path: Path, views: Views) -> tuple[dict[str, Callable[[], np.ndarray]], dict[str, str]]:
    """Each way by its name, run once and compared with auto; and those that differ from it or fail."""
    runs: dict[str, Callable[[], np.ndarray]] = {PUBLIC: partial(mmaction2_pipeline.test_views, path, views)}
    for name in decode.DECODERS:
        runs[name] = partial(own_views, path, views, name)
    expected = runs["auto"]().astype(np.int16)
    left_out = {}
    for way, run in runs.items():
        try:
            made = run()
        except (DataError, BadOption, RuntimeError) as error:
            left_out[way] = str(error).splitlines()[0]
            continue
        if made.shape != expected.shape or np.abs(made - expected).max() > _TOLERANCE:
            left_out[way] = "other frames"
    return {way: run for way, run in runs.items() if way not in left_out}, left_out


def own_views(path: Path, views: Views, decoder: str) -> np.ndarray:
    """What a test of this suite reads of a video: (clips * crops, frames, 3, H, W)."""
    return test_clips(FileSource(path, decoder, views.resize), views, path.name)
