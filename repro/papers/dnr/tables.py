"""DNR on other backbones (Table 2), norms and batches (3), datasets (4) and 3D networks (5); speed (supplement, 2).

Expected on one quiet core: a twin 20 to 40 seconds a seed, static cells 5 seconds a row; times beside the host 15
seconds to 2 minutes a row on two cores. The printed top-1 stand in `results/published/dnr_table*.csv`.
"""

from __future__ import annotations

from typing import Any

from repro.core.spec import Experiment, Model, Speed, frozen, replace
from repro.papers.dnr import columns
from repro.papers.dnr.networks import SEEDS, TSN_K200, row_cells, with_dnr, with_dnr_3d
from repro.papers.dnr.table6 import table6
from repro.papers.recipes.mmaction2 import TEST_8x8_10x3, TEST_32x2_10x3
from repro.papers.recipes.used import DNR_K200
from repro.papers.table import ColumnSpec, RowSpec, TableSpec, TrendSpec
from repro.papers.twins import APPEARANCE, ablation_twin

_TWINS = columns.TWINS.format("Kinetics")


def _kinetics_200(speed: str = columns.SPEED, twins: str = _TWINS) -> tuple[ColumnSpec, ...]:
    return (
        *columns.printed("Kinetics-200", gain=True),
        *columns.real("kinetics200"),
        *columns.cost(),
        columns.slowdown(group=speed),
        *columns.twin(APPEARANCE, "appearance", twins),
    )


_SMALL = (
    "The twins are the small forms and the recipe of the ablations (repro/papers/twins.py), without channel "
    "interlacing; they tell mechanisms apart and say nothing of Kinetics."
)

_BACKBONES = {
    "bninception": ("BN-Inception", 2, ""),
    "resnet50": ("ResNet-50", 2, ""),
    "resnet101": ("ResNet-101", 3, "the twin of ResNet-101 is the small network with three blocks a stage, not two"),
    "resnext101": (
        "ResNeXt-101",
        0,
        "32 groups of 4 channels: the paper does not say which ResNeXt-101; this one has the size of ResNet-101, and "
        "mmaction2 publishes TSN on it",
    ),
}


def table2() -> TableSpec:
    """Four backbones of TSN, each without and with DNR."""
    rows = []
    for name, (label, blocks, note) in _BACKBONES.items():
        host, key = replace(TSN_K200, backbone=name), f"tsn_{name}"
        why = (
            "not applicable: many groups of channels, which set ResNeXt apart, have no small form of 16 to 64 channels"
        )
        twins, reasons = ((APPEARANCE,), {}) if blocks else ((), {APPEARANCE: why})
        for model, row, title, base in ((host, key, label, None), (with_dnr(host), f"{key}_dnr", f"{label}+DNR", key)):
            cells = row_cells(model, host if base else None, twins=twins, blocks=blocks or 2)
            rows.append(
                RowSpec(key=row, label=title, published_row=row, cells=cells, baseline=base, reasons=reasons, note=note)
            )
    return TableSpec(
        paper="dnr",
        name="table2",
        title="DNR Table 2: backbones of TSN",
        caption="TSN, 8 frames, Kinetics-200 from scratch.",
        published_csv="dnr_table2",
        rows=tuple(rows),
        columns=_kinetics_200(),
        footnotes=(
            "In a module of BN-Inception CL stands at the first normalization of each branch that has several, CT at "
            "the second. The paper's section 3.3 has them the other way round, against its own Table 1a.",
            _SMALL,
        ),
    )


_NORMS = {"bn": ("BN", frozen(head="clip")), "gn": ("GN", frozen(head="clip", norm="gn"))}
_BATCHES = (8, 6, 4)


def _batch_cells(model: Model, host: Model | None, clips: int) -> dict[str, Experiment]:
    """Eight devices of `clips` clips, rate 0.1 * clips / 8, warm-up over 60,000 steps; one device on the twin."""
    rate = 0.1 * clips / 8
    full = replace(DNR_K200, batch=8 * clips, lr=rate, clips_per_device=clips, warmup_epochs=6 * clips)
    small = ablation_twin(model, APPEARANCE, batch=clips, lr=rate / 4, clips_per_device=clips)
    return row_cells(model, host, train=full, twins=()) | {APPEARANCE: small}


