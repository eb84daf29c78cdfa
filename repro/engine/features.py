"""Frozen features of clips: what a network gives to its classifier, the mean over a clip's frames and views.

<out>.npz   values (N, D) float32; ids, labels (-1 unknown), classes, groups of the N clips; about, JSON: how made, and
            `left_out`, the clips that could not be read
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from repro.core.errors import BadOption, DataError
from repro.core.files import writing
from repro.core.paths import expand
from repro.core.spec import Views, to_dict
from repro.data import clip_views
from repro.data.clip_paths import clips_of
from repro.data.index import Video, read_classes, read_csv, read_splits
from repro.data.pool import Pool, Problem
from repro.models.pretrained import Trained, require_views
from repro.records.arrays import about_of, array_of, reading_arrays, texts_of


@dataclass(frozen=True)
class Features:
    """What `extract` leaves."""

    values: np.ndarray
    ids: tuple[str, ...]
    labels: np.ndarray
    classes: tuple[str, ...]
    groups: tuple[str, ...]
    about: dict[str, Any]

    def save(self, path: Path) -> None:
        """Write the file whole."""
        check_name(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        told: dict[str, Any] = {name: np.array(getattr(self, name), np.str_) for name in ("ids", "classes", "groups")}
        with writing(path) as file:
            np.savez(file, values=self.values, labels=self.labels, about=np.array(json.dumps(self.about)), **told)

    @staticmethod
    def load(path: Path) -> Features:
        """Read a file of `save`."""
        with reading_arrays(path, "features", fix="python -m repro features") as data:
            values, labels = array_of(data, "values", "f", 2), array_of(data, "labels", "iu", 1)
            ids, classes, groups = (tuple(texts_of(data, name)) for name in ("ids", "classes", "groups"))
            about = about_of(data)
            if not len(values) == len(ids) == len(labels) == len(groups) > 0 or not np.isfinite(values).all():
                raise ValueError(f"{values.shape} values, {len(ids)} ids, {len(labels)} labels, {len(groups)} groups")
            if labels.min() < -1 or labels.max() >= max(1, len(classes)):
                raise ValueError(f"labels from {labels.min()} to {labels.max()} of {len(classes)} classes")
        return Features(values, ids, labels, classes, groups, about)


def check_name(path: Path) -> None:
    """Raise `BadOption` for a file of another format."""
    if path.suffix != ".npz":
        raise BadOption(f"features go to a file {str(path)!r}", allowed="a name that ends in .npz")


def clips_in(source: Path) -> tuple[list[Video], tuple[str, ...]]:
    """The clips of a CSV (path, label, group; all splits), or of a folder, whose subfolders then are the classes; the
    label is -1 where nobody tells it.
    """
    if source.suffix.lower() == ".csv":
        videos = [video for split in read_splits(source) for video in read_csv(source, split).videos]
        return videos, read_classes(source)
    source = expand(source)
    paths = clips_of([source])
    if not source.is_dir():  # a list or a pattern
        return [Video(str(path), path, -1) for path in paths], ()
    folders = sorted({path.parent.name for path in paths if path.parent != source})
    classes = tuple(folders) if all(path.parent.parent == source for path in paths) else ()
    return [
        Video(str(path.relative_to(source)), path, classes.index(path.parent.name) if classes else -1) for path in paths
    ], classes


def extract(
    listed: tuple[Sequence[Video], tuple[str, ...]],
    network: Trained,
    views: Views,
    *,
    decoder: str = "auto",
    device: str = "cpu",
    on_clip: Callable[[int, int], None] = lambda done, all: None,
) -> Features:
    """Features of clips and their classes, as `clips_in` lists them; `about` tells those that could not be read, which
    are left out.

    `BadOption` for a network that has no features before its classifier.
    """
    require_views(network.model, views)
    found, classes = listed
    module = network.module.to(torch.device(device)).eval()
    if not callable(getattr(module, "features", None)):
        raise BadOption(f"{network.label} has no features of clips", allowed="tsn, tsm, i3d and others with `features`")
    rows, kept, left_out = [], [], []
    tasks = ((str(clip.path), decoder, views) for clip in found)
    for number, (clip, seen) in enumerate(zip(found, Pool(clip_views.clip_task).run(tasks, ahead=1), strict=True)):
        on_clip(number, len(found))
        if isinstance(seen, Problem):
            left_out.append({"id": clip.id, "problem": seen.reason})
            continue
        rows.append(_of_views(network, module, seen.cuts.part(0, len(seen.cuts)), device))
        kept.append(clip)
    if not rows:
        first = f"; first {left_out[0]['id']!r}: {left_out[0]['problem']}" if left_out else ""
        raise DataError(f"none of {len(found)} clips could be read{first}")
    about = {"model": to_dict(network.model), "weights_sha256": network.sha256, "views": to_dict(views)}
    return Features(
        np.stack(rows),
        tuple(clip.id for clip in kept),
        np.array([clip.label for clip in kept], np.int64),
        classes,
        tuple(clip.group for clip in kept),
        {**about, "left_out": left_out},
    )


@torch.inference_mode()
def _of_views(network: Trained, module: nn.Module, views: np.ndarray, device: str) -> np.ndarray:
    """(D,) of uint8 views (V, T * clip_length, 3, H, W): the mean over views and frames."""
    x = torch.from_numpy(views)
    if module.clip_length != 1:
        x = x.unflatten(1, (-1, module.clip_length))  # type: ignore[arg-type]
    made = [module.features(network.normalize(one[None].to(device))).float() for one in x]  # type: ignore[operator]
    mean: np.ndarray = torch.cat(made).flatten(0, -2).mean(0).cpu().numpy()
    return mean
