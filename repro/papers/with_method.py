"""A table with one more method: a row on every network that it runs plainly, under that network's own protocol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from repro.core.errors import BadOption
from repro.core.names import name_like
from repro.core.options import name_and_options
from repro.core.spec import Accuracy, Experiment, Options, Speed, replace
from repro.papers.table import ColumnSpec, RowSpec, TableSpec
from repro.registry import code_of, methods


@dataclass(frozen=True)
class Asked:
    """A method as it is asked for, `dnr` or `dnr:reduction=8`, with what a spec holds of its options."""

    name: str
    options: Options
    suffix: str
    """Of row keys."""
    label: str


def asked(text: str) -> Asked:
    """The method and the options that a text names; `UnknownName` or `BadOption` where there are no such."""
    name, given = name_and_options(text)
    entry = methods[name]
    options = entry.resolved(given)
    told = [f"{key}={shown(value)}" for key, value in given.items()]
    suffix = name_like("-".join([entry.name, *told]))
    label = f"{entry.name} ({', '.join(told)})" if told else entry.name
    return Asked(entry.name, options, suffix, label)


def shown(value: object) -> str:
    """An option's value in few signs."""
    return "+".join(map(shown, value)) if isinstance(value, tuple) else str(value)


def with_method(table: TableSpec, method: str) -> TableSpec:
    """The table with rows `<row>_<method>` behind each plain row's own. They differ from it in the method alone.

    Gains over the plain network stand beside accuracies, of the table's own methods too.
    """
    wanted = asked(method)
    ours = [row for row in table.rows if row.cells and not row.quoted_network and not row.imported]
    plain = [row for row in ours if next(iter(row.cells.values())).model.method is None]
    if not plain:
        raise BadOption(f"table {table.full_name} has no plain network to put {method!r} on", allowed="e.g. table6")
    taken = {row.key for row in table.rows}
    rows: list[RowSpec] = list(table.rows)
    for row in plain:
        key = f"{row.key}_{wanted.suffix}"
        if key in taken:
            raise BadOption(f"table {table.full_name} has {method!r} already, as row {key!r}", allowed="another method")
        cells = {name: _put(experiment, wanted) for name, experiment in row.cells.items()}
        new = RowSpec(
            key=key,
            label=f"{row.label}+{wanted.label}",
            section="added" if row.host else row.section,
            cells=cells,
            reasons=row.reasons,
            baseline=row.key,
            note="Not of the paper: added by --with.",
        )
        rows.insert(_end_of_group(rows, row.key), new)
    return replace(table, rows=tuple(rows), columns=_with_gains(table))


def _with_gains(table: TableSpec) -> tuple[ColumnSpec, ...]:
    """The columns, and behind each top-1 that is measured here the gain over the plain network, if it is not there."""
    there = {column.source for column in table.columns}
    accuracies = {name for row in table.rows for name, e in row.cells.items() if isinstance(e.measure, Accuracy)}
    columns = []
    for column in table.columns:
        columns.append(column)
        source = column.source.replace("record:", "gain:", 1)
        if column.cell in accuracies and column.source == f"record:{column.cell}:top1" and source not in there:
            gain = ColumnSpec(
                key=f"{column.key}_gain",
                title=f"gain, {column.title}",
                source=source,
                group=column.group,
                unit="points",
                digits=column.digits,
                absent="not applicable: the plain network",
            )
            columns.append(gain)
    return tuple(columns)


def _end_of_group(rows: Sequence[RowSpec], key: str) -> int:
    """The place behind the row and the rows that are compared with it."""
    return 1 + max(index for index, row in enumerate(rows) if key in (row.key, row.baseline))


def _put(experiment: Experiment, method: Asked) -> Experiment:
    """The same measurement of the same network with the method; speeds are paired with the network without it."""
    model, measure = experiment.model, experiment.measure
    if isinstance(measure, Speed):
        measure = replace(measure, against=model)
    code = code_of(model.name, model.backbone, method.name)
    changed = replace(model, method=method.name, method_options=method.options, code=code)
    return Experiment(model=changed, measure=measure)
