"""Jobs started where the arguments say: on this machine's cores, or one on each GPU, with their progress."""

from __future__ import annotations

import argparse
import math

from rich.console import Console

from repro.core import paths
from repro.core.errors import BadOption
from repro.core.words import duration, many


def launch(todo: list, args: argparse.Namespace, console: Console, title: str) -> int:
    """Run the jobs where the arguments say, and return how many failed."""
    from repro.cli.progress import Display
    from repro.core.environment import gpu_ids
    from repro.models.device import device_of
    from repro.runner.local import run_local

    todo, seconds = cheapest_first(todo)
    gpus = gpus_of(args) if args.launcher == "gpus" else []
    if args.device in ("auto", "cuda") and not args.jobs:  # a worker a GPU: two would share its memory
        gpus = gpus or gpu_ids()
    device = args.device if args.device in ("auto", "cpu") or gpus else device_of(args.device)
    width = args.jobs or (1 if device.startswith("cuda") else None)
    if args.smoke:
        console.print(f"{title}: {many(len(todo), 'smoke cell')}, toy sizes")
    else:
        told = plan(todo, seconds, len(gpus) or width)
        console.print(f"{title}: {told}. Ctrl-C stops, the same command goes on.", markup=False)
    with Display(console, title, len(gpus) or width) as display:
        state = run_local(
            todo,
            device=device,
            width=width,
            replace=args.mode == "force",
            on_event=display.event,
            gpus=gpus,
            time_together=args.time_together,
            expected={} if args.smoke else seconds,
        )
    return state.failed


def cheapest_first(todo: list) -> tuple[list, dict[tuple[str, int], float]]:
    """Counts, times, trainings, of each kind the shortest first; and the seconds that each took elsewhere, if known."""
    from repro.records.index import Index
    from repro.runner.jobs import KINDS, expected_seconds

    seconds = expected_seconds(todo, Index(paths.records()))
    return sorted(todo, key=lambda job: (KINDS.index(job.kind), seconds.get(job.key, math.inf))), seconds


def plan(todo: list, seconds: dict[tuple[str, int], float], width: int | None) -> str:
    """What is going to be measured, and about how long it takes with so many jobs side by side."""
    from repro.runner.local import cores

    parts = []
    width = width or cores()
    for kind, what in (("static", "count"), ("speed", "time"), ("accuracy", "training")):
        count = sum(job.kind == kind for job in todo)
        own = [seconds[job.key] for job in todo if job.kind == kind and job.key in seconds]
        told = [f"about {duration(sum(own) / (1 if kind == 'speed' else min(width, len(own))))}"] if own else []
        if len(own) < count:
            told.append("how long is told when the first is done" if not own else f"and {count - len(own)} more")
        if count:
            parts.append(f"{many(count, what)}, {' '.join(told)}")
    return "; then ".join(parts)


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
