"""Printed GFLOPs and parameters against what this suite counted for the same network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from repro.evidence.check_rules import Finding, cell_of, frames_of, half_unit, text_of
from repro.papers.published import PublishedRow, PublishedTable
from repro.records.schema import Record

_CLASSES = {"kinetics400": 400, "kinetics200": 200, "minikinetics": 200, "sthv1": 174, "sthv2": 174, "jester": 27}


@dataclass(frozen=True)
class Count:
    """What a record's static cell says of a network."""

    record: str
    method: str
    params: int
    head: int
    """Parameters of the classifier; 0 where the record does not tell it."""
    classes: int
    frames: int
    gmacs: Mapping[str, float]


#: counts by (published table, row), and of networks without a method by (model, backbone)
Counts = Mapping[tuple[str, str], list[Count]]


def costs(table: PublishedTable, counts: Counts) -> Iterator[Finding]:
    """Printed GFLOPs and parameters against what this suite counted for the same network."""
    for row in table.rows.values():
        own = counts.get((table.stem, row.key), [])
        known = own or counts.get((text_of(row, "model"), text_of(row, "backbone")), [])
        frames = frames_of(row)
        fitting = [one for one in known if frames in (None, one.frames) and one.method == text_of(row, "method")]
        for count in fitting[:1]:
            crops = {size: gmacs for one in (fitting if own else [count]) for size, gmacs in one.gmacs.items()}
            yield from _gmacs(table, row, replace(count, gmacs=crops))
            yield from _params(table, row, count)


def _gmacs(table: PublishedTable, row: PublishedRow, count: Count) -> Iterator[Finding]:
    printed = row.values.get("gflops")
    if printed is None or printed.number is None:
        return
    fits = [
        size
        for size, gmacs in count.gmacs.items()
        if abs(gmacs - printed.number) <= float(half_unit(printed)) + 0.006 * gmacs
    ]
    told = ", ".join(f"{gmacs:.2f} at {size}" for size, gmacs in count.gmacs.items())
    cells = (cell_of(table, row, "gflops"), count.record)
    if not fits:
        yield Finding(
            "cost", "warning", cells, f"printed {printed.text}; counted {told} GMACs", "true at no crop counted"
        )
    elif _views(row) > 1 and "256" in count.gmacs and max(map(int, fits)) < 256:
        yield Finding(
            "crop", "note", cells, f"printed {printed.text}; counted {told} GMACs",
            f"true at {' and '.join(fits)}; tests with several views are on crops of 256",
        )  # fmt: skip


def _params(table: PublishedTable, row: PublishedRow, count: Count) -> Iterator[Finding]:
    printed = row.values.get("params_m")
    if printed is None or printed.number is None:
        return
    dataset = table.dataset(row.key)
    per_class = count.head / count.classes if count.classes else 0
    options = {f"{count.classes} classes": count.params / 1e6}
    if dataset in _CLASSES and per_class:
        other = count.params - (count.classes - _CLASSES[dataset]) * per_class
        options = {f"{_CLASSES[dataset]} classes": other / 1e6} | options
        options["no classifier"] = (count.params - count.head) / 1e6
    fits = [
        name for name, number in options.items() if abs(number - printed.number) <= float(half_unit(printed)) + 1e-9
    ]
    told = ", ".join(f"{number:.3f} with {name}" for name, number in options.items())
    cells = (cell_of(table, row, "params_m"), count.record)
    if not fits:
        yield Finding(
            "parameters", "warning", cells, f"printed {printed.text} M; counted {told}", "no class count fits"
        )
    elif fits[0] != next(iter(options)):
        yield Finding("classes", "note", cells, f"printed {printed.text} M; counted {told}", f"true with {fits[0]}")


def measured_counts(records: Iterable[Record]) -> Counts:
    """Static cells, under the printed row that they stand in and, without a method, under their network."""
    found: dict[tuple[str, str], list[Count]] = {}
    for record in records:
        if record.kind == "static" and record.status == "done" and not record.smoke:
            model, results = record.spec["model"], record.results
            heads = [part.get("params") for part in results.get("modules", []) if part.get("name") == "fc"]
            head = heads[0] if heads and isinstance(heads[0], int) else 0
            sizes = {size: float(count["gmacs"]) for size, count in results["sizes"].items()}
            method = model["method"] or ""
            count = Count(record.name, method, results["params"], head, model["num_classes"], model["frames"], sizes)
            found.setdefault((f"{record.paper}_{record.table}", record.row), []).append(count)
            if not method:
                found.setdefault((model["name"], model["backbone"]), []).append(count)
    return found


def _views(row: PublishedRow) -> float:
    found = row.values.get("views")
    return found.number or 1 if found else 1