def table3() -> TableSpec:
    """BN and GN at 8, 6 and 4 clips a device, each without and with DNR."""
    rows = []
    for norm, (label, options) in _NORMS.items():
        host = replace(TSN_K200, options=options)
        for dnr in (False, True):
            for clips in _BATCHES:
                key = f"{norm}_dnr_{clips}" if dnr else f"{norm}_{clips}"
                rows.append(
                    RowSpec(
                        key=key,
                        label=f"{label}{'+DNR' if dnr else ''}, {clips} clips",
                        published_row=key,
                        cells=_batch_cells(with_dnr(host) if dnr else host, host if dnr else None, clips),
                        baseline=f"{norm}_{clips}" if dnr else None,
                    )
                )
    return TableSpec(
        paper="dnr",
        name="table3",
        title="DNR Table 3: normalization and clips on a device",
        caption="TSN-ResNet-50, Kinetics-200, 8 devices; the learning rate is 0.1 N / 8 for N clips on a device.",
        published_csv="dnr_table3",
        rows=tuple(rows),
        columns=_kinetics_200(),
        trends=(
            _trend("bn", "the paper says that on BN the gain of DNR grows as the batch shrinks, a slope below 0", -1),
            _trend("gn", "the paper says that on GN the trend is the reverse, a slope above 0", 1),
        ),
        footnotes=(
            "On the twins a step is of one device's clips, 8, 6 or 4, at the rate 0.025 N / 8.",
            _SMALL,
        ),
        seeds=SEEDS,
    )


def _trend(norm: str, claim: str, sign: Any) -> TrendSpec:
    return TrendSpec(
        title=f"Gain of DNR on {norm.upper()} by the clips on a device",
        cell=APPEARANCE,
        along="clip",
        points=tuple((float(n), f"{norm}_{n}", f"{norm}_dnr_{n}") for n in _BATCHES),
        claim=claim,
        claimed_sign=sign,
    )


_VOLUMES = {
    "r2plus1d": ("R(2+1)D-34", Model(name="r2plus1d", backbone="resnet34"), "8x8", TEST_8x8_10x3, True),
    "slowfast": (
        "SlowFast 8x8 R18", Model(name="slowfast_8x8", backbone="resnet18", frames=32), "32x2", TEST_32x2_10x3, True,
    ),
    "slowfast_r50": (
        "SlowFast 8x8 R50", Model(name="slowfast_8x8", backbone="resnet50", frames=32), "32x2", TEST_32x2_10x3, False,
    ),
}  # fmt: skip


def _volume_rows(key: str) -> list[RowSpec]:
    """A network of Table 5 without and with DNR."""
    label, network, clip, test, printed = _VOLUMES[key]
    host = replace(network, num_classes=200)
    train = replace(DNR_K200, sampling=f"mmaction2.clip_{clip}_train")
    why = "not applicable: the small form is that of the row on R18"
    rows = []
    for model, row, title, base in ((host, key, label, None), (with_dnr_3d(host), f"{key}_dnr", f"{label}+DNR", key)):
        twins = (APPEARANCE,) if printed else ()
        rows.append(
            RowSpec(
                key=row,
                label=title,
                published_row=row if printed else None,
                section="reproduced" if printed else "added",
                cells=row_cells(model, host if base else None, train=train, test=test, twins=twins),
                reasons={} if printed else {APPEARANCE: why},
                baseline=base,
            )
        )
    return rows


