"""Tables and the report, from records and printed values alone: nothing here measures, and torch is not imported."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from repro.core.errors import BadOption

if TYPE_CHECKING:
    from rich.console import Console

    from repro.papers.table import TableSpec
    from repro.records.schema import Record
    from repro.report.table import Table

FORMATS = ("text", "markdown", "latex", "html", "csv")


def render(layout: TableSpec, form: str) -> str:
    """The table in one of `FORMATS`."""
    if form not in FORMATS:
        raise BadOption(f"unknown format {form!r}", allowed=", ".join(FORMATS))
    table = current(layout)
    if form == "text":
        from repro.report.text import render_text

        return render_text(table)
    if form == "markdown":
        from repro.report.markdown import render_markdown

        return render_markdown(table) + _folded_differences(layout)
    if form == "latex":
        from repro.report.latex import render_latex

        return render_latex(table)
    if form == "html":
        from repro.report.html import render_html

        return render_html(table)
    from repro.report.csv_table import render_csv

    return render_csv(table)


def print_text(layout: TableSpec, console: Console) -> None:
    """The table on a terminal."""
    from repro.report.text import print_text as show

    show(current(layout), console)


def print_protocols(layout: TableSpec, against: str, console: Console) -> None:
    """How the protocols of a table's rows differ from those of one source, on a terminal."""
    from repro.evidence.differences import differences
    from repro.records import store
    from repro.report.differences import print_differences

    print_differences(differences(layout, store.load_all().records, against), console)


def _folded_differences(layout: TableSpec) -> str:
    from repro.evidence.differences import differences
    from repro.records import store
    from repro.report.differences import render_differences_markdown

    folded = render_differences_markdown(differences(layout, store.load_all().records))
    return f"\n{folded}" if folded else ""


def write_report(path: Path, layouts: Sequence[TableSpec]) -> None:
    """One HTML file with these tables, every record behind them, and the stored figures."""
    from repro import papers
    from repro.evidence.check import check_all
    from repro.evidence.claims import judge
    from repro.evidence.differences import differences
    from repro.records import figures, store
    from repro.report.page import Content, write_page

    records, problems = store.load_all()
    pictures, unusable = figures.load_all()
    judged = judge(papers.claims(), records)
    content = Content(
        layouts=layouts,
        tables=tables(layouts, records),
        records=records,
        problems=[*problems, *unusable],
        judged=judged,
        findings=check_all(records, judged)[0],
        pictures=pictures,
        protocols={layout.full_name: differences(layout, records) for layout in layouts},
    )
    write_page(path, content)


def current(layout: TableSpec) -> Table:
    """The table as the records of this checkout make it."""
    from repro.records import store

    return _table(layout, store.load_all().records)


def tables(layouts: Sequence[TableSpec], records: Iterable[Record]) -> list[Table]:
    """These tables as the records make them; each is given only the records that can concern it."""
    by_id: dict[str, list[Record]] = defaultdict(list)
    by_table: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        by_id[record.id].append(record)
        by_table[f"{record.paper}/{record.table}"].append(record)
    made = []
    for layout in layouts:
        ids = {experiment.id for row in layout.rows for experiment in row.cells.values()}
        own = [record for record in by_table[layout.full_name] if record.id not in ids]
        made.append(_table(layout, [*(record for id in ids for record in by_id[id]), *own]))
    return made


def _table(layout: TableSpec, records: Iterable[Record]) -> Table:
    from repro.report.build_table import table_view

    ordered = sorted(records, key=lambda one: (one.paper, one.table, one.row, one.name))
    return table_view(layout, ordered, running=_under_way(layout), unconfigured=_unconfigured(layout))


def _under_way(layout: TableSpec) -> set[str]:
    """Experiments with a folder of checkpoints: somebody trains them, or was interrupted."""
    from repro.core import paths

    running = {folder.name.partition("-")[0] for folder in (paths.cache() / "work").glob("*-s*")}
    experiments = (experiment for row in layout.rows for experiment in row.cells.values())
    return {experiment.id for experiment in experiments if experiment.id[:16] in running} if running else set()


def _unconfigured(layout: TableSpec) -> set[str]:
    from repro.core.spec import Accuracy
    from repro.data.datasets import is_configured

    measures = [experiment.measure for row in layout.rows for experiment in row.cells.values()]
    names = {name for measure in measures if isinstance(measure, Accuracy) for name in measure.datasets}
    return {name for name in names if not is_configured(name)}
