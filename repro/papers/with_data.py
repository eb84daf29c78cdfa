"""A table with one more column group: the same networks, trained and tested on a dataset of the user's own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from repro.core.errors import BadOption
from repro.core.spec import Accuracy, Experiment, Model, frozen, replace
from repro.data import user_data
from repro.data.datasets import is_shipped, num_classes, video_count
from repro.papers import elsewhere
from repro.papers.default_views import views_of
from repro.papers.recipes.fitted import OF_THE_MODEL, changed, fitted
from repro.papers.table import OWN_DATA, ColumnSpec, RowSpec, TableSpec


@dataclass(frozen=True)
class OwnData:
    """What is asked for: a dataset, and in what the table's protocol is changed for it."""

    dataset: str
    """A CSV, or a registered name."""
    views: str = ""
    """Of the test, CLIPSxCROPS."""
    crop: int | None = None
    """Side of the test's crop."""
    changes: Mapping[str, Any] = field(default_factory=frozen)
    """Of the recipe, and of the network's dropout and first weights."""


def with_data(table: TableSpec, own: OwnData) -> TableSpec:
    """The table with a cell for this dataset in each row that is trained on a dataset of the paper, and its columns."""
    name = user_data.dataset_name(own.dataset)
    stem = user_data.stem_of(name)
    cell = f"{OWN_DATA}{stem}"
    notes: dict[str, None] = {}
    rows, count = [], 0
    for row in table.rows:
        usual = _trained(row)
        if usual is None:
            rows.append(replace(row, reasons={**row.reasons, cell: "not applicable: not trained on a dataset here"}))
            continue
        experiment, note = on_data(usual, name, own)
        notes.update(dict.fromkeys(filter(None, [note])))
        rows.append(replace(row, cells={**row.cells, cell: experiment}))
        count += 1
    if not count:
        raise BadOption(f"table {table.full_name} trains no network on a dataset of its paper", allowed="e.g. table6")
    rows += elsewhere.rows(name, cell)
    shown = tuple(_columns(name, cell, own, list(notes)))
    seen = (column.key for column in shown if not column.key.endswith("_top5"))
    short = (*table.short, *seen) if table.short else ()
    return replace(table, rows=tuple(rows), columns=(*table.columns, *shown), short=short)


def on_data(usual: Experiment, name: str, own: OwnData) -> tuple[Experiment, str]:
    """A training and test on another dataset, and a sentence on what of the recipe did not fit it."""
    measure = usual.measure
    assert isinstance(measure, Accuracy) and measure.train is not None
    of_model = {key: value for key, value in own.changes.items() if key in OF_THE_MODEL}
    model: Model = replace(usual.model, num_classes=num_classes(name), **of_model)
    own_train = {key: value for key, value in own.changes.items() if key not in OF_THE_MODEL}
    same = measure.dataset == name
    train = changed(measure.train if same else replace(measure.train, videos=0, flip_labels=()), own_train)
    note = ""
    if "batch" not in own_train:
        train, note = fitted(train, video_count(name, "train"))
    test = views_of(model, measure.test, own.views, own.crop)
    before = f"without {measure.initial.measure.datasets[-1]} before it" if measure.initial else ""  # type: ignore[union-attr]
    told = "; ".join(filter(None, [note, before]))
    split = measure.test_split if same else user_data.test_split(name)
    made = Accuracy(dataset=name, train=train, test=test, test_split=split)
    return Experiment(model=model, measure=made), told


def _trained(row: RowSpec) -> Experiment | None:
    """The row's own training on a dataset of the paper, not on an embedded one."""
    if row.quoted_network:
        return None
    for experiment in row.cells.values():
        measure = experiment.measure
        if isinstance(measure, Accuracy) and measure.train is not None and not is_shipped(measure.dataset):
            return experiment
    return None


def _columns(name: str, cell: str, own: OwnData, notes: Sequence[str]) -> Iterator[ColumnSpec]:
    stem, classes = user_data.stem_of(name), num_classes(name)
    counts = [f"{video_count(name, split):,} {split}" for split in ("train", user_data.test_split(name))]
    changes = [f"{key}={value}" for key, value in own.changes.items()]
    changes += [f"views {own.views}"] * bool(own.views) + [f"test crop {own.crop}"] * bool(own.crop)
    told = [f"Your data, not the paper's: {stem}, {classes} classes, {' and '.join(counts)} videos"]
    told += [f"changed: {', '.join(changes)}"] * bool(changes)
    note = ". ".join([*told, *notes]) + "."
    group = f"measured here on your data: {stem}"
    key = re.sub(r"\W", "_", stem)
    for rate in ("top1", "top5") if classes > 5 else ("top1",):
        yield ColumnSpec(
            key=f"{key}_{rate}",
            title=f"{rate[:3]}-{rate[3]} %",
            short=f"your {stem} {rate[:3]}-{rate[3]}",
            source=f"record:{cell}:{rate}",
            group=group,
            better="higher",
            note=note,
        )
    yield ColumnSpec(
        key=f"{key}_gain",
        title="gain",
        short=f"your {stem} gain",
        source=f"gain:{cell}:top1",
        group=group,
        unit="points",
        absent="not applicable: the network alone",
    )
