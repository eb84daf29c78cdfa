"""The same table at toy size: every stage runs end to end on two tiny clips; its records are marked and never shown."""

from __future__ import annotations

from repro.papers.layout import RowSpec, TableSpec
from repro.papers.twins import twin_model
from repro.spec import Accuracy, Experiment, Speed, Static, replace


def smoke_table(table: TableSpec) -> TableSpec:
    """`table` with each experiment shrunk; cells on datasets other than the twins are left out."""
    return replace(table, rows=tuple(_smoke_row(row) for row in table.rows))


def _smoke_row(row: RowSpec) -> RowSpec:
    small = {cell: _shrink(experiment) for cell, experiment in row.cells.items()}
    return replace(row, cells={cell: experiment for cell, experiment in small.items() if experiment is not None})


def _shrink(experiment: Experiment) -> Experiment | None:
    model, measure = experiment.model, experiment.measure
    if isinstance(measure, Static):
        return Experiment(model=twin_model(model), measure=replace(measure, sizes=(32,)))
    if isinstance(measure, Speed):
        against = twin_model(measure.against) if measure.against else None
        return Experiment(model=twin_model(model), measure=replace(measure, size=32, repeats=2, against=against))
    if not isinstance(measure, Accuracy) or not measure.dataset.startswith("twin-"):
        return None
    train = replace(measure.train, epochs=1, batch=2) if measure.train else None
    return Experiment(model=model, measure=replace(measure, dataset=f"{measure.dataset}-smoke", train=train))
