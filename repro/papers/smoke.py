"""The same table at toy size: every stage runs end to end on two tiny clips; its records are marked and never shown."""

from __future__ import annotations

from repro.core.spec import Accuracy, Experiment, Model, Speed, Static, frozen, replace
from repro.papers.probes import small_form
from repro.papers.table import PROBE, RowSpec, TableSpec


def smoke_table(table: TableSpec) -> TableSpec:
    """`table` with each experiment shrunk; cells on datasets that are not embedded, and quoted rows, are left out."""
    return replace(table, rows=tuple(_smoke_row(row) for row in table.rows))


def _smoke_row(row: RowSpec) -> RowSpec:
    if row.quoted_network:  # some of their networks have no small form
        return replace(row, cells={})
    small = {cell: _shrink(experiment) for cell, experiment in row.cells.items()}
    return replace(row, cells={cell: experiment for cell, experiment in small.items() if experiment is not None})


def _shrink(experiment: Experiment) -> Experiment | None:
    model, measure = experiment.model, experiment.measure
    if isinstance(measure, Static):
        return Experiment(model=_small(model), measure=replace(measure, sizes=(32,)))
    if isinstance(measure, Speed):
        against = _small(measure.against) if measure.against else None
        return Experiment(model=_small(model), measure=replace(measure, size=32, repeats=2, against=against))
    if not isinstance(measure, Accuracy) or not measure.dataset.startswith(PROBE):
        return None
    train = replace(measure.train, epochs=1, batch=2, videos=0, clips_per_device=0) if measure.train else None
    before = _shrink(measure.initial) if measure.initial else None
    small = replace(measure, dataset=f"{measure.dataset}-smoke", train=train, initial=before)
    return Experiment(model=model, measure=small)


def _small(model: Model) -> Model:
    """The form of the probes, with as many blocks a stage as a relay over several blocks needs."""
    small, distance = small_form(model), model.method_options.get("cl_distance", 1)
    return replace(small, options=frozen(small.options, blocks=1 + distance)) if distance > 1 else small
