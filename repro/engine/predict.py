"""What a network says of clips: their best classes with probabilities, and by what means they were found.

Clips are decoded in processes of their own, ahead of the network, which takes the views of several at once: a clip that
cannot be read, or that ends its decoder, is one `Prediction` with a problem, and no other waits for it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from repro.core.errors import DecodeError
from repro.core.process import memory_kept
from repro.core.spec import Views, to_dict
from repro.core.words import many
from repro.data import clip_views
from repro.data.clip_views import SeenClip
from repro.data.loader import TIMEOUT_S
from repro.data.pool import Pool, Problem
from repro.engine import batch_size
from repro.engine.ahead import ahead
from repro.models.build import input_shape
from repro.models.device import place_on
from repro.models.pretrained import Trained, require_views
from repro.records import metrics

#: views in one pass through the network at most; more gain nothing there, and a clip waits for its batch
_MOST_VIEWS = {"cpu": 8, "cuda": 64}
#: bytes of frames that may wait for the network
_WAITING_BYTES = 256 << 20


@dataclass(frozen=True)
class Prediction:
    """The classes of a clip, best first; or the problem with it."""

    clip: Path
    classes: list[dict[str, Any]]
    """`number`, `name`, `score`: a probability; those of all classes add up to 1. Empty where there is a problem."""
    problem: str = ""
    """Why the clip could not be read."""
    frames: int = 0
    """Of the whole clip."""
    decoder: str = ""
    """The one that was used."""
    used: dict[str, Any] = field(default_factory=dict)
    """Of a single clip: its digest, network, weights, views, decoder, device."""

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {"classes": self.classes, **self.used}


def predict(
    clip: Path, network: Trained, views: Views, *, decoder: str = "auto", device: str = "cpu", top: int = 5
) -> Prediction:
    """The `top` classes (fewer if the network has fewer) of a video file or folder of pictures, with what was used.

    Raises `DecodeError` where it cannot be read.
    """
    made = next(predictions([clip], network, views, decoder=decoder, device=device, top=top))
    if made.problem:
        raise DecodeError(clip, made.problem)
    return replace(made, used=_used(made, network, views, device))


def predictions(
    clips: Sequence[Path],
    network: Trained,
    views: Views,
    *,
    decoder: str = "auto",
    device: str = "cpu",
    top: int = 5,
    workers: int = 1,
    timeout_s: float = TIMEOUT_S,
) -> Iterator[Prediction]:
    """One `Prediction` for each clip, in their order. `workers` processes decode; a clip may take `timeout_s` there.

    All views go through the network, as many at once as fit the memory budget; their scores are fused as `views` says.
    """
    require_views(network.model, views)
    most = views_at_once(network, views, device)
    together = max(1, most // views.count)
    pool = Pool(clip_views.clip_task, workers=workers, timeout_s=timeout_s)
    tasks = ((str(clip), decoder, views) for clip in clips)
    seen = zip(clips, pool.run(tasks, ahead=_ahead(network, views, together, workers)), strict=True)
    ready = ahead(_groups(network, seen, together, most), torch.device(device))
    with memory_kept(), contextlib.closing(ready) as groups:
        for group, *parts in groups:
            rows = iter(_logits(network, parts, sum(isinstance(one, SeenClip) for _, one in group), device))
            for clip, one in group:
                if isinstance(one, Problem):
                    yield Prediction(clip, [], one.reason)
                else:
                    best = best_classes(network, probabilities(next(rows), views), top)
                    yield Prediction(clip, best, frames=one.frames, decoder=one.decoder)


def best_classes(network: Trained, scores: np.ndarray, top: int) -> list[dict[str, Any]]:
    """Number, name and score of the `top` classes of probabilities (K,), best first; of equal ones the lower number."""
    best = np.argsort(-scores, kind="stable")[:top].tolist()
    return [{"number": n, "name": network.class_name(n), "score": float(scores[n])} for n in best]


def views_at_once(network: Trained, views: Views, device: str) -> int:
    """What fits the budget, by one black view, and is of use."""
    place = torch.device(device)
    module = (place_on(network.module, place) if place.type == "cuda" else network.module.to(place)).eval()
    black = torch.zeros(input_shape(network.model, views.crop), dtype=torch.uint8, device=place)
    fits = batch_size.scoring_views(module, network.normalize(black), batch_size.scoring_budget(place))
    return min(fits, _MOST_VIEWS.get(place.type, 8))


def _ahead(network: Trained, views: Views, together: int, workers: int) -> int:
    """Clips that may wait: those of the next batch, and one a worker; fewer where that would take much memory."""
    length: Any = network.module.clip_length
    size = views.clips * network.model.frames * length * 3 * max(views.crop, views.resize) ** 2 * 2
    return max(workers, min(together + workers, _WAITING_BYTES // size))


def _groups(network: Trained, seen: Iterator[tuple[Path, Any]], together: int, most: int) -> Iterator[tuple[Any, ...]]:
    """So many clips or problems at once, and the views of all: in one batch, where they are many in several."""
    length: Any = network.module.clip_length
    while group := list(islice(seen, together)):
        clips = [one for _, one in group if isinstance(one, SeenClip)]
        if clips and most < len(clips[0].cuts):
            parts = [part for clip in clips for part in _parts(clip, most)]
        else:
            parts = [np.concatenate([clip.cuts.part(0, len(clip.cuts)) for clip in clips])] if clips else []
        views = map(torch.from_numpy, parts)
        yield group, *(x.unflatten(1, (-1, length)) if length != 1 else x for x in views)


@torch.inference_mode()
def _logits(network: Trained, parts: Sequence[Tensor], clips: int, device: str) -> list[np.ndarray]:
    """Logits (V, K) of each clip's views."""
    if not parts:
        return []
    ready = (network.normalize(x.to(device, non_blocking=True)) for x in parts)
    rows = np.concatenate([network.module(x).float().cpu().numpy() for x in ready])
    return list(rows.reshape(clips, -1, rows.shape[1]))


