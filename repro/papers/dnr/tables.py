"""DNR on other backbones (Table 2), norms and batches (3), and 3D networks (5); speed (supplement, 2).

Expected on one quiet core: static cells 5 seconds a row; times beside the host 15
seconds to 2 minutes a row on two cores. The printed top-1 stand in `results/published/dnr_table*.csv`.
"""

from __future__ import annotations

from functools import partial

from repro.core.spec import Experiment, Model, Speed, Views, frozen, replace
from repro.papers.dnr.networks import TSN_K200, pair, row_cells, with_dnr, with_dnr_3d
from repro.papers.dnr.table6 import table6
from repro.papers.layout import table
from repro.papers.recipes.mmaction2 import TEST_8x8_10x3, TEST_32x2_10x3
from repro.papers.recipes.used import DNR_K200
from repro.papers.table import RowSpec, TableSpec

_BACKBONES = ("bninception", "resnet50", "resnet101", "resnext101")


def table2() -> TableSpec:
    """Four backbones of TSN, each without and with DNR. ResNeXt-101 is the one with 32 groups of 4 channels."""
    rows: list[RowSpec] = []
    for name in _BACKBONES:
        rows += pair(f"tsn_{name}", replace(TSN_K200, backbone=name), row_cells)
    return table("dnr/table2", rows)


_NORMS = {"bn": frozen(head="clip"), "gn": frozen(head="clip", norm="gn")}
_BATCHES = (8, 6, 4)


def table3() -> TableSpec:
    """BN and GN at 8, 6 and 4 clips a device, each without and with DNR."""
    rows: list[RowSpec] = []
    for norm, options in _NORMS.items():
        host = replace(TSN_K200, options=options)
        rows += [RowSpec(key=f"{norm}_{clips}", cells=_batch_cells(host, None, clips)) for clips in _BATCHES]
        for clips in _BATCHES:
            cells = _batch_cells(with_dnr(host), host, clips)
            rows.append(RowSpec(key=f"{norm}_dnr_{clips}", cells=cells, baseline=f"{norm}_{clips}"))
    return table("dnr/table3", rows)


def _batch_cells(model: Model, host: Model | None, clips: int) -> dict[str, Experiment]:
    """Eight devices of `clips` clips, rate 0.1 * clips / 8, warm-up over 60,000 steps."""
    rate = 0.1 * clips / 8
    full = replace(DNR_K200, batch=8 * clips, lr=rate, clips_per_device=clips, warmup_epochs=6 * clips)
    return row_cells(model, host, train=full)


#: the dropout is that of all trainings on Kinetics (supplement B)
_SLOWFAST = Model(name="slowfast_8x8", backbone="resnet18", frames=32, num_classes=200, dropout=0.4)
_R2PLUS1D = Model(name="r2plus1d", backbone="resnet34", num_classes=200, dropout=0.4)
#: row -> network, its clip in training, its views in the test
_VOLUMES: dict[str, tuple[Model, str, Views]] = {
    "r2plus1d": (_R2PLUS1D, "8x8", TEST_8x8_10x3),
    "slowfast": (_SLOWFAST, "32x2", TEST_32x2_10x3),
    "slowfast_r50": (replace(_SLOWFAST, backbone="resnet50"), "32x2", TEST_32x2_10x3),
}


def table5() -> TableSpec:
    """R(2+1)D-34 and SlowFast 8x8, each without and with DNR; SlowFast on ResNet-50 beside them."""
    rows: list[RowSpec] = []
    for key, (host, clip, test) in _VOLUMES.items():
        train = replace(DNR_K200, sampling=f"mmaction2.clip_{clip}_train")
        rows += pair(key, host, partial(row_cells, train=train, test=test), with_dnr_3d)
    return table("dnr/table5", rows)


#: times of the supplement beside that of Table 6
_TIMES = {
    "speed-224x8": Speed(batch=8, repeats=3),
    "speed-256x1": Speed(size=256, repeats=5),
    "speed-256x8": Speed(size=256, batch=8, repeats=3),
    "speed-fast": Speed(form="fast", repeats=5),
}


def supp2() -> TableSpec:
    """Speed with and without DNR of the four networks that the paper ran in Table 6, each timed with its host."""
    before = table6()
    hosts = {row.key: row.cells["static"].model for row in before.rows if row.section != "quoted"}
    rows = []
    for key, model in hosts.items():
        row = before.row(key)
        cells = {name: row.cells[name] for name in ("static", "speed")}
        if row.baseline:
            timed = {name: replace(speed, against=hosts[row.baseline]) for name, speed in _TIMES.items()}
            cells |= {name: Experiment(model=model, measure=speed) for name, speed in timed.items()}
        rows.append(RowSpec(key=key, cells=cells, baseline=row.baseline))
    return table("dnr/supp2", rows)
