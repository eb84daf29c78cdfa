"""What a network says of one clip: its best classes with their probabilities, and by what means they were found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from repro.core.spec import Views, to_dict
from repro.data import clip_views
from repro.engine import batch_size
from repro.models.pretrained import Trained, require_frames
from repro.records import metrics


@dataclass(frozen=True)
class Prediction:
    """The classes of a clip, best first, and what was used."""

    classes: list[dict[str, Any]]
    """`number`, `name`, `score`: a probability; those of all classes add up to 1."""
    used: dict[str, Any]
    """Clip, network, weights, views, decoder, device: plain data."""

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {"classes": self.classes, **self.used}


def predict(
    clip: Path, network: Trained, views: Views, *, decoder: str = "auto", device: str = "cpu", top: int = 5
) -> Prediction:
    """The `top` classes (fewer if the network has fewer) of a video file or folder of pictures.

    All views go through the network, as many at once as fit the memory budget; their scores are fused as `views` says.
    """
    require_frames(network.model, views.sampling)
    frames, used = clip_views.views_of_clip(clip, views, decoder)
    scores = probabilities(logits(network, frames, device), views)
    best = np.argsort(-scores, kind="stable")[:top].tolist()
    classes = [{"number": n, "name": network.class_name(n), "score": float(scores[n])} for n in best]
    return Prediction(classes, _used(clip, network, views, used, device))


def logits(network: Trained, views: np.ndarray, device: str) -> np.ndarray:
    """Logits (V, K) of uint8 views (V, T * clip_length, 3, H, W)."""
    length = network.module.clip_length  # type: ignore[union-attr]
    x = torch.from_numpy(views)
    if length != 1:  # type: ignore[operator]
        x = x.unflatten(1, (-1, length))  # type: ignore[arg-type]
    place = torch.device(device)
    module = network.module.to(place).eval()
    fits = batch_size.scoring_views(module, network.normalize(x[:1].to(place)), batch_size.scoring_budget(place))
    with torch.inference_mode():
        made = [module(network.normalize(part.to(place))).float().cpu() for part in x.split(fits)]
    return torch.cat(made).numpy()


def probabilities(found: np.ndarray, views: Views) -> np.ndarray:
    """Probabilities (K,) of the logits of all views, fused as `views` says; float64."""
    fused = metrics.aggregate(found[None], views.fusion, views.clips, views.crops)[0]
    return fused if views.fusion == "softmax" else metrics.softmax(fused)


def _used(clip: Path, network: Trained, views: Views, decoder: str, device: str) -> dict[str, Any]:
    return {
        "clip": {
            "name": clip.absolute().name,
            "sha256": clip_views.sha256(clip),
            "frames": clip_views.frame_count(clip, decoder),
        },
        "model": to_dict(network.model),
        "weights_sha256": network.sha256,
        "views": to_dict(views),
        "decoder": clip_views.told_decoder(clip, decoder),
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
            f"clip      {used['clip']['name']}, {used['clip']['frames']} frames, sha256 {used['clip']['sha256'][:16]}",
            f"network   {label} on {used['model']['backbone']}, {used['model']['frames']} frames, "
            f"{used['model']['num_classes']} classes",
            f"weights   sha256 {used['weights_sha256']}" if used["weights_sha256"] else "weights   RANDOM",
            f"sampling  {views['sampling']}: {views['clips']} clip(s) x {views['crops']} crop(s) = {count} view(s), "
            f"mean of {views['fusion']}",
            f"crop      {views['crop']}x{views['crop']} of frames at {size}",
            f"decoder   {used['decoder']} on {used['device']}",
            *([f"note      {used['note']}"] if "note" in used else []),
        ]
    )
