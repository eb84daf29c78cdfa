"""AdaFuse on four datasets (Table 3), beside AR-Net (4) and the state of the art (5); hidden sizes and weights (7).

Where rows differ in the dataset alone they share their static records, but for the classifier. Quoted rows are
counted and timed; `repro.papers.adafuse.tables` tells what the recipes are.
"""

from __future__ import annotations

from repro.core.spec import Model
from repro.papers.adafuse import columns, notes
from repro.papers.adafuse.networks import BOTH, CLASSES, ORDER, SEEDS, cells, host, with_adafuse, with_last
from repro.papers.adafuse.tables import row, table
from repro.papers.quoted import beside_tsn, quoted
from repro.papers.table import RowSpec, TableSpec
from repro.papers.twins import APPEARANCE, ablation_twin, asks

_OTHER = "not applicable: a row of another dataset"
_BESIDE_V1 = "not applicable: the twins stand beside the rows of Something-Something V1"
_ORDER_ONLY = "not applicable: only the order of frames is asked"
_SAME_FORM = "not applicable: the small form is that of the row on ResNet-18"


def _r50(dataset: str) -> Model:
    """AdaFuse on TSN-ResNet-50; on Jester with the units of the authors' run."""
    plain = host("tsn", "resnet50", dataset)
    if dataset != "jester":
        return with_adafuse(plain, dataset)
    return with_adafuse(plain, dataset, hidden=512, hidden_quota=None)


def _networks(dataset: str) -> dict[str, tuple[str, Model, Model | None]]:
    """Row's beginning -> label, network, host."""
    r18, r50 = host("tsn", "resnet18", dataset), host("tsn", "resnet50", dataset)
    return {
        "tsn_r18": ("TSN R18", r18, None),
        "lstm_r18": ("LSTM R18", host("lstm", "resnet18", dataset), None),
        "adafuse_tsn_r18": ("AdaFuse R18", with_adafuse(r18, dataset), r18),
        "tsn_r50": ("TSN R50", r50, None),
        "lstm_r50": ("LSTM R50", host("lstm", "resnet50", dataset), None),
        "adafuse_tsn_r50": ("AdaFuse R50", _r50(dataset), r50),
    }


def _explained(start: str, dataset: str) -> dict[str, str]:
    if start.startswith("adafuse"):
        if start.endswith("r18"):
            return {"params": notes.R18_JESTER} if dataset == "jester" else {}
        return {"params": notes.R50_JESTER if dataset == "jester" else notes.R50_ADAFUSE}
    exact = dataset == "jester" and start.startswith("tsn")
    told = {} if exact else {"params": notes.SIZES[start]}
    return told | ({"gmacs_paper": notes.LSTM_COST} if start == "lstm_r18" else {})


def _table3_rows() -> tuple[RowSpec, ...]:
    rows = []
    for dataset in CLASSES:
        for start, (label, model, against) in _networks(dataset).items():
            first = dataset == "sthv1"
            order_only = start.startswith("lstm")
            rows.append(
                row(
                    f"{start}_{dataset}",
                    f"{columns.NAMES[dataset]}: {label}",
                    model,
                    dataset=dataset,
                    against=against if first else None,
                    twins=(ORDER if order_only else BOTH) if first else (),
                    no_twin=_ORDER_ONLY if first else _BESIDE_V1,
                    baseline=None if start.startswith("tsn") else f"tsn_{start[-3:]}_{dataset}",
                    explained=_explained(start, dataset),
                    reasons={} if first else {"slowdown": _BESIDE_V1},
                )
            )
    return tuple(rows)


def table3() -> TableSpec:
    """TSN, LSTM and AdaFuse on two ResNets and four datasets."""
    return table(
        "table3",
        "four datasets",
        _table3_rows(),
        (
            *columns.printed("each row's dataset", gain=True),
            *(column for dataset in CLASSES for column in columns.real(dataset, absent=_OTHER)),
            *columns.cost(),
            columns.slowdown(),
            *columns.twins(*BOTH),
            *columns.decided(*BOTH),
        ),
        questions=(
            asks("Does AdaFuse beat TSN where order matters?", "adafuse_tsn_r18_sthv1", "tsn_r18_sthv1"),
            asks("Does AdaFuse beat TSN on single frames?", "adafuse_tsn_r18_sthv1", "tsn_r18_sthv1", cell=APPEARANCE),
            asks("Does AdaFuse beat an LSTM where order matters?", "adafuse_tsn_r18_sthv1", "lstm_r18_sthv1"),
        ),
        footnotes=(notes.SMALL_FORMS,),
        seeds=SEEDS,
    )


