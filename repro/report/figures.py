"""Figures under a table, made of its rendered cells and its records. `MAKERS` lists all of them.

A further figure is one more function there: from a `Source` it yields `Drawing`s, or nothing where the table has no
such records. Its SVG has a title and a description; its colours are those of the classes in the page's style sheet.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from markupsafe import Markup

from repro.evidence.aggregate import of_now
from repro.papers.table import FigureSpec, TableSpec
from repro.records.index import finishing
from repro.records.schema import Record
from repro.report import adaptive_figures
from repro.report.drawing import Drawing, Maker, Source, style
from repro.report.plots import Dot, Strip, Track, is_number, panels, scatter, strips
from repro.report.table import Table

#: what a training curve is drawn of, the first that the records have: share of right clips, or the loss
_FOLLOWED = (("top1", "top-1 on training clips, %"), ("loss", "training loss"))


def sources(layouts: Sequence[TableSpec], tables: Sequence[Table], records: Iterable[Record]) -> list[Source]:
    """One for each table; smoke records are no results."""
    by_id: dict[str, list[Record]] = defaultdict(list)
    for record in of_now(records):
        if not record.smoke:
            by_id[record.id].append(record)
    found = {id: finishing(all_) for id, all_ in by_id.items()}
    return [Source(layout, table, found) for layout, table in zip(layouts, tables, strict=True)]


def drawings(source: Source) -> list[Drawing]:
    """All figures of a table."""
    return [drawing for maker in (*MAKERS, *adaptive_figures.MAKERS) for drawing in maker(source)]


def scatters(source: Source) -> Iterator[Drawing]:
    """The scatter plots that the table's layout names, with Pareto front and a line from each host to its method."""
    for number, figure in enumerate(source.layout.figures):
        drawn = _scatter(source.table, figure, f"{source.anchor}-{number}")
        if drawn is not None:
            yield Drawing(figure.title, figure.note, drawn)


def _scatter(table: Table, figure: FigureSpec, prefix: str) -> Markup | None:
    keys = [column.key for column in table.columns]
    places = keys.index(figure.x), keys.index(figure.y)
    dots = []
    for row in table.rows:
        x, y = (row.cells[place] for place in places)
        if x.value is not None and y.value is not None:
            told = f"{row.label}: {x.text}, {y.text}"
            dots.append(Dot(row.key, row.label, x.value, y.value, told, style(row)))
    pairs = [(row.baseline, row.key) for row in table.rows if row.baseline]
    names = (_axis_title(table, places[0]), _axis_title(table, places[1]))
    return scatter(dots, figure.title, names, prefix, pairs=pairs, cheap=figure.cheap)


def seeds(source: Source) -> Iterator[Drawing]:
    """Top-1 of every seed, for each accuracy of which some row has two."""
    for number, cell in enumerate(source.cells("accuracy")):
        lines = [
            Strip(row.label, tuple(float(record.results["top1"]) for record in source.done(row.key, cell)), style(row))
            for row in source.table.rows
        ]
        if all(len(line.values) < 2 for line in lines):
            continue
        title = f"Every seed, {cell}"
        drawn = strips(lines, title, "top-1, %", f"{source.anchor}-seeds{number}")
        if drawn is not None:
            yield Drawing(title, "A dot is one training; the stroke is the mean.", drawn, folded=True)


def training(source: Source) -> Iterator[Drawing]:
    """Training curves, a small plot for each row and a line for each seed."""
    for number, cell in enumerate(source.cells("accuracy")):
        for key, name in _FOLLOWED:
            tracks = [
                Track(row.label, tuple(_line(record, key) for record in source.done(row.key, cell)), style(row))
                for row in source.table.rows
            ]
            title = f"Training, {cell}"
            drawn = panels(tracks, title, ("epoch", name), f"{source.anchor}-train{number}")
            if drawn is not None:
                yield Drawing(title, f"{name} by epoch; a line is one training.", drawn, folded=True)
                break


def _line(record: Record, key: str) -> tuple[tuple[float, float], ...]:
    points = [(point.get("epoch", number), point.get(key)) for number, point in enumerate(record.curve, start=1)]
    return tuple((float(x), float(y)) for x, y in points if is_number(x) and is_number(y))  # type: ignore[arg-type]


def _axis_title(table: Table, index: int) -> str:
    column = table.columns[index]
    return f"{column.heading}, {column.group}" if column.group else column.heading


#: in the order in which they stand under a table; those of `repro.report.adaptive_figures` follow
MAKERS: tuple[Maker, ...] = (scatters, seeds, training)
