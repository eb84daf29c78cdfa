"""Verbs on one network: flops, speed, train, test."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from repro.cli.arguments import (
    add_decoder,
    add_device,
    add_model,
    add_module,
    add_test_views,
    model_of,
    positive,
    seed,
    views_of,
)
from repro.cli.common import Commands, add_protocol, prepare, verb
from repro.core import stop_signal
from repro.core.errors import BadOption
from repro.core.options import parsed
from repro.core.spec import Accuracy, Experiment, Model, Speed, Static, replace
from repro.engine.execution import Execution

_REPEATS, _VIDEOS = 11, 64
_MOST_WORKERS = 16


def add(commands: Commands) -> None:
    """Declare them."""
    for declare in (_add_flops, _add_speed, _add_train, _add_test):
        declare(commands)


def _add_flops(commands: Commands) -> None:
    parser = verb(
        commands, "flops", flops, "parameters and GMACs of one view, by three counters", "flops tdn --size 224"
    )
    add_model(parser)
    parser.add_argument("--size", type=positive, nargs="+", default=[224, 256], help="crop sides; default 224 256")
    add_module(parser)


def _add_speed(commands: Commands) -> None:
    parser = verb(
        commands, "speed", speed, "forward time of one view, or from file to scores", "speed tsm --method dnr --fast"
    )
    add_model(parser)
    parser.add_argument(
        "--data",
        type=Path,
        nargs="*",
        metavar="CLIP",
        help="from these videos to scores; without CLIP, from four written ones",
    )
    parser.add_argument("--size", type=positive, default=224)
    parser.add_argument("--batch", type=positive, nargs="+", default=[1], help="one or more batch sizes")
    parser.add_argument("--repeats", type=positive, help="default 11; with --data, videos, default 64")
    parser.add_argument("--precision", default="fp32", choices=["fp32", "tf32", "bf16", "fp16"])
    forms = parser.add_mutually_exclusive_group()
    forms.add_argument("--fast", action="store_true", help="the fastest form within 1e-5 of eager, found by a trial")
    forms.add_argument("--frozen", action="store_true", help="the method's own form for inference (psn, rf_*)")
    forms.add_argument(
        "--compact", action="store_true", help="adafuse: compute only what decisions ask for, beside TSN at its fastest"
    )
    parser.add_argument(
        "--shares",
        type=float,
        nargs=3,
        metavar=("SKIP", "REUSE", "KEEP"),
        help="with --compact: shares of the decisions; default: those of the authors' networks on three datasets",
    )
    parser.add_argument("--drawn", choices=["each", "groups", "lasting"], help="with --compact: see `Speed.drawn`")
    _add_workers(parser)
    add_device(parser)
    add_module(parser)


def _add_train(commands: Commands) -> None:
    parser = verb(
        commands,
        "train",
        train,
        "train on a dataset, score it, write weights, scores and a record",
        "train tsm --backbone tiny_resnet --dataset probe-order",
    )
    add_model(parser)
    parser.add_argument("--dataset", required=True, help="a registered name, or a CSV with columns path,label,split")
    parser.add_argument("--seed", type=seed, default=0)
    add_protocol(parser)
    add_decoder(parser)
    parser.add_argument("--micro-batch", type=positive, metavar="N", help="clips in one forward pass on one device")
    _add_workers(parser)
    parser.add_argument("--video-timeout", type=positive, default=60, metavar="S", help="seconds to decode one video")
    parser.add_argument("--strict", action="store_true", help="end at a video that cannot be read; default: replace it")
    parser.add_argument("--out", type=Path, default=Path("runs"), help="folder for weights, scores, log and record")
    add_device(parser)
    add_module(parser)


def _add_workers(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--workers",
        type=positive,
        metavar="N",
        help="processes that decode videos, for each device (default: a GPU takes its share of the cores, a CPU 1)",
    )


def _add_test(commands: Commands) -> None:
    parser = verb(
        commands,
        "test",
        test,
        "score a dataset's split with given weights",
        "test tsm --weights w.safetensors --dataset my.csv --views 1x1",
    )
    add_model(parser)
    parser.add_argument("--weights", type=Path, required=True, help="a file of import-weights or train")
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--split", help="default: val, or test where a file has no val")
    add_test_views(parser)
    parser.add_argument("--amp", default="off", choices=["off", "bf16", "fp16"], help="16 bits where they are safe")
    _add_workers(parser)
    parser.add_argument("--out", type=Path, default=Path("runs"), help="folder for scores and record")
    add_device(parser)
    add_module(parser)


def flops(args: argparse.Namespace) -> int:
    """Parameters and GMACs by three counters."""
    from repro.cli.cost_text import render_flops
    from repro.cost.macs import measure_static

    console = prepare(args)
    model = model_of(args)
    console.print(render_flops(model, measure_static(model, Static(sizes=tuple(args.size)))))
    return 0


def speed(args: argparse.Namespace) -> int:
    """Forward time at each batch size, beside the plain host of a method; with --data, rate from file to scores."""
    if args.data is not None:
        return _end_to_end(args)
    if (args.shares or args.drawn) and not args.compact:
        raise BadOption(
            "--shares and --drawn belong to --compact", fix="python -m repro speed tsn --method adafuse --compact"
        )
    if args.compact and len(args.batch) > 1:
        raise BadOption(f"--compact takes one batch size, not {len(args.batch)}", fix="--batch 1")
    from repro.cli.cost_text import render_speed, render_sweep
    from repro.cost.speed import sweep
    from repro.models.device import device_of

    console = prepare(args)
    model = model_of(args)
    measure = Speed(
        size=args.size,
        repeats=args.repeats or _REPEATS,
        precision=args.precision,
        form=next((form for form in ("fast", "frozen", "compact") if getattr(args, form)), "eager"),
        against=replace(model, method=None, method_options={}) if model.method else None,
    )
    if args.compact:
        return _compact_speed(args, model, measure, console)
    found = sweep(model, measure, args.batch, device=device_of(args.device), threads=args.threads)
    for result in found:
        console.print(render_speed(model, result))
    if len(args.batch) > 1:
        console.print(render_sweep(model, found))
    return 0


def _compact_speed(args: argparse.Namespace, model: Model, measure: Speed, console: Console) -> int:
    """AdaFuse at each operating point asked for, beside its host and as its authors run it."""
    from repro.cli.compact_text import render_compact, render_points
    from repro.cost.compact import measure_compact
    from repro.models.device import device_of
    from repro.papers import find
    from repro.papers.adafuse.speed import POINTS

    rows = {name: find("adafuse/speed").row(name).label.partition(",")[0] for name in POINTS}
    known = {rows[name]: shares for name, shares in POINTS.items()}
    points = {"as given": tuple(args.shares)} if args.shares else known
    found = {}
    for name, shares in points.items():
        with console.status(f"decisions {name}: trying forms of {model.name}"):
            asked = replace(measure, shares=shares, drawn=args.drawn or "each", batch=args.batch[0])
            found[name] = measure_compact(model, asked, device=device_of(args.device), threads=args.threads)
        console.print(render_compact(name, found[name]))
    console.print(render_points(found))
    return 0


def _end_to_end(args: argparse.Namespace) -> int:
    """Videos a second from file to scores, with random weights."""
    from repro.cli.cost_text import render_end_to_end
    from repro.core import paths
    from repro.core.environment import machine
    from repro.cost.test_clips import CLIPS, clip_file
    from repro.engine.end_to_end import measure
    from repro.models import pretrained
    from repro.models.device import device_of

    console, device = prepare(args), device_of(args.device)
    pretrained.use_threads(args.threads)
    network = pretrained.random(model_of(args))
    workers = args.workers or (min(_MOST_WORKERS, machine()[1]) if device.startswith("cuda") else 1)
    with console.status("writing clips, then from file to scores"):
        files = args.data or [clip_file(name, paths.cache() / "clips") for name in CLIPS]
        videos = args.repeats or _VIDEOS
        found = measure(network, files, network.views, device=device, workers=workers, videos=videos)
    console.print(render_end_to_end(network.label, found), markup=False)
    return 0


def train(args: argparse.Namespace) -> int:
    """Train with the network's recipe, score, and write weights, scores and a record."""
    console = prepare(args)
    from repro.engine.process_group import together
    from repro.runner.one_experiment import recipe

    with together(args.device) as device:
        experiment = recipe(
            model_of(args),
            args.dataset,
            parsed(args.set, fix="--set epochs=2"),
            views=args.views,
            crop=args.crop,
            on_note=lambda text: console.print(f"note: {text}", markup=False),
        )
        how = Execution(
            device=device,
            threads=args.threads,
            decoder=args.decoder,
            workers=args.workers,
            micro_batch=args.micro_batch,
            video_timeout_s=float(args.video_timeout),
            strict=args.strict,
        )
        return _single(console, experiment, how, args.out, seed=args.seed)


