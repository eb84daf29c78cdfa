"""The verb that tells what a table would cost: plan."""

from __future__ import annotations

import argparse

from repro import papers
from repro.cli.arguments import positive
from repro.cli.common import Commands, prepare, verb


def add(commands: Commands) -> None:
    """Declare it."""
    parser = verb(
        commands,
        "plan",
        plan,
        "hours, energy, disk and seeds that a table would take on given devices, with intervals and sources",
        "plan table6 --device h200 --count 8",
    )
    parser.add_argument("table", metavar="TABLE")
    parser.add_argument("--device", default="h200", help="h200 (default), a100, rtx-2080-ti, ...")
    parser.add_argument("--count", type=positive, default=1, metavar="N", help="devices together (default 1)")
    parser.add_argument("--full", action="store_true", help="also what has its record, and the sources of each number")
    parser.add_argument("--format", default="text", choices=["text", "markdown", "csv", "json"])


def plan(args: argparse.Namespace) -> int:
    """The plan, from records and stated assumptions; measures nothing."""
    from repro.evidence.plan import plan as make
    from repro.records.index import shown_records
    from repro.report.plan import FORMATS, print_plan

    console = prepare(args)
    made = make(papers.find(args.table), shown_records().records(), device=args.device, count=args.count)
    if args.format == "text":
        print_plan(made, console, full=args.full)
    else:
        print(FORMATS[args.format](made), end="")
    return 0
