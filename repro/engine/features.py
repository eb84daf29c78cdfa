"""Frozen features of clips: what a network gives to its classifier, the mean over a clip's frames and views.

<out>.npz   values (N, D) float32; ids, labels (-1 unknown), classes, groups of the N clips; about, JSON: how made
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from torch import nn

from repro.core.errors import BadOption, DataError
from repro.core.files import writing
from repro.core.spec import Views, to_dict
from repro.data import clip_views
from repro.data.clip_paths import clips_of
from repro.data.index import read_classes, read_csv, read_splits
from repro.models.pretrained import Trained, require_frames

_ARRAYS = ("values", "ids", "labels", "classes", "groups", "about")


@dataclass(frozen=True)
class Clip:
    """One clip to look at; `label` is -1 and `group` empty where nobody tells them."""

    id: str
    path: Path
    label: int = -1
    group: str = ""


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
        if path.suffix != ".npz":
            raise BadOption(f"features go to a file {str(path)!r}", allowed="a name that ends in .npz")
        told: dict[str, Any] = {name: np.array(getattr(self, name), np.str_) for name in ("ids", "classes", "groups")}
        with writing(path) as file:
            np.savez(file, values=self.values, labels=self.labels, about=np.array(json.dumps(self.about)), **told)

    @staticmethod
    def load(path: Path) -> Features:
        """Read a file of `save`."""
        try:
            with np.load(path, allow_pickle=False) as file:
                values, ids, labels, classes, groups, about = (file[name] for name in _ARRAYS)
        except (OSError, ValueError, KeyError, BadZipFile, EOFError) as error:
            raise DataError(f"{str(path)!r} is no file of features: {error}", fix="python -m repro features") from error
        texts = [tuple(map(str, part)) for part in (ids, classes, groups)]
        return Features(values, texts[0], labels, texts[1], texts[2], json.loads(str(about)))


def clips_in(source: Path) -> tuple[list[Clip], tuple[str, ...]]:
    """The clips of a CSV (path, label, group; all splits), or of a folder, whose subfolders then are the classes."""
    if source.suffix.lower() == ".csv":
        videos = [video for split in read_splits(source) for video in read_csv(source, split).videos]
        return [Clip(one.id, one.path, one.label, one.group) for one in videos], read_classes(source)
    paths = clips_of([source])
    folders = sorted({path.parent.name for path in paths if path.parent != source})
    classes = tuple(folders) if all(path.parent.parent == source for path in paths) else ()
    return [
        Clip(str(path.relative_to(source)), path, classes.index(path.parent.name) if classes else -1) for path in paths
    ], classes


def extract(
    listed: tuple[Sequence[Clip], tuple[str, ...]],
    network: Trained,
    views: Views,
    *,
    decoder: str = "auto",
    device: str = "cpu",
    on_clip: Callable[[int, int], None] = lambda done, all: None,
) -> Features:
    """Features of clips and their classes, as `clips_in` lists them.

    `BadOption` for a network that has no features before its classifier.
    """
    require_frames(network.model, views.sampling)
    found, classes = listed
    module = network.module.to(torch.device(device)).eval()
    if not callable(getattr(module, "features", None)):
        raise BadOption(f"{network.label} has no features of clips", allowed="tsn, tsm, i3d and others with `features`")
    rows = []
    for number, clip in enumerate(found):
        on_clip(number, len(found))
        pictures, _ = clip_views.views_of_clip(clip.path, views, decoder)
        rows.append(_of_views(network, module, pictures, device))
    about = {"model": to_dict(network.model), "weights_sha256": network.sha256, "views": to_dict(views)}
    return Features(
        np.stack(rows),
        tuple(clip.id for clip in found),
        np.array([clip.label for clip in found], np.int64),
        classes,
        tuple(clip.group for clip in found),
        about,
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


def simple(clips: Sequence[Clip], kind: str) -> np.ndarray:
    """Controls: what a clip tells without being watched. `geometry`: width, height, their ratio, frames, rate, seconds.
    `colour`: mean and deviation of red, green, blue, and each one's histogram of eight bins, over five frames.
    """
    return np.stack([_SIMPLE[kind](clip.path) for clip in clips])


def _geometry(path: Path) -> np.ndarray:
    from repro.data.video_facts import probe

    told = probe(str(path))
    seconds = told.frames / told.fps if told.fps else 0.0
    return np.array([told.width, told.height, told.width / told.height, told.frames, told.fps, seconds], np.float32)


def _colour(path: Path) -> np.ndarray:
    views = Views(sampling="mmaction2.uniform_test_5", resize=32, crop=32)
    pictures = clip_views.views_of_clip(path, views, "auto")[0][0].astype(np.float32)
    bins = [np.histogram(pictures[:, channel], 8, (0, 256))[0] / pictures[:, channel].size for channel in range(3)]
    return np.concatenate([pictures.mean((0, 2, 3)), pictures.std((0, 2, 3)), *bins]).astype(np.float32)


_SIMPLE = {"geometry": _geometry, "colour": _colour}
