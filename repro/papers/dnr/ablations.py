"""The ablations of DNR: Table 1a to 1d of the paper, Table 1 of the supplement. TSN-ResNet-50 on Kinetics-200.

Each row is the default row with one option changed; a row that is the default under another name is the same
experiment, measured once. Expected on one quiet core: static cells 3 seconds a row; on
Kinetics-200 each row is a training of 120 epochs on 80,000 videos.
"""

from __future__ import annotations

from typing import Any

from repro.papers.dnr.networks import TSN_K200, row_cells, with_dnr
from repro.papers.layout import table
from repro.papers.table import RowSpec, TableSpec

_BASELINE = "baseline"


def _row(key: str, **changes: Any) -> RowSpec:
    """The default row with `changes` of DNR's options; CT or CL alone is no pair, and goes without interlacing."""
    single = changes.get("cl", "bn1") is None or changes.get("ct", "bn2") is None
    model = with_dnr(TSN_K200, **({"channel_interlacing": False} if single else {}), **changes)
    return RowSpec(key=key, cells=row_cells(model, TSN_K200), baseline=_BASELINE)


def _table(name: str, *rows: RowSpec) -> TableSpec:
    """The rows behind TSN without DNR, which Table 1a alone prints."""
    return table(name, (RowSpec(key=_BASELINE, cells=row_cells(TSN_K200, None)), *rows))


def table1a() -> TableSpec:
    """Which normalization of a block carries which relay."""
    return _table(
        "dnr/table1a",
        _row("ct_bn1", cl=None, ct="bn1"),
        _row("ct_bn2", cl=None),
        _row("cl_bn1", ct=None),
        _row("cl_bn2", cl="bn2", ct=None),
        _row("ct_cl", cl="bn2", ct="bn1"),
        _row("cl_ct"),
    )


def table1b() -> TableSpec:
    """Relay distance: frames in a group of CT, blocks from one CL to the next."""
    return _table(
        "dnr/table1b",
        *(_row(f"ct_{d}", cl=None, relay_distance=d) for d in (1, 2, 4, 8)),
        _row("cl_1", ct=None),
        _row("cl_2", ct=None, cl_distance=2),
    )


def table1c() -> TableSpec:
    """Width of the relay cell, and bottleneck units of its projections."""
    return _table(
        "dnr/table1c",
        *(_row(f"r{r}", reduction=r) for r in (1, 2, 4, 8)),
        *(_row(f"d{d}", units=d) for d in (1, 2)),
    )


def table1d() -> TableSpec:
    """What relays: nothing, a fully connected layer, squeeze and excitation, an LSTM."""
    parts: dict[str, dict[str, Any]] = {"cl": {"ct": None}, "ct": {"cl": None}, "dnr": {}}
    return _table(
        "dnr/table1d",
        *(
            _row(f"{part}_{relay}", relay=relay, **changes)
            for part, changes in parts.items()
            for relay in ("none", "fc", "se", "lstm")
        ),
    )


def supp1() -> TableSpec:
    """Relay along time one way or both ways."""
    return _table(
        "dnr/supp1",
        *(_row(f"d{d}_{way}", cl=None, relay_distance=d, direction=way) for d in (2, 4) for way in ("uni", "bi")),
    )
