"""Tian, Zhai, Gao: Perceptron Synthesis Network, AAAI 2021, arXiv 2007.11460: its ablations, Tables 1 to 3.

No code of it is public. How it is read, and what cannot be reproduced, stands in methods/psn; Tables 4 to 6 are in
`repro.papers.psn.comparisons`. A row that is the default network under another name is the same experiment, measured
once. Expected on one quiet core: static cells 5 seconds a row, times 5 seconds a cell, a twin 30 seconds a seed; on
Something-Something each row is a training of 80 epochs on 86,000 videos at 112x112.
"""

from __future__ import annotations

from typing import Any

from repro.core.spec import Model, replace
from repro.papers.psn import columns
from repro.papers.psn.networks import GST, LONG, SEEDS, TSM, TSN, ablation_cells, recounted, with_method, with_psn
from repro.papers.table import ColumnSpec, RowSpec, TableSpec
from repro.papers.twins import APPEARANCE, TEMPORAL, asks

_BASELINE = "tsn"
_SMALL = "8x112x112"
_FIVE_BLOCKS = (
    "27.x M are printed for networks with blocks on 1/4 of the channels. The four blocks whose GFLOPs, fusion values "
    "and ir-interactions are the printed ones give 24.77 M for PSN (-2.78); a fifth after conv5, 2.75 M, makes 27.52. "
    "Whether that one was run cannot be told; the printed GFLOPs say that it did not run."
)
_INCEPTION = (
    "27.56 and 27.28 M come out of no reading: RF-L-Inception is printed above PSN, 27.55, although it has no fusion "
    "layer. With a fifth block -0.38 and -0.49 are left."
)
_NO_ROUNDING = "23.8646 M with 174 classes; 23.87, 21.04 and 37.52 fit together with 175 or 176 classes."
_FOUR = {"params": _FIVE_BLOCKS}
_DETAIL = {**_FOUR, "params_conv5": "0.03 to 0.06 M are left: not explained."}
_OUTSIDE_PRINT = "not printed: TSN stands here because all others are compared with it; see Table 1"
_ONE_TWIN = "not applicable: the appearance twin is run for TSN, TSM, RF-L and PSN; the subject is time"

_CHOICES = (
    "Our choices, which the paper leaves open: momentum 0.9, weight decay 5e-4, parameter groups and clipping at 20 as "
    "in TSM's public training, exchange of left and right in mirrored clips, no warm-up, the sum over the synthesizers "
    "in both losses. `python -m repro show TABLE --diff paper` lists them beside the paper's words."
)
_TWIN = (
    "The twins are the small forms and the recipe of the ablations (repro/papers/twins.py): 512 videos, 8 epochs in "
    "batches of 8, three seeds. They tell mechanisms apart and say nothing of Something-Something. Some seeds of "
    "networks with blocks have just begun to read order by then: three seeds decide only differences of some 20 points."
)


def _table(name: str, title: str, rows: tuple[RowSpec, ...], shown: tuple[ColumnSpec, ...], **more: Any) -> TableSpec:
    footnotes = more.pop("footnotes", ())
    return TableSpec(
        paper="psn",
        name=name,
        title=f"PSN Table {name[-1]}: {title}",
        caption="ResNet-50, 8 frames of 112x112, Something-Something V1, one view. Printed values are the paper's; "
        "measured values come from this suite's records.",
        published_csv=f"psn_{name}",
        rows=rows,
        columns=shown,
        footnotes=(*footnotes, _CHOICES, _TWIN),
        seeds=SEEDS,
        **more,
    )


def _row(key: str, label: str, model: Model, *twins: str, **more: Any) -> RowSpec:
    cells = ablation_cells(model, *(twins or (TEMPORAL,)))
    return RowSpec(
        key=key,
        label=label,
        published_row=key,
        cells=cells if model.method else {**cells, "static-175": recounted(model)},
        baseline=None if key == _BASELINE else _BASELINE,
        **more,
    )


def _tsn_beside(*columns: str) -> RowSpec:
    """TSN as the first row of a table that does not print it."""
    return RowSpec(
        key=_BASELINE,
        label="TSN",
        section="added",
        cells=ablation_cells(TSN, TEMPORAL),
        reasons=dict.fromkeys(("top1", "top5", *columns), _OUTSIDE_PRINT),
    )


