"""Meng et al.: AdaFuse: Adaptive Temporal Fusion Network for Efficient Action Recognition, ICLR 2021.

The text studied is the anonymous submission; code: `mengyuest/AdaFuse@91c3a5d` and its development repository
`mengyuest/temporal-shift-module@944a085`. Tables 1, 2 and 6 are here, 3 to 5 and 7 in `papers.adafuse.comparisons`.

Real rows are trained by the recipes of the authors' scripts (rate 0.01 or 0.02; the paper prints 0.002, which is
neither). Expected on one quiet core: static cells 5 seconds a row, times 10 to 60 seconds a row, a twin 40 to 90
seconds a seed; on Something-Something V1 each row is a training of 50 epochs on 86,000 videos. The printed top-1 stand
in `results/published/adafuse_table*.csv`.
"""

from __future__ import annotations

from typing import Any

from repro.core.spec import Model, replace
from repro.papers.adafuse import columns, notes
from repro.papers.adafuse.networks import (
    BOTH,
    LONG,
    LONG_APPEARANCE,
    ORDER,
    SEEDS,
    SMALL,
    cells,
    host,
    with_adafuse,
    with_method,
)
from repro.papers.table import QuestionSpec, RowSpec, TableSpec
from repro.papers.twins import APPEARANCE, TEMPORAL, asks

#: what Figure 3 compares
MIXTURE = "cost.mean.reuse / cost.mean.keep"
R18 = host("tsn", "resnet18")
NO_SMALL = "not applicable: the small form would be that of the row on ResNet-18"
SHORT = "not applicable: trained longer are the rows that the questions name"
ONE_TWIN = "not applicable: of this baseline only the order of frames is asked"
HOST_COST = "not applicable: the twin of a host has one cost"


def row(
    key: str,
    label: str,
    model: Model,
    *,
    dataset: str = "sthv1",
    against: Model | None = None,
    twins: tuple[str, ...] = (),
    sizes: tuple[int, ...] = (224,),
    no_twin: str = NO_SMALL,
    **more: Any,
) -> RowSpec:
    """A row that is measured here; `against` is the host it is timed with."""
    run = {*twins, *((SMALL,) * bool(twins))}
    reasons = {name: no_twin for name in (*BOTH, LONG, LONG_APPEARANCE, SMALL) if name not in run}
    made = cells(model, dataset, against=against, timed=against is not None, twins=twins, sizes=sizes)
    return RowSpec(
        key=key, label=label, published_row=key, cells=made, reasons=reasons | dict(more.pop("reasons", {})), **more
    )


def table(name: str, title: str, rows: tuple[RowSpec, ...], shown: tuple[Any, ...], **more: Any) -> TableSpec:
    """One of the seven."""
    footnotes = more.pop("footnotes", ())
    return TableSpec(
        paper="adafuse",
        name=name,
        title=f"AdaFuse Table {name[-1]}: {title}",
        caption=more.pop("caption", "8 frames of 224x224, one clip, centre crop.")
        + " Printed values are the paper's; measured values come from this suite's records.",
        published_csv=f"adafuse_{name}",
        rows=rows,
        columns=shown,
        footnotes=(*footnotes, notes.ARGMAX, notes.RECIPES),
        **more,
    )


def _baselines() -> tuple[RowSpec, ...]:
    size = {"params": notes.R18_SIZE}
    gated: dict[str, tuple[str, str, str]] = {
        "cgnet_r18": ("CGNet R18", "cgnet", notes.CGNET),
        "threshold_r18": ("Threshold R18", "threshold", notes.THRESHOLD),
        "random_r18": ("Random R18", "random_policy", notes.RANDOM),
    }
    rows = [
        row(
            key,
            label,
            with_method(R18, method),
            against=R18,
            twins=BOTH if method == "random_policy" else ORDER,
            no_twin=ONE_TWIN,
            baseline="tsn_r18",
            explained=size | {"gmacs_paper": note},
        )
        for key, (label, method, note) in gated.items()
    ]
    lstm = row(
        "lstm_r18",
        "LSTM R18",
        host("lstm", "resnet18"),
        twins=ORDER,
        no_twin=ONE_TWIN,
        baseline="tsn_r18",
        explained={"params": notes.LSTM_R18, "gmacs_paper": notes.LSTM_COST},
    )
    return (*rows, lstm)


