"""Tables and the report, from records and printed values alone: nothing here measures, and torch is not imported.

Records come in one `Index`, read once by the verb that shows them.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from repro.core.errors import BadOption

if TYPE_CHECKING:
    from rich.console import Console

    from repro.evidence.differences import Difference
    from repro.papers.table import TableSpec
    from repro.records.index import Index
    from repro.report.table import Table

FORMATS = ("text", "markdown", "latex", "html", "csv")


def chosen(
    table: Table,
    layout: TableSpec,
    *,
    full: bool = False,
    rows: Sequence[str] = (),
    columns: Sequence[str] = (),
    notes: str = "",
) -> Table:
    """What is shown of a table: its short form or, with `full`, all of it; of either the rows and columns asked for."""
    if full:
        from repro.report.selection import selected

        return selected(table, rows, columns, notes or "full")
    from repro.report.short_form import short_form

    return short_form(table, layout, rows=rows, columns=columns, notes=notes or "short")


def render(
    layout: TableSpec,
    form: str,
    index: Index,
    *,
    full: bool = False,
    rows: Sequence[str] = (),
    columns: Sequence[str] = (),
    notes: str = "",
) -> str:
    """The table in one of `FORMATS`: its short form or, with `full`, all of it. CSV has every row and column anyway."""
    if form not in FORMATS:
        raise BadOption(f"unknown format {form!r}", allowed=", ".join(FORMATS))
    made = build(layout, index)
    if form == "csv" and not full:
        from repro.report.csv_table import render_notes, render_numbers
        from repro.report.selection import selected

        table = selected(made, rows, columns, "full")
        return render_numbers(table) + (f"\n{render_notes(table)}" if notes == "full" else "")
    table = chosen(made, layout, full=full, rows=rows, columns=columns, notes=notes)
    if form == "text":
        from repro.report.text import render_text

        return render_text(table)
    if form == "html":
        from repro.report.html import render_html

        return render_html(table)
    if form == "markdown":
        from repro.report.differences import render_differences_markdown
        from repro.report.markdown import render_markdown

        whole = full and notes in ("", "full") and not rows and not columns
        folded = render_differences_markdown(_differences(layout, index)) if whole else ""
        return render_markdown(table) + (f"\n{folded}" if folded else "")
    from repro.report.csv_table import render_csv
    from repro.report.latex import render_latex

    return render_latex(table) if form == "latex" else render_csv(table)


def render_csv_notes(layout: TableSpec, index: Index, rows: Sequence[str] = (), columns: Sequence[str] = ()) -> str:
    """What is said of the numbers of a CSV file: the file beside it."""
    from repro.report.csv_table import render_notes
    from repro.report.selection import selected

    return render_notes(selected(build(layout, index), rows, columns, "full"))


def print_protocols(layout: TableSpec, against: str, index: Index, console: Console) -> None:
    """How the protocols of a table's rows differ from those of one source, on a terminal."""
    from repro.report.differences import print_differences

    print_differences(_differences(layout, index, against), console)


def _differences(layout: TableSpec, index: Index, against: str | None = None) -> list[Difference]:
    from repro.evidence.differences import differences

    return differences(layout, index.of_table(layout.full_name, layout.ids), against)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without Python's search for circles: it would walk over all records again and again, and none is garbage."""
    on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if on:
            gc.enable()


@_uncollected()
def write_report(
    path: Path, layouts: Sequence[TableSpec], index: Index, built: Mapping[str, Table] | None = None
) -> None:
    """One HTML file with these tables, every record behind them, and the stored figures.

    `built`: tables that have been made from this index already, by full name.
    """
    from repro import papers
    from repro.evidence.check import check_all
    from repro.evidence.claims import judge
    from repro.records import figures
    from repro.report.page import Content, write_page

    records = index.records()
    pictures, unusable = figures.load_all()
    judged = judge(papers.claims(), index)
    known = built or {}
    content = Content(
        layouts=layouts,
        tables=[known.get(layout.full_name) or build(layout, index) for layout in layouts],
        records=records,
        problems=[*index.problems(), *unusable],
        judged=judged,
        findings=check_all(records, judged)[0],
        pictures=pictures,
        protocols={layout.full_name: _differences(layout, index) for layout in layouts},
    )
    write_page(path, content)


def write_figures(folder: Path, layouts: Sequence[TableSpec], index: Index) -> list[Path]:
    """The report's figures as SVG and PNG files, and where they are."""
    from repro.report import figure_files
    from repro.report.figures import sources
    from repro.report.networks import networks

    made = sources(layouts, [build(layout, index) for layout in layouts], index.records())
    return figure_files.write_figures(folder, made, networks(made))


def build(layout: TableSpec, index: Index) -> Table:
    """The table as the records make it; only those that can concern it are read."""
    from repro.data.datasets import is_configured
    from repro.evidence.sittings import shared
    from repro.evidence.video_scores import VideoScores
    from repro.papers import elsewhere
    from repro.report.build_table import table_view
    from repro.report.questions import with_answers
    from repro.report.short_form import short_form

    records = index.of_table(layout.full_name, layout.ids)
    made = table_view(
        layout,
        records,
        running=_under_way(layout),
        unconfigured={name for name in layout.datasets if not is_configured(name)},
        shared=shared(layout.experiments, index.of),
        scores=VideoScores(index),
    )
    made = with_answers(made, layout, index) if layout.questions else made
    if any(one.model.name == elsewhere.PAPER for one in layout.experiments):
        from repro.report.rescored import paired_lines

        made = replace(made, paired=paired_lines(layout, index))
    return replace(made, told=tuple(line for line in short_form(made, layout).told if line[0]))


def _under_way(layout: TableSpec) -> set[str]:
    """Experiments with a folder of checkpoints: somebody trains them, or was interrupted."""
    from repro.core import paths

    running = {folder.name.partition("-")[0] for folder in (paths.cache() / "work").glob("*-s*")}
    return {id for id in layout.ids if id[:16] in running} if running else set()
