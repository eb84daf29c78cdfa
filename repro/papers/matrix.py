"""The table that no paper has: every method on every host, by one protocol.

Costs, memory and times are of ResNet-50 at full size, one view of 8x224x224, 400 classes; accuracies are of the small
forms on probe-order. Where a row of another table is the same experiment it is measured once: plain networks and DNR in
dnr/table6.

Expected on one quiet core: static cells 3 seconds each, times 15 to 30, a probe 2 to 5 minutes.
"""

from __future__ import annotations

from repro.core.spec import Experiment, Model, Speed, Static, frozen, replace
from repro.papers.adafuse.networks import with_adafuse
from repro.papers.dnr.networks import with_dnr
from repro.papers.dnr.table6 import HOSTS
from repro.papers.layout import table
from repro.papers.probe_cells import on_probe
from repro.papers.probes import ORDER
from repro.papers.table import RowSpec, TableSpec

#: PSN on TDN: its stem holds differences of five frames, and no stage conv1 behind which a synthesizer can stand
_PSN_ON_TDN = ("conv2", "conv3", "conv4")


def _with_psn(model: Model) -> Model:
    options = frozen(insert_after=_PSN_ON_TDN) if model.name == "tdn" else frozen()
    return replace(model, method="psn", method_options=options)


#: hosts on which AdaFuse cannot be defined, and says so: it decides on channels between a block's first and second
#: convolution, frame by frame; TANet's blocks mix frames there, TDN's around the block
_WITHOUT_ADAFUSE = ("tanet", "tdn")


def _row(key: str, model: Model, host: Model | None) -> RowSpec:
    cells = {
        "static": Experiment(model=model, measure=Static()),
        "memory": Experiment(model=model, measure=Static(sizes=(224,), memory=True)),
        "speed": Experiment(model=model, measure=Speed(against=host)),
        ORDER: on_probe(model, ORDER),
    }
    return RowSpec(key=key, cells=cells, baseline=model.name if host else None)


def matrix() -> TableSpec:
    """Four hosts, each alone and with each method; a method that a host refuses has a row without cells."""
    rows = []
    for name, paper_model in HOSTS.items():
        host = replace(paper_model, pretrained="none")
        rows += [_row(name, host, None), _row(f"{name}_dnr", with_dnr(host), host)]
        if name in _WITHOUT_ADAFUSE:
            rows.append(RowSpec(key=f"{name}_adafuse", baseline=name))
        else:
            rows.append(_row(f"{name}_adafuse", with_adafuse(host, "minikinetics"), host))
        rows.append(_row(f"{name}_psn", _with_psn(host), host))
    return table("suite/matrix", rows)
