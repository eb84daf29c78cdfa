"""DNR's Table 4: Kinetics-400 from scratch, and from there to Something-Something; what channel interlacing alone does.

A row on Something-Something is one spec: its accuracy names the training on Kinetics-400 whose weights it starts from.
"""

from __future__ import annotations

from repro.core.spec import Accuracy, Experiment, Model, Static, Train, replace
from repro.papers.dnr.networks import TSN_K200, pair, with_dnr
from repro.papers.layout import table
from repro.papers.recipes.used import DNR_K400, DNR_K400_TEST, DNR_STH_TEST, DNR_STHV1, DNR_STHV2
from repro.papers.table import RowSpec, TableSpec

_TSN = replace(TSN_K200, num_classes=400)
_STH = {"sthv1": DNR_STHV1, "sthv2": DNR_STHV2}
#: row's ending -> network: those that the paper prints, and those that take interlacing apart
_PRINTED = {"tsn_r50": _TSN, "tsn_r50_dnr": with_dnr(_TSN)}
_ADDED = {
    "tsm_r50": replace(_TSN, name="tsm"),
    "tsn_r50_dnr_without_interlacing": with_dnr(_TSN, channel_interlacing=False),
}


def table4() -> TableSpec:
    """Kinetics-400 from scratch, Something-Something from there; TSM and DNR without interlacing beside them."""
    rows = pair("k400_tsn_r50", _TSN, _kinetics_cells)
    rows += pair("k400_tsn_r101", replace(_TSN, backbone="resnet101"), _kinetics_cells)
    for networks in (_PRINTED, _ADDED):
        for dataset, train in _STH.items():
            rows += [_sth_row(dataset, train, ending, model) for ending, model in networks.items()]
    return table("dnr/table4", rows)


def _kinetics(model: Model) -> Experiment:
    return Experiment(model=model, measure=Accuracy(dataset="kinetics400", train=DNR_K400, test=DNR_K400_TEST))


def _kinetics_cells(model: Model, host: Model | None) -> dict[str, Experiment]:
    return {"static": Experiment(model=model, measure=Static()), "kinetics400": _kinetics(model)}


def _sth_row(dataset: str, train: Train, ending: str, model: Model) -> RowSpec:
    """Fine-tuned from the same network's training on Kinetics-400, with a new classifier."""
    accuracy = Accuracy(dataset=dataset, train=train, test=DNR_STH_TEST, initial=_kinetics(model))
    tuned = Experiment(model=replace(model, num_classes=174, dropout=0.5), measure=accuracy)
    cells = {"static": Experiment(model=tuned.model, measure=Static()), dataset: tuned}
    baseline = None if ending == "tsn_r50" else f"{dataset}_tsn_r50"
    return RowSpec(key=f"{dataset}_{ending}", cells=cells, baseline=baseline)
