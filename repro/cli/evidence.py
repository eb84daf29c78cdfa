"""Verbs on what the numbers are worth: claims, check."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console

from repro import papers
from repro.cli.arguments import output
from repro.cli.common import Commands, add_reference, add_table, prepare, table_of, verb
from repro.core.errors import BadOption
from repro.core.files import write_atomic
from repro.core.words import many

_READINGS = ("holds", "does not hold", "cannot be checked", "beyond", "within", "yes", "no", "undecided")
_FORMATS = ("text", "markdown", "json")
_SEVERITIES = ("error", "warning", "note")


def add(commands: Commands) -> None:
    """Declare them."""
    _add_claims(commands)
    _add_check(commands)
    _add_bundle(commands)


def _add_claims(commands: Commands) -> None:
    parser = verb(
        commands,
        "claims",
        claims,
        "each claim of the papers: what its arithmetic says, what chance allows, what the probes say beside it",
        "claims dnr --verdict within",
    )
    parser.add_argument("which", nargs="?", metavar="PAPER|KEY", help="one paper (dnr), or one claim (dnr-14)")
    parser.add_argument(
        "--verdict",
        choices=_READINGS,
        metavar="WORD",
        help=f"only claims of which a reading says: {', '.join(_READINGS)}",
    )
    parser.add_argument("--format", default="text", choices=_FORMATS)


def _add_check(commands: Commands) -> None:
    parser = verb(
        commands,
        "check",
        check,
        "a linter for tables: arithmetic, physics and protocol of the papers' numbers, own records, or your CSV files",
        "check my_tables/ --severity warning",
    )
    parser.add_argument("paths", nargs="*", type=Path, metavar="FILE|FOLDER", help="CSV files like results/published")
    parser.add_argument("--template", type=Path, metavar="FILE", help="write a CSV with the columns, to begin with")
    parser.add_argument("--severity", default="note", choices=_SEVERITIES, help="the least that is shown")
    parser.add_argument("--format", default="text", choices=_FORMATS)


def claims(args: argparse.Namespace) -> int:
    """The claims with their verdicts and evidence."""
    from repro.evidence.claims import find, judge
    from repro.records.index import shown_records
    from repro.report.claims import FORMATS, readings

    console = prepare(args)
    which = args.which or None
    wanted = [find(papers.claims(), which)] if which and "-" in which else papers.claims(which)
    judged = judge(wanted, shown_records())
    if args.verdict:
        judged = [found for found in judged if args.verdict in [word for _, word in readings(found)]]
    if args.format == "text":
        FORMATS["text"](judged, console)
    else:
        print(FORMATS[args.format](judged))
    return 0


def _add_bundle(commands: Commands) -> None:
    parser = verb(
        commands,
        "bundle",
        bundle,
        "one archive of a table, its claims, findings, records and commands: for a review",
        "bundle table6 --out review.zip",
    )
    add_table(parser)
    add_reference(parser)
    parser.add_argument("--out", type=output, required=True, metavar="FILE.zip")


def bundle(args: argparse.Namespace) -> int:
    """The archive; nothing is measured."""
    from repro.core import paths
    from repro.records.index import shown_records
    from repro.report.bundle import write_bundle

    console = prepare(args)
    if args.out.suffix != ".zip":
        raise BadOption(f"--out {str(args.out)!r}", allowed="a name that ends in .zip", fix="--out review.zip")
    roots = [paths.records()] if args.reference else [paths.own(), paths.records()]
    names = write_bundle(args.out, table_of(args), shown_records(reference=args.reference), roots)
    count = sum(name.startswith("records/") and name.endswith(".json") for name in names)
    console.print(f"wrote {args.out}: {many(count, 'record')}, {args.out.stat().st_size / 1e6:.1f} MB", markup=False)
    return 0


def _template(console: Console, file: Path) -> int:
    """A table to begin with; a file that is there stays."""
    from repro.papers.as_written import TEMPLATE

    if file.exists():
        raise BadOption(f"{str(file)!r} is there already", fix="another name, or remove it")
    write_atomic(file, TEMPLATE.encode())
    console.print(f"wrote {file}; check it: python -m repro check {file}", markup=False)
    return 0


def check(args: argparse.Namespace) -> int:
    """Findings, worst first; 1 when a file of yours or an own record holds an error."""
    from repro.evidence.check import check_all, check_tables, read_tables
    from repro.records.index import shown_records
    from repro.report.findings import FORMATS

    console = prepare(args)
    if args.template is not None:
        return _template(console, args.template)
    records = shown_records().records()
    if args.paths and not any(record.kind == "static" for record in records):
        told = "no count of a network is stored here: GFLOPs and parameters are held against nothing"
        print(f"repro: {told}", file=sys.stderr)
    if args.paths:
        found = check_tables(read_tables(args.paths), records)
        failed = any(finding.severity == "error" for finding in found)
    else:
        found, own = check_all(records)
        failed = any(finding.severity == "error" for finding in own)
    shown = [finding for finding in found if _SEVERITIES.index(finding.severity) <= _SEVERITIES.index(args.severity)]
    if args.format == "text":
        FORMATS["text"](shown, console)
        if len(shown) < len(found):
            console.print(f"{many(len(found) - len(shown), 'finding')} below {args.severity}, not shown", markup=False)
    else:
        print(FORMATS[args.format](shown))
    return 1 if failed else 0
