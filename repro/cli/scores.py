"""The verb on files of scores: scores."""

from __future__ import annotations

import argparse
from pathlib import Path

from repro.cli.arguments import positive
from repro.cli.common import Commands, prepare, verb
from repro.core.errors import BadOption


def add(commands: Commands) -> None:
    """Declare it."""
    parser = verb(
        commands,
        "scores",
        scores,
        "accuracies out of a file of scores: other views, another fusion, other videos",
        "scores runs/own/test/tsm/0123456789abcdef-s0.npz --clips 1 --crops 1 --on copy:K400-19761",
    )
    parser.add_argument("file", nargs="?", type=Path, metavar="FILE.npz", help="a record's scores")
    parser.add_argument("--clips", type=positive, metavar="N", help="clips of the test (default: all in the file)")
    parser.add_argument("--crops", type=positive, metavar="N", help="crops of the test (default: all in the file)")
    parser.add_argument("--fusion", choices=["logits", "softmax", "features"], help="default: as it was tested")
    parser.add_argument(
        "--on", metavar="SUBSET", help="copy:NAME, a file with one id a line, or a CSV with a column path"
    )
    parser.add_argument(
        "--register", nargs=2, metavar=("NAME", "LIST"), help="remember a list of ids as copy:NAME, e.g. K400-19761"
    )


def scores(args: argparse.Namespace) -> int:
    """Read one accuracy with its interval and its bounds over missing videos, or register a list of ids."""
    from repro.data import id_lists
    from repro.evidence.rescored import read
    from repro.records.scores import Scores
    from repro.report.rescored import render_reading

    console = prepare(args)
    if args.register:
        name, source = args.register
        console.print(f"copy:{name}: {id_lists.register(name, Path(source))} ids", markup=False, emoji=False)
        return 0
    if args.file is None:
        raise BadOption("scores lacks FILE.npz", fix="python -m repro scores FILE.npz --clips 1 --crops 1")
    found = read(Scores.load(args.file), clips=args.clips, crops=args.crops, fusion=args.fusion, subset=args.on)
    console.print("\n".join(render_reading(found)), markup=False, emoji=False)
    return 0
