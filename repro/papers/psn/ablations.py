"""Tian, Zhai, Gao: Perceptron Synthesis Network, AAAI 2021, arXiv 2007.11460: its ablations, Tables 1 to 3.

No code of it is public. How it is read, and what cannot be reproduced, stands in methods/psn; Tables 4 to 6 are in
`repro.papers.psn.comparisons`. A row that is the default network under another name is the same experiment, measured
once. Expected on one quiet core: static cells 5 seconds a row, times 5 seconds a cell; on
Something-Something each row is a training of 80 epochs on 86,000 videos at 112x112.
"""

from __future__ import annotations

from typing import Any

from repro.core.spec import Experiment, Model, Static, replace
from repro.papers.layout import table
from repro.papers.psn.networks import CLASSES, GST, TSM, TSN, ablation_cells, with_method, with_psn
from repro.papers.table import RowSpec, TableSpec

_BASELINE = "tsn"


def _row(key: str, model: Model) -> RowSpec:
    """A row compared with TSN; of a network without inserted blocks also with the classes that fit print."""
    cells = ablation_cells(model)
    if not model.method:
        cells["static-175"] = Experiment(model=replace(model, num_classes=CLASSES), measure=Static(sizes=(112,)))
    return RowSpec(key=key, cells=cells, baseline=None if key == _BASELINE else _BASELINE)


def _tsn_beside() -> RowSpec:
    """TSN as the first row of a table that does not print it."""
    return RowSpec(key=_BASELINE, cells=ablation_cells(TSN))


def table1() -> TableSpec:
    """Blocks of one scale, several scales, many shapes, after the stages of ResNet-50."""
    rows = (
        _row("tsn", TSN),
        _row("tsm", TSM),
        _row("gst_r50", GST),
        _row("gst_r101", replace(GST, backbone="resnet101")),
        _row("rf_s", with_method(TSN, "rf_s")),
        _row("rf_l", with_method(TSN, "rf_l")),
        _row("rf_l_inception", with_psn(TSN, fusion="grouping")),
        _row("rf_l_inception_t", with_method(TSN, "rf_l_inception_t")),
        _row("psn", with_psn(TSN)),
        _row("psn_1_16", with_psn(TSN, proportion=16)),
    )
    return table("psn/table1", rows)


#: row -> PSN's options
_FUSIONS: dict[str, dict[str, Any]] = {
    "grouping": {"fusion": "grouping"},
    "dropout": {"fusion": "dropout"},
    "shuffling": {"fusion": "shuffle"},
    "off": {},
    "off_li": {"interaction": True},
    "off_lc": {"capacity": True},
    "off_li_lc": {"interaction": True, "capacity": True},
}


def table2() -> TableSpec:
    """What stands between the two bags of kernels, and the two losses."""
    rows = (_tsn_beside(), *(_row(key, with_psn(TSN, **options)) for key, options in _FUSIONS.items()))
    return table("psn/table2", rows)


_DESIGNS: dict[str, dict[str, Any]] = {
    "avg_pool": {"pooling": "avg"},
    "max_pool": {},
    "no_max_pool": {"pooling": "none"},
    "max_pool_again": {},
    "no_inter_relu": {"relu": False},
    "inter_relu": {},
    "no_dilation": {"dilated": False},
    "dilation": {},
    "d1_1_1": {"decomposition": "1+1+1"},
    "d2_1": {},
}


def table3() -> TableSpec:
    """Pooling, ReLU between the bags, dilation, (1+1+1)D."""
    rows = (_tsn_beside(), *(_row(key, with_psn(TSN, **options)) for key, options in _DESIGNS.items()))
    return table("psn/table3", rows)
