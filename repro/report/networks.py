"""Every network of every table on equal terms: accuracy as printed, cost and speed as measured here.

A line is one printed top-1 of a network that has a static record. Its GMACs, by one counter, and its speed, on one
machine under one set of conditions, are of the same view, that of its own test, times the views of that test. A time
at another crop is none. No paper has all three of all networks. Where two tables print the same accuracy of the same
network, it stands once.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

from repro.core.spec import Accuracy, Views, canonical_json
from repro.core.words import many
from repro.papers import published
from repro.papers.table import RowSpec
from repro.records.schema import Record
from repro.report.drawing import Drawing, style
from repro.report.figures import Source
from repro.report.plots import Cheap, Dot, front, scatter
from repro.report.short_form import DATASETS

#: networks that the first page names of a dataset
_PICKS = 4


@dataclass(frozen=True)
class Network:
    """One printed accuracy, and what was measured of the network behind it."""

    key: str
    """paper/table/row: the address of its row in the report."""
    label: str
    dataset: str
    top1: float
    printed: str
    """Top-1 as printed."""
    style: str
    network: str
    """The same for the same network, whatever it classifies."""
    baseline: str | None
    tables: tuple[str, ...]
    size: str
    gmacs: float
    """Of one view at `size`, measured."""
    tested: bool
    """Whether `size` is the crop of a test that is known here; else of the printed cost."""
    views: int
    views_from: str
    """printed, or that of the protocol here, or none stated."""
    params: float
    """In millions, measured."""
    speed: float | None = None
    """Views a second at `size` on the machine that is compared, the median of all sittings there."""
    on_front: tuple[str, ...] = ()
    """Of which figures it is on the Pareto front."""

    @property
    def video_gmacs(self) -> float:
        """GMACs of a whole video: all its views."""
        return self.gmacs * self.views

    @property
    def video_speed(self) -> float | None:
        """Videos a second: all views of each."""
        return self.speed / self.views if self.speed is not None else None


@dataclass(frozen=True)
class Networks:
    """All of them, the conditions under which their speeds are compared, and the figures by dataset."""

    lines: list[Network]
    conditions: str
    elsewhere: int
    """Networks that have a speed under other conditions only."""
    figures: list[tuple[str, list[Drawing]]]

    @property
    def fronts(self) -> list[tuple[str, list[Network]]]:
        """Of each dataset, most times first, the cheapest networks for their accuracy, at most four, the best first."""
        found = []
        timed = Counter(line.dataset for line in self.lines if line.speed is not None)
        for dataset, _ in timed.most_common():
            best = [line for line in self.lines if line.dataset == dataset and "GMACs" in line.on_front]
            if len(best) > 2:
                places = sorted({round(n * (len(best) - 1) / (_PICKS - 1)) for n in range(_PICKS)})
                found.append((DATASETS.get(dataset, dataset), [best[n] for n in places]))
        return found


Conditions = tuple[str, str, int, str, str, int]


def networks(sources: Sequence[Source]) -> Networks:
    """From published values and records alone."""
    speeds = {id(one): one for source in sources for one in _speeds(source)}
    ranked = Counter(_conditions(one) for one in speeds.values()).most_common()
    chosen = min((key for key, count in ranked if count == ranked[0][1]), default=None)
    timed, lines, elsewhere = _timed(speeds.values()), [], 0
    for source in sources:
        for row in source.layout.rows:
            found = _network(source, row)
            if found is None:
                continue
            there = timed.get((found.network, found.size), ())
            same = [speed for conditions, speed in there if conditions == chosen]
            elsewhere += bool(there) and not same
            lines.append(replace(found, speed=median(same)) if same else found)
    merged = _marked(_merged(lines))
    return Networks(merged, _told(chosen), elsewhere, _figures(merged))


def _speeds(source: Source) -> Iterator[Record]:
    for row in source.layout.rows:
        for cell in row.cells:
            yield from (one for one in source.done(row.key, cell) if one.kind == "speed")


def _timed(speeds: Iterable[Record]) -> Mapping[tuple[str, str], Sequence[tuple[Conditions, float]]]:
    """(network, crop) -> conditions and views a second; a record times a network and what it is compared with."""
    found: dict[tuple[str, str], list[tuple[Conditions, float]]] = defaultdict(list)
    for record in speeds:
        measure, results, size = record.spec["measure"], record.results, str(record.spec["measure"]["size"])
        of = _conditions(record)
        found[_same(record.spec["model"]), size].append((of, results["views_per_s"]))
        if measure.get("against") and results.get("against"):
            found[_same(measure["against"]), size].append((of, results["against"]["views_per_s"]))
    return found


def _same(model: Mapping[str, Any]) -> str:
    """The network without what its training and its classes alone differ in."""
    return canonical_json({key: of for key, of in model.items() if key not in ("num_classes", "dropout", "pretrained")})


def _conditions(record: Record) -> Conditions:
    found = record.results
    return (
        record.processor, found["device"], found["threads"], found["precision"], found["form"], found["batch"],
    )  # fmt: skip


def _told(chosen: Conditions | None) -> str:
    if chosen is None:
        return "no speed is measured yet"
    name, device, threads, precision, form, batch = chosen
    return f"{name} ({device}), {many(threads, 'thread')}, {precision}, {form} form, batch {batch}"


def _counts(source: Source, row: RowSpec) -> dict[str, float]:
    """Crop -> GMACs of one view of the row's network, in all its cells that count; that of the printed cost last."""
    found: dict[str, float] = {}
    for cell in sorted(row.cells, key=lambda name: name == "input"):
        for record in source.done(row.key, cell):
            if record.kind == "static" and not cell.startswith("static-"):
                for size, count in record.results["sizes"].items():
                    found.pop(size, None)
                    found[size] = count["gmacs"]
    return found


