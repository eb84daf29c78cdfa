"""What AdaFuse's decisions save in time: the paper counts multiply-adds and leaves speed to the future.

No paper prints this table. Each row is one measurement (`repro.cost.compact`): AdaFuse on TSN-ResNet-50, one clip of
8x224x224, that computes only what its decisions ask for; TSN in the fastest form found on the machine; AdaFuse as its
authors run it, all channels computed and masked. The three take turns. Networks have random weights; decisions are
drawn at the shares that the authors report for trained networks (mengyuest/temporal-shift-module@944a085,
scripts/plot_dataset_stat.py:10-15), and the policy networks run all the same.

Expected on one quiet core: about a minute a row, most of it the trial of forms of TSN.
"""

from __future__ import annotations

from repro.core.spec import Experiment, Speed, replace
from repro.papers.adafuse.networks import host, with_adafuse
from repro.papers.table import ColumnSpec, RowSpec, TableSpec

#: shares of skip, reuse and keep
POINTS: dict[str, tuple[str, tuple[float, float, float]]] = {
    "sthv1": ("as on Something-Something V1", (0.370, 0.258, 0.372)),
    "sthv2": ("as on Something-Something V2", (0.596, 0.172, 0.232)),
    "jester": ("as on Jester", (0.712, 0.105, 0.183)),
}
DRAWN = {
    "each": "each channel and frame by itself",
    "groups": "16 channels together",
    "lasting": "skips the same in all frames",
}

_DECIDED, _COST = "decisions", "GMACs of one clip of 8x224x224"
_TIME, _PARTS = "time of that clip", "ways of the 16 blocks (%)"
_STREAM = "one frame of a stream"
_FORM = "compact"


def _row(key: str, label: str, shares: tuple[float, float, float], drawn: str, repeats: int = 9) -> RowSpec:
    plain = replace(host("tsn", "resnet50"), pretrained="none")
    measure = Speed(form="compact", threads=1, shares=shares, drawn=drawn, against=plain, repeats=repeats)  # type: ignore[arg-type]
    return RowSpec(
        key=key,
        label=label,
        section="own",
        cells={_FORM: Experiment(model=with_adafuse(plain), measure=measure)},
    )


def _rows() -> tuple[RowSpec, ...]:
    rows = [
        _row(key if drawn == "each" else f"{key}_{drawn}", f"{label}, {told}", shares, drawn)
        for drawn, told in DRAWN.items()
        for key, (label, shares) in POINTS.items()
    ]
    return (*rows, _row("kept", "everything kept", (0.0, 0.0, 1.0), "each"))


def _column(key: str, title: str, path: str, group: str, **more: object) -> ColumnSpec:
    return ColumnSpec(key=key, title=title, source=f"record:{_FORM}:{path}", group=group, **more)  # type: ignore[arg-type]


_COLUMNS = (
    _column("skip", "skip %", "decided.skip", _DECIDED, scale=100, digits=1),
    _column("reuse", "reuse %", "decided.reuse", _DECIDED, scale=100, digits=1),
    _column("keep", "keep %", "decided.keep", _DECIDED, scale=100, digits=1),
    _column("rule", "by eq. 5", "gmacs.rule", _COST),
    _column("frugal", "executed, all blocks compact", "gmacs.compact", _COST),
    _column(
        "off", "off eq. 5 (%)", "gmacs.rule_off_percent_but_first_reuse", _COST, digits=3,
        note="Executed by the compact way against eq. 5, without what eq. 5 counts for reuse before the first "
        "frame: zeros, which are not computed with (0.2 to 0.5 G at these points).",
    ),
    _column(
        "executed", "executed as timed", "gmacs.executed", _COST,
        note="More than eq. 5 where a block is faster when all of its channels are computed.",
    ),
    _column("plain", "TSN", "gmacs.plain", _COST),
    _column("gmacs_ratio", "executed / TSN", "gmacs.ratio", _COST, digits=3, better="lower"),
    _column("time", "compact (ms)", "median_s", _TIME, scale=1e3, digits=0, better="lower"),
    _column("dense", "TSN (ms)", "against.median_s", _TIME, scale=1e3, digits=0),
    _column(
        "time_ratio", "compact / TSN", "against.ratio_median", _TIME, digits=3, better="lower",
        spread="against.ratio_iqr",
        note="TSN in the fastest of the forms tried here (layouts, folded normalizations, fused calls, "
        "TorchScript), on whole clips or frame after frame; the record names it.",
    ),
    _column(
        "masked_ratio", "masked / TSN", "masked.ratio_median", _TIME, digits=3, spread="masked.ratio_iqr",
        note="AdaFuse as its authors run it: all channels computed, unwanted ones multiplied by zero.",
    ),
    _column("over_masked", "compact / masked", "over_masked.ratio_median", _TIME, digits=3),
    _column("compact", "compact", "kinds.compact", _PARTS, scale=100, digits=0),
    _column("union", "union", "kinds.union", _PARTS, scale=100, digits=0),
    _column("all", "dense", "kinds.dense", _PARTS, scale=100, digits=0),
    _column("calibration", "calibration (s)", "calibration_s", _PARTS, digits=1),
    _column("frame", "compact (ms)", "stream.median_s", _STREAM, scale=1e3, digits=0, better="lower"),
    _column(
        "frame_ratio", "compact / TSN", "stream.ratio_median", _STREAM, digits=3, spread="stream.ratio_iqr",
        better="lower",
        note="Latency of a frame when frames come one by one and state is carried, beside TSN in the fastest "
        "form for single frames.",
    ),
)  # fmt: skip


def speed() -> TableSpec:
    """Time ratios beside ratios of arithmetic at the authors' operating points."""
    return TableSpec(
        paper="adafuse",
        name="speed",
        title="AdaFuse: time saved",
        caption="AdaFuse on TSN-ResNet-50, 174 classes, one clip of 8x224x224, fp32, one CPU thread, random weights, "
        "decisions drawn at the shares of networks that the authors trained.",
        rows=_rows(),
        columns=_COLUMNS,
        footnotes=(
            "Before it is timed, the compact network runs parts of its blocks and lets each block go the fastest way: "
            "compact (frame by frame, only the channels wanted), union (all frames, the channels that any of them "
            "wants), or dense.",
            "Everything kept: nothing can be saved; what the executor itself gains or costs beside the same TSN.",
        ),
    )
