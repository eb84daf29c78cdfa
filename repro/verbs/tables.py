"""Verbs on tables: list, show, run, status, table, report."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console

from repro import papers, paths
from repro.arguments import add_module, device_of, positive
from repro.papers.layout import TableSpec
from repro.registry import Registry, backbones, datasets, methods, models
from repro.verbs.common import Commands, prepare, print_named, verb


def add(commands: Commands) -> None:
    """Declare them."""
    for declare in (_add_listing, _add_show, _add_run, _add_status, _add_table, _add_report):
        declare(commands)


def _add_listing(commands: Commands) -> None:
    parser = verb(commands, "list", list_names, "tables, models, backbones, methods, datasets", "list")
    add_module(parser)


def _add_show(commands: Commands) -> None:
    parser = verb(
        commands, "show", show, "what a table holds, what is measured, what is missing and why", "show table6"
    )
    parser.add_argument("table", metavar="TABLE")


def _add_run(commands: Commands) -> None:
    parser = verb(commands, "run", run, "measure a table's cells; what is done is skipped", "run table6 --rows tsn_r50")
    parser.add_argument("table", metavar="TABLE")
    parser.add_argument("--rows", nargs="+", default=[], metavar="ROW", help="only these rows")
    parser.add_argument("--only", nargs="+", default=[], metavar="CELL", help="only these cells, e.g. static speed")
    parser.add_argument(
        "--seeds", type=positive, metavar="N", help="train with seeds 0 .. N-1 (default: the table's own number)"
    )
    which = parser.add_mutually_exclusive_group()
    for mode, text in (
        ("missing", "only cells without a record"),
        ("failed", "only cells whose last attempt failed"),
        ("force", "all cells again; old records are kept aside"),
    ):
        which.add_argument(f"--{mode}", dest="mode", action="store_const", const=mode, default="undone", help=text)
    parser.add_argument("--smoke", action="store_true", help="toy sizes on two tiny clips; never shown as results")
    parser.add_argument("--jobs", type=positive, help="jobs side by side (default: one a core)")
    parser.add_argument("--device", default="auto", help="auto (CUDA where there is one), cpu, cuda")
    add_module(parser)


def _add_status(commands: Commands) -> None:
    parser = verb(commands, "status", status, "done, failed and missing cells of a table", "status table6")
    parser.add_argument("table", metavar="TABLE")
    parser.add_argument("--smoke", action="store_true")


def _add_table(commands: Commands) -> None:
    parser = verb(commands, "table", table, "print a table from records; never computes", "table table6 --format latex")
    parser.add_argument("table", metavar="TABLE")
    parser.add_argument("--format", default="text", choices=["text", "markdown", "latex", "html", "csv"])
    parser.add_argument("--out", type=Path, help="write to a file")


def _add_report(commands: Commands) -> None:
    parser = verb(
        commands, "report", report, "one self-contained HTML file from all records", "report --out report.html"
    )
    parser.add_argument("--out", type=Path, help="default: report.html in the results folder")


def list_names(args: argparse.Namespace) -> int:
    """Tables, models, backbones, methods and datasets, with one line each."""
    console = prepare(args)
    short = {full: f" (also: {name})" for name, full in papers.SHORT.items()}
    named = {name: title + short.get(name, "") for name, (_, title) in papers.TABLES.items()}
    print_named(console, "tables", named)
    kinds: list[Registry] = [models, backbones, methods, datasets]
    for registry in kinds:
        print_named(console, f"{registry.kind}s", {entry.name: entry.summary for entry in registry})
    return 0


def show(args: argparse.Namespace) -> int:
    """A table's rows and cells with their state, the reasons of what cannot run, and the cost of what is missing."""
    from repro.overview import render_overview

    console = prepare(args)
    render_overview(papers.find(args.table), console)
    return 0


def run(args: argparse.Namespace) -> int:
    """Measure the cells of a table that have no record yet; then the table and the report's path."""
    from repro.launch import run_local
    from repro.progress import Display
    from repro.run import jobs_of, records_root, select
    from repro.smoke import smoke_table

    console = prepare(args)
    table = papers.find(args.table)
    name = f"{table.paper}/{table.name}"
    if args.smoke:
        table = smoke_table(table)
    device = args.device if args.device in ("auto", "cpu") else device_of(args.device)
    jobs = jobs_of(table, rows=args.rows, cells=args.only, seeds=args.seeds, smoke=args.smoke)
    todo = select(jobs, args.mode, records_root(args.smoke))
    failed = 0
    if not todo:
        console.print(
            f"{name}: nothing to do; all {len(jobs)} cells that this machine can measure have their records. "
            f"To measure them again: python -m repro run {args.table} --force"
        )
    else:
        console.print(f"{name}: {len(todo)} of {len(jobs)} cells to measure")
        with Display(console, name, args.jobs) as display:
            state = run_local(
                todo, device=device, width=args.jobs, replace=args.mode == "force", on_event=display.event
            )
        failed = state.failed
    if args.smoke:
        console.print(f"smoke run: records in {records_root(True)}; they are not results and no table shows them")
        return 1 if failed else 0
    _tell_damaged(papers.find(args.table), paths.records())
    _print_table(console, args.table, "text")
    console.print(f"report: {_write_report(None)}")
    if failed:
        again = f"python -m repro run {args.table} --failed"
        console.print(f"{failed} cells failed; their reasons stand in the table; try again: {again}")
    return 1 if failed else 0


def status(args: argparse.Namespace) -> int:
    """Done, failed and missing cells, row by row."""
    from repro.overview import render_status
    from repro.run import records_root
    from repro.smoke import smoke_table

    console = prepare(args)
    found = papers.find(args.table)
    _tell_damaged(found, records_root(args.smoke))
    render_status(smoke_table(found) if args.smoke else found, records_root(args.smoke), console, smoke=args.smoke)
    return 0


def table(args: argparse.Namespace) -> int:
    """A table from records and published values in one of five formats."""
    console = prepare(args)
    _tell_damaged(papers.find(args.table), paths.records())
    if args.out is None:
        _print_table(console, args.table, args.format)
        return 0
    from repro.report import render

    args.out.write_text(render(papers.find(args.table), args.format), encoding="utf-8")
    console.print(f"wrote {args.out}")
    return 0


def _tell_damaged(found: TableSpec, root: Path) -> None:
    """Files that should be records of the table and are not, by path: no renderer reads them."""
    from repro import record

    for problem in record.load_all(root, paper=found.paper, table=found.name).problems:
        print(f"repro: skipped {root / problem.path}: {problem.reason}", file=sys.stderr)


def _print_table(console: Console, name: str, form: str) -> None:
    from repro.report import print_text, render

    found = papers.find(name)
    if form == "text":
        print_text(found, console)
    else:
        print(render(found, form))


def report(args: argparse.Namespace) -> int:
    """The HTML report."""
    prepare(args).print(f"report: {_write_report(args.out)}")
    return 0


def _write_report(out: Path | None) -> Path:
    from repro.report import write_report

    target = out or paths.results() / "report.html"
    write_report(target, [papers.find(name) for name in papers.TABLES])
    return target
