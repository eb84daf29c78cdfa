"""Columns that AdaFuse's tables share: as printed, the paper's datasets, cost when nothing is saved, twins."""

from __future__ import annotations

from typing import Any

from repro.papers import columns
from repro.papers.adafuse.networks import LONG, LONG_APPEARANCE, SMALL
from repro.papers.table import ColumnSpec
from repro.papers.twins import APPEARANCE, TEMPORAL

NAMES = {
    "sthv1": "Something-Something V1",
    "sthv2": "Something-Something V2",
    "jester": "Jester",
    "minikinetics": "Mini-Kinetics",
}
PRINTED = "printed in the paper ({})"
COST = "measured here, one clip of 8 frames, nothing saved"
SPEED = "forward time, one clip of 8x224x224"
TWINS = "twins, NOT the paper's data: small networks, synthetic clips, 3 seeds"
DECIDED = "decided, mean over the videos of a twin: {}"
HOST_ITSELF = "not applicable: the network that the others are compared with"
FIXED = "not applicable: the cost is the same for every clip"
NO_POLICY = "not applicable: the network decides nothing of the kind"
_TITLES = {
    APPEARANCE: "appearance",
    TEMPORAL: "temporal",
    LONG_APPEARANCE: "appearance, 16 epochs",
    LONG: "temporal, 16 epochs",
}
_KEYS = {twin: title.split(",")[0] + ("_long" if "," in title else "") for twin, title in _TITLES.items()}


def printed(dataset: str, *, top5: bool = False, gain: bool = False) -> tuple[ColumnSpec, ...]:
    """Parameters, GFLOPs and accuracy as printed; with `gain` the difference to the row's baseline."""
    group = PRINTED.format(NAMES.get(dataset, dataset))
    found = [
        ColumnSpec(key="params_m", title="parameters (M)", source="published:params_m", group=group),
        ColumnSpec(
            key="gflops",
            title="GFLOPs",
            source="published:gflops",
            group=group,
            note="The paper prints multiply-accumulates of one clip under the name GFLOPs; of a network with a policy "
            "the mean over the test split.",
        ),
        columns.printed("top1", group),
    ]
    if top5:
        found.append(columns.printed("top5", group))
    if gain:
        found.append(
            ColumnSpec(
                key="delta", title="gain", source="difference:top1", group=group, unit="points", absent=HOST_ITSELF
            )
        )
    return tuple(found)


def real(dataset: str, *, top5: bool = False, absent: str = "not applicable") -> tuple[ColumnSpec, ...]:
    """Accuracy and measured cost of runs on one of the paper's datasets."""
    group = f"measured here on {NAMES[dataset]}"
    found = [columns.real(dataset, metric, group, absent=absent) for metric in ("top1", "top5")[: 1 + top5]]
    for key, title, path in (("gmacs", "GMACs", "mean"), ("gmacs_std", "over the videos ±", "std")):
        source = f"record:{dataset}:cost.{path}.gmacs"
        found.append(ColumnSpec(key=f"{dataset}_{key}", title=title, source=source, group=group, absent=FIXED))
    return tuple(found)


def printed_share(action: str) -> ColumnSpec:
    """Table 7: percent of the decisions."""
    group = PRINTED.format(NAMES["sthv2"])
    return ColumnSpec(key=f"{action}_pct", title=f"{action} %", source=f"published:{action}_pct", group=group)


def real_share(dataset: str, action: str) -> ColumnSpec:
    """Percent of the decisions on a dataset of the paper."""
    return ColumnSpec(
        key=f"{dataset}_{action}", title=f"{action} %", source=f"record:{dataset}:cost.mean.{action}", scale=100,
        digits=1, group=f"measured here on {NAMES[dataset]}",
    )  # fmt: skip


def cost(at: int = 224) -> tuple[ColumnSpec, ...]:
    """Multiply-adds and parameters when everything is kept, and the policy's part of both."""
    return (*_multiply_adds(at), *_parameters())


