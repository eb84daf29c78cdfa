"""A user's small dataset, fold by fold: networks trained from ImageNet weights, and the controls that small sets need.

Each training and each test is a record below `out`, so an interrupted run goes on. Folds keep groups whole; an accuracy
is of all clips, each scored by the fold that had not seen it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from repro import registry
from repro.core.errors import DataError
from repro.core.names import name_like
from repro.core.spec import Accuracy, Train, Views
from repro.data import split_lists
from repro.data.clip_controls import simple
from repro.data.index import Index, Video, fingerprint, read_classes, read_csv, read_splits
from repro.engine import features
from repro.engine.evaluate import predictions
from repro.engine.execution import Execution
from repro.evidence.linear_probe import folds_of, probe
from repro.evidence.stats import Interval, wilson_interval
from repro.models import known_weights, pretrained
from repro.papers import small
from repro.records.schema import Record
from repro.records.scores import Scores
from repro.runner.one_experiment import run_single, with_weights

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Row:
    """One line: accuracy over all folds, and what is left of it with frames in another order."""

    label: str
    top1: Interval
    orders: dict[str, float] = field(default_factory=dict)
    kind: str = "trained"


@dataclass(frozen=True)
class Small:
    """What was found, and of what."""

    dataset: str
    clips: int
    classes: int
    groups: int
    folds: int
    crop: int
    rows: tuple[Row, ...]


def measure(
    source: Path,
    *,
    root: Path | None = None,
    folds: int,
    rows: Sequence[str],
    out: Path,
    how: Execution,
    train: Train = small.RECIPE,
    seed: int = 0,
    tell: Tell = lambda text: None,
) -> Small:
    """Train and test each row on each fold; then the controls on the same folds. `source` is a CSV, or the folder of
    UCF101's or HMDB51's split files with their videos below `root`.
    """
    known_weights.file_of(small.WEIGHTS)  # told before anything is trained
    videos, classes = _listed(source, root)
    labels = np.array([video.label for video in videos])
    fold = folds_of(labels, [video.group for video in videos], folds)
    names = [_dataset(source, root, videos, classes, fold, number, folds) for number in range(folds)]
    made = []
    for row in rows:
        scored = [_fold(row, name, len(classes), out, how, train, seed, tell) for name in names]
        made.append(_pooled(small.LABELS[row], scored))
    made += _controls(videos, classes, fold, how, small.views(train), tell)
    groups = len({video.group for video in videos} - {""}) or len(videos)
    return Small(source.name, len(videos), len(classes), groups, folds, train.crop, tuple(made))


def _listed(source: Path, root: Path | None) -> tuple[Sequence[Video], tuple[str, ...]]:
    if source.is_dir():
        return split_lists.read(source, root or source.parent)
    return [v for split in read_splits(source) for v in read_csv(source, split).videos], read_classes(source)


def _dataset(
    source: Path,
    root: Path | None,
    videos: Sequence[Video],
    classes: tuple[str, ...],
    fold: np.ndarray,
    number: int,
    folds: int,
) -> str:
    """A fold as a dataset of this process: `val` is the fold, `train` the others. Its name holds a digest of all."""
    base = (root or source.parent).absolute()
    stem = name_like(source.stem)
    name = f"{stem}@{fingerprint(videos, classes, base)[:12]}-fold{number + 1}of{folds}"

    def open_split(_: str, split: str) -> Index:
        held = [video for video, own in zip(videos, fold, strict=True) if (own == number) == (split != "train")]
        return Index(stem, split, tuple(held), classes, fingerprint(held, classes, base))

    registry.datasets.add(name, open_split, f"a fold of {source.name}", num_classes=len(classes), origin=name)
    return name


def _fold(
    row: str, dataset: str, classes: int, out: Path, how: Execution, train: Train, seed: int, tell: Tell
) -> dict[str, tuple[int, int]]:
    """(correct, all) of a fold's clips, by the order of their frames."""
    wanted = small.experiment(row, dataset, classes, train)
    tell(f"{small.LABELS[row]}: {dataset.rpartition('-')[2]}")
    record, path = run_single(wanted, how, out=out, seed=seed)
    found = {"": _counts(record, path)}
    weights = path.with_suffix(".safetensors")
    model = with_weights(wanted.model, weights)
    for order, rule in small.ORDERS.items():
        measure = Accuracy(dataset=dataset, test=replace(small.views(train), sampling=rule), test_split="val")
        tested = replace(wanted, model=model, measure=measure)
        found[order] = _counts(*run_single(tested, how, out=out, seed=seed, weights=weights))
    return found


def _counts(record: Record, path: Path) -> tuple[int, int]:
    if record.status != "done":
        raise DataError(f"{record.row} on {record.dataset} failed: {record.reason}")
    scores = Scores.load(path.with_suffix(".npz"))
    best = predictions(scores, record.spec["measure"]["test"]["fusion"])
    return int((best == scores.labels).sum()), len(scores.labels)


def _pooled(label: str, folds: Sequence[dict[str, tuple[int, int]]]) -> Row:
    sums = {order: tuple(map(sum, zip(*(fold[order] for fold in folds), strict=True))) for order in folds[0]}
    right, total = sums.pop("")
    return Row(label, wilson_interval(right, total), {order: 100 * own / of for order, (own, of) in sums.items()})


def _controls(
    videos: Sequence[Video], classes: tuple[str, ...], fold: np.ndarray, how: Execution, views: Views, tell: Tell
) -> list[Row]:
    """Linear classifiers on the same folds: of ImageNet's and random features, and of what needs no network."""
    tell("features")
    weights = known_weights.file_of(small.WEIGHTS)
    still = replace(pretrained.saved(weights).model, frames=small.FRAMES)
    networks = {
        "linear, frozen ImageNet features": pretrained.load(weights, still),
        "linear, random features": pretrained.random(replace(still, num_classes=2)),
    }
    labels = np.array([video.label for video in videos])
    seen = {
        label: features.extract((videos, classes), network, views, decoder=how.decoder, device=how.device)
        for label, network in networks.items()
    }
    read = set.intersection(*(set(one.ids) for one in seen.values()))  # by every network
    kept = [video.id in read for video in videos]
    fold, labels = fold[kept], labels[kept]
    values: dict[str, Any] = {label: one.values[[name in read for name in one.ids]] for label, one in seen.items()}
    paths = [video.path for video, own in zip(videos, kept, strict=True) if own]
    values["linear, colour alone"] = simple(paths, "colour")
    values["linear, geometry and length alone"] = simple(paths, "geometry")
    rows = [Row(label, probe(one, labels, fold).interval, kind="control") for label, one in values.items()]
    most = int(np.bincount(labels).max())
    return [*rows, Row("the largest class", wilson_interval(most, len(labels)), kind="control")]
