"""The verb on datasets: data."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from repro.cli.arguments import add_decoder, at_once, positive
from repro.cli.common import Commands, prepare, print_named, verb
from repro.core.errors import BadOption, UnknownName
from repro.core.paths import expand
from repro.core.words import many
from repro.data.datasets import is_csv
from repro.data.embedded import EMBEDDED, check_embedded, folder_of
from repro.data.known_datasets import KNOWN
from repro.registry import datasets

if TYPE_CHECKING:
    from repro.data.check import Check

_EXAMPLE = "data add kinetics400 --root /data/k400 --annotations kinetics_train.csv kinetics_val.csv"


def add(commands: Commands) -> None:
    """Declare it."""
    parser = verb(commands, "data", data, "where your datasets are, and whether they are whole", _EXAMPLE)
    parser.add_argument("action", choices=["add", "check", "list", "remove"])
    parser.add_argument(
        "name", nargs="?", metavar="NAME", help="kinetics400, sthv1, ...; a name of your own; to check also my.csv"
    )
    giving = parser.add_argument_group("add")
    giving.add_argument("--root", type=Path, metavar="DIR", help="the folder that holds the videos or frames")
    giving.add_argument(
        "--annotations",
        nargs="+",
        default=[],
        metavar="FILE",
        help="official files, or lists of TSM, TDN, mmaction2, AdaFuse; train=FILE if a name does not tell the split",
    )
    giving.add_argument("--labels", type=Path, metavar="FILE", help="class names in the order of the lists' numbers")
    giving.add_argument("--format", metavar="FORMAT", help="force a format: kinetics, 20bn-csv, rawframes, videos, ...")
    giving.add_argument("--first-label", type=int, choices=[0, 1], default=0, help="what the lists count classes from")
    giving.add_argument("--csv", type=Path, metavar="FILE", help="columns path,label,split; paths relative to the file")
    checking = parser.add_argument_group("check")
    checking.add_argument("--sample", type=positive, default=0, metavar="N", help="decode only N videos (default: all)")
    checking.add_argument("--official", nargs="+", type=Path, default=[], metavar="FILE", help="lists to compare with")
    checking.add_argument("--videos", type=Path, metavar="DIR", help="the videos that frames were made of")
    add_decoder(checking)
    parser.add_argument("--jobs", type=at_once, help="processes side by side (default: one a core)")


def data(args: argparse.Namespace) -> int:
    """Tell the suite where a dataset is, check the copy, forget it, or list what is known."""
    console = prepare(args)
    if args.action == "list":
        print_named(console, "datasets", {entry.name: _state(entry.name) for entry in datasets})
        return 0
    if not args.name:
        raise BadOption(f"data {args.action} lacks NAME", fix=f"python -m repro data {args.action} kinetics400")
    if args.action == "check" and (is_csv(args.name) or _is_own(args.name)):
        return _check_csv(console, args)
    if args.action == "check" and args.name in EMBEDDED:
        return _check_embedded(console, args.name)
    if args.action == "add" and args.csv and args.name not in KNOWN:
        return _add_own(console, args)
    if args.name not in datasets and args.action == "add":
        raise UnknownName("dataset", args.name, KNOWN, fix=f"python -m repro data add {args.name} --csv FILE.csv")
    if datasets[args.name].facts.get("shipped", True):
        raise BadOption(f"{args.name} comes with the suite or a package", allowed="datasets that you keep yourself")
    actions: dict[str, Callable[[Console, argparse.Namespace], int]] = {"add": _add, "check": _check, "remove": _remove}
    return actions[args.action](console, args)


def _state(name: str) -> str:
    from repro.data.check import state

    return "at hand" if datasets[name].facts.get("shipped", True) else state(name)


def _remove(console: Console, args: argparse.Namespace) -> int:
    from repro.data import dataset_config

    console.print(f"{args.name}: {'forgotten' if dataset_config.remove(args.name) else 'was not configured'}")
    return 0


def _add(console: Console, args: argparse.Namespace) -> int:
    from repro.data import dataset_config
    from repro.data.datasets import num_classes

    if bool(args.csv) == bool(args.root) or bool(args.root) != bool(args.annotations):
        raise BadOption(
            "data add takes --root DIR with --annotations FILE [FILE ...], or --csv FILE.csv",
            fix=f"python -m repro data add {args.name} --root DIR --annotations FILE [FILE ...]",
        )
    if args.csv:
        return _tell_added(console, args, dataset_config.add(args.name, args.csv, num_classes(args.name)))
    from repro.data.indexing import Source, summary
    from repro.data.indexing import add as add_index

    source = Source(args.root, tuple(args.annotations), args.labels, args.format, args.first_label)
    with _bar(console, "indexing") as report:
        added = add_index(args.name, source, workers=_jobs(args), on_progress=report)
    for line in summary(added):
        console.print(line, markup=False)
    console.print(f"next: python -m repro data check {args.name}", markup=False)
    return 0


def _is_own(name: str) -> bool:
    return name in datasets and bool(datasets[name].facts.get("own"))


def _add_own(console: Console, args: argparse.Namespace) -> int:
    """A CSV gets a name."""
    from repro.data import user_data

    if args.name in datasets and not _is_own(args.name):
        raise BadOption(f"{args.name} comes with the suite or a package", allowed="a name of your own")
    return _tell_added(console, args, user_data.add(args.name, args.csv))


def _tell_added(console: Console, args: argparse.Namespace, counts: Mapping[str, int]) -> int:
    """What a CSV holds that was added, and what of it is read otherwise than written."""
    from repro.data.index import read_classes, read_csv, read_splits

    told = ", ".join(f"{count:,} {split}" for split, count in counts.items())
    console.print(f"{args.name}: {told}; {len(read_classes(args.csv))} classes", markup=False)
    for note in dict.fromkeys(note for split in read_splits(args.csv) for note in read_csv(args.csv, split).notes):
        console.print(f"note: {note}", markup=False)
    console.print(f"next: python -m repro data check {args.name}", markup=False)
    return 0


def _check_embedded(console: Console, name: str) -> int:
    """The files of a probe are held against what was written."""
    problems = check_embedded(name)
    for line in problems:
        console.print(line, markup=False)
    files = many(sum(EMBEDDED[name].sizes.values()), "file")
    told = f"{files}, as they were written: good"
    if problems:
        told = f"{len(problems)} of {files} not as written; rm -r {folder_of(name)}, and they are written again"
    console.print(f"{name}: {told}", markup=False)
    return int(bool(problems))


def _check_csv(console: Console, args: argparse.Namespace) -> int:
    """Every video of a CSV is decoded; the file and its videos stay as they are."""
    from repro.data.check_csv import check_csv
    from repro.data.dataset_config import place

    if args.official or args.videos:
        raise BadOption(f"--official and --videos with the CSV {args.name}", allowed="with a dataset of its own folder")
    file = expand(args.name) if is_csv(args.name) else place(args.name)
    if file is None:
        raise BadOption(f"{args.name} has no file", fix=f"python -m repro data add {args.name} --csv FILE.csv")
    with _bar(console, "decoding") as report:
        done = check_csv(file, sample=args.sample, workers=_jobs(args), decoder=args.decoder, on_progress=report)
    return _tell_checked(console, args.name, done)


def _check(console: Console, args: argparse.Namespace) -> int:
    from repro.data.check import check

    with _bar(console, "decoding") as report:
        done = check(
            args.name,
            sample=args.sample,
            workers=_jobs(args),
            decoder=args.decoder,
            official=args.official,
            videos=args.videos,
            on_progress=report,
        )
    return _tell_checked(console, args.name, done, f", {done.quarantined:,} set aside")


def _tell_checked(console: Console, name: str, done: Check, more: str = "") -> int:
    for finding in done.findings:
        console.print(str(finding), markup=False)
    looked = f"{done.checked:,} of {done.videos:,} videos decoded{more}"
    console.print(f"{name}: {looked}: {'good' if done.ok else 'errors, see above'}", markup=False)
    return 0 if done.ok else 1


def _jobs(args: argparse.Namespace) -> int:
    from repro.core.environment import machine

    return args.jobs or machine()[1]


@contextmanager
def _bar(console: Console, title: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar with the time that is left; nothing where there is no terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(title, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
