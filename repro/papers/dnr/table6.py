"""Cai, Yao, Chen: Dynamic Normalization and Relay for Video Action Recognition, NeurIPS 2021, with its supplement.

Code studied: `caidonkey/dnr@0110580` (resnet_dnr.py, one configuration). Its relay distance is 2 and it has no channel
interlacing; the rows here follow the paper: relay distance 4, interlacing on (supplement B and C).

Expected of table6 on two CPU cores: static cells 1 minute, speed 4, eight trainings on a probe 10. On Kinetics-400 each
row is a training of 100 to 196 epochs on 240,000 videos; the printed top-1 stand in
`results/published/dnr_table6.csv`.
"""

from __future__ import annotations

from repro.core.spec import Accuracy, Experiment, Model, Speed, Static, frozen, replace
from repro.papers.dnr.networks import pair
from repro.papers.layout import table
from repro.papers.probe_cells import on_probe
from repro.papers.probes import ORDER
from repro.papers.quoted import quoted
from repro.papers.recipes.used import KINETICS
from repro.papers.table import TableSpec

_IMAGENET = Model(name="", backbone="resnet50", pretrained="imagenet")
#: the networks that DNR is put on
HOSTS: dict[str, Model] = {
    "tsn": Model(name="tsn", backbone="resnet50", dropout=0.4, options=frozen(head="clip")),
    **{name: replace(_IMAGENET, name=name) for name in ("tsm", "tanet", "tdn")},
}


def table6() -> TableSpec:
    """12 networks quoted from the literature, 4 run by the paper, each without and with DNR."""
    rows = quoted("dnr/table6", sizes=(224, 256), timed="speed-tsn")
    for name, host in HOSTS.items():
        rows += pair(f"{name}_r50", host, _cells)
    return table("dnr/table6", rows)


def _cells(model: Model, against: Model | None) -> dict[str, Experiment]:
    plain = replace(model, pretrained="none")
    host = replace(against, pretrained="none") if against else None
    train, test = KINETICS[model.name]
    return {
        "static": Experiment(model=plain, measure=Static()),
        "speed": Experiment(model=plain, measure=Speed(against=host)),
        "kinetics400": Experiment(model=model, measure=Accuracy(dataset="kinetics400", test=test, train=train)),
        "input": Experiment(model=plain, measure=Static(sizes=(224,))),
        ORDER: on_probe(plain, ORDER),
    }
