"""Jobs started where the arguments say: on this machine's cores, or one on each GPU, with their progress."""

from __future__ import annotations

import argparse

from rich.console import Console

from repro.cli.common import duration
from repro.core import paths
from repro.core.errors import BadOption


def launch(todo: list, args: argparse.Namespace, console: Console, title: str) -> int:
    """Run the jobs where the arguments say, and return how many failed."""
    from repro.cli.progress import Display
    from repro.models.device import device_of
    from repro.runner.local import run_local

    _print_plan(todo, console, title, args)
    gpus = gpus_of(args) if args.launcher == "gpus" else []
    device = args.device if args.device in ("auto", "cpu") or gpus else device_of(args.device)
    with Display(console, title, len(gpus) or args.jobs) as display:
        state = run_local(
            todo,
            device=device,
            width=args.jobs,
            replace=args.mode == "force",
            on_event=display.event,
            gpus=gpus,
            time_together=args.time_together,
        )
    return state.failed


def _print_plan(todo: list, console: Console, title: str, args: argparse.Namespace) -> None:
    """What is going to be measured, cheapest first, and about how long it takes; nothing is lost by Ctrl-C."""
    from repro.records.index import Index
    from repro.runner.jobs import expected_seconds
    from repro.runner.local import cores

    if args.smoke:
        console.print(f"{title}: {len(todo)} smoke cells, toy sizes")
        return
    seconds, width = expected_seconds(todo, Index(paths.records())), args.jobs or cores()
    parts = []
    for kind, what in (("static", "counts"), ("speed", "times"), ("accuracy", "trainings")):
        count = sum(job.kind == kind for job in todo)
        if count:
            left = seconds[kind] / (1 if kind == "speed" else min(width, count))
            parts.append(f"{count} {what if count > 1 else what[:-1]}, {duration(left)}")
    console.print(f"{title}: {'; then '.join(parts)}. Ctrl-C stops, the same command goes on.", markup=False)


def gpus_of(args: argparse.Namespace) -> list[str]:
    """The devices that are asked for, or all that are visible."""
    from repro.core.environment import gpu_ids

    found = [part.strip() for part in args.gpus.split(",") if part.strip()] if args.gpus else gpu_ids()
    if not found:
        raise BadOption(
            "--launcher gpus: no GPU is visible here", allowed="ids as nvidia-smi -L lists them", fix="--gpus 0,1"
        )
    if len(set(found)) < len(found):
        raise BadOption(f"--gpus {args.gpus}: a device stands twice", allowed="each device once")
    return found
