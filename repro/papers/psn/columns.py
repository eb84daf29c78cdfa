"""Columns that PSN's tables share: printed accuracy, the paper's dataset, cost, time beside TSN's and TSM's, twins."""

from __future__ import annotations

from repro.papers import columns
from repro.papers.table import ColumnSpec

PRINTED = "printed in the paper ({})"
MEASURED = "measured here on {}"
COST = "measured here, one view"
SPEED = "forward time, one view of {}"
TWINS_ONE = "twins, NOT {}: small networks, synthetic clips, top-1 %"
TWINS = "twins, NOT {}: small networks, synthetic clips, top-1 %, 3 seeds"

NAMES = {"sthv1": "Something-Something V1", "kinetics400": "Kinetics-400", "diving48": "Diving48"}
ITSELF = "not applicable: the network that the others are compared with"
NO_METHOD = "not applicable: nothing is inserted into this network"
_COUNTERS = (
    "GMACs: convolutions and matrix products of one view by torch.utils.flop_counter, divided by 2. fvcore adds 2 for "
    "each normalized value, as the paper's counter does: the printed GFLOPs come out by it."
)


def printed(dataset: str, *metrics: str) -> tuple[ColumnSpec, ...]:
    """Accuracies as printed."""
    return tuple(columns.printed(metric, PRINTED.format(NAMES[dataset])) for metric in metrics)


def real(dataset: str, *metrics: str) -> tuple[ColumnSpec, ...]:
    """Accuracies of runs on the paper's own dataset."""
    return tuple(columns.real(dataset, metric, MEASURED.format(NAMES[dataset])) for metric in metrics)


def parameters(beside: str = "") -> tuple[ColumnSpec, ...]:
    """Parameters of the network that is run, and with a fifth block after conv5, each beside the printed number."""
    return (
        columns.parameters(COST, beside=beside, note="Blocks after conv1 to conv4, whose GFLOPs are the printed ones."),
        ColumnSpec(
            key="params_conv5",
            title="with conv5 (M)",
            source="record:static-conv5:params",
            group=COST,
            scale=1e-6,
            beside=beside,
            absent=NO_METHOD,
            note="A fifth block after conv5, counted alone.",
        ),
    )


def gmacs(size: int, *, absent: str = "not applicable") -> ColumnSpec:
    """GMACs by our counter."""
    return columns.gmacs(size, COST, absent=absent, note=_COUNTERS)


def fvcore(size: int, *, beside: str = "", absent: str = "not applicable") -> ColumnSpec:
    """The paper's count."""
    return ColumnSpec(
        key=f"fvcore{size}",
        title=f"by fvcore at {size} (G)",
        source=f"record:static:sizes.{size}.fvcore",
        group=COST,
        beside=beside,
        absent=absent,
        note=_COUNTERS,
    )


def ratios(*sizes: int) -> tuple[ColumnSpec, ...]:
    """GMACs over TSN's, at each size that a row may have."""
    return tuple(
        ColumnSpec(
            key=f"gmacs{size}_ratio",
            title=f"GMACs / TSN's{f', {size}' if len(sizes) > 1 else ''}",
            source=f"ratio:static:sizes.{size}.gmacs",
            group=COST,
            digits=3,
            absent=ITSELF if len(sizes) == 1 else "not applicable: TSN itself, or a row of another size",
            note="To be read beside the ratios of times. TSM has TSN's GMACs: its shift costs none.",
        )
        for size in sizes
    )


def times(view: str) -> tuple[ColumnSpec, ...]:
    """Time over TSN's and TSM's, taken in turn."""
    told = {
        "speed": ("time / TSN's", ITSELF, "Both networks as written, in one layout, timed in turn; median, quartiles."),
        "speed-frozen": (
            "frozen: time / TSN's",
            NO_METHOD,
            "The form for inference (`freeze`): equal output, fewer operations. TSN as written.",
        ),
        "speed-tsm": ("time / TSM's", "not applicable: for PSN alone", "In turn with TSM, both as written."),
    }
    return tuple(
        columns.slowdown(
            SPEED.format(view),
            cell=cell,
            key=cell.replace("speed", "slowdown").replace("-", "_"),
            title=title,
            absent=absent,
            note=note,
        )
        for cell, (title, absent, note) in told.items()
    )


def twin(name: str, group: str) -> ColumnSpec:
    """Top-1 on one twin."""
    short = name.removeprefix("twin-")
    return columns.twin(name, f"twin_{short}", short, group)


def twins(*names: str) -> tuple[ColumnSpec, ...]:
    """Top-1 on the twins over the seeds, the gain over the row's baseline, the direction on the temporal one."""
    group = TWINS.format(NAMES["sthv1"])
    found: list[ColumnSpec] = []
    for name in names:
        key = f"gain_{name.removeprefix('twin-')}"
        found += [twin(name, group), columns.gain(name, key, group, ITSELF, title="gain over the baseline")]
    return (*found, columns.direction("twin-temporal", "direction_temporal", group))


def longer(cell: str) -> ColumnSpec:
    """Top-1 on the temporal twin after twice the training."""
    return columns.twin(
        cell,
        "twin_longer",
        "temporal, 16 epochs",
        TWINS.format(NAMES["sthv1"]),
        absent="not applicable: for the rows that the questions name",
        note="After 8 epochs some seeds have just begun to read the order of frames: rows deviate by up to 40 points.",
    )


def stated(key: str, title: str, note: str = "") -> ColumnSpec:
    """A printed property of the network."""
    return ColumnSpec(key=key, title=title, source=f"published:{key}", group=PRINTED.format(NAMES["sthv1"]), note=note)


def counted(key: str, title: str, *, beside: str = "", scale: float = 1.0, digits: int = 0) -> ColumnSpec:
    """What the inserted method says of itself."""
    return ColumnSpec(
        key=f"counted_{key}",
        title=title,
        source=f"record:static:method.{key}",
        group=COST,
        scale=scale,
        digits=digits,
        beside=beside,
        absent="not applicable: no synthesizers",
    )


def recounted() -> ColumnSpec:
    """Parameters with the number of classes that the printed ones fit."""
    return ColumnSpec(
        key="params_175",
        title="with 175 classes (M)",
        source="record:static-175:params",
        group=COST,
        scale=1e-6,
        beside="params_m",
        absent="not applicable: for networks without inserted blocks",
        note="Something-Something V1 has 174 classes.",
    )
