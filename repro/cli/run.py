"""Verbs that measure a table, and tell how far it is: run, status."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from rich.console import Console

from repro.cli import questions, small
from repro.cli.arguments import at_once, positive, seed
from repro.cli.common import (
    Commands,
    add_table,
    asked_table,
    first_process,
    prepare,
    table_file,
    table_of,
    table_words,
    verb,
)
from repro.cli.launch import cheapest_first, gpus_of, launch, plan
from repro.cli.tables import layouts_of, tell_damaged
from repro.core import paths
from repro.core.errors import BadOption
from repro.core.files import require_writable
from repro.core.paths import torchrun
from repro.core.words import many
from repro.papers.own_table import MOST_SEEDS

if TYPE_CHECKING:
    from repro.papers.table import TableSpec
    from repro.records.index import Index

_MOST_SITTINGS = 100


def add(commands: Commands) -> None:
    """Declare them."""
    _add_run(commands)
    _add_status(commands)


def _add_run(commands: Commands) -> None:
    parser = verb(commands, "run", run, "measure a table's cells; what is done is skipped", "run table6 --rows tsn_r50")
    add_table(parser)
    parser.add_argument("--paper", help="of `run questions`: those of one paper")
    parser.add_argument("--own", action="store_true", help="of `run questions`: also what the reference has")
    parser.add_argument("--rows", nargs="+", default=[], metavar="ROW", help="only these rows")
    parser.add_argument("--only", nargs="+", default=[], metavar="CELL", help="only these cells, e.g. static speed")
    seeds = parser.add_mutually_exclusive_group()
    seeds.add_argument(
        "--seeds",
        type=_seeds,
        metavar="N",
        help="train with seeds 0 .. N-1 (default 1; of your own table as its file says); all: as many as the table has",
    )
    seeds.add_argument("--seed", type=seed, metavar="S", help="train with this seed alone")
    parser.add_argument(
        "--sittings", type=_sittings, default=1, metavar="N", help="take times N times over (default 1)"
    )
    which = parser.add_mutually_exclusive_group()
    for mode, text in (
        ("missing", "only cells without a record"),
        ("failed", "only cells whose last attempt failed"),
        ("force", "all cells again; old records are kept aside"),
    ):
        which.add_argument(f"--{mode}", dest="mode", action="store_const", const=mode, default="undone", help=text)
    parser.add_argument("--smoke", action="store_true", help="toy sizes on two tiny clips; never shown as results")
    parser.add_argument("--reference", action="store_true", help="measure nothing; show the table of the reference")
    parser.add_argument("--jobs", type=at_once, help="jobs side by side (default: one a core)")
    parser.add_argument("--device", default="auto", help="auto (CUDA where there is one), cpu, cuda")
    parser.add_argument("--records-only", action="store_true", help="print no table and write no report at the end")
    _add_launcher(parser)
    small.add_options(parser)


def _seeds(text: str) -> int | str:
    if text != "all" and positive(text) > MOST_SEEDS:
        raise argparse.ArgumentTypeError(f"{text!r} seeds are more than {MOST_SEEDS}")
    return text if text == "all" else positive(text)


def _sittings(text: str) -> int:
    if positive(text) > _MOST_SITTINGS:
        raise argparse.ArgumentTypeError(f"{text!r} sittings are more than {_MOST_SITTINGS}")
    return positive(text)


def _add_launcher(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("where the jobs run")
    group.add_argument(
        "--launcher",
        choices=["local", "gpus", "slurm"],
        default="local",
        help="this machine's cores, one job a GPU, or SLURM jobs",
    )
    group.add_argument("--gpus", metavar="ID,ID", help="with --launcher gpus: these devices (default: all visible)")
    group.add_argument(
        "--slurm",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        help="with --launcher slurm: options of sbatch, e.g. partition=gpu gpus_per_node=1 time=8:00:00",
    )
    group.add_argument(
        "--processes",
        type=positive,
        default=1,
        metavar="N",
        help="with --launcher slurm: each training on N processes of its node, by torchrun (default 1)",
    )
    group.add_argument("--wait", action="store_true", help="with --launcher slurm: until all jobs are over")
    group.add_argument("--time-together", action="store_true", help="run timed cells beside others; default: alone")
    group.add_argument("--dry-run", action="store_true", help="print the shell line of each cell, and measure nothing")


def _add_status(commands: Commands) -> None:
    parser = verb(commands, "status", status, "done, running, failed and missing cells of a table", "status table6")
    add_table(parser)
    parser.add_argument("--smoke", action="store_true")


def run(args: argparse.Namespace) -> int:
    """Measure the cells of a table that have no record yet; then the table and the report's path."""
    from repro.papers.smoke import smoke_table
    from repro.records import store
    from repro.records.index import Index
    from repro.runner.jobs import device_kind, jobs_of, select

    if args.sittings > 1 and args.table in (questions.NAME, small.NAME):
        raise BadOption(f"--sittings with run {args.table}, which takes no times", allowed="a table")
    if args.table == questions.NAME:
        return questions.run(args)
    if args.table == small.NAME:
        return small.run(args)
    if args.paper or args.own:
        given = f"--paper {args.paper}" if args.paper else "--own"
        raise BadOption(f"{given} with run {args.table}", allowed="run questions [--paper PAPER] [--own]")
    console = prepare(args)
    whole = table_of(args)
    table = smoke_table(whole) if args.smoke else whole
    seeds = _wanted_seeds(args, table)
    jobs = jobs_of(table, rows=args.rows, cells=args.only, seeds=seeds, sittings=args.sittings, smoke=args.smoke)
    index = Index(store.default_root(args.smoke))
    _check_launcher(args)
    if args.reference:
        return _finish(args, console, whole, failed=0, anew=False)
    todo = select(jobs, args.mode, index, device_kind(args.device)) + _changed(jobs, index, args, console)
    if args.dry_run:
        return _print_lines(todo, args) if todo else _nothing(args, console, table.full_name)
    if todo:
        require_writable(index.root)
    stored = len({job.key for job in jobs}) - len(todo)
    if todo and stored and args.mode == "undone" and first_process():
        console.print(f"{table.full_name}: {many(stored, 'record')} there already; --force measures all again")
    if torchrun():
        failed = _launch_together(todo, args, console, table)
    elif todo and args.launcher == "slurm":
        return _queue(todo, args, console, table)
    elif todo:
        failed = launch(todo, args, console, table.full_name)
    else:
        failed = _nothing(args, console, table.full_name)
    if first_process():
        _finish(args, console, whole, failed, anew=bool(todo))
    return 1 if failed else 0