def _table4_rows(datasets: tuple[str, ...]) -> tuple[RowSpec, ...]:
    names = {f"arnet_{dataset}": dataset for dataset in datasets}
    rows = _quotations(
        {key: (f"{columns.NAMES[dataset]}: AR-Net", "arnet_16") for key, dataset in names.items()},
        names,
        {key: {"params": notes.ARNET_SIZE} for key in names},
    )
    for dataset in datasets:
        first = dataset == "sthv1"
        rows.append(
            row(
                f"adafuse_tsn_r50_{dataset}",
                f"{columns.NAMES[dataset]}: AdaFuse R50",
                _r50(dataset),
                dataset=dataset,
                twins=BOTH if first else (),
                no_twin=_BESIDE_V1,
                baseline=f"arnet_{dataset}",
                explained=_explained("adafuse_tsn_r50", dataset),
            )
        )
    return tuple(rows)


def table4() -> TableSpec:
    """AR-Net as the paper quotes it, and AdaFuse on TSN-ResNet-50."""
    datasets = ("sthv1", "jester", "minikinetics")
    counted = [column for column in columns.cost() if not column.source.startswith("gain:")]
    return table(
        "table4",
        "beside AR-Net",
        _table4_rows(datasets),
        (
            *columns.printed("each row's dataset", gain=True),
            *(column for dataset in datasets for column in columns.real(dataset, absent=_OTHER)),
            *counted,
            beside_tsn(columns.SPEED),
            *columns.twins(*BOTH, gain=False),
            *columns.decided(*BOTH),
        ),
        footnotes=(
            "The gain is AdaFuse's over AR-Net. AR-Net's printed 41.4 GFLOPs on Something-Something V1 are of more "
            "than 8 frames (baselines/arnet.py).",
            notes.SMALL_FORMS,
        ),
        seeds=SEEDS,
    )


_QUOTED = {
    "trn_ms": ("TRN multi-scale", "trn_8"),
    "trn_rgb_flow": ("TRN RGB+Flow", "trn_rgb_flow"),
    "i3d": ("I3D", "i3d_r50"),
    "i3d_gcn_nl": ("I3D+GCN+NL", "gcn_nl"),
    "eco": ("ECO", "eco_8"),
    "eco_en_lite": ("ECO en Lite", "eco_en_92"),
}
_V1_ONLY = ("i3d", "i3d_gcn_nl", "eco", "eco_en_lite")


def _quotations(
    rows: dict[str, tuple[str, str]], datasets: dict[str, str], explained: dict[str, dict[str, str]]
) -> list[RowSpec]:
    """Quoted networks, counted at their own input and timed beside TSN."""
    told = "not applicable: a quoted network, which stands beside no host"
    made = quoted(
        rows,
        dataset=datasets,
        classes={name: CLASSES[name] for name in columns.NAMES},
        twin=ablation_twin,
        explained=explained,
        counted="static",
        reasons=dict.fromkeys(("gmacs_added", "params_added", "delta"), told),
    )
    return list(made)


def _hosts(dataset: str) -> dict[str, tuple[str, Model]]:
    return {
        "tsn_inc": ("TSN BN-Inception", host("tsn", "bninception", dataset)),
        "tsn_r50": ("TSN R50", host("tsn", "resnet50", dataset)),
        "tsm_r50": ("TSM R50", host("tsm", "resnet50", dataset)),
    }


def _literature(dataset: str) -> tuple[RowSpec, ...]:
    """What the paper quotes on a dataset; plain TSN and TSM are run by AdaFuse's recipe."""
    first, name = dataset == "sthv1", columns.NAMES[dataset]
    plain = (
        row(
            f"{start}_{dataset}", f"{name}: {label}", model, dataset=dataset,
            twins=BOTH if first and start != "tsn_inc" else (), no_twin=_no_twin(dataset),
            explained={"params": notes.TSN_TSM, "gmacs_paper": notes.ROUNDED},
            note="Printed values are quoted by the paper from other publications; measured values are of this row's "
            "network by AdaFuse's recipe.",
        )
        for start, (label, model) in _hosts(dataset).items()
    )  # fmt: skip
    texts = {"params": notes.QUOTED_SIZES, "gmacs": notes.QUOTED_COSTS}
    chosen = [start for start in _QUOTED if first or start not in _V1_ONLY]
    quotations = _quotations(
        {f"{start}_{dataset}": (f"{name}: {_QUOTED[start][0]}", _QUOTED[start][1]) for start in chosen},
        {f"{start}_{dataset}": dataset for start in chosen},
        {
            f"{start}_{dataset}": {column: told[start] for column, told in texts.items() if start in told}
            for start in chosen
        },
    )
    return (*plain, *quotations)


