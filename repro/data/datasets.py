"""Names of datasets, and how a name or a CSV becomes an `Index`. Registering imports nothing heavy.

An entry's target is called as `target(name, split)` and returns an `Index`; a third party registers the same. Facts:
`small`: its frames are kept decoded (`repro.data.cache`); `metrics`: "module:function" of labels and predicted classes;
`reestimate`: trained networks are scored with re-estimated normalizations besides (`repro.engine.reestimate`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from repro.core.errors import NotConfigured
from repro.core.paths import expand
from repro.data import dataset_config
from repro.data.known_datasets import KNOWN
from repro.registry import datasets

if TYPE_CHECKING:
    from repro.data.index import Index

#: datasets of motions in pairs of opposite directions
_MOTIONS = ("probe-order", "probe-shapes")
_ABOUT = {
    "probe-order": "synthetic; what is read of the order of frames",
    "probe-sight": "synthetic; what is seen in noise and among distractors",
    "probe-sight-blank": "synthetic; the control of probe-sight: its shape is not painted",
    "probe-batch": "synthetic; for small batches at equal samples",
    "probe-redundancy": "synthetic; videos of 1, 2, 4 or 8 different pictures",
    "probe-shapes": "synthetic; motions of three sizes and three durations",
}
for _name, _about in _ABOUT.items():
    _more: dict[str, Any] = {"metrics": "repro.data.embedded:direction_metrics"} if _name in _MOTIONS else {}
    for _ending, _told in (("", _about), ("-smoke", "two videos a split, for smoke runs")):
        datasets.add(
            _name + _ending,
            "repro.data.embedded:open_embedded",
            _told,
            num_classes=8,
            small=True,
            reestimate=True,
            **_more,
        )
for _name, _known in KNOWN.items():
    datasets.add(
        _name,
        "repro.data.datasets:open_known",
        _known.title,
        num_classes=_known.classes,
        shipped=False,
        flip_labels=_known.flip_labels,
    )


def declare_own(name: str) -> None:
    """Register a name that `data add` gave to a CSV."""
    datasets.add(name, "repro.data.user_data:open_own", "your own, by data add", shipped=False, own=True)


for _name in dataset_config.names():
    if _name not in KNOWN:
        declare_own(_name)


def open_index(name: str, split: str) -> Index:
    """The videos of a split, of a registered dataset or of a CSV (a name that ends in `.csv`)."""
    if is_csv(name):
        from repro.data.index import read_csv

        return read_csv(name, split)
    return datasets[name].load()(name, split)


def video_count(name: str, split: str) -> int:
    """Videos of a split; an embedded dataset is not written for it."""
    from repro.data.embedded import EMBEDDED

    if name in EMBEDDED and split in EMBEDDED[name].sizes:
        return EMBEDDED[name].sizes[split]
    return len(open_index(name, split))


def is_csv(name: str) -> bool:
    """Whether a dataset is meant as a file rather than as a registered name."""
    return name.lower().endswith(".csv")


def is_configured(name: str) -> bool:
    """Whether the dataset can be opened on this machine; an unknown name is an error."""
    if is_csv(name):
        return expand(name).is_file()
    return is_shipped(name) or dataset_config.place(name) is not None


def is_shipped(name: str) -> bool:
    """Whether the suite makes its videos itself, so that every copy is the same; an unknown name is an error."""
    return not is_csv(name) and bool(datasets[name].facts.get("shipped", True))


def num_classes(name: str) -> int:
    """Classes of a registered dataset, without opening it; a CSV is read."""
    if is_csv(name):
        from repro.data.index import read_classes

        return len(read_classes(name))
    count = datasets[name].fact("num_classes")
    return int(count) if count is not None else len(open_index(name, "val").classes)


def class_names(name: str) -> tuple[str, ...]:
    """The classes of a dataset in the order of its labels: from the list that ships here, else from the dataset."""
    from repro.data import label_maps
    from repro.data.embedded import EMBEDDED
    from repro.data.index import read_classes

    if is_csv(name):
        return read_classes(name)
    official = label_maps.official(datasets[name].name)
    if official is not None:
        return official
    return EMBEDDED[name].classes if name in EMBEDDED else open_index(name, "val").classes


def open_known(name: str, split: str) -> Index:
    """A dataset that the user keeps; NotConfigured until `data add` has told where."""
    from repro.data import label_maps
    from repro.data.index import read_classes, read_csv

    file = dataset_config.place(name)
    if file is None:
        raise NotConfigured(
            f"{name} is not configured: its {split} split has no place on this machine",
            allowed=f"{KNOWN[name].annotations}; the lists of TSM, TDN, mmaction2, AdaFuse; or --csv FILE.csv",
            fix=f"python -m repro data add {name} --root DIR --annotations FILE [FILE ...]",
        )
    if file.suffix == ".json":
        from repro.data import catalogue

        return catalogue.read(file).index(split)
    return replace(read_csv(file, split, labels=label_maps.official_file(name, read_classes(file))), name=name)
