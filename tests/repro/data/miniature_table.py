"""A table whose rows are networks trained and tested on the miniature copies, and a recipe of their size for `train`.

`--module miniature_table.py` makes both known to any command, in whatever process: the table as own/miniatures.
"""

from __future__ import annotations

from repro.core.spec import Accuracy, Experiment, Model, Train, Views, frozen
from repro.data.known_datasets import KNOWN
from repro.papers.recipes.used import KINETICS
from repro.papers.table import ColumnSpec, RowSpec, TableSpec
from repro.registry import tables

#: those whose lists are not official splits, which tests of lists cover
NAMES = tuple(name for name in KNOWN if not name.startswith(("ucf101", "hmdb51")))

NAME = "own/miniatures"
OPTIONS = frozen(blocks=1, pool=True)
TRAIN = Train(
    epochs=1,
    batch=4,
    lr=0.02,
    sampling="mmaction2.uniform_train_8",
    crop=32,
    crop_rule="random",
    resize=0,
    sync_bn=True,
)
TEST = Views(sampling="mmaction2.uniform_test_8_twice", clips=2, crops=3, resize=0, crop=32)


def experiment(dataset: str) -> Experiment:
    """What is trained and tested on a miniature; nothing in it depends on the number of processes but rounding."""
    model = Model(
        name="tsn",
        backbone="tiny_resnet",
        num_classes=KNOWN[dataset].classes,
        options=OPTIONS,
        frames=8,
        dropout=0.0,
    )
    return Experiment(model=model, measure=Accuracy(dataset=dataset, test=TEST, train=TRAIN))


def table() -> TableSpec:
    """A row for each dataset."""
    rows = tuple(RowSpec(key=name, label=KNOWN[name].title, cells={"top1": experiment(name)}) for name in NAMES)
    columns = (ColumnSpec(key="top1", title="top-1 %", source="record:top1:top1", group="measured"),)
    return TableSpec(
        paper="own",
        name="miniatures",
        title="Miniatures",
        caption="",
        published_csv="dnr_table6",
        rows=rows,
        columns=columns,
    )


def install() -> None:
    """Make them known in this process."""
    tables.add(NAME, table, "Miniatures", origin=__name__)
    KINETICS["tsn"] = (TRAIN, TEST)


if __name__ != "miniature_table":  # loaded by --module; a test imports it by its name
    install()
