"""The verb on one number: explain."""

from __future__ import annotations

import argparse
from pathlib import Path

from repro import papers
from repro.cli.common import Commands, add_reference, add_with, prepare, verb
from repro.cli.tables import tell_damaged

_HEAD = 9


def add(commands: Commands) -> None:
    """Declare it."""
    parser = verb(
        commands,
        "explain",
        explain,
        "one number: printed, ours by each counter, the reason, sources, record, command",
        "explain table6/tanet_r50/gflops",
    )
    parser.add_argument("cell", metavar="TABLE/ROW/COLUMN", help="by their keys, or as a table shows them")
    add_with(parser)
    add_reference(parser)


def explain(args: argparse.Namespace) -> int:
    """What a cell says, and where it comes from."""
    from repro.core import paths
    from repro.records.index import shown_records
    from repro.report import build
    from repro.report.explain import explain as told
    from repro.report.explain import split

    console = prepare(args)
    name, row, column = split(args.cell)
    layout = papers.find(name, args.methods)
    index = shown_records(reference=args.reference)
    records = index.of_table(layout.full_name, layout.ids)
    tell_damaged(index)
    places = {one.name: _place([paths.own(), paths.records()], one.relative_path) for one in records}
    for head, text in told(build(layout, index), layout, row, column, records, places):
        console.print(f"{head:<{_HEAD}} {text}".strip() if head else text, markup=False, style=None if head else "bold")
    return 0


def _place(roots: list[Path], relative: str | Path) -> str:
    """Where a record lies, from here: in the first folder that has it."""
    here, found = Path.cwd(), next((one for root in roots if (one := root / relative).is_file()), Path(relative))
    return str(found.relative_to(here) if found.is_relative_to(here) else found)
