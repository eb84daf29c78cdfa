"""Videos a second from file to scores, beside what decoding and the network would give alone."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from repro.core.environment import device_name
from repro.core.errors import DecodeError
from repro.core.process import memory_kept
from repro.core.spec import Views
from repro.cost.timing import Timed, summary, take_turns, warm_up
from repro.data import clip_views
from repro.data.pool import Pool, Problem
from repro.engine.predict import predictions, views_at_once
from repro.models.build import input_shape
from repro.models.pretrained import Trained

_REPEATS = 5


def measure(
    network: Trained, clips: Sequence[Path], views: Views, *, device: str, workers: int, videos: int
) -> dict[str, Any]:
    """Rates (videos a second) of `videos` videos, the `clips` in turn: all of it as `predict` does it, decoding by
    `workers` processes, the network by the views of full batches. The first video, before which processes start, is
    left out. A clip that cannot be read is a `DecodeError`.
    """
    listed = [clips[number % len(clips)] for number in range(max(2, videos))]
    views_per_s = _network(network, views, device)
    decoded = _rate(_decoded(listed, views, workers))
    whole = _rate(_predicted(listed, network, views, device, workers))
    slower = min(decoded, views_per_s / views.count)
    return {
        "device_name": device_name(device),
        "workers": workers,
        "threads": torch.get_num_threads(),
        "videos": len(listed),
        "views": views.count,
        "videos_per_s": whole,
        "decoded_per_s": decoded,
        "network_per_s": views_per_s / views.count,
        "of_the_slower": whole / slower,
    }


def _network(network: Trained, views: Views, device: str) -> float:
    """Views a second of batches as `predict` makes them."""
    most = views_at_once(network, views, device)
    batch = max(1, most // views.count) * min(views.count, most)
    black = torch.zeros(input_shape(network.model, views.crop, batch), dtype=torch.uint8).to(device)
    side = Timed(lambda x: network.module(network.normalize(x)), black, None, None)
    with memory_kept(), torch.inference_mode():
        warm_up(side)
        return float(summary(take_turns([side], _REPEATS)[0], batch)["views_per_s"])


def _decoded(clips: Sequence[Path], views: Views, workers: int) -> Any:
    tasks = ((str(clip), "auto", views) for clip in clips)
    for clip, one in zip(clips, Pool(clip_views.clip_task, workers=workers).run(tasks, ahead=2 * workers), strict=True):
        if isinstance(one, Problem):
            raise DecodeError(clip, one.reason)
        one.cuts.part(0, len(one.cuts))
        yield one


def _predicted(clips: Sequence[Path], network: Trained, views: Views, device: str, workers: int) -> Any:
    for made in predictions(clips, network, views, device=device, workers=workers):
        if made.problem:
            raise DecodeError(made.clip, made.problem)
        yield made


def _rate(made: Any) -> float:
    """Items a second behind the first."""
    next(made)
    began = time.perf_counter()
    count = sum(1 for _ in made)
    taken = time.perf_counter() - began
    return count / taken if taken else math.inf
