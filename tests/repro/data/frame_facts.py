"""What can be told of the frames of an embedded dataset by linear means: facts of each frame, and of their order."""

import numpy as np

from repro.data.drawing import FRAMES, SIDE


def shape_facts(luma):
    """(V, F, H, W) -> (V, F, 8): of the bright pixels: area, centre, second moments; mean and spread of the picture."""
    picture = luma.astype(np.float64)
    bright = np.clip((picture - 120) / 60, 0, 1)
    y, x = np.mgrid[: luma.shape[2], : luma.shape[3]] / SIDE
    area = bright.sum((2, 3)) + 1e-6
    cx, cy = (bright * x).sum((2, 3)) / area, (bright * y).sum((2, 3)) / area
    dx, dy = x - cx[..., None, None], y - cy[..., None, None]
    moments = [(bright * a * b).sum((2, 3)) / area * 100 for a, b in ((dx, dx), (dy, dy), (dx, dy))]
    return np.stack([np.sqrt(area) / 10, cx, cy, *moments, picture.mean((2, 3)) / 255, picture.std((2, 3)) / 255], -1)


def bag(facts):
    """(V, F, D) -> (V, D'): all that is kept of the unordered frames: sorted values and moments within and across."""
    centred = facts - facts.mean(1, keepdims=True)
    across = np.einsum("vfa,vfb->vab", centred, centred)[:, *np.triu_indices(facts.shape[2])] / FRAMES
    skew = np.cbrt((centred**3).mean(1))
    return np.concatenate([np.sort(facts, 1).reshape(len(facts), -1), across * 10, skew], 1)


def ordered(facts):
    """(V, F, D) -> (V, D): the trend of each value over time."""
    return np.einsum("vfd,f->vd", facts, np.arange(FRAMES) - (FRAMES - 1) / 2)


def linear_accuracy(features, labels, test_features, test_labels):
    """Ridge regression on one-hot labels, on standardised features: the share of test labels that it gets right."""
    mean, spread = features.mean(0), features.std(0) + 1e-9
    a, b = ((x - mean) / spread for x in (features, test_features))
    a, b = (np.concatenate([x, np.ones((len(x), 1))], 1) for x in (a, b))
    target = np.eye(labels.max() + 1)[labels]
    weights = np.linalg.solve(a.T @ a + 10 * np.eye(a.shape[1]), a.T @ target)
    return float(((b @ weights).argmax(1) == test_labels).mean())
