"""Meng et al.: AdaFuse: Adaptive Temporal Fusion Network for Efficient Action Recognition, ICLR 2021.

The text studied is the anonymous submission; code: `mengyuest/AdaFuse@91c3a5d` and its development repository
`mengyuest/temporal-shift-module@944a085`. Tables 1, 2 and 6 are here, 3 to 5 and 7 in `papers.adafuse.comparisons`.

Real rows are trained by the recipes of the authors' scripts (rate 0.01 or 0.02; the paper prints 0.002, which is
neither). Expected on one quiet core: static cells 5 seconds a row, times 10 to 60 seconds a row;
on Something-Something V1 each row is a training of 50 epochs on 86,000 videos. The printed top-1 stand
in `results/published/adafuse_table*.csv`.
"""

from __future__ import annotations

from repro.papers.adafuse.networks import host, row, with_adafuse, with_method
from repro.papers.layout import table
from repro.papers.table import RowSpec, TableSpec

R18 = host("tsn", "resnet18")


def table1() -> TableSpec:
    """TSN on two backbones, four baselines, AdaFuse on two backbones."""
    inception = host("tsn", "bninception")
    rows = (
        row("tsn_r18", R18),
        row("tsn_inc", inception),
        row("cgnet_r18", with_method(R18, "cgnet"), against=R18, baseline="tsn_r18"),
        row("threshold_r18", with_method(R18, "threshold"), against=R18, baseline="tsn_r18"),
        row("random_r18", with_method(R18, "random_policy"), against=R18, baseline="tsn_r18"),
        row("lstm_r18", host("lstm", "resnet18"), baseline="tsn_r18"),
        row("adafuse_tsn_r18", with_adafuse(R18), against=R18, baseline="tsn_r18"),
        row("adafuse_tsn_inc", with_adafuse(inception), against=inception, baseline="tsn_inc"),
    )
    return table("adafuse/table1", rows)


#: EfficientNet-b: its own input size
_NATIVE = {0: 224, 1: 240, 2: 260, 3: 300}


def table2() -> TableSpec:
    """EfficientNet-b0 to b3, each without and with AdaFuse."""
    plain: list[RowSpec] = []
    adaptive: list[RowSpec] = []
    for number, native in _NATIVE.items():
        model, sizes = host("tsn", f"efficientnet_b{number}"), tuple(dict.fromkeys((224, native)))
        inserted = with_adafuse(model)
        plain.append(row(f"tsn_b{number}", model, sizes=sizes))
        adaptive.append(row(f"adafuse_b{number}", inserted, against=model, sizes=sizes, baseline=f"tsn_b{number}"))
    return table("adafuse/table2", (*plain, *adaptive))


def table6() -> TableSpec:
    """Skip alone, reuse alone, both by lot, both learned."""
    skip, reuse = with_adafuse(R18, actions=("skip", "keep")), with_adafuse(R18, actions=("reuse", "keep"))
    rows = (
        row("tsn", R18),
        row("ada_skip", skip, against=R18, baseline="tsn"),
        row("ada_reuse", reuse, against=R18, baseline="tsn"),
        row("random", with_method(R18, "random_policy"), against=R18, baseline="tsn"),
        row("adafuse", with_adafuse(R18), against=R18, baseline="tsn"),
    )
    return table("adafuse/table6", rows)
