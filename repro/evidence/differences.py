"""Where protocols differ, field by field: the paper, its code, the networks' authors, mmaction2, what is run here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from repro.core.errors import BadOption, UnknownName
from repro.core.spec import Accuracy, Experiment, frozen
from repro.papers.recipes.protocol import FIELDS, NOT_STATED, Protocol, Stated
from repro.papers.recipes.sources import SOURCES, protocols
from repro.papers.table import OWN_DATA, PROBE, RowSpec, TableSpec
from repro.records.index import finishing
from repro.records.schema import Record


@dataclass(frozen=True)
class Value:
    """What one source says of one field."""

    text: str
    differs: bool
    """Whether the reference, or where it is silent the run, says something else."""
    note: int | None = None
    """Position in the notes of the place, where that is not the source's usual one."""


@dataclass(frozen=True)
class Source:
    """One column."""

    name: str
    """As on the command line: paper, mmaction2, ..."""
    title: str
    where: str
    """Where its values stand."""


@dataclass(frozen=True)
class Difference:
    """The protocols of rows that share them."""

    rows: tuple[str, ...]
    network: str
    dataset: str
    sources: tuple[Source, ...]
    """The reference first."""
    lines: tuple[tuple[str, tuple[Value, ...]], ...]
    """Field and what each source says of it; only fields of which two sources say different things."""
    notes: tuple[str, ...]
    silent: tuple[str, ...]
    """Sources that say nothing of this network on this dataset."""
    agreed: int
    """Fields on which all that state them agree."""


def sources_of(table: TableSpec) -> list[str]:
    """The sources that say something of a network of the table, in their order."""
    known = {name for row, experiment in _accuracies(table) for name in _known(table, experiment)}
    return [name for name in SOURCES if name in known]


def differences(table: TableSpec, records: Iterable[Record], against: str | None = None) -> list[Difference]:
    """One comparison for each group of rows with the same protocols; `against` names the reference, else the paper.

    A row belongs to several where it is run on several datasets. Probes are no protocol of others and are left out, and
    so are quoted rows, which the table's paper did not run.
    """
    there = sources_of(table)
    if against is not None and against not in there:
        if not there:
            raise BadOption(f"{table.full_name} has no accuracy that a protocol belongs to", allowed="another table")
        raise UnknownName("protocol", against, there, fix=f"python -m repro show {table.full_name} --diff {there[0]}")
    by_id: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        if not record.smoke:
            by_id[record.id].append(record)
    done = {id: found[0] for id, all_ in by_id.items() if (found := finishing(all_))}
    groups: dict[tuple[str, str, str], tuple[list[str], dict[str, Protocol]]] = {}
    for row, experiment in _accuracies(table):
        said = _known(table, experiment)
        said["run"] = _run(experiment, done.get(experiment.id))
        measure = experiment.measure
        assert isinstance(measure, Accuracy)
        shared = repr({name: protocol.stated() for name, protocol in said.items() if name != "run"})
        values = repr([stated.text for stated in said["run"].stated().values()])
        rows, _ = groups.setdefault((experiment.model.name, measure.dataset, shared + values), ([], said))
        rows.append(row.label)
    return [_compared(tuple(rows), key[0], key[1], said, against) for key, (rows, said) in groups.items()]


def off_paper(table: TableSpec, experiment: Experiment) -> list[str]:
    """Fields of which the table's paper says something else than what is run; empty where it says nothing."""
    said = _known(table, experiment)
    if "paper" not in said:
        return []
    paper, run = said["paper"].stated(), said["run"].stated()
    return [
        f"{name} {paper[name].text} in the paper, {run[name].text} here"
        for name in FIELDS
        if NOT_STATED not in (paper[name].text, run[name].text) and paper[name].text != run[name].text
    ]


def _accuracies(table: TableSpec) -> list[tuple[RowSpec, Experiment]]:
    return [
        (row, experiment)
        for row in table.rows
        if not row.quoted_network
        for cell, experiment in row.cells.items()
        if isinstance(experiment.measure, Accuracy)
        and not experiment.measure.dataset.startswith(PROBE)
        and not cell.startswith(OWN_DATA)
    ]


def _known(table: TableSpec, experiment: Experiment) -> dict[str, Protocol]:
    measure = experiment.measure
    assert isinstance(measure, Accuracy)
    return {**protocols(table.paper, experiment.model.name, measure.dataset), "run": _run(experiment, None)}


def _run(experiment: Experiment, record: Record | None) -> Protocol:
    """What is run, or was: with a record the rate and the division of the batch that were used."""
    measure, model = experiment.measure, experiment.model
    assert isinstance(measure, Accuracy)
    said = {}
    used: Mapping[str, object] = record.effective if record else {}
    if {"batch", "micro_batch", "accumulation", "world_size"} <= set(used):
        parts = f"{used['world_size']} devices x {used['accumulation']} x {used['micro_batch']}"
        said["train.batch"] = f"{used['batch']} ({parts})"
    before = measure.initial.measure if measure.initial else None
    return Protocol(
        where=f"record {record.name}" if record else f"spec {experiment.id[:12]}; not run",
        train=measure.train,
        test=measure.test,
        dropout=model.dropout,
        pretrained=before.dataset if isinstance(before, Accuracy) else model.pretrained,
        said=frozen(said),
    )


def _compared(
    rows: tuple[str, ...], network: str, dataset: str, said: Mapping[str, Protocol], against: str | None
) -> Difference:
    names = [name for name in SOURCES if name in said]
    reference = against if against in names else names[0]
    names = [reference, *(name for name in names if name != reference)]
    stated = {name: said[name].stated() for name in names}
    lines, notes, agreed = [], list[str](), 0
    for field in FIELDS:
        values = [stated[name][field] for name in names]
        texts = {value.text for value in values} - {NOT_STATED}
        if len(texts) < 2:
            agreed += len(texts)
            continue
        places = [said[name].where for name in names]
        base = values[0] if values[0].text != NOT_STATED else stated["run"][field]
        told = [_value(one, place, base, notes) for one, place in zip(values, places, strict=True)]
        lines.append((field, tuple(told)))
    return Difference(
        rows=rows,
        network=network,
        dataset=dataset,
        sources=tuple(Source(name, SOURCES[name], said[name].where) for name in names),
        lines=tuple(lines),
        notes=tuple(notes),
        silent=tuple(name for name in SOURCES if name not in names),
        agreed=agreed,
    )


def _value(value: Stated, usual: str, reference: Stated, notes: list[str]) -> Value:
    differs = value.text != reference.text and NOT_STATED not in (value.text, reference.text)
    if value.where in ("", usual):
        return Value(value.text, differs)
    if value.where not in notes:
        notes.append(value.where)
    return Value(value.text, differs, notes.index(value.where))
