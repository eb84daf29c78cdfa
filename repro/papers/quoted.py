"""Rows of networks that a table quotes: what of them is measured here, and the columns that show it.

A quoted network is counted at the input of its printed cost and at the table's own crops, timed in turn with TSN on
ResNet-50 (8 frames at the same crop), and its small form trained on the temporal twin. On the table's dataset it is
trained by the protocol of its authors' code, where that is public.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from repro.core.spec import Accuracy, Experiment, Model, Speed, Static, replace
from repro.papers import columns
from repro.papers.default_views import rule_for
from repro.papers.quoted_networks import NETWORKS, QUOTATIONS, Network
from repro.papers.recipes import authors, literature
from repro.papers.table import ColumnSpec, RowSpec
from repro.papers.twins import TEMPORAL
from repro.registry import models

#: what every quoted network is timed in turn with
TSN = Model(name="tsn", backbone="resnet50")
_NO_RECIPE = (
    "not run: no complete recipe of this network is public; weights can be tested "
    "(python -m repro test MODEL --weights FILE --dataset {})"
)
_PROTOCOLS = {**authors.PROTOCOLS, **literature.PROTOCOLS}

_OTHER_DATASET = "not applicable: a row of another dataset"
#: makes the twin's experiment of a network: the recipe is the table's
Twin = Callable[[Model, str], Experiment]


def quoted(
    rows: Mapping[str, tuple[str, str]],
    *,
    dataset: str | Mapping[str, str],
    classes: Mapping[str, int],
    sizes: tuple[int, ...] = (),
    twin: Twin,
    explained: Mapping[str, Mapping[str, str]] | None = None,
    timed: str = "speed",
    counted: str = "input",
    reasons: Mapping[str, str] | None = None,
) -> tuple[RowSpec, ...]:
    """Rows of quoted networks: row key -> (label, key in `NETWORKS` or `QUOTATIONS`).

    `dataset` is the table's, or row key -> dataset, `classes` has their numbers of classes; `sizes` are crops that the
    table counts at beside each network's own; `explained` tells by row and column why a value is not the printed one;
    `timed` names the cell that holds the time beside TSN's, `counted` the one with the cost at the printed input, and
    `reasons` are those of columns that no quoted row fills.
    """
    return tuple(
        _row(
            key,
            label,
            name,
            dataset if isinstance(dataset, str) else dataset[key],
            classes=classes,
            sizes=sizes,
            twin=twin,
            explained=(explained or {}).get(key, {}),
            timed=timed,
            counted=counted,
            reasons=reasons or {},
        )
        for key, (label, name) in rows.items()
    )


def _row(
    key: str,
    label: str,
    name: str,
    dataset: str,
    *,
    explained: Mapping[str, str],
    reasons: Mapping[str, str],
    **form: Any,
) -> RowSpec:
    if name in QUOTATIONS:
        return RowSpec(key=key, label=label, published_row=key, section="quoted", quoted_reason=QUOTATIONS[name])
    network = NETWORKS[name]
    cells, empty = _cells(network, dataset, **form)
    return RowSpec(
        key=key,
        label=label,
        published_row=key,
        section="quoted",
        cells=cells,
        reasons={**reasons, **empty},
        explained=explained,
        quoted_reason="not applicable: not for a quoted network",
        note=network.note,
    )


def _cells(
    network: Network,
    dataset: str,
    *,
    classes: Mapping[str, int],
    sizes: tuple[int, ...],
    twin: Twin,
    timed: str,
    counted: str,
) -> tuple[dict[str, Experiment], dict[str, str]]:
    """What is run of the network, and why the rest is not."""
    own, model = network.model, replace(network.model, num_classes=classes[dataset])
    at = tuple(size for size in sizes if size in (*network.sizes, network.size)) or (network.size,)
    speed = Speed(size=network.size, repeats=2 if network.heavy else 3, against=TSN)
    time = Experiment(model=own, measure=speed)
    cells = {
        "static": Experiment(model=model, measure=Static(sizes=at)),
        counted: Experiment(model=model, measure=Static(sizes=(network.size,))),
        "speed": time,
        timed: time,
    }
    reasons = {other: _OTHER_DATASET for other in classes if other != dataset}
    trained = replace(model, pretrained="imagenet", frames=network.trained_frames or model.frames)
    measure = _accuracy(trained, dataset)
    if measure is None:
        reasons[dataset] = _NO_RECIPE.format(dataset)
    else:
        cells[dataset] = Experiment(model=trained, measure=measure)
    if network.twin is None:
        reasons[TEMPORAL] = network.no_twin
    else:
        cells[TEMPORAL] = twin(network.twin, TEMPORAL)
    return cells, reasons


def _accuracy(model: Model, dataset: str) -> Accuracy | None:
    """Training and test by the protocol of the network's authors, for as many frames as the row has."""
    protocol = _PROTOCOLS.get((model.name, dataset))
    published = model.backbone in models[model.name].fact("published")  # the protocol is of no other backbone
    if not published or protocol is None or protocol.train is None or protocol.test is None:
        return None
    train = replace(protocol.train, sampling=rule_for(protocol.train.sampling, model.frames))
    test = replace(protocol.test, sampling=rule_for(protocol.test.sampling, model.frames))
    return Accuracy(dataset=dataset, train=train, test=test)


def with_input(row: RowSpec, size: int) -> RowSpec:
    """A row of the table's own, also counted at the one crop that its printed cost is of."""
    model = row.cells["static"].model
    return replace(row, cells={**row.cells, "input": Experiment(model=model, measure=Static(sizes=(size,)))})


def input_column(group: str, *, beside: str = "gflops") -> ColumnSpec:
    """GMACs at the crop and frames of the printed cost, beside it."""
    return ColumnSpec(
        key="gmacs_input",
        title="GMACs at the printed input",
        source="record:input:sizes.*.gmacs",
        group=group,
        beside=beside,
        note="At the frames and the crop of the printed cost, where they are known; see each row.",
    )


def beside_tsn(group: str, *, cell: str = "speed") -> ColumnSpec:
    """Time of one view over that of TSN."""
    return columns.slowdown(
        group,
        cell=cell,
        key="beside_tsn",
        title="time / TSN's",
        absent="not applicable: timed beside its own host",
        note="One view of a quoted network, at its own frames and crop, in turn with one of TSN on ResNet-50: 8 frames "
        "of the same crop.",
    )
