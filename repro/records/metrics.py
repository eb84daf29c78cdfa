"""Accuracies from scores, in plain numpy. Every aggregation over views is read off one array of logits.

Legend: N videos, V = clips x crops views (view v = clip * crops + crop), C classes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from repro.core.errors import BadOption, DataError
from repro.records.scores import blocks

FUSIONS = ("logits", "softmax", "features")

#: position of the centre crop among that many crops: 3 are left, right, middle; 5 are the corners, then the centre;
#: 10 are those five, each followed by its mirror image
CENTRE_CROP = {1: 0, 3: 2, 5: 4, 10: 8}


def centre_clip(clips: int) -> int:
    """The clip that stands for a video in a one-clip test: the middle one, of an even number the earlier of the two."""
    return (clips - 1) // 2


def centre_crop(crops: int) -> int:
    """The crop that stands for a clip in a one-crop test."""
    if crops not in CENTRE_CROP:
        raise BadOption(f"{crops} crops have no defined centre", allowed=", ".join(map(str, CENTRE_CROP)))
    return CENTRE_CROP[crops]


def softmax(logits: np.ndarray) -> np.ndarray:
    """Over the last axis, in float64."""
    shifted = np.asarray(logits, np.float64)
    shifted = np.exp(shifted - shifted.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)


def check_finite(logits: np.ndarray, ids: list[str] | None = None) -> None:
    """A score that is not a number is an error, never a wrong answer."""
    axes = tuple(range(1, logits.ndim))
    bad = np.flatnonzero(np.concatenate([[], *(~np.isfinite(block).all(axis=axes) for block in blocks(logits))]))
    if bad.size:
        name = ids[bad[0]] if ids is not None else f"number {bad[0]}"
        raise DataError(f"{bad.size} of {len(logits)} videos have scores that are not finite, first {name!r}")


def aggregate(
    logits: np.ndarray, fusion: str, clips: int, crops: int, *, one_clip: bool = False, one_crop: bool = False
) -> np.ndarray:
    """One score vector per video, (N, V, C) -> (N, C) float64.

    `logits` and `softmax` are the mean over views of those; `features`, a mean before the linear classifier, equals
    `logits`. `one_clip` and `one_crop` keep the centre clip and the centre crop alone.
    """
    if logits.ndim != 3 or logits.shape[1] != clips * crops:
        raise BadOption(f"scores of shape {logits.shape} do not hold {clips} clips x {crops} crops")
    some_clips = [centre_clip(clips)] if one_clip else range(clips)
    some_crops = [centre_crop(crops)] if one_crop else range(crops)
    return fuse(logits, fusion, [clip * crops + crop for clip in some_clips for crop in some_crops])


def fuse(logits: np.ndarray, fusion: str, views: Sequence[int]) -> np.ndarray:
    """The mean over some views, (N, V, C) -> (N, C) float64, block by block; `fusion` as in `aggregate`."""
    if fusion not in FUSIONS:
        raise BadOption(f"unknown fusion {fusion!r}", allowed=", ".join(FUSIONS))
    check_finite(logits)
    made = np.empty((len(logits), logits.shape[2]))
    start = 0
    for block in blocks(logits):
        chosen = block[:, list(views)].astype(np.float64)
        made[start : start + len(block)] = (softmax(chosen) if fusion == "softmax" else chosen).mean(axis=1)
        start += len(block)
    return made


def rank_of_label(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Number of classes placed before the true one, (N, C), (N,) -> (N,). Of equal scores the lower class is first."""
    labels = np.asarray(labels, np.int64)
    if scores.ndim != 2 or labels.shape != (len(scores),):
        raise BadOption(f"scores of shape {scores.shape} do not fit labels of shape {labels.shape}")
    if labels.size and not (0 <= labels.min() and labels.max() < scores.shape[1]):
        raise DataError(f"labels from {labels.min()} to {labels.max()}", allowed=f"0 to {scores.shape[1] - 1}")
    check_finite(scores)
    own = np.take_along_axis(scores, labels[:, None], axis=1)
    earlier = np.arange(scores.shape[1]) < labels[:, None]
    return ((scores > own) | ((scores == own) & earlier)).sum(axis=1)


def top_k(scores: np.ndarray, labels: np.ndarray, k: int) -> float:
    """Percent of videos whose true class is among the k highest; with fewer than k classes that is 100."""
    if not len(scores):
        raise DataError("no scored video: accuracy is undefined")
    return float(100.0 * (rank_of_label(scores, labels) < k).mean())


def rates(scores: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Top-1 and top-5 in percent."""
    return {"top1": top_k(scores, labels, 1), "top5": top_k(scores, labels, 5)}


def predictions(scores: np.ndarray) -> np.ndarray:
    """Highest class of each video; of equal scores the lower class, as in `top_k`."""
    check_finite(scores)
    return scores.argmax(axis=1)


def confusion(predicted: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """Counts (C, C): row the true class, column the predicted one."""
    counts = np.zeros((classes, classes), np.int64)
    np.add.at(counts, (np.asarray(labels), np.asarray(predicted)), 1)
    return counts


def mean_class_accuracy(predicted: np.ndarray, labels: np.ndarray, classes: int) -> float:
    """Percent: mean over the classes that occur of the share of their videos that is right."""
    counts = confusion(predicted, labels, classes)
    present = counts.sum(axis=1) > 0
    if not present.any():
        raise DataError("no scored video: accuracy is undefined")
    return float(100.0 * (np.diag(counts)[present] / counts.sum(axis=1)[present]).mean())


def all_aggregations(
    logits: np.ndarray, labels: np.ndarray, clips: int, crops: int, fusion: str
) -> dict[str, dict[str, float]]:
    """`{clips}x{crops}/{fusion}` -> top-1 and top-5, for one or all clips, one or all crops, each fusion.

    `view` is the accuracy of single views, each judged alone: the "clip accuracy" of some papers.
    """
    found = {}
    for some_clips in sorted({1, clips}):
        for some_crops in sorted({1, crops}):
            for kind in sorted({"logits", "softmax", fusion}):
                scores = aggregate(logits, kind, clips, crops, one_clip=some_clips < clips, one_crop=some_crops < crops)
                found[f"{some_clips}x{some_crops}/{kind}"] = rates(scores, labels)
    found["view"] = _view_rates(logits, np.asarray(labels))
    return found


def _view_rates(logits: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Top-1 and top-5 over all views of all videos, block by block."""
    ranks, start = [], 0
    for block in blocks(logits):
        own = np.repeat(labels[start : start + len(block)], block.shape[1])
        ranks.append(rank_of_label(block.reshape(-1, block.shape[2]), own))
        start += len(block)
    placed = np.concatenate(ranks)
    return {"top1": float(100.0 * (placed < 1).mean()), "top5": float(100.0 * (placed < 5).mean())}
