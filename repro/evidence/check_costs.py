"""Printed GFLOPs and parameters against what this suite counted for the same network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from repro.data.known_datasets import KNOWN
from repro.evidence.check_rules import Finding, cell_of, frames_of, half_unit, text_of
from repro.papers.published import PublishedRow, PublishedTable
from repro.records.schema import Record


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
        framed = [one for one in known if frames in (None, one.frames)]
        fitting = [one for one in framed if one.method == text_of(row, "method")]
        for count in fitting[:1]:
            alike = [one for one in fitting if own or abs(one.params - count.params) <= 0.1 * count.params]
            yield from _gmacs(table, row, replace(count, gmacs=_crops(alike)))
            yield from _params(table, row, count)
        if not fitting and (hosts := [one for one in framed if not one.method]):
            yield from _beside_host(table, row, replace(hosts[0], gmacs=_crops(hosts)))


def _crops(counts: Sequence[Count]) -> dict[str, float]:
    """Side of the crop -> GMACs, of several counts of one network."""
    found = {size: gmacs for one in counts[::-1] for size, gmacs in one.gmacs.items()}
    return {size: found[size] for size in sorted(found, key=int)}


def _beside_host(table: PublishedTable, row: PublishedRow, host: Count) -> Iterator[Finding]:
    """A method that this suite does not know, against its host alone at the crop that the row is tested on."""
    printed, crop = row.values.get("gflops"), _test_crop(row)
    if printed is None or printed.number is None or crop not in host.gmacs:
        return
    least = host.gmacs[crop]
    if printed.number >= least - float(half_unit(printed)) - 0.006 * least:
        return
    yield Finding(
        "host", "warning", (cell_of(table, row, "gflops"), host.record),
        f"printed {printed.text}; {text_of(row, 'model')} without {text_of(row, 'method')} has {_told(host)} GMACs",
        f"less than its host at {crop}, the crop of the test: counted at another, or the method saves computation",
    )  # fmt: skip


def _told(count: Count) -> str:
    return ", ".join(f"{gmacs:.2f} at {size}" for size, gmacs in count.gmacs.items())


def _test_crop(row: PublishedRow) -> str:
    """Side of the test's crop: as printed, else 256 for several views and 224 for one."""
    size = row.values.get("input_size")
    if size is not None and size.number:
        return str(int(size.number))
    return "256" if _views(row) > 1 else "224"


def _gmacs(table: PublishedTable, row: PublishedRow, count: Count) -> Iterator[Finding]:
    printed = row.values.get("gflops")
    if printed is None or printed.number is None:
        return
    fits = [
        size
        for size, gmacs in count.gmacs.items()
        if abs(gmacs - printed.number) <= float(half_unit(printed)) + 0.006 * gmacs
    ]
    told = _told(count)
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
    known = KNOWN.get(table.dataset(row.key))
    per_class = count.head / count.classes if count.classes else 0
    options = {f"{count.classes} classes": count.params / 1e6}
    if known and per_class:
        other = count.params - (count.classes - known.classes) * per_class
        options = {f"{known.classes} classes": other / 1e6} | options
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
