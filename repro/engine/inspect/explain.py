"""The Grad-CAM++ figure: networks side by side on one clip, as DNR's supplement E shows them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from repro.core.environment import command, environment
from repro.core.errors import BadOption, UnknownName
from repro.core.spec import Views, replace, to_dict
from repro.data import clip_views, sampling
from repro.engine.inspect import gradcam, layers, strips
from repro.models.pretrained import Trained, require_views
from repro.records import metrics
from repro.records.figures import Clip, Facts, Network

_MOST_COLUMNS = 8


@dataclass(frozen=True)
class Look:
    """What is asked of every network."""

    target: str | None = None
    """A class by name or number; None: the one that each network predicts."""
    layer: str | None = None
    """A module by name; None: the last that gives a map."""
    scale: str = "clip"
    """Over what the heat's maximum is 1: the clip, or each frame."""
    columns: int = _MOST_COLUMNS
    """At most so many frames are drawn."""
    decoder: str = "auto"
    device: str = "cpu"


@dataclass(frozen=True)
class View:
    """What one network sees of the clip: one view."""

    x: torch.Tensor
    """uint8 (T, [L,] 3, H, W)."""
    shown: np.ndarray
    """uint8 (T, H, W, 3): each frame, of a segment of several the middle one."""
    numbers: list[int]
    """Their numbers in the video, from 0."""
    views: Views
    decoder: str
    """The one that was used."""


def gradcam_figure(clip: Path, networks: Sequence[Trained], views: Sequence[Views], look: Look) -> tuple[bytes, Facts]:
    """PNG and facts of a strip: the input, then a row for each network, which looks through its `views`."""
    seen = [one_view(clip, network, view, look.decoder) for network, view in zip(networks, views, strict=True)]
    _require_same_frames(networks, seen)
    names = _labels(networks)
    rows, told = [], []
    columns = strips.evenly(len(seen[0].shown), look.columns)
    for name, network, view in zip(names, networks, seen, strict=True):
        heat, facts = explain_view(network, view, look)
        picture = strips.overlay(view.shown[columns], heat[columns])
        rows.append(strips.Row(name, _lines(facts), picture))
        told.append({"label": name, **facts})
    rows.insert(0, strips.Row("input", (clip.name[:24],), seen[0].shown[columns]))
    titles = [f"frame {seen[0].numbers[column]}" for column in columns]
    places = [f"{fact['layer']} ({'x'.join(map(str, fact['map_size'][1:]))})" for fact in told]
    note = f"Grad-CAM++ at {', '.join(dict.fromkeys(places))}; the heat's maximum over the {look.scale} is 1"
    png = strips.draw(rows, titles, note=note)
    return png, _facts(clip, networks, names, told, seen, look)