def test(args: argparse.Namespace) -> int:
    """Score one split with given weights."""
    console = prepare(args)
    from repro.data.user_data import dataset_name
    from repro.engine.process_group import together
    from repro.models.pretrained import saved
    from repro.runner.one_experiment import scored_split, with_weights

    with together(args.device) as device:
        name = dataset_name(args.dataset)
        known = saved(args.weights)
        model = with_weights(model_of(args, known.model), args.weights)
        model = model if args.classes else replace(model, num_classes=known.model.num_classes)
        views = views_of(args, known.views_for(model), model)
        measure = Accuracy(dataset=name, test=views, test_split=scored_split(name, args.split), amp=args.amp)
        how = Execution(device=device, threads=args.threads, decoder=args.decoder, workers=args.workers)
        return _single(console, Experiment(model=model, measure=measure), how, args.out, weights=args.weights)


def _single(
    console: Console, experiment: Experiment, how: Execution, out: Path, seed: int = 0, weights: Path | None = None
) -> int:
    from repro.cli.progress import Paced, told, waits
    from repro.runner.one_experiment import run_single, summary

    said: set[str] = set()
    paced = Paced()
    with console.status("starting") as line:

        def progress(facts: dict[str, Any]) -> None:
            phase = str(facts.get("phase", ""))
            if waits(phase) and phase not in said:
                said.add(phase)
                console.print(phase, markup=False)
            if "problem" in facts:
                console.print(f"training video {facts['problem']}", markup=False)
            line.update(escape(told(facts)))
            if not console.is_terminal and paced.due():
                console.print(told(facts), markup=False)

        with stop_signal.watching():
            told_how = replace(how, on_progress=progress)
            made, path = run_single(
                experiment,
                told_how,
                out=out,
                seed=seed,
                weights=weights,
                on_note=lambda text: console.print(f"note: {text}", markup=False),
            )
    console.print(summary(made, path), markup=False)
    return 0 if made.status == "done" else 1
