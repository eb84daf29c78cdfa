"""Scores that another program gave the videos of a dataset, as a file of scores of this suite.

    mmaction2   the pickle of `tools/test.py --dump` (1.x), or of `--out` (0.x), in the order of its list
    npz         arrays `scores` (videos, classes) or (videos, views, classes); perhaps `ids`, `labels`, `classes`
    csv         columns `path`, perhaps `label`, and one a class, by name or number

Videos are found by name where the file has names; else by their order, which labels in the file confirm. Rows that are
probabilities are kept as their logarithms, so that softmax gives them back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from repro.core.csv_text import records_of, text_of
from repro.core.errors import BadOption, DataError
from repro.core.files import file_sha256
from repro.core.paths import expand
from repro.data.class_names import match
from repro.data.index import Index
from repro.data.locate import without_suffix
from repro.models import pickled_arrays
from repro.records.arrays import reading_arrays
from repro.records.metrics import check_finite
from repro.records.scores import Scores

#: scores of one view that add up to 1 as nearly as this are probabilities
_SUM = 1e-3
_SMALLEST = 1e-12


@dataclass(frozen=True)
class Dump:
    """What a file says."""

    scores: np.ndarray
    """float64 (N, V, C)."""
    ids: tuple[str, ...] = ()
    labels: tuple[int, ...] | tuple[str, ...] = ()
    classes: tuple[str, ...] = ()


def from_elsewhere(path: str | Path, form: str, index: Index, label: str) -> tuple[Scores, list[str]]:
    """The file's scores in the order of the dataset's split, and what a reader must know of how they were matched.

    Raises `DataError` where videos, labels or classes do not fit each other; `WeightsError` for a pickle that is none
    of arrays.
    """
    file = expand(path)
    if form not in _READERS:
        raise BadOption(f"unknown format {form!r}", allowed=", ".join(_READERS))
    if not file.is_file():
        raise DataError(f"{str(path)!r} is not a file", allowed=f"a file of {form}")
    dump = _READERS[form](file)
    places, notes = _places(file, dump, index)
    columns, told = _columns(file, dump, index)
    logits = _as_logits(dump.scores[places][:, :, columns])
    kept = [at for at, place in enumerate(places) if place >= 0]
    chosen = [index.videos[at] for at in kept]
    labels = np.array([video.label for video in chosen], np.int64)
    _require_labels(file, [dump.labels[places[at]] for at in kept] if dump.labels else [], labels, index)
    ids = [video.id for video in chosen]
    check_finite(logits[kept], ids)
    absent = [
        {"id": video.id, "problem": f"not in {file.name}"} for at, video in enumerate(index.videos) if places[at] < 0
    ]
    about = {
        "dataset": index.name, "split": index.split, "fingerprint": index.fingerprint,
        "elsewhere": {"label": label, "from": form, "file": file.name, "sha256": file_sha256(file)},
    }  # fmt: skip
    scores = Scores(logits[kept].astype(np.float32), labels, ids, absent, logits.shape[1], 1, about)
    return scores, [*notes, *told, *([f"{len(absent)} of {len(index)} videos are not in the file"] if absent else [])]


def _places(file: Path, dump: Dump, index: Index) -> tuple[list[int], list[str]]:
    """For each video of the split its row in the file; -1 where it has none."""
    if not dump.ids:
        if len(dump.scores) != len(index):
            raise DataError(
                f"{file.name} scores {len(dump.scores)} videos and names none; the {index.split} split of {index.name} "
                f"has {len(index)}",
                allowed="a file of the whole split in its order, or one with names",
            )
        how = "which its labels confirm" if dump.labels else "which nothing in it can confirm"
        return list(range(len(index))), [f"{file.name} names no videos: taken in the order of {index.name}, {how}"]
    rows = {}
    for at, name in enumerate(map(_key, dump.ids)):
        if name in rows:
            raise DataError(f"{file.name}: video {dump.ids[at]!r} stands in it twice")
        rows[name] = at
    keys = [_key(video.id) for video in index.videos]
    if len(set(keys)) < len(keys):  # of one name in several folders
        rows = {name: at for at, name in enumerate(dump.ids)}
        keys = [video.id for video in index.videos]
    strange = [dump.ids[at] for name, at in rows.items() if name not in set(keys)]
    if strange:
        raise DataError(
            f"{len(strange)} of {len(dump.ids)} videos of {file.name} are not in the {index.split} split of "
            f"{index.name}, first {strange[0]!r}",
            allowed="videos of that split, by path or file name",
        )
    return [rows.get(key, -1) for key in keys], []


def _key(name: str) -> str:
    return without_suffix(PurePosixPath(name.replace("\\", "/")).name)


def _columns(file: Path, dump: Dump, index: Index) -> tuple[list[int], list[str]]:
    """For each class of the dataset its column in the file."""
    count = dump.scores.shape[2]
    found = match(dump.classes, index.classes, count, index.name) if dump.classes else None
    if found is None and count != len(index.classes):
        raise DataError(f"{file.name} scores {count} classes, {index.name} has {len(index.classes)}")
    if found is None or not found.moved:
        return list(range(len(index.classes))), []
    return list(found.order), [found.note]


def _require_labels(file: Path, told: Sequence[int | str], labels: np.ndarray, index: Index) -> None:
    """Labels in the file are those of the dataset, or it is of other videos, or in another order."""
    theirs = [index.classes.index(one) if isinstance(one, str) and one in index.classes else one for one in told]
    wrong = [at for at, one in enumerate(theirs) if one != labels[at]]
    if wrong:
        raise DataError(
            f"{file.name}: {len(wrong)} of {len(labels)} labels are not those of {index.name}, first that of "
            f"{index.videos[wrong[0]].id!r}: {told[wrong[0]]!r}, not {labels[wrong[0]]}",
            allowed="the same videos, in the same order, with the same numbers of classes",
        )


def _as_logits(scores: np.ndarray) -> np.ndarray:
    probable = scores.min() >= 0 and np.abs(scores.sum(axis=2) - 1).max() < _SUM
    return np.log(np.maximum(scores, _SMALLEST)) if probable else scores


def _stacked(rows: Sequence[Any], file: Path) -> np.ndarray:
    arrays = [np.atleast_2d(np.asarray(row, np.float64)) for row in rows]
    shapes = {array.shape for array in arrays}
    if len(shapes) != 1 or arrays[0].ndim != 2 or 0 in arrays[0].shape:
        raise DataError(f"{file.name}: scores of shapes {sorted(shapes)[:3]}", allowed="as many views and classes each")
    return np.stack(arrays)


def _mmaction2(file: Path) -> Dump:
    entries = pickled_arrays.read(file)
    if not isinstance(entries, list) or not entries:
        raise DataError(f"{file.name} holds a {type(entries).__name__}", allowed="a list with an entry for each video")
    if not isinstance(entries[0], Mapping):
        return Dump(_stacked(entries, file))  # `--out` of 0.x: scores alone
    scores = [_field(entry, ("pred_score", "pred_scores"), file) for entry in entries]
    labels = [_field(entry, ("gt_label", "gt_labels"), file, needed=False) for entry in entries]
    whole = tuple(int(np.asarray(one).ravel()[0]) for one in labels if one is not None and np.size(one) == 1)
    names = [entry.get("filename") or entry.get("frame_dir") or entry.get("video_id") for entry in entries]
    ids = tuple(map(str, names)) if all(names) else ()
    return Dump(_stacked(scores, file), ids, whole if len(whole) == len(entries) else ())


def _field(entry: Mapping[str, Any], names: Sequence[str], file: Path, needed: bool = True) -> Any:
    """An entry's value, which some versions wrap as `item`."""
    for name in names:
        value = entry.get(name)
        if value is not None:
            return value.get("item") if isinstance(value, Mapping) else value
    if needed:
        raise DataError(f"{file.name}: an entry has no {names[0]}; it has {', '.join(map(str, entry))[:120]}")
    return None


