"""The verb on the folder of records: records."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from repro import papers
from repro.cli.common import Commands, prepare, verb
from repro.core import paths
from repro.core.errors import UnknownName
from repro.core.words import many

if TYPE_CHECKING:
    from repro.records.index import Index
    from repro.records.merge import Named
    from repro.records.schema import Record


def add(commands: Commands) -> None:
    """Declare it."""
    parser = verb(
        commands,
        "records",
        lambda args: parser.error("ls, show, diff, merge or prune?") or 2,
        "list, show and compare records; take in another machine's; clear what no table needs",
        "records diff table6/tsn_r50/speed table6/tsm_r50/speed",
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION")
    listing = actions.add_parser("ls", help="one line a record")
    listing.add_argument("table", nargs="?", metavar="TABLE")
    listing.set_defaults(run=ls)
    single = actions.add_parser("show", help="one record, whole")
    single.add_argument("name", metavar="RECORD", help="its name, the beginning of it, or TABLE/ROW/CELL")
    single.set_defaults(run=show)
    pair = actions.add_parser("diff", help="what differs in spec, environment and results of two records")
    pair.add_argument("names", nargs=2, metavar="RECORD")
    pair.set_defaults(run=diff)
    joined = actions.add_parser(
        "merge",
        help="take in the records of another checkout or machine: a folder `own` into the own results, another one "
        "into the reference",
    )
    joined.add_argument("folder", type=Path, metavar="FOLDER")
    joined.set_defaults(run=merge)
    given = actions.add_parser("publish", help="own results become the reference: they move into results/records")
    given.add_argument("tables", nargs="*", metavar="TABLE", help="default: all")
    given.set_defaults(run=publish)
    renewed = actions.add_parser("upgrade", help="rewrite records of an older form, where they lie")
    renewed.add_argument("folder", type=Path, nargs="?", metavar="FOLDER", help="default: this checkout's records")
    renewed.set_defaults(run=upgrade)
    cleared = actions.add_parser("prune", help="superseded records and scores without a record")
    cleared.add_argument("--yes", action="store_true", help="remove it; without this it is only listed")
    cleared.add_argument("--unknown", action="store_true", help="also records that no table holds (those of --with!)")
    cleared.set_defaults(run=prune)


def ls(args: argparse.Namespace) -> int:
    """One line a record."""
    from repro.records.index import shown_records
    from repro.report.records import line_of, listed

    console, index = prepare(args), shown_records()
    try:
        lines = index.lines(line_of, papers.full_name(args.table) if args.table else "")
    except UnknownName:  # trainings and tests by hand: own/train, own/test
        lines = index.lines(line_of, args.table)
        if not lines:
            raise
    print(listed(lines))
    _tell(console, [f"not usable: {problem.path}: {problem.reason}" for problem in index.problems()])
    return 1 if index.problems() else 0


def show(args: argparse.Namespace) -> int:
    """One record as JSON."""
    from repro.records.index import shown_records

    prepare(args)
    print(_found(shown_records(), [args.name])[0].model_dump_json(indent=1))
    return 0


def diff(args: argparse.Namespace) -> int:
    """Fields that differ, by section; 1 where there are some."""
    from repro.records.index import shown_records
    from repro.report.records import differences, print_differences

    console = prepare(args)
    found = differences(*_found(shown_records(), args.names))
    print_differences(found, console)
    return 1 if found else 0


def merge(args: argparse.Namespace) -> int:
    """Another folder's records beside the own; 1 where some were damaged."""
    from repro.records.merge import merge as take_in

    console = prepare(args)
    target = paths.own() if args.folder.resolve().name == paths.own().name else paths.records()
    found = take_in(args.folder, target)
    console.print(
        f"into {target}: {len(found.added)} added, {len(found.same)} here already, {len(found.aside)} of the "
        f"same experiments kept aside, {len(found.weaker)} failures not taken, {len(found.refused)} not usable",
        markup=False,
    )
    _tell(console, [f"not usable: {problem.path}: {problem.reason}" for problem in found.refused])
    return 1 if found.refused else 0


def publish(args: argparse.Namespace) -> int:
    """Finished own records move into the reference, over what stands there of the same experiment and seed."""
    from repro.records.merge import publish as move

    console = prepare(args)
    wanted = [papers.full_name(name) for name in args.tables]
    moved = move(paths.own(), paths.records(), wanted)
    console.print(f"{many(len(moved), 'record')} moved into {paths.records()}", markup=False)
    return 0


def upgrade(args: argparse.Namespace) -> int:
    """Records of an older form become records of this one; 1 where some were damaged."""
    from repro.records.upgrade import upgrade as renew

    console = prepare(args)
    refused = 0
    for root in [args.folder] if args.folder else [paths.own(), paths.records()]:
        found = renew(root)
        console.print(f"{root}: {len(found.done)} rewritten, {len(found.refused)} not usable", markup=False)
        _tell(console, [f"not usable: {problem.path}: {problem.reason}" for problem in found.refused])
        refused += len(found.refused)
    return 1 if refused else 0


def prune(args: argparse.Namespace) -> int:
    """List what no table needs, and with --yes remove it."""
    from repro.papers.questions import declared, needed
    from repro.records.merge import leftovers
    from repro.records.merge import prune as remove

    console = prepare(args)
    tables = map(papers.find, papers.TABLES) if args.unknown else ()
    known = {experiment.id for table in tables for row in table.rows for experiment in row.cells.values()}
    known |= needed(declared()) if args.unknown else set()
    found = [one for root in (paths.own(), paths.records()) for one in leftovers(root, known if args.unknown else None)]
    _tell(console, [f"{path.relative_to(paths.results())}: {reason}" for path, reason in found])
    if args.yes:
        console.print(f"removed {many(remove([path for path, _ in found]), 'file')}", markup=False)
    else:
        console.print(f"{many(len(found), 'file')}; nothing was removed: add --yes", markup=False)
    return 0


def _found(index: Index, names: Sequence[str]) -> list[Record]:
    """The records of these names or places; no other is kept in memory."""
    from repro.records.merge import Named

    listed = index.lines(Named.of)
    wanted = [_find(listed, name) for name in names]
    return [next(one for one in index.of(own.id, own.seed) if one.place == own.place) for own in wanted]


def _find(listed: Sequence[Named], name: str) -> Named:
    """By name or place; a cell whose experiment another table measured has that table's record."""
    from repro.records.merge import find

    try:
        return find(listed, name)
    except UnknownName:
        shared = [one for one in listed if one.id == _experiment_of(name)]
        if not shared:
            raise
        return find(listed, shared[0].name if len({one.name for one in shared}) == 1 else shared[0].id[:16])


def _experiment_of(name: str) -> str:
    """Content id of the cell TABLE/ROW/CELL; empty where no table has it."""
    table, _, place = name.rpartition("/")[0].rpartition("/")
    try:
        return papers.find(table).row(place).cells[name.rpartition("/")[2]].id
    except (UnknownName, KeyError):
        return ""


def _tell(console: Console, lines: list[str]) -> None:
    for line in lines:
        console.print(line, markup=False)