def _crop(row: RowSpec, counted: Mapping[str, float], test: Views | None) -> str:
    """Of the test; where no protocol tells it, of the printed cost; where there is none, the smallest."""
    if test is not None and str(test.crop) in counted:
        return str(test.crop)
    return list(counted)[-1] if "input" in row.cells else min(counted, key=int)


def _network(source: Source, row: RowSpec) -> Network | None:
    """The row's line; None where no top-1 is printed, the dataset is not told, or nothing is counted yet."""
    static, counted = source.done(row.key, "static"), _counts(source, row)
    if not static:
        return None
    table = published.load(source.layout.published_csv)
    value, dataset = table.number(row.published_row, "top1"), table.dataset(row.published_row)
    if value is None or value.number is None or not dataset:
        return None
    shown = next(one for one in source.table.rows if one.key == row.key)
    printed = table.number(row.published_row, "views")
    accuracies = [one.measure for one in row.cells.values() if isinstance(one.measure, Accuracy)]
    test = next((one.test for one in accuracies if one.dataset == dataset), None)
    size = _crop(row, counted, test)
    views, views_from = 1, "none stated"
    if test:
        views, views_from = test.clips * test.crops, "protocol"
    if printed and printed.number:
        views, views_from = int(printed.number), "printed"
    name = source.table.full_name
    return Network(
        key=f"{name}/{row.key}", label=shown.label, dataset=dataset, top1=value.number, printed=value.text,
        style=style(shown), network=_same(static[-1].spec["model"]),
        baseline=f"{name}/{row.baseline}" if row.baseline else None,
        tables=(name,), size=size, gmacs=counted[size], tested=test is not None and size == str(test.crop),
        views=views, views_from=views_from, params=static[-1].results["params"] / 1e6,
    )  # fmt: skip


def _merged(lines: Iterable[Network]) -> list[Network]:
    """The same network with the same printed accuracy stands once, under all its tables, at the crop of its test."""
    found: dict[tuple[object, ...], Network] = {}
    for line in lines:
        same = (line.network, line.dataset, line.top1, line.views)
        known = found.get(same, line)
        kept = line if line.tested and not known.tested else known
        found[same] = replace(kept, tables=tuple(dict.fromkeys((*known.tables, *line.tables))))
    order = list(DATASETS)
    return sorted(
        found.values(),
        key=lambda one: (order.index(one.dataset) if one.dataset in order else len(order), -one.top1, one.key),
    )


def _marked(lines: Sequence[Network]) -> list[Network]:
    """Each with the fronts that it is on."""
    marked: dict[str, list[str]] = {}
    for dataset in dict.fromkeys(line.dataset for line in lines):
        own = [line for line in lines if line.dataset == dataset]
        for name, dots, cheap in _axes(own):
            for dot in front(dots, cheap):
                marked.setdefault(dot.key, []).append(name)
    return [replace(line, on_front=tuple(marked.get(_id(line), ()))) for line in lines]


def _id(line: Network) -> str:
    return f"{line.key}@{line.dataset}"


def _axes(lines: Sequence[Network]) -> list[tuple[str, list[Dot], Cheap]]:
    """What accuracy is held against."""

    def dot(line: Network, x: float, unit: str) -> Dot:
        told = f"{line.label}, {line.tables[0]}: {line.printed} % printed, {x:.4g} {unit} of {many(line.views, 'view')}"
        return Dot(_id(line), line.label, x, line.top1, told, line.style)

    timed = [(line, line.video_speed) for line in lines if line.video_speed is not None]
    return [
        ("GMACs", [dot(line, line.video_gmacs, "GMACs") for line in lines], "lower"),
        ("speed", [dot(line, speed, "videos/s") for line, speed in timed if speed], "higher"),
    ]


def _figures(lines: Sequence[Network]) -> list[tuple[str, list[Drawing]]]:
    """A pair for each dataset of which there are three networks."""
    figures = []
    for dataset in dict.fromkeys(line.dataset for line in lines):
        own = [line for line in lines if line.dataset == dataset]
        title, known = DATASETS.get(dataset, dataset), {line.key: _id(line) for line in own}
        pairs = [(known[line.baseline], _id(line)) for line in own if line.baseline in known and line.baseline]
        drawn = []
        for name, dots, cheap in _axes(own):
            across = f"{'GMACs' if name == 'GMACs' else 'videos/s'} of a whole video, measured"
            caption = f"{title}: accuracy against {name}."
            names = (across, "top-1 %, as printed")
            svg = scatter(dots, caption, names, f"networks-{dataset}-{name}", pairs=pairs, cheap=cheap)
            if svg is not None and len(dots) > 2:
                drawn.append(Drawing(caption, f"{len(dots)} printed accuracies.", svg))
        figures += [(title, drawn)] if drawn else []
    return figures
