"""`run real/small`: three networks on the user's small dataset, and the controls beside them."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from repro.cli.common import prepare
from repro.core.errors import BadOption, UnknownName
from repro.core.files import write_atomic
from repro.core.options import parsed
from repro.core.paths import expand
from repro.core.spec import replace, to_dict
from repro.papers.small import LABELS, NAME, RECIPE

if TYPE_CHECKING:
    from repro.runner.small import Small


def add_options(parser: argparse.ArgumentParser) -> None:
    """What `run real/small` takes besides --dataset (a CSV path,label,group; or a folder of split files) and --set."""
    group = parser.add_argument_group(f"of run {NAME}")
    group.add_argument("--root", type=Path, metavar="DIR", help="videos of UCF101's, HMDB51's split files")
    group.add_argument("--folds", type=int, default=3, metavar="N", help="of whole groups; default 3")
    group.add_argument("--out", type=Path, default=Path("runs"), help="folder for records, weights and the table")


def run(args: argparse.Namespace) -> int:
    """Train, test, and print the table."""
    from repro.engine.execution import Execution
    from repro.models.device import device_of
    from repro.runner.small import measure

    console = prepare(args)
    if not args.dataset:
        raise BadOption(f"run {NAME} wants your clips", fix=f"python -m repro run {NAME} --dataset my.csv")
    source = expand(args.dataset)
    for row in args.rows:
        if row not in LABELS:
            raise UnknownName(f"row of {NAME}", row, LABELS)
    changes = parsed(args.set, fix="--set epochs=5")
    for key in changes:
        if key not in to_dict(RECIPE):
            raise UnknownName("field of the recipe", key, to_dict(RECIPE), fix="--set epochs=5 lr=0.005")
    found = measure(
        source,
        root=args.root,
        folds=args.folds,
        rows=args.rows or list(LABELS),
        out=args.out,
        how=Execution(device=device_of(args.device)),
        train=replace(RECIPE, **changes),
        seed=args.seed or 0,
        tell=lambda text: console.print(text, markup=False),
    )
    path = args.out / f"real-small-{source.stem}.json"
    write_atomic(path, json.dumps(asdict(found), indent=1).encode())
    _print(found, console)
    console.print(f"all of it: {path}; records and weights: {args.out}", markup=False)
    return 0


def _print(found: Small, console: Console) -> None:
    console.print(
        f"\n{found.dataset}: {found.clips} clips of {found.classes} classes in {found.groups} groups; {found.folds} "
        f"folds of whole groups; {found.crop}x{found.crop}, one seed",
        markup=False,
    )
    orders = list(found.rows[0].orders)
    console.print(f"{'':<36}{'top-1':>7}{'95 %':>16}" + "".join(f"{order:>10}" for order in orders))
    for row in found.rows:
        span = f"{row.top1.low:.1f} to {row.top1.high:.1f}"
        other = "".join(f"{row.orders[order]:>10.2f}" for order in orders if order in row.orders)
        console.print(f"{row.label:<36}{row.top1.value:>7.2f}{span:>16}{other}", markup=False)
    console.print(
        "Intervals are of independent clips; clips of a group are less, so these are the narrowest there can be."
    )
