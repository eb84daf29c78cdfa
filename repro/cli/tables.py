"""Verbs on tables: list, show, table, report."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from repro import papers, registry
from repro.cli.arguments import add_module
from repro.cli.common import Commands, add_table, add_with, prepare, print_named, table_of, verb
from repro.core import paths
from repro.papers.table import TableSpec
from repro.registry import Registry


def add(commands: Commands) -> None:
    """Declare them."""
    for declare in (_add_listing, _add_show, _add_table, _add_report):
        declare(commands)


def _add_listing(commands: Commands) -> None:
    parser = verb(commands, "list", list_names, "tables, models, backbones, methods, datasets", "list")
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
    parser.add_argument("--out", type=Path, help="write to a file")


def _add_report(commands: Commands) -> None:
    parser = verb(
        commands, "report", report, "one self-contained HTML file from all records", "report --out report.html"
    )
    parser.add_argument("--out", type=Path, help="default: report.html in the results folder")
    add_with(parser)


def list_names(args: argparse.Namespace) -> int:
    """Tables, models, backbones, methods and datasets, with one line each."""
    console = prepare(args)
    short = {full: f" (also: {name})" for name, full in papers.SHORT.items()}
    named = {name: entry.summary + short.get(name, "") for name, entry in papers.TABLES.items()}
    print_named(console, "tables", named)
    kinds: list[Registry] = [registry.models, registry.backbones, registry.methods, registry.datasets]
    for kind in kinds:
        print_named(console, f"{kind.kind}s", {entry.name: entry.summary for entry in kind})
    return 0


def show(args: argparse.Namespace) -> int:
    """A table's rows and cells with their state, or how its protocols differ from a source's."""
    console = prepare(args)
    found = table_of(args)
    if args.diff is not None:
        from repro.report import print_protocols

        print_protocols(found, args.diff, console)
        return 0
    from repro.cli.status import render_overview

    render_overview(found, console)
    return 0


def table(args: argparse.Namespace) -> int:
    """A table from records and published values in one of five formats."""
    console = prepare(args)
    tell_damaged(table_of(args), paths.records())
    if args.out is None:
        print_table(console, table_of(args), args.format)
        return 0
    from repro.report import render

    args.out.write_text(render(table_of(args), args.format), encoding="utf-8")
    console.print(f"wrote {args.out}")
    return 0


def tell_damaged(found: TableSpec, root: Path) -> None:
    """Files that should be records of the table and are not, by path: no renderer reads them."""
    from repro.records import store

    for problem in store.load_all(root, paper=found.paper, table=found.name).problems:
        print(f"repro: skipped {root / problem.path}: {problem.reason}", file=sys.stderr)


def print_table(console: Console, found: TableSpec, form: str) -> None:
    """A table on the screen."""
    from repro.report import print_text, render

    if form == "text":
        print_text(found, console)
    else:
        print(render(found, form))


def report(args: argparse.Namespace) -> int:
    """The HTML report."""
    prepare(args).print(f"report: {write_report(args.out, args.methods)}")
    return 0


def write_report(out: Path | None, methods: Sequence[str] = ()) -> Path:
    """The HTML report, and where it is; `methods` have rows in the tables that they were run in."""
    from repro import report

    target = out or paths.results() / "report.html"
    report.write_report(target, [_with_rows_that_exist(name, methods) for name in papers.TABLES])
    return target


def _with_rows_that_exist(name: str, methods: Sequence[str]) -> TableSpec:
    from repro.records import store

    table = papers.find(name)
    ends = tuple(f"_{method}" for method in methods)
    run = any(row.endswith(ends) for row in store.rows_of(table.paper, table.name)) if methods else False
    return papers.find(name, methods) if run else table