def _adafuse(dataset: str) -> tuple[RowSpec, ...]:
    """AdaFuse's four rows of a dataset."""
    first, hosts = dataset == "sthv1", _hosts(dataset)
    networks: dict[str, tuple[str, Model, str, tuple[str, ...]]] = {
        "adafuse_tsn_inc": ("AdaFuse TSN BN-Inception", with_adafuse(hosts["tsn_inc"][1], dataset), "tsn_inc", ()),
        "adafuse_tsn_r50": ("AdaFuse TSN R50", with_adafuse(hosts["tsn_r50"][1], dataset), "tsn_r50", BOTH),
        "adafuse_tsm_r50": ("AdaFuse TSM R50", with_adafuse(hosts["tsm_r50"][1], dataset), "tsm_r50", BOTH),
        "adafuse_tsm_last_r50": ("AdaFuse TSM+Last R50", with_last(hosts["tsm_r50"][1], dataset), "tsm_r50", ORDER),
    }
    return tuple(
        row(
            f"{start}_{dataset}",
            f"{columns.NAMES[dataset]}: {label}",
            model,
            dataset=dataset,
            against=hosts[base][1] if first else None,
            twins=twins if first else (),
            no_twin=_ORDER_ONLY if first and twins else _no_twin(dataset),
            baseline=f"{base}_{dataset}",
            reasons={} if first else {"slowdown": _BESIDE_V1},
        )
        for start, (label, model, base, twins) in networks.items()
    )


def _no_twin(dataset: str) -> str:
    return "not applicable: no twin of BN-Inception" if dataset == "sthv1" else _BESIDE_V1


def table5() -> TableSpec:
    """The state of the art as quoted, TSN and TSM, AdaFuse on both; Something-Something V1 and V2."""
    datasets = ("sthv1", "sthv2")
    return table(
        "table5",
        "beside the state of the art",
        tuple(row for rows in (_literature, _adafuse) for dataset in datasets for row in rows(dataset)),
        (
            *columns.printed("each row's dataset", gain=True),
            *(column for dataset in datasets for column in columns.real(dataset, absent=_OTHER)),
            *columns.cost(),
            columns.slowdown(),
            *columns.twins(*BOTH),
            *columns.decided(*BOTH),
        ),
        questions=(
            asks("Does AdaFuse on TSN beat TSN where order matters?", "adafuse_tsn_r50_sthv1", "tsn_r50_sthv1"),
            asks("Does AdaFuse on TSM lose to TSM?", "tsm_r50_sthv1", "adafuse_tsm_r50_sthv1"),
            asks("Does TSM+Last beat TSM?", "adafuse_tsm_last_r50_sthv1", "tsm_r50_sthv1"),
            asks("Does TSM+Last beat AdaFuse on all of TSM?", "adafuse_tsm_last_r50_sthv1", "adafuse_tsm_r50_sthv1"),
        ),
        footnotes=(
            "TSM+Last on the twins has gates in the last of the small network's three stages.",
            "AdaFuse's TSM shifts what the downsampling convolutions read, too, as the authors' code does; TSM itself "
            "does not.",
            notes.SMALL_FORMS,
        ),
        seeds=SEEDS,
    )


_SETTINGS = (
    ("h1024_l050", 1024, 0.05),
    ("h1024_l075", 1024, 0.075),
    ("h1024_l100", 1024, 0.1),
    ("h2048_l100", 2048, 0.1),
    ("h4096_l100", 4096, 0.1),
)


def table7() -> TableSpec:
    """TSM+Last: hidden units of the policies and weight of the efficiency loss."""
    plain = host("tsm", "resnet50", "sthv2")
    rows = tuple(
        RowSpec(
            key=key,
            label=f"{hidden} units, weight {weight:g}",
            published_row=key,
            cells=cells(with_last(plain, "sthv2", hidden=hidden, efficiency_weight=weight), "sthv2"),
        )
        for key, hidden, weight in _SETTINGS
    )
    counted = [column for column in columns.cost() if not column.source.startswith("gain:")]
    return table(
        "table7",
        "hidden units and weights of TSM+Last",
        rows,
        (
            *columns.printed("sthv2"),
            *(columns.printed_share(action) for action in ("skip", "reuse")),
            *columns.real("sthv2"),
            *(columns.real_share("sthv2", action) for action in ("skip", "reuse")),
            *counted,
        ),
        footnotes=(
            "The text says that weight 0.75 was kept; the table's row is 0.075. The loss is the authors' `real` form.",
            "No twin: the rows differ in width and weight of the policy, which the small form has its own of.",
        ),
    )