def _wanted_seeds(args: argparse.Namespace, table: TableSpec) -> int | list[int] | None:
    """Seeds of the trainings as asked for; None: as many as the table has."""
    if args.seed is not None:
        return [args.seed]
    return None if args.seeds == "all" or (args.seeds is None and table.file) else args.seeds or 1


def _changed(jobs: list, index: Index, args: argparse.Namespace, console: Console) -> list:
    """Finished jobs of videos that have changed since, which is said."""
    from repro.runner.jobs import on_other_videos

    if args.mode not in ("undone", "missing"):
        return []
    again, told = on_other_videos(jobs, index)
    for line in told if first_process() else ():
        console.print(line, markup=False)
    return again


def _nothing(args: argparse.Namespace, console: Console, title: str) -> int:
    console.print(
        f"{title}: nothing to do; all cells that this machine can measure have their records. "
        f"To measure them again: python -m repro run {asked_table(args)} --force"
    )
    return 0


def _launch_together(todo: list, args: argparse.Namespace, console: Console, table: TableSpec) -> int:
    """Run the jobs in turn, each on all processes that torchrun started, and return how many failed."""
    from repro.cli.progress import Display
    from repro.engine.process_group import together
    from repro.runner.local import agreed, run_together

    if args.launcher != "local":
        raise BadOption(f"--launcher {args.launcher} under torchrun, which has started its processes already")
    with together(args.device) as device:
        todo, title = agreed(todo), table.full_name
        if not todo:
            return _nothing(args, console, title)
        console.print(f"{title}: {many(len(todo), 'cell')} to measure")
        with Display(console, title, 1) as display:
            return run_together(todo, device=device, replace=args.mode == "force", on_event=display.event).failed


def _check_launcher(args: argparse.Namespace) -> None:
    """No option is passed over in silence."""
    for option, launcher, given in (("--gpus", "gpus", args.gpus), ("--slurm", "slurm", args.slurm)):
        if given and args.launcher != launcher:
            raise BadOption(f"{option} with --launcher {args.launcher}", fix=f"--launcher {launcher}")
    if args.processes > 1 and args.launcher != "slurm":
        raise BadOption(
            f"--processes {args.processes} with --launcher {args.launcher}",
            allowed="--launcher slurm",
            fix=f"torchrun --nproc-per-node {args.processes} -m repro run {args.table}",
        )
    if args.sittings > 1 and torchrun():
        raise BadOption(
            f"--sittings {args.sittings} under torchrun, which is one process", fix="run it without torchrun"
        )
    if args.wait and args.launcher != "slurm":
        raise BadOption(f"--wait with --launcher {args.launcher}", allowed="--launcher slurm; the others always wait")


