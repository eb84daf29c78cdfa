"""The declared questions: `questions` prints their answers, `run questions` trains what they lack."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from repro.cli.arguments import add_module
from repro.cli.common import Commands, add_reference, prepare, verb
from repro.core.errors import BadOption
from repro.core.paths import torchrun
from repro.core.words import duration

if TYPE_CHECKING:
    from repro.papers.question import Question

NAME = "questions"
_FORMATS = ("text", "markdown", "json")


def add(commands: Commands) -> None:
    """Declare them."""
    parser = verb(
        commands,
        NAME,
        questions,
        "what was asked of the probes before they were run: the answers, with intervals, controls, what would decide",
        "questions table6",
    )
    parser.add_argument("which", nargs="?", metavar="PAPER|TABLE|QUESTION", help="those of one alone (default: all)")
    parser.add_argument("--full", action="store_true", help="all that each answer rests on; so is one table's")
    parser.add_argument("--format", default="text", choices=_FORMATS)
    add_reference(parser)
    add_module(parser)


def questions(args: argparse.Namespace) -> int:
    """The answers, out of records."""
    from repro.evidence.questions import answers
    from repro.records.index import shown_records
    from repro.report.questions import FORMATS

    console = prepare(args)
    chosen = _chosen(args.which or "")
    if not chosen:
        console.print(f"{args.which} asks nothing; all that is asked: python -m repro questions")
        return 0
    found = answers(chosen, shown_records(reference=args.reference))
    if args.format == "text":
        FORMATS["text"](found, console, full=args.full or len({one.table for one in chosen}) == 1)
    else:
        print(FORMATS[args.format](found))
    return 0


def _chosen(which: str) -> list[Question]:
    """Of a paper, a table or a question; all without a name."""
    from repro import papers
    from repro.core.errors import UnknownName
    from repro.papers.questions import declared, find

    known = {one.full_name: one for one in declared()}
    if not which or which in {one.paper for one in known.values()}:
        return declared(which)
    if which in known or which in {one.key for one in known.values()}:
        return [find(which)]
    try:
        return declared(table=papers.full_name(which))
    except UnknownName:
        names = [*dict.fromkeys(one.paper for one in known.values()), *papers.TABLES, *papers.SHORT, *known]
        raise UnknownName("paper, table or question", which, names) from None


def run(args: argparse.Namespace) -> int:
    """Question by question, cheapest first, what has no record yet; after each its answer. Ctrl-C loses nothing.

    With `--own` the reference does not count: this machine makes the whole evidence again.
    """
    from repro.cli.launch import launch
    from repro.core import paths
    from repro.evidence.questions import answers
    from repro.papers.questions import declared, waits_for
    from repro.records.index import Index, shown_records
    from repro.report.questions import FORMATS
    from repro.runner.questions import jobs_of, undone

    _check(args)
    console = prepare(args)
    chosen = [one for name in args.only for one in _chosen(name)] or declared(args.paper or "")
    index = Index(paths.own()) if args.own else shown_records()
    failed, left = 0, {one.full_name for one in chosen}
    while left:  # what one question has trained, the next may share
        known = answers([one for one in chosen if one.full_name in left], index.refresh())
        answer = min(known, key=lambda one: one.seconds)
        one = answer.question
        left.remove(one.full_name)
        if waits := waits_for(one):
            console.print(f"{one.full_name}: not run, it waits for {waits}", markup=False)
            continue
        todo = jobs_of(one) if args.mode == "force" else undone(one, index)
        if args.dry_run:
            told = f"{len(todo)} trainings, about {duration(answer.seconds)}" if todo else "nothing to do"
            console.print(f"python -m repro run {NAME} --only {one.full_name}    # {told}", markup=False)
            continue
        if todo:
            failed += launch(todo, args, console, one.full_name)
        FORMATS["text"](answers([one], index.refresh()), console, full=True)
    return 1 if failed else 0


def _check(args: argparse.Namespace) -> None:
    """What is declared is not chosen on the command line."""
    given = [name for name, value in (("--rows", args.rows), ("--with", args.methods)) if value]
    given += ["--seeds"] if args.seeds is not None or args.seed is not None else []
    given += ["--smoke"] if args.smoke else []
    given += [f"--{args.mode}"] if args.mode not in ("undone", "force") else []
    given += ["torchrun"] if torchrun() else []
    given += ["--launcher slurm"] if args.launcher == "slurm" else []
    if given:
        raise BadOption(
            f"{given[0]} with run {NAME}, whose networks and seeds are declared",
            allowed="--paper, --only QUESTION, --own, --jobs, --device, --launcher gpus, --force, --dry-run",
        )
