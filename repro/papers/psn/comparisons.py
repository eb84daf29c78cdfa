"""PSN beside published networks: Table 4 (Something-Something V1), 5 (Kinetics-400), 6 (Diving48).

Kernels of at most 5x5x7, both losses, 80 epochs from ImageNet. The rows of other networks are quoted: their
accuracy is not the paper's own measurement; their cost and time are measured here.
Expected on one quiet core: static cells 5 seconds a row, times 10 to 60 seconds a cell. On the datasets each row is a
training of 80 epochs; the printed top-1 stand in `results/published/psn_table*.csv`.
"""

from __future__ import annotations

from repro.core.spec import Experiment, Model, Static, Train, Views, replace
from repro.papers.layout import table
from repro.papers.psn.networks import TSM, TSN, accuracy, costs, times, with_method
from repro.papers.quoted import quoted
from repro.papers.recipes.papers import (
    PSN_DIVING48,
    PSN_K400,
    PSN_K400_16,
    PSN_STHV1,
    PSN_STHV1_16,
    PSN_STHV1_SMALL,
    PSN_TEST,
    PSN_TEST_16,
    PSN_TEST_DIVING48,
    PSN_TEST_SMALL,
    PSN_TEST_10x3,
    PSN_TEST_16_10x3,
    PSN_TEST_DIVING48_2x1,
)
from repro.papers.table import RowSpec, TableSpec

Protocol = tuple[Train, Views]


def _psn(frames: int, classes: int) -> Model:
    return with_method(replace(TSN, frames=frames, num_classes=classes), "psn", receptive_field="5x5x7")


def _own(key: str, model: Model, dataset: str, protocol: Protocol, *, size: int = 224, timed: bool = True) -> RowSpec:
    """A row of PSN's own, timed at its view unless another row of the same network is."""
    cells = {**costs(model, size), dataset: accuracy(model, dataset, *protocol)}
    if timed:
        cells |= times(model, size, repeats=5 if model.frames * size < 2000 else 3)
    # the count at the input of the printed cost, under the same name as that of quoted rows
    cells["input"] = Experiment(model=model, measure=Static(sizes=(size,)))
    host = _host_key("tsn", model.frames, size)
    return RowSpec(key=key, cells=cells, baseline=host if key != host else None)


def _host(model: Model, dataset: str, protocol: Protocol, *, size: int = 224) -> RowSpec:
    """A network on ResNet-50 by PSN's recipe: what PSN is compared with; the tables do not print it."""
    return _own(_host_key(model.name, model.frames, size), model, dataset, protocol, size=size)


def _host_key(name: str, frames: int, size: int) -> str:
    return f"{name}_r50_{frames}{'_112' if size == 112 else ''}"


def table4() -> TableSpec:
    """Something-Something V1, at 8x112x112, 8x224x224, 16x224x224."""
    eight, sixteen = _psn(8, 174), _psn(16, 174)
    one, more, small = (PSN_STHV1, PSN_TEST), (PSN_STHV1_16, PSN_TEST_16), (PSN_STHV1_SMALL, PSN_TEST_SMALL)
    rows = (
        *quoted("psn/table4", sizes=(112, 224)),
        _own("psn_8_112", eight, "sthv1", small, size=112),
        _own("psn_8", eight, "sthv1", one),
        _own("psn_16", sixteen, "sthv1", more),
        _own("psn_8_mv", eight, "sthv1", (PSN_STHV1, PSN_TEST_10x3), timed=False),
        _host(TSN, "sthv1", small, size=112),
        _host(TSN, "sthv1", one),
        _host(TSM, "sthv1", one),
        _host(replace(TSN, frames=16), "sthv1", more),
        _host(replace(TSM, frames=16), "sthv1", more),
    )
    return table("psn/table4", rows)


def table5() -> TableSpec:
    """Kinetics-400, 8 and 16 frames, one view and 30."""
    eight, sixteen = _psn(8, 400), _psn(16, 400)
    tsn = replace(TSN, num_classes=400)
    rows = (
        *quoted("psn/table5", sizes=(224,)),
        _own("psn_8", eight, "kinetics400", (PSN_K400, PSN_TEST)),
        _own("psn_8_mv", eight, "kinetics400", (PSN_K400, PSN_TEST_10x3), timed=False),
        _own("psn_16", sixteen, "kinetics400", (PSN_K400_16, PSN_TEST_16)),
        _own("psn_16_mv", sixteen, "kinetics400", (PSN_K400_16, PSN_TEST_16_10x3), timed=False),
        _host(tsn, "kinetics400", (PSN_K400, PSN_TEST)),
        _host(replace(tsn, frames=16), "kinetics400", (PSN_K400_16, PSN_TEST_16)),
    )
    return table("psn/table5", rows)


def table6() -> TableSpec:
    """Diving48, 16 frames, one clip and two."""
    model = _psn(16, 48)
    rows = (
        *quoted("psn/table6", sizes=(224,)),
        _own("psn_16", model, "diving48", (PSN_DIVING48, PSN_TEST_DIVING48)),
        _own("psn_16_2", model, "diving48", (PSN_DIVING48, PSN_TEST_DIVING48_2x1), timed=False),
        _host(replace(TSN, num_classes=48, frames=16), "diving48", (PSN_DIVING48, PSN_TEST_DIVING48)),
    )
    return table("psn/table6", rows)