def _rows1() -> tuple[RowSpec, ...]:
    inception = {"params": _FIVE_BLOCKS, "params_conv5": _INCEPTION}
    both, one = (APPEARANCE, TEMPORAL), {APPEARANCE: _ONE_TWIN}
    return (
        _row("tsn", "TSN", TSN, *both, explained={"params": _NO_ROUNDING}),
        _row("tsm", "TSM", TSM, *both, explained={"params": _NO_ROUNDING}),
        _row("gst_r50", "GST R50", GST, reasons=one),
        _row("gst_r101", "GST R101", replace(GST, backbone="resnet101"), reasons=one),
        _row("rf_s", "RF-S", with_method(TSN, "rf_s"), reasons=one, explained=_FOUR),
        _row("rf_l", "RF-L", with_method(TSN, "rf_l"), *both, explained=_FOUR),
        _row("rf_l_inception", "RF-L-Inception", with_psn(TSN, fusion="grouping"), reasons=one, explained=inception),
        _row(
            "rf_l_inception_t", "RF-L-Inception-T", with_method(TSN, "rf_l_inception_t"), reasons=one,
            explained=inception,
        ),
        _row("psn", "PSN", with_psn(TSN), *both, explained=_DETAIL),
        _row(
            "psn_1_16", "PSN, 1/16 of the channels", with_psn(TSN, proportion=16), reasons=one,
            explained={"params_conv5": "24.05 M are those of the four blocks; here no fifth is needed."},
        ),
    )  # fmt: skip


def table1() -> TableSpec:
    """Blocks of one scale, several scales, many shapes, after the stages of ResNet-50."""
    return _table(
        "table1",
        "blocks of one scale, of several, of many shapes",
        _rows1(),
        (
            columns.stated("max_receptive_field", "reach"),
            columns.stated("kernel_shapes", "shapes"),
            columns.stated("params_m", "parameters (M)"),
            *columns.printed("sthv1", "top1", "top5"),
            *columns.real("sthv1", "top1", "top5"),
            columns.counted("kernel_shapes", "shapes", beside="kernel_shapes"),
            *columns.parameters("params_m"),
            columns.recounted(),
            columns.gmacs(112),
            columns.gmacs(224),
            *columns.ratios(112),
            *columns.times(_SMALL),
            *columns.twins(TEMPORAL, APPEARANCE),
        ),
        footnotes=(
            "RF-S works on 1/6 of the channels, RF-L on 1/8 in two stacked units: these give the printed parameters "
            "(with conv5), and the text has the same shares.",
            "RF-L-Inception is PSN with grouping in place of the fusion layer, as the text says of Table 2.",
            "The twin of GST R101 is the small network with three blocks a stage, not two.",
        ),
        questions=(
            asks("Does a richer kernel shape beat multi-scale alone?", "psn", "rf_l_inception"),
            asks("Does multi-scale alone beat one large scale?", "rf_l_inception", "rf_l"),
            asks(
                "Is the gain of rich shapes larger than that of multi-scale?", "psn", "rf_l_inception",
                beyond=("rf_l_inception", "rf_l"),
            ),
            asks("Does PSN beat TSM?", "psn", "tsm"),
            asks("Does PSN with 1/16 of the channels beat TSM?", "psn_1_16", "tsm"),
        ),
    )  # fmt: skip


_TRAINED_LONG = ("grouping", "shuffling", "off", "off_li_lc")


def _twins2(key: str) -> tuple[str, ...]:
    return (TEMPORAL, LONG) if key in _TRAINED_LONG else (TEMPORAL,)


def _rows2() -> tuple[RowSpec, ...]:
    trained = (
        "1856 while no learned weight is exactly zero; the printed < 1856 is of trained weights, by an unstated limit."
    )
    learned = {
        "off": ("optimized fusion", {}),
        "off_li": ("optimized fusion + L_interaction", {"interaction": True}),
        "off_lc": ("optimized fusion + L_capacity", {"capacity": True}),
        "off_li_lc": ("optimized fusion + both losses", {"interaction": True, "capacity": True}),
    }
    fixed = {"grouping": "grouping", "dropout": "dropout", "shuffling": "shuffle"}
    return (
        _tsn_beside("ir_interactions", "dropout_rate", "params_m"),
        *(_row(key, f"channel {key}", with_psn(TSN, fusion=fusion), *_twins2(key)) for key, fusion in fixed.items()),
        *(
            _row(key, label, with_psn(TSN, **options), *_twins2(key), explained={"counted_ir_interactions": trained})
            for key, (label, options) in learned.items()
        ),
    )


