"""Verbs on what the numbers are worth: claims."""

from __future__ import annotations

import argparse

from repro import papers
from repro.verbs.common import Commands, prepare, verb

_VERDICTS = ("supported", "contradicted", "undecided", "untested")


def add(commands: Commands) -> None:
    """Declare them."""
    parser = verb(
        commands,
        "claims",
        claims,
        "each claim of the papers: supported, contradicted, undecided, untested, with the evidence",
        "claims dnr --verdict contradicted",
    )
    parser.add_argument("which", nargs="?", metavar="PAPER|KEY", help="one paper (dnr), or one claim (dnr-14)")
    parser.add_argument("--verdict", choices=_VERDICTS, help="only claims with this verdict, by print or by runs")
    parser.add_argument("--format", default="text", choices=["text", "markdown", "json"])


def claims(args: argparse.Namespace) -> int:
    """The claims with their verdicts and evidence."""
    from repro import record
    from repro.evidence.claims import find, judge
    from repro.report.claims import FORMATS

    console = prepare(args)
    which = args.which or None
    one = which is not None and "-" in which
    wanted = [find(papers.claims(), which)] if one and which else papers.claims(which)
    judged = judge(wanted, record.load_all().records)
    if args.verdict:
        judged = [found for found in judged if args.verdict in (found.by_print, found.by_runs)]
    if args.format == "text":
        FORMATS["text"](judged, console)
    else:
        print(FORMATS[args.format](judged))
    return 0
