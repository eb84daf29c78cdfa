"""The verb on clips: predict."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from repro.cli.arguments import (
    add_device,
    add_model_options,
    add_module,
    add_names,
    add_test_views,
    at_once,
    clip,
    output,
    positive,
    trained_of,
    views_of,
)
from repro.cli.common import Commands, prepare, verb

if TYPE_CHECKING:
    from repro.engine.predict import Prediction

_SHOWN = 20


def add(commands: Commands) -> None:
    """Declare it."""
    parser = verb(
        commands,
        "predict",
        predict,
        "the best classes of a video file or a folder of frames, or of many of them",
        "predict clips/ --weights w.safetensors --views 1x1 --out p.csv",
    )
    help_ = "a video file, a folder of frames, a folder of such, a pattern ('*.mp4'), or a list (.txt, .csv)"
    parser.add_argument("clips", type=clip, nargs="+", metavar="CLIP", help=help_)
    parser.add_argument("--model", help="a model (tsm), or a table's row (table6/tsm_r50_dnr); default: the weights'")
    parser.add_argument("--weights", required=True, help="a file of import-weights or train, or a name of weights list")
    parser.add_argument("--top", type=positive, default=5, help="classes to name; default 5")
    parser.add_argument("--json", action="store_true", help="plain data in place of text, of one clip")
    parser.add_argument(
        "--out", type=output, metavar="FILE", help="write FILE.csv or FILE.jsonl; a second start goes on"
    )
    parser.add_argument("--workers", type=at_once, default=1, metavar="N", help="processes that decode; default 1")
    parser.add_argument("--video-timeout", type=positive, default=60, metavar="S", help="seconds to decode one clip")
    add_names(parser)
    add_model_options(parser)
    add_test_views(parser)
    add_device(parser)
    add_module(parser)


def predict(args: argparse.Namespace) -> int:
    """Name the best classes of a clip, and say what was used; or of many, in lines or in a file."""
    from repro.data.clip_paths import clips_of
    from repro.engine.predict import predict as best_classes
    from repro.engine.predict import render
    from repro.engine.prediction_file import check_name
    from repro.models.device import device_of

    console = prepare(args)
    if args.out is not None:
        check_name(args.out)
    clips = clips_of(args.clips)
    network = trained_of(args)
    views, device = views_of(args, network.views, network.model), device_of(args.device)
    if len(clips) > 1 or args.out is not None:
        how = {"decoder": args.decoder, "device": device, "workers": args.workers}
        return _many(args, console, clips, network, views, {**how, "timeout_s": float(args.video_timeout)})
    found = best_classes(clips[0], network, views, decoder=args.decoder, device=device, top=args.top)
    if args.json:
        print(json.dumps(found.to_dict(), indent=1))
    else:
        console.print(render(found, network.label), markup=False)
    return 0


def _many(
    args: argparse.Namespace, console: Console, clips: list[Path], network: Any, views: Any, how: dict[str, Any]
) -> int:
    """Lines or a file, and what could not be read; 1 where nothing could."""
    from repro.engine.predict import predictions
    from repro.engine.prediction_file import predict_all, render

    if args.out is None:
        found = []
        for made in predictions(clips, network, views, top=args.top, **how):
            found.append(made)
            print(_line(made) if not args.json else render([made], ".jsonl", args.top).rstrip(), flush=True)
    else:
        with console.status(f"0 of {len(clips)} clips") as line:

            def on_clip(done: int, made: Prediction) -> None:
                line.update(f"{done} of {len(clips)} clips")
                if not console.is_terminal and done % 100 == 0:
                    print(f"{done} of {len(clips)} clips", file=sys.stderr, flush=True)

            found = predict_all(clips, network, views, args.out, top=args.top, on_clip=on_clip, **how)
        console.print(f"{args.out}: {len(clips)} clips by {network.label}", markup=False)
    bad = [made for made in found if made.problem]
    if bad:
        print(f"{len(bad)} of {len(found)} clips could not be read:", file=sys.stderr)
        for made in bad[:_SHOWN]:
            print(f"  {made.clip}: {made.problem}", file=sys.stderr)
        if len(bad) > _SHOWN:
            print(f"  ... and {len(bad) - _SHOWN} more", file=sys.stderr)
    return int(len(bad) == len(found))


def _line(made: Prediction) -> str:
    if made.problem:
        return f"{'-':>8}  {made.clip}: {made.problem}"
    return f"{100 * made.classes[0]['score']:6.2f} %  {made.classes[0]['name']}  {made.clip}"