_QUESTIONS2 = (
    *(
        asks(f"Does the fusion layer beat {other}?", "off", row)
        for other, row in (("channel shuffling", "shuffling"), ("channel dropout", "dropout"), ("grouping", "grouping"))
    ),
    asks("Does the fusion layer with both losses beat channel shuffling?", "off_li_lc", "shuffling"),
    asks("Does L_interaction help?", "off_li", "off"),
    asks("Does L_capacity help?", "off_lc", "off"),
    asks("Do both losses together help?", "off_li_lc", "off"),
    *(
        asks(f"Trained twice as long, does {what}?", better, worse, cell=LONG)
        for what, better, worse in (
            ("the fusion layer beat grouping (multi-scale alone)", "off", "grouping"),
            ("the fusion layer beat channel shuffling", "off", "shuffling"),
            ("training with both losses beat training with none", "off_li_lc", "off"),
        )
    ),
)


def table2() -> TableSpec:
    """What stands between the two bags of kernels, and the two losses."""
    return _table(
        "table2",
        "what fuses the bags, and its losses",
        _rows2(),
        (
            columns.stated("ir_interactions", "ir-interactions"),
            columns.stated("dropout_rate", "dropout rate"),
            columns.stated("params_m", "of the fusion (M)"),
            *columns.printed("sthv1", "top1", "top5"),
            *columns.real("sthv1", "top1", "top5"),
            columns.counted("ir_interactions", "ir-interactions", beside="ir_interactions"),
            columns.counted("dropped", "dropout rate", beside="dropout_rate", digits=2),
            columns.counted("fusion_parameters", "of the fusion (M)", beside="params_m", scale=1e-6, digits=3),
            *columns.parameters(),
            columns.gmacs(112),
            *columns.ratios(112),
            *columns.times(_SMALL),
            *columns.twins(TEMPORAL),
            columns.longer(LONG),
        ),
        footnotes=(
            "ir-interactions as the paper counts: all channels of every pair of kernels with a route between them. By "
            "its definition, channels that do flow and two different places, it is 1392 for the learned layer and 348 "
            "for shuffling and dropout.",
            "Dropout stands in a supplement that is not public. Here every temporal kernel gets the same quarter of "
            "the channels, the first of each spatial group, so that the printed rate of 0.75 comes out.",
            "With weights of usual size the sigmoid of L_interaction is saturated; its gradient is nearly zero.",
        ),
        questions=_QUESTIONS2,
    )


_DESIGNS: dict[str, tuple[str, dict[str, Any]]] = {
    "avg_pool": ("average pooling", {"pooling": "avg"}),
    "max_pool": ("max pooling (default)", {}),
    "no_max_pool": ("no pooling", {"pooling": "none"}),
    "no_inter_relu": ("no ReLU between the bags", {"relu": False}),
    "inter_relu": ("ReLU between the bags (default)", {}),
    "no_dilation": ("kernels of 5 without dilation", {"dilated": False}),
    "dilation": ("dilated kernels of 5 (default)", {}),
    "d1_1_1": ("(1+1+1)D", {"decomposition": "1+1+1"}),
    "d2_1": ("(2+1)D (default)", {}),
}


def table3() -> TableSpec:
    """Pooling, ReLU between the bags, dilation, (1+1+1)D."""
    rows = (
        _tsn_beside("params_m"),
        *(_row(key, label, with_psn(TSN, **changes), explained=_DETAIL) for key, (label, changes) in _DESIGNS.items()),
    )
    return _table(
        "table3",
        "design of the synthesizer",
        rows,
        (
            columns.stated("params_m", "parameters (M)"),
            *columns.printed("sthv1", "top1", "top5"),
            *columns.real("sthv1", "top1", "top5"),
            *columns.parameters("params_m"),
            columns.gmacs(112),
            *columns.ratios(112),
            *columns.times(_SMALL),
            *columns.twins(TEMPORAL),
        ),
        footnotes=(
            "Without pooling the fourth kernel of both bags is a second identity: the printed parameters do not change "
            "either. (1+1+1)D has a column and then a row, no normalization between them.",
        ),
        questions=(
            asks("Does max pooling help?", "max_pool", "no_max_pool"),
            asks("Does max pooling beat average pooling?", "max_pool", "avg_pool"),
            asks("Does the ReLU between the bags help?", "inter_relu", "no_inter_relu"),
            asks("Do dilated kernels beat full ones?", "dilation", "no_dilation"),
            asks("Does (2+1)D beat (1+1+1)D?", "d2_1", "d1_1_1"),
        ),
    )