def table5() -> TableSpec:
    """R(2+1)D-34 and SlowFast 8x8, each without and with DNR; SlowFast on ResNet-50 beside them."""
    return TableSpec(
        paper="dnr",
        name="table5",
        title="DNR Table 5: 3D networks",
        caption="Kinetics-200 from scratch, by DNR's recipe.",
        published_csv="dnr_table5",
        rows=tuple(row for key in _VOLUMES for row in _volume_rows(key)),
        columns=_kinetics_200(
            "forward time, one view: 8x224x224, SlowFast 32x224x224", columns.PLAIN_TWINS.format("Kinetics")
        ),
        footnotes=(
            "Both networks are mmaction2's (R(2+1)D-34 of its own depths; SlowFast with depth 18, which has no public "
            "configuration).",
            "Where a stage has fewer frames than the relay distance, its frames are one group; the paper is silent. "
            "Both pathways of SlowFast carry DNR, each counting its own frames. 3D networks have no interlacing.",
            "The twins are small forms of both networks, trained by the recipe of the ablations "
            "(repro/papers/twins.py); they say nothing of Kinetics.",
        ),
    )


_TIMES = {
    "speed": ("8x224x224, batch 1", None),
    "speed-224x8": ("8x224x224, batch 8", Speed(batch=8, repeats=3)),
    "speed-256x1": ("8x256x256, batch 1", Speed(size=256, repeats=5)),
    "speed-256x8": ("8x256x256, batch 8", Speed(size=256, batch=8, repeats=3)),
    "speed-fast": ("8x224x224, batch 1, each network in its fastest form", Speed(form="fast", repeats=5)),
}


def _timed(row: RowSpec, host: Model | None) -> RowSpec:
    """A row of Table 6 with the times of the supplement; a host is timed in turn with its network with DNR."""
    model = row.cells["static"].model
    cells = {key: row.cells[key] for key in ("static", "speed")}
    for name, (_, speed) in _TIMES.items():
        if speed is not None and host is not None:
            cells[name] = Experiment(model=model, measure=replace(speed, against=host))
    return replace(row, cells=cells)


def _time_columns() -> tuple[ColumnSpec, ...]:
    found = []
    for name, (label, _) in _TIMES.items():
        group = f"measured here, {label}"
        end = name.removeprefix("speed").replace("-", "_")
        if name == "speed":
            found.append(ColumnSpec(key="views", title="views/s", source=f"record:{name}:views_per_s", group=group))
        found.append(replace(columns.slowdown(name, group=group), key=f"slowdown{end}"))
    return tuple(found)


def supp2() -> TableSpec:
    """Speed with and without DNR of the four networks that the paper ran in Table 6."""
    rows = [row for row in table6().rows if row.section == "reproduced"]
    hosts = {row.key: row.cells["static"].model for row in rows}
    printed = "printed in the supplement (RTX 2080 Ti, whole videos of several views)"
    return TableSpec(
        paper="dnr",
        name="supp2",
        title="DNR supplement, Table 2: speed",
        caption="The networks of Table 6 on ResNet-50, 8 frames, 400 classes, each timed in turn with its host.",
        published_csv="dnr_supp_table2",
        rows=tuple(_timed(row, hosts[row.baseline] if row.baseline else None) for row in rows),
        columns=(
            ColumnSpec(
                key="gflops", title="GFLOPs x views", source="published:gflops*views", group=printed,
                note="Multiply-accumulates of one view. At a crop of 224 the GMACs counted here round to the printed "
                "33 and 36 but for TANet: 32.8, and 42.8 at 256 (Table 6), so that its 36 is true at neither crop.",
            ),
            ColumnSpec(key="top1", title="top-1 %", source="published:top1", group=printed, better="higher"),
            ColumnSpec(key="top5", title="top-5 %", source="published:top5", group=printed, better="higher"),
            ColumnSpec(key="videos", title="videos/s", source="published:videos_per_s", group=printed),
            ColumnSpec(
                key="printed_slowdown", title="time / host's", source="slowdown:videos_per_s", group=printed,
                absent=columns.HOST_ITSELF,
            ),
            *columns.cost(beside="gflops"),
            *_time_columns(),
        ),
        footnotes=(
            "Eager PyTorch as written, fp32, channels as they come, random weights; each record tells its threads. The "
            "fastest form is what `python -m repro speed --fast` finds, for a network and its host apart: the host's "
            "normalizations then vanish into its convolutions, those that read each clip cannot.",
            "10.9 videos/s of 30 views would exceed that card's fp32 peak; TSN and TSM were most likely timed "
            "at 10 views.",
        ),
    )  # fmt: skip
