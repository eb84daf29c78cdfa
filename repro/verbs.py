"""What each verb does: one call into the suite, and its outcome on the screen. Heavy imports stay inside."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from rich.console import Console

from repro import papers, paths
from repro.arguments import device_of, model_of, options_of
from repro.errors import BadOption
from repro.papers.layout import TableSpec
from repro.registry import Registry, backbones, datasets, load_module, methods, models
from repro.spec import Accuracy, Experiment, Speed, Static, Views, replace

_WIDTH_WITHOUT_TERMINAL = 160


def _prepare(args: argparse.Namespace) -> Console:
    for module in getattr(args, "module", []):
        load_module(module)
    console = Console(highlight=False, soft_wrap=True)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = _WIDTH_WITHOUT_TERMINAL
    return console


def list_names(args: argparse.Namespace) -> int:
    """Tables, models, backbones, methods and datasets, with one line each."""
    console = _prepare(args)
    short = {full: f" (also: {name})" for name, full in papers.SHORT.items()}
    named = {name: title + short.get(name, "") for name, (_, title) in papers.TABLES.items()}
    _print_named(console, "tables", named)
    kinds: list[Registry] = [models, backbones, methods, datasets]
    for registry in kinds:
        _print_named(console, f"{registry.kind}s", {entry.name: entry.summary for entry in registry})
    return 0


def _print_named(console: Console, heading: str, lines: dict[str, str]) -> None:
    console.print(f"[bold]{heading}[/]")
    width = max(map(len, lines), default=0) + 2
    for name, line in lines.items():
        console.print(f"  {name:<{width}}{line}", markup=False)


def show(args: argparse.Namespace) -> int:
    """A table's rows and cells with their state, the reasons of what cannot run, and the cost of what is missing."""
    from repro.overview import render_overview

    console = _prepare(args)
    render_overview(papers.find(args.table), console)
    return 0


def run(args: argparse.Namespace) -> int:
    """Measure the cells of a table that have no record yet; then the table and the report's path."""
    from repro.launch import run_local
    from repro.progress import Display
    from repro.run import jobs_of, records_root, select
    from repro.smoke import smoke_table

    console = _prepare(args)
    table = papers.find(args.table)
    name = f"{table.paper}/{table.name}"
    if args.smoke:
        table = smoke_table(table)
    device = args.device if args.device in ("auto", "cpu") else device_of(args.device)
    jobs = jobs_of(table, rows=args.rows, cells=args.only, seeds=range(args.seeds), smoke=args.smoke)
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

    console = _prepare(args)
    found = papers.find(args.table)
    _tell_damaged(found, records_root(args.smoke))
    render_status(smoke_table(found) if args.smoke else found, records_root(args.smoke), console, smoke=args.smoke)
    return 0


def table(args: argparse.Namespace) -> int:
    """A table from records and published values in one of five formats."""
    console = _prepare(args)
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
    _prepare(args).print(f"report: {_write_report(args.out)}")
    return 0


def _write_report(out: Path | None) -> Path:
    from repro.report import write_report

    target = out or paths.results() / "report.html"
    write_report(target, [papers.find(name) for name in papers.TABLES])
    return target


def flops(args: argparse.Namespace) -> int:
    """Parameters and GMACs by three counters."""
    from repro.cost.macs import measure_static
    from repro.cost.text import render_flops

    console = _prepare(args)
    model = model_of(args)
    console.print(render_flops(model, measure_static(model, Static(sizes=tuple(args.size)))))
    return 0


def speed(args: argparse.Namespace) -> int:
    """Forward time at each batch size; beside the plain host when a method is inserted."""
    from repro.cost.speed import sweep
    from repro.cost.text import render_speed, render_sweep

    console = _prepare(args)
    model = model_of(args)
    measure = Speed(
        size=args.size,
        repeats=args.repeats,
        precision=args.precision,
        form="fast" if args.fast else "eager",
        against=replace(model, method=None, method_options={}) if model.method else None,
    )
    found = sweep(model, measure, args.batch, device=device_of(args.device), threads=args.threads)
    for result in found:
        console.print(render_speed(model, result))
    if len(args.batch) > 1:
        console.print(render_sweep(model, found))
    return 0


