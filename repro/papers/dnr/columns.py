"""Columns that DNR's tables share: printed accuracy, the paper's dataset, cost, time beside the host's, twins."""

from __future__ import annotations

from repro.papers import columns
from repro.papers.table import ColumnSpec

PRINTED = "printed in the paper ({})"
MEASURED = "measured here on {}"
COST = "measured here, one view"
SPEED = "forward time, one view of 8x224x224"
TWINS = "twins WITHOUT channel interlacing, NOT {}: small networks, synthetic clips, top-1 %, 3 seeds"
PLAIN_TWINS = "twins, NOT {}: small networks, synthetic clips, top-1 %, 3 seeds"

NAMES = {
    "kinetics200": "Kinetics-200",
    "kinetics400": "Kinetics-400",
    "sthv1": "Something-Something V1",
    "sthv2": "Something-Something V2",
}
HOST_ITSELF = "not applicable: the network that the others are compared with"


def printed(dataset: str, *, gain: bool = False) -> tuple[ColumnSpec, ...]:
    """Top-1 and top-5 as printed, and with `gain` the difference to the row's baseline."""
    group = PRINTED.format(dataset)
    found = (columns.printed("top1", group), columns.printed("top5", group))
    delta = ColumnSpec(
        key="delta", title="DNR's gain", source="difference:top1", group=group, unit="points", absent=HOST_ITSELF
    )
    return (*found, delta) if gain else found


def real(dataset: str, absent: str = "not applicable") -> tuple[ColumnSpec, ...]:
    """Top-1 and top-5 of runs on the paper's own dataset."""
    group = MEASURED.format(NAMES[dataset])
    return tuple(columns.real(dataset, metric, group, absent=absent) for metric in ("top1", "top5"))


def cost(*, at: int = 224, beside: str = "") -> tuple[ColumnSpec, ...]:
    """GMACs, `beside` which column they are printed in, and parameters, and what DNR adds to each."""
    return (
        columns.gmacs(
            at,
            COST,
            beside=beside,
            note="GMACs: convolutions and matrix products of one view by torch.utils.flop_counter, divided by 2; "
            "fvcore and ptflops stand beside it in the record.",
        ),
        ColumnSpec(
            key="gmacs_added",
            title="of DNR (GMACs)",
            source=f"gain:static:sizes.{at}.gmacs",
            group=COST,
            digits=3,
            absent=HOST_ITSELF,
            note="The supplement prints 0.006 G for ResNet-50: the count of one cell evaluation a layer, 0.003 of CL "
            "and 0.003 of CT with a single group (rows of table1b). Each cell of CT is evaluated once for each group "
            "of frames: with two groups CL and CT add 0.009.",
        ),
        columns.parameters(COST),
        ColumnSpec(
            key="params_added",
            title="of DNR (M)",
            source="record:static:params_method",
            group=COST,
            scale=1e-6,
            digits=3,
            absent=HOST_ITSELF,
            note="The supplement prints 4.1 M for ResNet-50: the relay cells of the default row hold 4.054 M. Shown is "
            "what the network gains, 0.015 M less: the affine parameters that DNR replaces.",
        ),
    )


def slowdown(cell: str = "speed", title: str = "time / host's", group: str = SPEED) -> ColumnSpec:
    """Time of the row's network by that of its host, taken in turn."""
    return columns.slowdown(
        group,
        cell=cell,
        key="slowdown" if cell == "speed" else f"slowdown_{cell.removeprefix('speed-')}",
        title=title,
        absent=HOST_ITSELF,
        note="The network with DNR and its host timed in turn; median and interquartile range of the ratio.",
    )


def twin(name: str, title: str, group: str, *, gain: bool = True) -> tuple[ColumnSpec, ...]:
    """Top-1 of one twin over the seeds, and the gain over the row's baseline with its interval."""
    short = _short(name)
    found = (
        columns.twin(name, f"twin_{short}", title, group),
        columns.gain(name, f"gain_{short}", group, HOST_ITSELF),
    )
    return found if gain else found[:1]


def direction(name: str, group: str) -> ColumnSpec:
    """Whether the direction on the temporal twin is right."""
    return columns.direction(name, f"direction_{_short(name)}", group)


def _short(twin: str) -> str:
    return twin.removeprefix("twin-").replace("-", "_")