def _npz(file: Path) -> Dump:
    with reading_arrays(file, "scores", fix="an .npz with the array `scores`") as data:
        name = next((name for name in ("scores", "logits", "probabilities") if name in data), "")
        if not name:
            raise DataError(f"{file.name} has no array `scores`", allowed="scores, ids, labels, classes")
        scores = np.asarray(data[name])
        ids, labels, classes = (data[name].tolist() if name in data else [] for name in ("ids", "labels", "classes"))
    if scores.dtype.kind not in "fiu" or scores.ndim not in (2, 3) or 0 in scores.shape:
        raise DataError(
            f"{file.name}: scores of {scores.dtype}, shape {scores.shape}", allowed="numbers (N, C) or (N, V, C)"
        )
    for name, told in (("ids", ids), ("labels", labels)):
        if told and len(told) != len(scores):
            raise DataError(f"{file.name}: {len(told)} {name} for {len(scores)} scores")
    views = scores if scores.ndim == 3 else scores[:, None]
    return Dump(views.astype(np.float64), tuple(map(str, ids)), tuple(labels), tuple(map(str, classes)))


def _csv(file: Path) -> Dump:
    records = records_of(text_of(file, DataError, allowed="a CSV of scores"), file.name, DataError)
    heading = [name.strip() for name in records[0][1]] if records else []
    if "path" not in heading or len(records) < 2:
        raise DataError(
            f"{file.name} has no column `path`, or no line", allowed="path, perhaps label, one column a class"
        )
    classes = [name for name in heading if name not in ("path", "label")]
    at, rows = {name: place for place, name in enumerate(heading)}, []
    if len(at) < len(heading):
        raise DataError(f"{file.name}: a column stands twice", allowed="each class once")
    for line, fields in records[1:]:
        if len(fields) != len(heading):
            raise DataError(f"{file.name} line {line}: {len(fields)} fields, the header has {len(heading)}")
        try:
            rows.append([float(fields[at[name]]) for name in classes])
        except ValueError as error:
            raise DataError(f"{file.name} line {line}: a score is no number", allowed="one number a class") from error
    labels = [fields[at["label"]].strip() for _, fields in records[1:]] if "label" in at else []
    numbers = [int(one) if one.isdecimal() else one for one in labels]
    numbered = classes == [str(number) for number in range(len(classes))]
    ids = tuple(fields[at["path"]].strip() for _, fields in records[1:])
    return Dump(_stacked(rows, file), ids, tuple(numbers), () if numbered else tuple(classes))  # type: ignore[arg-type]


_READERS = {"mmaction2": _mmaction2, "npz": _npz, "csv": _csv}
