"""The verb on datasets: data."""

from __future__ import annotations

import argparse
from pathlib import Path

from repro.errors import BadOption
from repro.registry import datasets
from repro.verbs.common import Commands, prepare, print_named, verb


def add(commands: Commands) -> None:
    """Declare it."""
    parser = verb(commands, "data", data, "where your datasets are", "data add kinetics400 --csv k400.csv")
    parser.add_argument("action", choices=["add", "remove", "list"])
    parser.add_argument("name", nargs="?", metavar="NAME", help="kinetics400, sthv1, ...")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="columns path,label,split; paths relative to the file")


def data(args: argparse.Namespace) -> int:
    """Tell the suite where a dataset is, forget it, or list what is known."""
    from repro.data import places
    from repro.data.datasets import is_configured, num_classes

    console = prepare(args)
    if args.action == "list":
        print_named(
            console, "datasets", {e.name: "at hand" if is_configured(e.name) else "not configured" for e in datasets}
        )
        return 0
    if not args.name or (args.action == "add" and not args.csv):
        raise BadOption(f"data {args.action} lacks NAME or --csv", fix="python -m repro data add NAME --csv FILE.csv")
    if datasets[args.name].facts.get("shipped", True):
        raise BadOption(f"{args.name} comes with the suite or a package", allowed="datasets that you keep yourself")
    if args.action == "remove":
        console.print(f"{args.name}: {'forgotten' if places.remove(args.name) else 'was not configured'}")
        return 0
    counts = places.add(args.name, args.csv, num_classes(args.name))
    console.print(f"{args.name}: " + ", ".join(f"{count} {split}" for split, count in counts.items()))
    return 0