def _queue(todo: list, args: argparse.Namespace, console: Console, table: TableSpec) -> int:
    """Give the jobs to SLURM and, if asked, wait for them and end as any run does."""
    from repro.runner import slurm

    if args.device == "auto" and not slurm.asks_for_gpu(args.slurm):
        note = "note: no option of --slurm asks for a GPU: cells are measured on the CPU; --slurm gpus_per_node=1"
        console.print(note, markup=False)
    queued = slurm.submit(
        todo,
        args.slurm,
        device=args.device,
        force=args.mode == "force",
        words=table_words(args, absolute=True),
        table=table_file(args, absolute=True),
        processes=args.processes,
        time_together=args.time_together,
    )
    for number, job in queued.items():
        console.print(f"SLURM job {number}: {job.name}", markup=False)
    before = len(todo) - len(queued)
    told = f"{len(queued)} queued" + (f", {before} were in the queue already" if before else "")
    status = f"python -m repro status {asked_table(args)}" + (" --smoke" if args.smoke else "")
    console.print(f"{told}; output in {slurm.logs()}; how far it is: {status}")
    if not args.wait:
        return 0
    failed = slurm.wait(todo)
    _finish(args, console, table, failed)
    return 1 if failed else 0


def _print_lines(todo: list, args: argparse.Namespace) -> int:
    from repro.runner.command_line import arguments_of, program, shell_line

    gpus = gpus_of(args) if args.launcher == "gpus" else []
    todo, seconds = cheapest_first(todo)
    if not args.smoke:
        print(f"# {plan(todo, seconds, len(gpus) or args.jobs)}", file=sys.stderr)  # what is piped on has lines alone
    for number, job in enumerate(todo):
        arguments = arguments_of(
            job, device=args.device, force=args.mode == "force", words=table_words(args), table=table_file(args)
        )
        print(shell_line(program(job, arguments, args.processes), gpus[number % len(gpus)] if gpus else None))
    return 0


def _finish(args: argparse.Namespace, console: Console, table: TableSpec, failed: int, *, anew: bool = True) -> int:
    """The table, how the reference held up and the report, unless only the records were wanted."""
    from repro.records import store
    from repro.records.index import shown_records
    from repro.report import build, chosen, write_report
    from repro.report.text import print_text

    if args.smoke:
        console.print(f"smoke run: records in {store.default_root(True)}; they are not results and no table shows them")
        return 0
    if args.records_only:
        return 0
    index = shown_records(reference=args.reference)
    made = build(table, index)
    tell_damaged(index)
    print_text(chosen(made, table), console)
    if not args.reference:
        _print_held_up(table, console)
        target = paths.results() / "report.html"
        if anew or table.words or not target.is_file():
            write_report(target, layouts_of(index, args.methods, [table]), index, {table.full_name: made})
            console.print(f"report: {target}")
        else:
            console.print(f"report: {target}, as it was written before; anew: python -m repro report")
    if failed:
        again = f"python -m repro run {asked_table(args)} --failed"
        console.print(f"{many(failed, 'cell')} failed; their reasons stand in the table; try again: {again}")
    return 0


def _print_held_up(table: TableSpec, console: Console) -> None:
    """The last word of a run: what the reference says and this machine confirms, and what it does not."""
    from repro.evidence.held_up import held_up
    from repro.records.index import Index

    found = held_up(table, Index(paths.own()), Index(paths.records()))
    for one in found:
        console.print(f"reference, {one.what}: {one.agreed} of {one.compared} {one.words} here", markup=False)
        for told in one.others[:10]:
            console.print(f"    {told}", markup=False)
        if len(one.others) > 10:
            console.print(f"    and {len(one.others) - 10} more")


def status(args: argparse.Namespace) -> int:
    """Done, running, failed and missing cells, row by row."""
    from repro.cli.status import render_status
    from repro.papers.smoke import smoke_table
    from repro.records import store
    from repro.records.index import Index, shown_records

    console = prepare(args)
    found = table_of(args)
    index = Index(store.default_root(True)) if args.smoke else shown_records()
    render_status(smoke_table(found) if args.smoke else found, index, console, smoke=args.smoke)
    index.look_for_strays(found.full_name, found.ids)
    tell_damaged(index)
    return 0