def _multiply_adds(at: int) -> tuple[ColumnSpec, ...]:
    return (
        ColumnSpec(
            key="gmacs_paper",
            title="GMACs, normalization counted",
            source=f"record:static:sizes.{at}.fvcore",
            group=COST,
            note="fvcore: with 2 for each normalized value, as the printed values of plain networks have it.",
        ),
        ColumnSpec(
            key="base",
            title="base by the authors' counter",
            source="record:static:method.gmacs_base_224",
            group=COST,
            absent=NO_POLICY,
            note="GMACs that savings are taken from, as thop 0.0.31 counts: 2 also for each weight of a fully "
            "connected layer.",
        ),
        ColumnSpec(
            key="base_without_policy", title="without the policy", group=COST, absent=NO_POLICY,
            source="record:static:method.gmacs_base_without_policy_224",
        ),
        ColumnSpec(
            key="gmacs",
            title="GMACs",
            source=f"record:static:sizes.{at}.gmacs",
            group=COST,
            note="Convolutions and matrix products of one clip by torch.utils.flop_counter, divided by 2.",
        ),
        ColumnSpec(
            key="gmacs_added",
            title="beside the host (GMACs)",
            source=f"gain:static:sizes.{at}.gmacs",
            group=COST,
            digits=3,
            absent=HOST_ITSELF,
            note="What the network has more than its host: of AdaFuse, the policy network. GMACs minus this is the "
            "base without it.",
        ),
    )  # fmt: skip


def _parameters() -> tuple[ColumnSpec, ...]:
    return (
        columns.parameters(COST, beside="params_m"),
        ColumnSpec(
            key="params_added",
            title="beside the host (M)",
            source="gain:static:params",
            group=COST,
            scale=1e-6,
            absent=HOST_ITSELF,
        ),
    )


def slowdown() -> ColumnSpec:
    """Time of the row's network by that of its host, taken in turn."""
    return columns.slowdown(
        SPEED,
        absent=HOST_ITSELF,
        note="The network as written, all channels computed and masked, and its host timed in turn: median and "
        "interquartile range of the ratio. A quoted network is timed with TSN-R50 in place of a host. What can be "
        "saved in time is another question (python -m repro speed).",
    )


def twins(*names: str, gain: bool = True, direction: bool = True) -> tuple[ColumnSpec, ...]:
    """Top-1 on these twins over the seeds, the gain over the row's baseline, and whether the direction is right."""
    found: list[ColumnSpec] = []
    for name in names:
        short, title = _KEYS[name], _TITLES[name]
        found.append(columns.twin(name, f"twin_{short}", f"{title}, top-1 %", TWINS))
        if gain:
            found.append(columns.gain(name, f"gain_{short}", TWINS, HOST_ITSELF))
    for name in (name for name in (TEMPORAL, LONG) if direction and name in names):
        title = "its direction" + ", 16 epochs" * (name == LONG)
        found.append(columns.direction(name, f"direction_{_KEYS[name]}", TWINS, title=title))
    return tuple(found)


def decided(*names: str) -> tuple[ColumnSpec, ...]:
    """Multiply-adds of the small networks, and on these twins what was saved and decided."""
    base = ColumnSpec(
        key="small_base",
        title="MMACs, nothing saved",
        source=f"record:{SMALL}:sizes.32.gmacs",
        group="small network of the twins, one clip of 8x32x32",
        digits=2,
        scale=1e3,
    )
    return (base, *(column for name in names for column in _decided_on(name)))


def _decided_on(name: str) -> tuple[ColumnSpec, ...]:
    """One twin's."""
    short, title = _KEYS[name], _TITLES[name]
    kind = title.partition(",")[0]
    group = DECIDED.format(title.replace(kind, f"{kind} twin"))

    def mmacs(key: str, title: str, path: str, **more: Any) -> ColumnSpec:
        return ColumnSpec(
            key=f"{key}_{short}", title=title, source=f"record:{name}:cost.{path}", group=group, scale=1e3,
            absent=FIXED, **more,
        )  # fmt: skip

    return (
        mmacs(
            "small", "MMACs", "mean.gmacs_macs", digits=2, better="lower",
            note="Equation 5 for each video while it is scored; convolutions and matrix products alone, the policy "
            "network's included.",
        ),
        mmacs("spread", "over the videos ±", "std.gmacs_macs", digits=3),
        mmacs(
            "network", "without the policy", "mean.gmacs_macs_without_policy", digits=2,
            note="The small network's policy costs as much as the network itself; on ResNets it is 0.5 to 1.5 %.",
        ),
        *(
            ColumnSpec(
                key=f"{action}_{short}", title=f"{action} %", source=f"record:{name}:cost.mean.{action}", group=group,
                digits=1, scale=100, absent=NO_POLICY,
            )
            for action in ("skip", "reuse", "keep")
        ),
    )  # fmt: skip