def _rows1() -> tuple[RowSpec, ...]:
    inception = host("tsn", "bninception")
    no_inception = "not applicable: no twin of BN-Inception; its small form would ask the same again"
    return (
        row("tsn_r18", "TSN R18", R18, twins=BOTH, explained={"params": notes.R18_SIZE}),
        row(
            "tsn_inc", "TSN BN-Inception", inception, no_twin=no_inception,
            explained={"gmacs_paper": "thop, which also counts averaging inside modules, has 16.35, printed 16.4."},
        ),
        *_baselines(),
        row(
            "adafuse_tsn_r18", "AdaFuse TSN R18", with_adafuse(R18), against=R18, twins=BOTH, baseline="tsn_r18",
        ),
        row(
            "adafuse_tsn_inc", "AdaFuse TSN BN-Inception", with_adafuse(inception), against=inception,
            baseline="tsn_inc", no_twin=no_inception,
        ),
    )  # fmt: skip


def table1() -> TableSpec:
    """TSN on two backbones, four baselines, AdaFuse on two backbones."""
    return table(
        "table1",
        "baselines on Something-Something V1",
        _rows1(),
        (
            *columns.printed("sthv1", top5=True, gain=True),
            *columns.real("sthv1", top5=True),
            *columns.cost(),
            columns.slowdown(),
            *columns.twins(*BOTH),
            *columns.decided(*BOTH),
        ),
        questions=(
            *(
                asks(f"Does {label} beat TSN where order matters?", key, "tsn_r18")
                for label, key in (
                    ("AdaFuse", "adafuse_tsn_r18"), ("a random policy", "random_r18"), ("an LSTM", "lstm_r18"),
                )
            ),
            asks("Does the learned policy beat the random one?", "adafuse_tsn_r18", "random_r18"),
            asks("Does AdaFuse beat an LSTM?", "adafuse_tsn_r18", "lstm_r18"),
            asks("Does AdaFuse lose on single frames?", "tsn_r18", "adafuse_tsn_r18", cell=APPEARANCE),
        ),
        footnotes=(notes.SMALL_FORMS,),
        seeds=SEEDS,
    )  # fmt: skip


_NATIVE = {0: 224, 1: 240, 2: 260, 3: 300}
_FLOPS = {0: (0.39, 3.08), 1: (0.70, 4.55), 2: (1.0, 5.26), 3: (1.8, 7.69)}
_TOTALS = {0: 5.3, 1: 7.8, 2: 9.2, 3: 12.0}


def _rows2() -> tuple[RowSpec, ...]:
    no_twin = "not applicable: EfficientNet's blocks have no small form"
    plain, adaptive = [], []
    for size, native in _NATIVE.items():
        model = host("tsn", f"efficientnet_b{size}")
        name, key = f"EfficientNet-b{size}", f"tsn_b{size}"
        each, here = _FLOPS[size]
        counted = (
            f"The printed value is 8 times the EfficientNet paper's own {each:g} G, which is at {native}x{native}; one "
            f"clip at 224x224 costs {here:g}."
        )
        total = (
            f"The printed total holds a classifier of 1000 classes, as the EfficientNet paper's {_TOTALS[size]:g} M."
        )
        sizes = tuple(dict.fromkeys((224, native)))
        explained = {"params": total, "gmacs_paper": counted}
        plain.append(row(key, f"TSN {name}", model, sizes=sizes, no_twin=no_twin, explained=explained))
        adaptive.append(
            row(
                f"adafuse_b{size}",
                f"AdaFuse {name}",
                with_adafuse(model),
                against=model,
                sizes=sizes,
                no_twin=no_twin,
                explained=explained | {"gmacs_paper": f"{counted} Printed is what is left after the savings."},
                baseline=key,
            )
        )
    return (*plain, *adaptive)


