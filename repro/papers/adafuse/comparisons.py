"""AdaFuse on four datasets (Table 3), beside AR-Net (4) and the state of the art (5); hidden sizes and weights (7).

Where rows differ in the dataset alone they share their static records, but for the classifier. Quoted rows are
counted and timed; `repro.papers.adafuse.tables` tells what the recipes are.
"""

from __future__ import annotations

from repro.core.spec import Model
from repro.papers.adafuse.networks import CLASSES, host, row, with_adafuse, with_last
from repro.papers.layout import table
from repro.papers.quoted import quoted
from repro.papers.table import RowSpec, TableSpec


def table3() -> TableSpec:
    """TSN, LSTM and AdaFuse on two ResNets and four datasets; times beside the first."""
    rows: list[RowSpec] = []
    for dataset in CLASSES:
        for net in ("r18", "r50"):
            plain = host("tsn", f"resnet{net[1:]}", dataset)
            adaptive = with_adafuse(plain, dataset)
            key, baseline = f"adafuse_tsn_{net}_{dataset}", f"tsn_{net}_{dataset}"
            against = plain if dataset == "sthv1" else None
            lstm = host("lstm", f"resnet{net[1:]}", dataset)
            rows += [
                row(baseline, plain, dataset),
                row(f"lstm_{net}_{dataset}", lstm, dataset, baseline=baseline),
                row(key, adaptive, dataset, against=against, baseline=baseline),
            ]
    return table("adafuse/table3", rows)


def table4() -> TableSpec:
    """AR-Net as the paper quotes it, and AdaFuse on TSN-ResNet-50."""
    rows = quoted("adafuse/table4", counted="static")
    for dataset in ("sthv1", "jester", "minikinetics"):
        adaptive = with_adafuse(host("tsn", "resnet50", dataset), dataset)
        rows.append(row(f"adafuse_tsn_r50_{dataset}", adaptive, dataset, baseline=f"arnet_{dataset}"))
    return table("adafuse/table4", rows)


def table5() -> TableSpec:
    """The state of the art as quoted, TSN and TSM, AdaFuse on both; Something-Something V1 and V2."""
    rows: list[RowSpec] = []
    for dataset in ("sthv1", "sthv2"):
        for start, model in _hosts(dataset).items():
            rows.append(row(f"{start}_{dataset}", model, dataset, quoted=True))
        rows += quoted("adafuse/table5", counted="static", dataset=dataset)
    return table("adafuse/table5", (*rows, *_adafuse("sthv1"), *_adafuse("sthv2")))


def _hosts(dataset: str) -> dict[str, Model]:
    return {
        "tsn_inc": host("tsn", "bninception", dataset),
        "tsn_r50": host("tsn", "resnet50", dataset),
        "tsm_r50": host("tsm", "resnet50", dataset),
    }


def _adafuse(dataset: str) -> list[RowSpec]:
    """AdaFuse's four rows of a dataset; times beside the first."""
    hosts = _hosts(dataset)
    networks = [(f"adafuse_{base}", with_adafuse(model, dataset), base) for base, model in hosts.items()]
    networks.append(("adafuse_tsm_last_r50", with_last(hosts["tsm_r50"], dataset), "tsm_r50"))
    return [
        row(
            f"{start}_{dataset}",
            model,
            dataset,
            against=hosts[base] if dataset == "sthv1" else None,
            baseline=f"{base}_{dataset}",
        )
        for start, model, base in networks
    ]


#: row -> hidden units, weight of the efficiency loss
_SETTINGS = {
    "h1024_l050": (1024, 0.05),
    "h1024_l075": (1024, 0.075),
    "h1024_l100": (1024, 0.1),
    "h2048_l100": (2048, 0.1),
    "h4096_l100": (4096, 0.1),
}


def table7() -> TableSpec:
    """TSM+Last: hidden units of the policies and weight of the efficiency loss."""
    plain = host("tsm", "resnet50", "sthv2")
    return table(
        "adafuse/table7",
        (
            row(key, with_last(plain, "sthv2", hidden=hidden, efficiency_weight=weight), "sthv2")
            for key, (hidden, weight) in _SETTINGS.items()
        ),
    )
