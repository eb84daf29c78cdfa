"""Rows of networks that a table quotes: what of them is measured here.

A quoted network is counted at the input of its printed cost and at the table's own crops, timed in turn with TSN on
ResNet-50 (8 frames at the same crop). On the table's dataset it is trained by the protocol of its authors' code, where
that is public.
"""

from __future__ import annotations

from repro.core.errors import RecordError
from repro.core.spec import Accuracy, Experiment, Model, Speed, Static, replace
from repro.papers import published
from repro.papers.default_views import rule_for
from repro.papers.quoted_networks import Network, find
from repro.papers.recipes import authors, literature
from repro.papers.table import RowSpec
from repro.papers.text import csv_of, of_table
from repro.registry import datasets, models

#: what every quoted network is timed in turn with
TSN = Model(name="tsn", backbone="resnet50")
_NO_RECIPE = (
    "not run: no complete recipe of this network is public; weights can be tested "
    "(python -m repro test MODEL --weights FILE --dataset {})"
)
_PROTOCOLS = {**authors.PROTOCOLS, **literature.PROTOCOLS}
_OTHER_DATASET = "not applicable: a row of another dataset"


def quoted(
    table: str,
    *,
    sizes: tuple[int, ...] = (),
    timed: str = "speed",
    counted: str = "input",
    dataset: str = "",
) -> list[RowSpec]:
    """Rows of the networks that a table's CSV names in its column `network`; with a `dataset`, those of it alone.

    `sizes` are crops that the table counts at beside each network's own; `timed` names the cell that holds the time
    beside TSN's, `counted` the one with the cost at the printed input.
    """
    printed = published.load(csv_of(of_table(table)))
    others = {printed.dataset(key) for key in printed.rows}
    found = []
    for key, line in printed.rows.items():
        of = printed.dataset(key)
        if not line.network or dataset not in ("", of):
            continue
        if not of:
            raise RecordError(
                f"{printed.stem}.csv, row {key}: a quoted network needs a dataset", allowed="a name there"
            )
        network = find(line.network)
        if network.not_run:
            found.append(RowSpec(key=key, section="quoted", quoted_reason=network.not_run))
            continue
        cells, reasons = _cells(network, of, sizes, timed, counted)
        reasons.update({other: _OTHER_DATASET for other in others - {of}})
        nothing = "not applicable: not for a quoted network"
        row = RowSpec(key=key, section="quoted", cells=cells, reasons=reasons, quoted_reason=nothing, note=network.note)
        found.append(row)
    return found


def _cells(
    network: Network, dataset: str, sizes: tuple[int, ...], timed: str, counted: str
) -> tuple[dict[str, Experiment], dict[str, str]]:
    """What is run of the network, and why the rest is not."""
    own, model = network.model, replace(network.model, num_classes=datasets[dataset].fact("num_classes"))
    at = tuple(size for size in sizes if size in (*network.sizes, network.size)) or (network.size,)
    speed = Speed(size=network.size, repeats=2 if network.heavy else 3, against=TSN)
    time = Experiment(model=own, measure=speed)
    cells = {
        "static": Experiment(model=model, measure=Static(sizes=at)),
        counted: Experiment(model=model, measure=Static(sizes=(network.size,))),
        "speed": time,
        timed: time,
    }
    reasons = {}
    trained = replace(model, pretrained="imagenet", frames=network.trained_frames or model.frames)
    measure = _accuracy(trained, dataset)
    if measure is None:
        reasons[dataset] = _NO_RECIPE.format(dataset)
    else:
        cells[dataset] = Experiment(model=trained, measure=measure)
    return cells, reasons


def _accuracy(model: Model, dataset: str) -> Accuracy | None:
    """Training and test by the protocol of the network's authors, for as many frames as the row has."""
    protocol = _PROTOCOLS.get((model.name, dataset))
    known = model.backbone in models[model.name].fact("published")  # the protocol is of no other backbone
    if not known or protocol is None or protocol.train is None or protocol.test is None:
        return None
    train = replace(protocol.train, sampling=rule_for(protocol.train.sampling, model.frames))
    test = replace(protocol.test, sampling=rule_for(protocol.test.sampling, model.frames))
    return Accuracy(dataset=dataset, train=train, test=test)
