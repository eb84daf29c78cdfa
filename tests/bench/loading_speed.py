"""CPU time of one video's views by every decoder, and by the public pipeline.

One process without workers, the whole way from the file to the uint8 views, CPU time of the process, threads included;
every way in turn in each repeat. Each runs once before, and its views are compared: other work is not timed.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from repro.core.errors import BadOption, DataError
from repro.core.spec import Views
from repro.data import decode
from repro.data.views_of_video import FileSource, test_cuts

from . import mmaction2_pipeline

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


def measure(path: Path, case: str, *, repeats: int) -> dict[str, list[float]]:
    """CPU seconds of each repeat of one of `CASES` on one file, by way. Ways that make other views are left out."""
    runs, _ = ways(path, CASES[case])
    times: dict[str, list[float]] = {way: [] for way in runs}
    for _ in range(repeats):
        for way, run in runs.items():
            began = time.process_time()
            run()
            times[way].append(time.process_time() - began)
    return times


def ratio(times: dict[str, list[float]], one: str, other: str) -> float:
    """Time of one way over that of another, the median over the repeats."""
    return statistics.median(a / b for a, b in zip(times[one], times[other], strict=True))


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
    cuts = test_cuts(FileSource(path, decoder, views.resize), views, path.name)
    return cuts.part(0, len(cuts))