def table2() -> TableSpec:
    """EfficientNet-b0 to b3, each without and with AdaFuse."""
    return table(
        "table2",
        "EfficientNet on Something-Something V1",
        _rows2(),
        (
            *columns.printed("sthv1", top5=True, gain=True),
            *columns.real("sthv1", top5=True),
            *columns.cost(),
            columns.slowdown(),
        ),
        footnotes=(
            "AdaFuse on EfficientNet is in none of the authors' code. Gates between expansion and depthwise "
            "convolution, ResNet-50's hidden quota and shared layers give all four printed totals on a head of 1000 "
            "classes.",
            "Counts at the native sizes of EfficientNet (240, 260, 300) stand in the records beside those at 224.",
        ),
    )


_QUESTIONS6 = (
    asks("Does reuse alone beat TSN where order matters?", "ada_reuse", "tsn"),
    asks("Does skipping alone lose to TSN on single frames?", "tsn", "ada_skip", cell=APPEARANCE),
    asks("Does skipping alone do anything where order matters?", "ada_skip", "tsn"),
    asks("Does a random policy beat TSN where order matters?", "random", "tsn"),
    asks("Does AdaFuse beat reuse alone?", "adafuse", "ada_reuse"),
    asks("Does AdaFuse beat a random policy?", "adafuse", "random"),
    asks("Does AdaFuse lose to TSN on single frames?", "tsn", "adafuse", cell=APPEARANCE),
    QuestionSpec(
        asks="Is reuse / keep higher where order matters than where it does not?",
        better="adafuse",
        worse="adafuse",
        cell=TEMPORAL,
        worse_cell=APPEARANCE,
        metric=MIXTURE,
    ),
    QuestionSpec(
        asks="Does AdaFuse spend less where a single frame is enough?",
        better="adafuse",
        worse="adafuse",
        cell=TEMPORAL,
        worse_cell=APPEARANCE,
        metric="cost.mean.gmacs_macs_without_policy / cost.facts.gmacs_macs_base_without_policy",
    ),
)


def table6() -> TableSpec:
    """Skip alone, reuse alone, both by lot, both learned."""
    small = {"params": notes.R18_SIZE}
    skip, reuse = with_adafuse(R18, actions=("skip", "keep")), with_adafuse(R18, actions=("reuse", "keep"))
    all_four, order = (*BOTH, LONG_APPEARANCE, LONG), (*BOTH, LONG)
    rows = (
        row("tsn", "TSN", R18, twins=all_four, explained=small),
        row("ada_skip", "adaptive skip", skip, against=R18, twins=BOTH, no_twin=SHORT, baseline="tsn"),
        row("ada_reuse", "adaptive reuse", reuse, against=R18, twins=order, no_twin=SHORT, baseline="tsn"),
        row(
            "random", "random policy", with_method(R18, "random_policy"), against=R18, twins=order, no_twin=SHORT,
            baseline="tsn", explained={"gmacs_paper": notes.RANDOM},
        ),
        row("adafuse", "AdaFuse", with_adafuse(R18), against=R18, twins=all_four, baseline="tsn"),
    )  # fmt: skip
    printed = [column for column in columns.printed("sthv1", gain=True) if column.key != "params_m"]
    counted = [replace(column, beside="") for column in columns.cost()]
    return table(
        "table6",
        "what skip, reuse and the policy do",
        rows,
        (
            *printed,
            *columns.real("sthv1"),
            *counted,
            columns.slowdown(),
            *columns.twins(*all_four),
            *columns.decided(*all_four),
        ),
        questions=_QUESTIONS6,
        footnotes=(notes.SMALL_FORMS,),
        seeds=SEEDS,
    )