def _parts(clip: SeenClip, most: int) -> Iterator[np.ndarray]:
    for start in range(0, len(clip.cuts), most):
        yield clip.cuts.part(start, min(start + most, len(clip.cuts)))


def probabilities(found: np.ndarray, views: Views) -> np.ndarray:
    """Probabilities (K,) of the logits of all views, fused as `views` says; float64."""
    fused = metrics.aggregate(found[None], views.fusion, views.clips, views.crops)[0]
    return fused if views.fusion == "softmax" else metrics.softmax(fused)


def _used(made: Prediction, network: Trained, views: Views, device: str) -> dict[str, Any]:
    clip = made.clip
    return {
        "clip": {"name": clip.absolute().name, "sha256": clip_views.sha256(clip), "frames": made.frames},
        "model": to_dict(network.model),
        "weights_sha256": network.sha256,
        "views": to_dict(views),
        "decoder": clip_views.told_decoder(clip, made.decoder),
        "device": device,
        **({"note": network.note} if network.note else {}),
    }


def render(found: Prediction, label: str) -> str:
    """The classes, then what was used, as lines of text."""
    width = max(len(one["name"]) for one in found.classes)
    lines = [f"{100 * one['score']:6.2f} %  {one['name']:<{width}}  ({one['number']})" for one in found.classes]
    used, views = found.used, found.used["views"]
    size = f"short side {views['resize']}" if views["resize"] else "own size"
    count = views["clips"] * views["crops"]
    return "\n".join(
        [
            *lines,
            "",
            f"clip      {used['clip']['name']}, {many(used['clip']['frames'], 'frame')}, "
            f"sha256 {used['clip']['sha256'][:16]}",
            f"network   {label} on {used['model']['backbone']}, {many(used['model']['frames'], 'frame')}, "
            f"{many(used['model']['num_classes'], 'class', 'classes')}",
            f"weights   sha256 {used['weights_sha256']}" if used["weights_sha256"] else "weights   RANDOM",
            f"sampling  {views['sampling']}: {views['clips']} clip(s) x {views['crops']} crop(s) = {count} view(s), "
            f"mean of {views['fusion']}",
            f"crop      {views['crop']}x{views['crop']} of frames at {size}",
            f"decoder   {used['decoder']} on {used['device']}",
            *([f"note      {used['note']}"] if "note" in used else []),
        ]
    )
