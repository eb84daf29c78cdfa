"""DNR's networks and the cells of a row: shared by all its tables.

Full-size rows follow the paper (relay distance 4, reduction 4, LSTM, channel interlacing at each pair of CL and CT).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from repro.core.spec import Accuracy, Experiment, Model, Options, Speed, Static, Train, Views, frozen, replace
from repro.papers.recipes.used import DNR_K200, DNR_K400_TEST
from repro.papers.table import RowSpec

#: supplement B and C: CL at bn1, CT at bn2, four frames a group, LSTM with reduction 4, channels interlaced
PAPER_DNR: Options = frozen(relay_distance=4, reduction=4, channel_interlacing=True)
#: the same where nothing is said: left out, so that a row which names them is the same experiment as the default row
_DEFAULTS = {"cl": "bn1", "ct": "bn2", "cl_distance": 1, "units": 1, "relay": "lstm", "direction": "uni"}

#: TSN-ResNet-50 as all of Table 1 trains it
TSN_K200 = Model(name="tsn", backbone="resnet50", num_classes=200, dropout=0.4, options=frozen(head="clip"))


def with_dnr(model: Model, **changes: Any) -> Model:
    """The network with DNR as the paper describes it, but for `changes`; ImageNet weights fill all but the relays."""
    different = {key: value for key, value in changes.items() if key not in _DEFAULTS or value != _DEFAULTS[key]}
    return replace(model, method="dnr", method_options=frozen(PAPER_DNR, **different))


def with_dnr_3d(model: Model) -> Model:
    """A 3D network with DNR: it has kernels over time, and no channel interlacing."""
    kept = {key: value for key, value in PAPER_DNR.items() if key != "channel_interlacing"}
    return replace(model, method="dnr", method_options=frozen(kept))


def pair(
    key: str,
    host: Model,
    cells: Callable[[Model, Model | None], Mapping[str, Experiment]],
    insert: Callable[[Model], Model] = with_dnr,
) -> list[RowSpec]:
    """Rows of a network and, compared with it, of the same with DNR; `cells` are made of the network and its host."""
    inserted = RowSpec(key=f"{key}_dnr", cells=cells(insert(host), host), baseline=key)
    return [RowSpec(key=key, cells=cells(host, None)), inserted]


def row_cells(
    model: Model,
    host: Model | None,
    *,
    train: Train = DNR_K200,
    test: Views = DNR_K400_TEST,
) -> dict[str, Experiment]:
    """Static counts, time beside the host's (for a row with a method), Kinetics-200."""
    accuracy = Accuracy(dataset="kinetics200", train=train, test=test)
    cells = {
        "static": Experiment(model=model, measure=Static(sizes=(224, 256))),
        "kinetics200": Experiment(model=model, measure=accuracy),
    }
    if host is not None:
        cells["speed"] = Experiment(model=model, measure=Speed(repeats=3, against=host))
    return cells
