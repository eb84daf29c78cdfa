"""The ablations of DNR: Table 1a to 1d of the paper, Table 1 of the supplement. TSN-ResNet-50 on Kinetics-200.

Each row is the default row with one option changed; a row that is the default under another name is the same
experiment, measured once. Expected on one quiet core: static cells 3 seconds a row, a twin 20 seconds a seed; on
Kinetics-200 each row is a training of 120 epochs on 80,000 videos.
"""

from __future__ import annotations

from typing import Any

from repro.core.spec import Experiment, Model
from repro.papers.dnr.networks import SEEDS, TSN_K200, row_cells, with_dnr
from repro.papers.layout import table
from repro.papers.table import RowSpec, TableSpec
from repro.papers.twins import APPEARANCE, TEMPORAL, ablation_twin

#: cells of the rows on CL's distance: the same twin on a network with three blocks a stage
APPEARANCE_3 = "twin-appearance-blocks3"

_BASELINE = "baseline"
_BOTH, _ONE, _ORDER = (APPEARANCE, TEMPORAL), (APPEARANCE,), (TEMPORAL,)


def _cells(model: Model, host: Model | None, twins: tuple[str, ...]) -> dict[str, Experiment]:
    """A row's cells, with those twins."""
    plain = [name for name in twins if name != APPEARANCE_3]
    deep = {APPEARANCE_3: ablation_twin(model, APPEARANCE, blocks=3)} if APPEARANCE_3 in twins else {}
    return row_cells(model, host, twins=plain) | deep


def _row(key: str, *, twins: tuple[str, ...] = _BOTH, **changes: Any) -> RowSpec:
    """The default row with `changes` of DNR's options; CT or CL alone is no pair, and goes without interlacing."""
    single = changes.get("cl", "bn1") is None or changes.get("ct", "bn2") is None
    model = with_dnr(TSN_K200, **({"channel_interlacing": False} if single else {}), **changes)
    return RowSpec(key=key, cells=_cells(model, TSN_K200, twins), baseline=_BASELINE)


def _table(name: str, *rows: RowSpec, twins: tuple[str, ...] = _BOTH) -> TableSpec:
    """The rows behind TSN without DNR, which Table 1a alone prints."""
    baseline = RowSpec(key=_BASELINE, cells=_cells(TSN_K200, None, twins))
    return table(name, (baseline, *rows), seeds=dict.fromkeys(twins, SEEDS[APPEARANCE]))


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
        *(_row(f"ct_{d}", twins=_ORDER, cl=None, relay_distance=d) for d in (1, 2, 4, 8)),
        _row("cl_1", twins=(*_BOTH, APPEARANCE_3), ct=None),
        _row("cl_2", twins=(APPEARANCE_3,), ct=None, cl_distance=2),
        twins=(*_BOTH, APPEARANCE_3),
    )


def table1c() -> TableSpec:
    """Width of the relay cell, and bottleneck units of its projections."""
    return _table(
        "dnr/table1c",
        *(_row(f"r{r}", twins=_ONE, reduction=r) for r in (1, 2, 4, 8)),
        *(_row(f"d{d}", twins=_ONE, units=d) for d in (1, 2)),
        twins=_ONE,
    )


def table1d() -> TableSpec:
    """What relays: nothing, a fully connected layer, squeeze and excitation, an LSTM."""
    parts: dict[str, dict[str, Any]] = {"cl": {"ct": None}, "ct": {"cl": None}, "dnr": {}}
    return _table(
        "dnr/table1d",
        *(
            _row(f"{part}_{relay}", twins=_ONE if part == "cl" else _ORDER, relay=relay, **changes)
            for part, changes in parts.items()
            for relay in ("none", "fc", "se", "lstm")
        ),
    )


def supp1() -> TableSpec:
    """Relay along time one way or both ways."""
    return _table(
        "dnr/supp1",
        *(
            _row(f"d{d}_{way}", twins=_ORDER, cl=None, relay_distance=d, direction=way)
            for d in (2, 4)
            for way in ("uni", "bi")
        ),
        twins=_ORDER,
    )
