"""Columns that tables of several papers have; groups, notes and what an empty place means are each paper's own."""

from __future__ import annotations

from typing import Any

from repro.papers.table import ColumnSpec


def printed(metric: str, group: str) -> ColumnSpec:
    """An accuracy, `top1` or `top5`, as printed."""
    return ColumnSpec(
        key=metric, title=f"top-{metric[3:]} %", source=f"published:{metric}", group=group, better="higher"
    )


def real(dataset: str, metric: str, group: str, **more: Any) -> ColumnSpec:
    """An accuracy of runs on a paper's own dataset."""
    return ColumnSpec(
        key=f"{dataset}_{metric}",
        title=f"top-{metric[3:]} %",
        source=f"record:{dataset}:{metric}",
        group=group,
        better="higher",
        **more,
    )


def gmacs(size: int, group: str, **more: Any) -> ColumnSpec:
    """GMACs of one view at a crop."""
    return ColumnSpec(
        key=f"gmacs{size}",
        title=f"GMACs at {size}",
        source=f"record:static:sizes.{size}.gmacs",
        group=group,
        better="lower",
        **more,
    )


def parameters(group: str, **more: Any) -> ColumnSpec:
    """Parameters in millions."""
    return ColumnSpec(
        key="params",
        title="parameters (M)",
        source="record:static:params",
        group=group,
        scale=1e-6,
        better="lower",
        **more,
    )


def slowdown(
    group: str, *, cell: str = "speed", key: str = "slowdown", title: str = "time / host's", **more: Any
) -> ColumnSpec:
    """Time over that of the network which a cell's is timed with, in turn; the median and its quartiles."""
    return ColumnSpec(
        key=key,
        title=title,
        source=f"record:{cell}:against.ratio_median",
        spread="against.ratio_iqr",
        group=group,
        **more,
    )


def twin(cell: str, key: str, title: str, group: str, **more: Any) -> ColumnSpec:
    """Top-1 on a twin over the seeds."""
    return ColumnSpec(
        key=key, title=title, source=f"record:{cell}:top1", group=group, digits=1, better="higher", **more
    )


def gain(cell: str, key: str, group: str, absent: str, title: str = "gain") -> ColumnSpec:
    """Top-1 on a twin over that of the row's baseline."""
    return ColumnSpec(
        key=key, title=title, source=f"gain:{cell}:top1", group=group, digits=1, unit="points", absent=absent
    )


def direction(cell: str, key: str, group: str, **more: Any) -> ColumnSpec:
    """Of the temporal twin's videos whose motion is right, the share with the right direction."""
    return ColumnSpec(
        **{"key": key, "title": "its direction", **more},
        source=f"record:{cell}:extra.direction_top1",
        group=group,
        digits=1,
        better="higher",
        note="Of the videos whose motion was recognised, the share with the right direction; chance 50 %.",
    )