def train(args: argparse.Namespace) -> int:
    """Train with the network's recipe, score, and write weights, scores and a record."""
    from repro.single import recipe

    console = _prepare(args)
    experiment = recipe(model_of(args), args.dataset, options_of(args.set))
    return _single(console, experiment, args, seed=args.seed)


def test(args: argparse.Namespace) -> int:
    """Score one split with given weights."""
    from repro.data.datasets import num_classes
    from repro.data.sampling import clips_of
    from repro.single import dataset_name, with_weights

    console = _prepare(args)
    name = dataset_name(args.dataset)
    views = Views(
        sampling=args.sampling,
        clips=clips_of(args.sampling),
        crops=args.crops,
        crop=args.crop,
        resize=args.resize,
        fusion=args.fusion,
    )
    measure = Accuracy(dataset=name, test=views, test_split=args.split, decoder=args.decoder)
    model = with_weights(model_of(args), args.weights)
    model = model if args.classes else replace(model, num_classes=num_classes(name))
    return _single(console, Experiment(model=model, measure=measure), args, weights=args.weights)


def _single(console: Console, experiment: Experiment, args: argparse.Namespace, **more: Any) -> int:
    from repro.single import run_single, summary

    with console.status("starting") as line:

        def progress(facts: dict[str, Any]) -> None:
            line.update(" ".join(f"{key} {value}" for key, value in facts.items() if value is not None))

        made, path = run_single(
            experiment, out=args.out, device=device_of(args.device), threads=args.threads, on_progress=progress, **more
        )
    console.print(summary(made, path), markup=False)
    return 0 if made.status == "done" else 1


def import_weights(args: argparse.Namespace) -> int:
    """Read a public checkpoint, print the strict report, write safetensors."""
    from repro.import_report import Misfit, render_report
    from repro.weights import import_weights as write_imported

    console = _prepare(args)
    try:
        found = write_imported(
            args.file, model_of(args), args.out, partial=args.partial, new_classifier=args.new_classifier
        )
    except Misfit as error:
        console.print(render_report(error.report), markup=False)
        raise
    console.print(render_report(found), markup=False)
    console.print(f"wrote {args.out}", markup=False)
    return 0


def verify(args: argparse.Namespace) -> int:
    """Golden files: the figure for each, exit 1 on a miss, 2 when a file could not be compared at all."""
    from repro.verify import verify_file

    console = _prepare(args)
    missed = unread = 0
    for file in args.files:
        for outcome in verify_file(file):
            if outcome.what == "read":
                print(outcome.line(), file=sys.stderr)
                unread += 1
            else:
                console.print(outcome.line(), markup=False)
                missed += not outcome.passed
    return 1 if missed else 2 if unread else 0


def data(args: argparse.Namespace) -> int:
    """Tell the suite where a dataset is, forget it, or list what is known."""
    from repro.data import places
    from repro.data.datasets import is_configured, num_classes

    console = _prepare(args)
    if args.action == "list":
        _print_named(
            console, "datasets", {e.name: "at hand" if is_configured(e.name) else "not configured" for e in datasets}
        )
        return 0
    if not args.name or (args.action == "add" and not args.csv):
        raise BadOption(f"data {args.action} lacks NAME or --csv", fix="python -m repro data add NAME --csv FILE.csv")
    if datasets[args.name].facts.get("shipped", True):
        raise BadOption(f"{args.name} comes with the suite or a package", allowed="datasets that you keep yourself")
    if args.action == "remove":
        console.print(f"{args.name}: {'forgotten' if places.remove(args.name) else 'was not configured'}")
        return 0
    counts = places.add(args.name, args.csv, num_classes(args.name))
    console.print(f"{args.name}: " + ", ".join(f"{count} {split}" for split, count in counts.items()))
    return 0
