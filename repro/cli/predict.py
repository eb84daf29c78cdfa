"""The verb on one clip: predict."""

from __future__ import annotations

import argparse
import json

from repro.cli.arguments import (
    add_device,
    add_model_options,
    add_module,
    add_names,
    add_views,
    clip,
    model_of,
    names_of,
    positive,
    views_of,
)
from repro.cli.common import Commands, prepare, verb


def add(commands: Commands) -> None:
    """Declare it."""
    parser = verb(
        commands,
        "predict",
        predict,
        "the best classes of a video file or a folder of frames",
        "predict clip.mp4 --model tsm --weights w.safetensors --crops 1",
    )
    parser.add_argument("clip", type=clip, metavar="CLIP", help="a video file, or a folder of frames")
    parser.add_argument("--model", help="a model (tsm), or a table's row (table6/tsm_r50_dnr); default: the weights'")
    parser.add_argument("--weights", required=True, help="a file of import-weights or train, or a name of weights list")
    parser.add_argument("--top", type=positive, default=5, help="classes to name; default 5")
    parser.add_argument("--crops", type=int, choices=[1, 3, 5, 10], help="default: the network's test protocol")
    parser.add_argument("--fusion", choices=["softmax", "logits", "features"], help="how the views' scores are one")
    parser.add_argument("--json", action="store_true", help="plain data in place of text")
    add_names(parser)
    add_model_options(parser)
    add_views(parser)
    add_device(parser)
    add_module(parser)


def predict(args: argparse.Namespace) -> int:
    """Name the best classes of a clip, and say what was used."""
    from repro.engine.predict import predict as best_classes
    from repro.engine.predict import render
    from repro.models import pretrained
    from repro.models.device import device_of
    from repro.models.known_weights import file_of

    console = prepare(args)
    pretrained.use_threads(args.threads)
    weights = file_of(args.weights)
    saved = pretrained.saved(weights)
    args.model = args.model or saved.model.name
    network = pretrained.load(weights, model_of(args, saved.model))
    network = pretrained.with_classes(network, names_of(args))
    views = views_of(args, network.views)
    found = best_classes(args.clip, network, views, decoder=args.decoder, device=device_of(args.device), top=args.top)
    if args.json:
        print(json.dumps(found.to_dict(), indent=1))
    else:
        console.print(render(found, network.label), markup=False)
    return 0
