"""Verbs on tables: list, show, table, report."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from repro import papers, registry
from repro.cli.arguments import add_module, output
from repro.cli.common import (
    Commands,
    add_data,
    add_form,
    add_reference,
    add_table,
    add_with,
    asked_table,
    prepare,
    print_named,
    table_of,
    verb,
)
from repro.core import paths
from repro.core.errors import BadOption
from repro.core.files import write_atomic
from repro.core.options import declared
from repro.core.plain_text import one_line
from repro.core.process import without_collector
from repro.papers.table import TableSpec
from repro.papers.with_method import asked
from repro.registry import Registry

if TYPE_CHECKING:
    from repro.records.index import Index


def add(commands: Commands) -> None:
    """Declare them."""
    for declare in (_add_listing, _add_show, _add_table, _add_report):
        declare(commands)


def _add_listing(commands: Commands) -> None:
    summary = "tables, models, backbones, methods, datasets; of one method its options"
    parser = verb(commands, "list", list_names, summary, "list tables")
    parser.add_argument("name", nargs="?", metavar="KIND|METHOD", help="one of these, or the options of a method")
    add_module(parser)


def _add_show(commands: Commands) -> None:
    parser = verb(
        commands, "show", show, "what a table holds, what is measured, what is missing and why", "show table6"
    )
    add_table(parser)
    parser.add_argument(
        "--diff", metavar="SOURCE", help="protocol differences, against paper, code, authors, mmaction2, ... or run"
    )


def _add_table(commands: Commands) -> None:
    parser = verb(commands, "table", table, "print a table from records; never computes", "table table6 --format latex")
    add_table(parser)
    parser.add_argument("--format", default="text", choices=["text", "markdown", "latex", "html", "csv"])
    parser.add_argument("--out", type=output, help="write to a file; notes of a CSV go into FILE.notes.csv")
    add_form(parser)
    add_reference(parser)


def _add_report(commands: Commands) -> None:
    parser = verb(
        commands, "report", report, "one self-contained HTML file from all records", "report --out report.html"
    )
    parser.add_argument("tables", nargs="*", metavar="TABLE", help="with tables of yours too: mine.toml")
    parser.add_argument("--out", type=output, help="default: report.html in the results folder")
    parser.add_argument("--figures", type=Path, metavar="DIR", help="its figures too, as SVG and PNG files")
    add_reference(parser)
    add_with(parser)
    add_data(parser)


def list_names(args: argparse.Namespace) -> int:
    """Tables, models, backbones, methods and datasets, with one line each; or one of these, or a method's options."""
    console = prepare(args)
    kinds: list[Registry] = [registry.models, registry.backbones, registry.methods, registry.datasets]
    names = ["tables", *(f"{kind.kind}s" for kind in kinds)]
    if args.name and args.name not in names:
        entry = registry.methods[args.name]
        options = declared(entry.fact("options")) if entry.fact("options") else ()
        lines = {f"{one.name}={one.default}": one.help for one in options}
        print_named(console, f"{entry.name}: {entry.summary}", lines or {"no options": "it declares none"})
        return 0
    short = {full: f" (also: {name})" for name, full in papers.SHORT.items()}
    named = {name: entry.summary + short.get(name, "") for name, entry in papers.TABLES.items()}
    found = [named, *({one.name: one.summary for one in kind if not one.name.endswith("-smoke")} for kind in kinds)]
    for heading, lines in zip(names, found, strict=True):
        if args.name in (None, heading):
            print_named(console, heading, lines)
    return 0


def show(args: argparse.Namespace) -> int:
    """A table's rows and cells with their state, or how its protocols differ from a source's."""
    from repro.records.index import shown_records

    console = prepare(args)
    found, index = table_of(args), shown_records()
    if args.diff is not None:
        from repro.report import print_protocols

        print_protocols(found, args.diff, index, console)
        return 0
    from repro.cli.status import render_overview

    render_overview(found, index, console, asked_table(args))
    return 0


@without_collector()
def table(args: argparse.Namespace) -> int:
    """A table from records and published values in one of five formats."""
    from repro.records.index import shown_records
    from repro.report import build, chosen, render, render_csv_notes
    from repro.report.text import print_text

    console = prepare(args)
    found, index = table_of(args), shown_records(reference=args.reference)
    form = {"full": args.full, "rows": args.rows, "columns": args.columns, "notes": args.notes}
    if args.out is None and args.format == "text":
        made = chosen(build(found, index), found, **form)
        tell_damaged(index)
        print_text(made, console)
        return 0
    beside = args.format == "csv" and args.out is not None and not args.full
    text = render(found, args.format, index, **(form | {"notes": "short"} if beside else form))
    tell_damaged(index)
    if args.out is None:
        print(text)
        return 0
    write_atomic(args.out, text.encode())
    console.print(f"wrote {args.out}")
    if beside and args.notes != "none":
        notes = args.out.with_name(f"{args.out.stem}.notes.csv")
        write_atomic(notes, render_csv_notes(found, index, args.rows, args.columns).encode())
        console.print(f"wrote {notes}")
    return 0


def tell_damaged(index: Index) -> None:
    """Of the files that were read, those that should be records and are not: no renderer shows them."""
    for problem in index.problems():
        print(one_line(f"repro: skipped {index.base / problem.path}: {problem.reason}"), file=sys.stderr)


@without_collector()
def report(args: argparse.Namespace) -> int:
    """The HTML report."""
    from repro.records.index import shown_records
    from repro.report import write_figures, write_report

    console, index = prepare(args), shown_records(reference=args.reference)
    if args.dataset and not args.tables:
        raise BadOption("--dataset without a table", fix=f"python -m repro report table6 --dataset {args.dataset}")
    own = [table_of(argparse.Namespace(**{**vars(args), "table": name})) for name in args.tables]
    layouts = layouts_of(index, args.methods, own)
    target = args.out or paths.results() / "report.html"
    write_report(target, layouts, index)
    console.print(f"report: {target}")
    if args.figures is not None:
        written = write_figures(args.figures, own or layouts, index)
        console.print(f"figures: {len(written) // 2} in {args.figures}, each as SVG and PNG")
    return 0


def layouts_of(index: Index, methods: Sequence[str], own: Sequence[TableSpec]) -> list[TableSpec]:
    """Every table of a report: `methods` have rows in those that they were run in, and `own` are shown as they are."""
    given = {layout.full_name: layout for layout in own}
    known = [given.get(name) or _with_rows_that_exist(name, index, methods) for name in papers.TABLES]
    return [*(layout for name, layout in given.items() if name not in papers.TABLES), *known]


def _with_rows_that_exist(name: str, index: Index, methods: Sequence[str]) -> TableSpec:
    ends = tuple(f"_{asked(method).suffix}" for method in methods)
    run = any(row.endswith(ends) for row in index.rows(name)) if methods else False
    return papers.find(name, methods if run else ())