def one_view(clip: Path, network: Trained, views: Views, decoder: str) -> View:
    """The middle clip and centre crop of a network's test views."""
    require_views(network.model, views)
    one = replace(views, crops=1)
    count = sampling.clips_of(views.sampling)
    middle, length = metrics.centre_clip(count), sampling.clip_length_of(views.sampling)
    frames, used = clip_views.views_of_clip(clip, one, decoder)
    found = frames[middle]
    shown = found.reshape(-1, length, *found.shape[1:])[:, length // 2]
    rule = sampling.indices(views.sampling, clip_views.frame_count(clip, decoder), np.random.default_rng(0))[middle]
    x = torch.from_numpy(found if length == 1 else found.reshape(-1, length, *found.shape[1:]))
    numbers = rule.reshape(-1, length)[:, length // 2].tolist()
    return View(x, np.ascontiguousarray(np.moveaxis(shown, 1, -1)), numbers, one, used)


def explain_view(network: Trained, view: View, look: Look) -> tuple[np.ndarray, dict[str, Any]]:
    """Heat (T, H, W), and what there is to tell about it in plain data."""
    module = network.module.to(look.device)
    x = network.normalize(view.x[None].to(look.device))
    found = layers.map_layers(module, x)
    layer = layers.choose(module, found, look.layer)
    target = None if look.target is None else class_number(look.target, network)
    heat = gradcam.explain(module, x, layer, target=target, scale=look.scale)
    scores = metrics.softmax(heat.logits[0].cpu().numpy())
    asked, predicted = int(heat.targets[0]), int(np.argmax(scores))
    maps = heat.maps[0].cpu().double().numpy()
    return maps, {
        "layer": layer,
        "map_size": list(heat.size),
        "class": {"number": asked, "name": network.class_name(asked), "probability": float(scores[asked])},
        "predicted": {
            "number": predicted, "name": network.class_name(predicted), "probability": float(scores[predicted])
        },
        "frames": [_of_frame(one) for one in maps],
        "sampling": view.views.sampling,
    }  # fmt: skip


def class_number(text: str, network: Trained) -> int:
    """A class by its name or 0-based number."""
    if text in network.classes:
        return network.classes.index(text)
    if text.isascii() and text.isdigit() and int(text) < network.model.num_classes:
        return int(text)
    known = network.classes or [f"0 to {network.model.num_classes - 1}"]
    raise UnknownName("class", text, known, fix="--class NUMBER, or --labels FILE with the names")


def figure_name(clip: Path, facts: Facts) -> str:
    """A file name that tells clip and networks; another question about them gets another name."""
    key = json.dumps([facts.clip and facts.clip.sha256, facts.details, facts.caption], sort_keys=True)
    text = f"gradcam-{clip.stem}-{'-'.join(network.label for network in facts.networks)}"
    slug = re.sub(r"[^A-Za-z0-9_]+", "-", text).strip("-").lower()[:80]
    return f"{slug}-{hashlib.sha256(key.encode()).hexdigest()[:8]}"


def _of_frame(heat: np.ndarray) -> dict[str, Any]:
    """Mean, maximum, and centre of mass (x, y as shares of width and height; None without heat) of one frame."""
    total = float(heat.sum())
    height, width = heat.shape
    centre = None
    if total > 0:
        across = float(heat.sum(0) @ (np.arange(width) + 0.5)) / total / width
        down = float(heat.sum(1) @ (np.arange(height) + 0.5)) / total / height
        centre = [round(across, 4), round(down, 4)]
    return {"mean": round(float(heat.mean()), 4), "most": round(float(heat.max()), 4), "centre": centre}


def _lines(facts: dict[str, Any]) -> tuple[str, ...]:
    asked, predicted = facts["class"], facts["predicted"]
    first = f"{asked['name'][:22]}: {100 * asked['probability']:.1f} %"
    if asked["number"] == predicted["number"]:
        return first, "its prediction"
    return first, "it predicts", f"{predicted['name'][:22]}: {100 * predicted['probability']:.1f} %"


def _labels(networks: Sequence[Trained]) -> list[str]:
    """Their names; two of one name are told apart by their weights."""
    names = [network.label for network in networks]
    return [
        f"{name} {(network.sha256 or '')[:6]}".strip() if names.count(name) > 1 else name
        for name, network in zip(names, networks, strict=True)
    ]


def _require_same_frames(networks: Sequence[Trained], seen: Sequence[View]) -> None:
    for network, view in zip(networks, seen, strict=True):
        if not np.array_equal(view.shown, seen[0].shown):
            told = [f"{n.label} through {v.views.sampling}, crop {v.views.crop}"
                    for n, v in ((networks[0], seen[0]), (network, view))]  # fmt: skip
            raise BadOption(
                f"the networks see other frames: {' and '.join(told)}",
                allowed="networks that see the same frames",
                fix="--sampling RULE --resize N --crop N for all, or one command each",
            )


def _facts(
    clip: Path,
    networks: Sequence[Trained],
    names: Sequence[str],
    told: list[dict[str, Any]],
    seen: Sequence[View],
    look: Look,
) -> Facts:
    view = seen[0].views
    classes = "; ".join(f"{one['label']}: {one['class']['name']}, {100 * one['class']['probability']:.1f} %"
                        for one in told)  # fmt: skip
    decoder = clip_views.told_decoder(clip, seen[0].decoder)
    known = ", ".join(sorted({network.dataset for network in networks if network.dataset}))
    return Facts(
        kind="gradcam",
        title=f"Grad-CAM++ on {clip.name}: {', '.join(names)}",
        alt=f"A row of frames of {clip.name}, and below it for each network the same frames in grey with its evidence "
        f"in colour. {classes}. {' '.join(map(_in_words, told))}",
        caption=f"Evidence for a class by Grad-CAM++ (Chattopadhay et al., WACV 2018). {classes}. "
        f"Frames by {view.sampling}, {'own size' if not view.resize else f'short side {view.resize}'}, "
        f"centre crop {view.crop}, {decoder}." + (f" Trained on {known}." if known else ""),
        networks=[
            Network(label=name, model=to_dict(network.model), weights_sha256=network.sha256)
            for name, network in zip(names, networks, strict=True)
        ],
        clip=Clip(name=clip.name, sha256=clip_views.sha256(clip)),
        command=command(),
        environment=environment(look.device),
        details={
            "scale": look.scale, "decoder": decoder, "views": to_dict(view), "frames": seen[0].numbers, "networks": told
        },
    )  # fmt: skip


def _in_words(told: dict[str, Any]) -> str:
    frames = told["frames"]
    best = max(range(len(frames)), key=lambda number: frames[number]["mean"])
    if frames[best]["centre"] is None:
        return f"{told['label']} shows no evidence."
    across, down = frames[best]["centre"]
    where = f"around {across:.0%} across and {down:.0%} down"
    return f"{told['label']} has most of it in frame {best + 1} of {len(frames)}, {where}."
