"""A table of the user's own: the form of the papers' tables, with its rows, data and protocol in one TOML file.

    datasets = ["my.csv"]                 # CSVs beside the file, or names
    modules = ["gate.py"]                 # whose methods the rows name
    recipe = "dnr.kinetics400"            # or [recipe] with `like` and what is changed
    views = "1x1"                         # or [views]
    columns = "params gmacs slowdown top1 gain"

    [[row]]
    model = "tsm"

    [[row]]
    model = "tsm"
    method = "gate"
    options = { reduction = 8 }

All else that a table's file may say, this one may too: titles, groups, labels, notes, figures. A fault is told
with its line. `python -m repro init mine.toml` writes one to begin with.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from repro.core.errors import BadOption
from repro.core.options import plain
from repro.core.paths import expand
from repro.core.spec import Accuracy, Experiment, Model, Speed, Static, frozen
from repro.data import user_data
from repro.data.datasets import num_classes, video_count
from repro.papers import elsewhere
from repro.papers.layout import table
from repro.papers.own_columns import Dataset, with_columns
from repro.papers.own_protocol import Protocol, read_protocol
from repro.papers.table import RowSpec, TableSpec
from repro.papers.text import TABLE, Text, parsed
from repro.papers.with_method import shown
from repro.registry import Registry, backbones, code_of, load_module, methods, models

#: each is a job of each trained cell
MOST_SEEDS = 1000

_NETWORK: dict[str, Any] = {"backbone": str, "frames": int, "dropout": float, "pretrained": str}
_ROW: dict[str, Any] = {
    **dict.fromkeys("key label model method baseline note".split(), str),
    **_NETWORK,
    "options": {"*": object},
    "model_options": {"*": object},
    "accuracy": {"*": float},
}
_OF_PRINT = ("printed", "inferred", "readings", "across", "questions")
#: what such a file may say
FORM: dict[str, Any] = {
    **{name: form for name, form in TABLE.items() if name not in _OF_PRINT},
    **_NETWORK,
    "modules": [str],
    "datasets": [str],
    "seeds": int,
    "columns": object,
    "recipe": object,
    "views": object,
    "row": [_ROW],
}
PAPER = "own"


def own_table(path: Path, name: str = "") -> TableSpec:
    """The table of a file; `name` is `own/FILE` unless given, as a package does that registers one."""
    file = expand(path)
    if not file.is_file():
        raise BadOption(f"there is no file {str(path)!r}", fix=f"python -m repro init {path}")
    text = parsed(file, FORM, alone=True)
    for number, module in enumerate(text.data.get("modules", ())):
        with text.at("modules", number):
            load_module(file.parent / expand(module))
    data = _datasets(text)
    protocol = read_protocol(text)
    rows, notes = _rows(text, data, protocol)
    text = with_columns(text, data, rows, [*protocol.told(), *notes])
    stem = re.sub(r"[^a-z0-9]+", "_", file.stem.lower()).strip("_") or "table"
    count = text.data.get("seeds", 1)
    if not 1 <= count <= MOST_SEEDS:
        raise text.fault(f"seeds is {count}", "seeds", allowed=f"1 to {MOST_SEEDS}")
    rows += [row for one in data for row in elsewhere.rows(one.name, one.cell)]
    made = table(name or f"{PAPER}/{stem}", rows, seeds={one.cell: count for one in data}, text=text)
    return replace(_needed(made), file=str(path))


def _datasets(text: Text) -> list[Dataset]:
    found = []
    for number, written in enumerate(text.data.get("datasets", ())):
        with text.at("datasets", number):
            name = user_data.dataset_name(written, text.path.parent)
            classes = num_classes(name)
            counts = [f"{video_count(name, split):,} {split}" for split in ("train", user_data.test_split(name))]
        cell = user_data.stem_of(name)
        own = " (yours)" if user_data.file_of(name) else ""
        found.append(Dataset(name, cell, f"{cell}{own}: {classes} classes, {', '.join(counts)} videos"))
    for one in found:
        if [other.cell for other in found].count(one.cell) > 1:
            raise text.fault(f"two datasets are called {one.cell!r}", "datasets", allowed="a name once")
    return found


def _rows(text: Text, data: Sequence[Dataset], protocol: Protocol) -> tuple[list[RowSpec], list[str]]:
    """The rows, and what of the recipe did not fit data or network."""
    written = text.data.get("row", ())
    if not written:
        raise text.fault("no [[row]]", "row", allowed="at least one, with a model")
    networks = []
    for number, row in enumerate(written):
        with text.at("row", number):
            networks.append(_model(text, row, number))
    keys = _keys(text, written, networks)
    notes: dict[str, None] = {}
    found = []
    for number, (row, model) in enumerate(zip(written, networks, strict=True)):
        base = _baseline(text, number, row, networks, keys)
        host = networks[keys.index(base)] if base else None
        with text.at("row", number):
            cells = dict(_cells(model, host, data, protocol, notes))
        label = row.get("label") or _label(model, row, networks)
        said = row.get("accuracy", {})
        for name, value in said.items():
            if not 0 < value <= 100:
                raise text.fault(f"accuracy {value:g}", "row", number, "accuracy", name, allowed="percent")
        told = [f"Top-1 on {name} {value:g} as this file says, not measured here." for name, value in said.items()]
        note = " ".join(filter(None, [row.get("note", ""), *told]))
        found.append(RowSpec(key=keys[number], label=label, cells=cells, baseline=base, note=note, accuracy=said))
    return found, list(notes)


def _model(text: Text, row: Mapping[str, Any], number: int) -> Model:
    def named(registry: Registry, kind: str, name: str) -> str:
        with text.at(*("row", number, kind) if kind in row else (kind,)):
            return registry[name].name

    if "model" not in row:
        raise text.fault("a row without a model", "row", number, allowed=", ".join(models.names()))
    network = {key: row.get(key, text.data.get(key)) for key in _NETWORK}
    facts = {key: value for key, value in network.items() if value is not None and key != "backbone"}
    method = named(methods, "method", row["method"]) if row.get("method") else None
    given = {key: plain(value) for key, value in row.get("options", {}).items()}
    if given and method is None:
        raise text.fault("options without a method", "row", number, "options", allowed="model_options, of the model")
    with text.at("row", number, "options"):
        options = methods[method].resolved(given) if method else frozen()
    name = named(models, "model", row["model"])
    backbone = named(backbones, "backbone", network["backbone"] or "resnet50")
    of_model = frozen({key: plain(value) for key, value in row.get("model_options", {}).items()})
    code = code_of(name, backbone, method)
    return Model(
        name=name, backbone=backbone, options=of_model, method=method, method_options=options, code=code, **facts
    )


def _keys(text: Text, rows: Sequence[Mapping[str, Any]], networks: Sequence[Model]) -> list[str]:
    """A key for each row: the one that is given, else one made of its network, with a number where that comes twice."""
    found: list[str] = []
    for number, (row, model) in enumerate(zip(rows, networks, strict=True)):
        backbone = "" if _one_backbone(networks) else model.backbone
        parts = [model.name, backbone, "-".join([model.method or "", *_options(row)])]
        made = row.get("key") or re.sub(r"[^A-Za-z0-9_.+=-]+", "-", "_".join(filter(None, parts)).rstrip("-"))[:60]
        if row.get("key") and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.+=-]{0,59}", made):
            raise text.fault(f"key {made!r}", "row", number, "key", allowed="letters, digits and _ . + = -")
        if row.get("key") in found:
            raise text.fault(f"key {made!r} stands twice", "row", number, "key", allowed="another one")
        found.append(made if made not in found else f"{made}_{number + 1}")
    return found


def _options(row: Mapping[str, Any]) -> list[str]:
    return [f"{key}={shown(plain(value))}" for key, value in row.get("options", {}).items()]


def _one_backbone(networks: Sequence[Model]) -> bool:
    return len({model.backbone for model in networks}) == 1


def _label(model: Model, row: Mapping[str, Any], networks: Sequence[Model]) -> str:
    """As papers write it: `TSM R50 + gate (reduction=8)`."""
    host = _NAMES.get(model.name, model.name)
    if not _one_backbone(networks):
        host += f" {model.backbone.replace('resnet', 'R')}"
    told = ", ".join(_options(row))
    if model.method is None:
        return host
    return f"{host}+{_NAMES.get(model.method, model.method)}{f' ({told})' if told else ''}"


_NAMES = {
    "tsn": "TSN", "tsm": "TSM", "tanet": "TANet", "tdn": "TDN", "dnr": "DNR", "psn": "PSN", "adafuse": "AdaFuse",
}  # fmt: skip


def _baseline(
    text: Text, number: int, row: Mapping[str, Any], networks: Sequence[Model], keys: Sequence[str]
) -> str | None:
    """Key of the row to compare with: the one that is named, by key or label, else the same without its method."""
    asked = row.get("baseline")
    if asked is not None:
        labels = [one.get("label", "") for one in text.data["row"]]
        known = {key: key for key in keys} | {label: keys[at] for at, label in enumerate(labels) if label}
        if asked and (asked not in known or known[asked] == keys[number]):
            others = [name for name in known if known[name] != keys[number]]
            told = "is the row itself" if asked in known else "is no row"
            raise text.fault(f"baseline {asked!r} {told}", "row", number, "baseline", allowed=", ".join(others))
        return known.get(asked)
    model = networks[number]
    plain_one = replace(model, method=None, method_options=frozen(), code="")
    same = [at for at, one in enumerate(networks) if replace(one, code="") == plain_one and at != number]
    return keys[same[0]] if model.method and same else None


def _cells(
    model: Model, host: Model | None, data: Sequence[Dataset], protocol: Protocol, notes: dict[str, None]
) -> Iterator[tuple[str, Experiment]]:
    """Counts, memory and time of one view at the test's crop, and a training on each dataset."""
    classes = num_classes(data[0].name) if data else model.num_classes
    bare, crop = replace(model, num_classes=classes, pretrained="none"), protocol.test(model).crop
    against = replace(host, num_classes=classes, pretrained="none") if host else None
    yield "static", Experiment(model=bare, measure=Static(sizes=(crop,)))
    yield "memory", Experiment(model=bare, measure=Static(sizes=(crop,), memory=True))
    yield "speed", Experiment(model=bare, measure=Speed(size=crop, against=against))
    for one in data:
        trained = replace(model, num_classes=num_classes(one.name))
        train, test, told = protocol.of(trained, video_count(one.name, "train"))
        notes.update(dict.fromkeys(told))
        measure = Accuracy(dataset=one.name, train=train, test=test, test_split=user_data.test_split(one.name))
        yield one.cell, Experiment(model=trained, measure=measure)


def _needed(made: TableSpec) -> TableSpec:
    """With the cells and counts that columns show alone: nothing is run that is not seen."""
    wanted = {column.cell for column in made.columns if column.measured}
    sizes = [re.search(r":static:sizes\.(\d+)\.", column.source) for column in made.columns]
    counted = tuple(dict.fromkeys(int(found[1]) for found in sizes if found))
    return replace(made, rows=tuple(_with_cells(row, wanted, counted) for row in made.rows))


def _with_cells(row: RowSpec, wanted: set[str], sizes: tuple[int, ...]) -> RowSpec:
    cells = {cell: experiment for cell, experiment in row.cells.items() if cell in wanted}
    if sizes and "static" in cells:
        cells["static"] = replace(cells["static"], measure=Static(sizes=sizes))
    return replace(row, cells=cells)
