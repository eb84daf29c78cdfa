"""The verb on frozen features: features."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from repro.cli.arguments import (
    add_device,
    add_model_options,
    add_module,
    add_names,
    add_views,
    output,
    positive,
    trained_of,
    views_of,
)
from repro.cli.common import Commands, prepare, verb
from repro.core.errors import BadOption
from repro.core.plain_text import one_line

if TYPE_CHECKING:
    from repro.engine.features import Features


def add(commands: Commands) -> None:
    """Declare it."""
    parser = verb(
        commands,
        "features",
        features,
        "frozen features of clips, and how far a linear classifier on them gets",
        "features my.csv --weights i3d-kinetics400 --out f.npz --folds 5",
    )
    help_ = "a CSV (path,label,group), a folder (a subfolder a class), or the .npz of an earlier call"
    parser.add_argument("source", type=Path, metavar="SOURCE", help=help_)
    parser.add_argument("--weights", help="a file of import-weights or train, or a name of weights list")
    parser.add_argument("--model", help="default: the weights'; without --weights it is random, a control")
    parser.add_argument("--out", type=output, metavar="FILE.npz", help="where the features go")
    parser.add_argument("--folds", type=positive, help="score a linear classifier by so many folds of whole groups")
    add_names(parser)
    add_model_options(parser)
    add_views(parser)
    add_device(parser)
    add_module(parser)


def features(args: argparse.Namespace) -> int:
    """Write features, or read them; with --folds score a linear classifier beside what needs no network."""
    from repro.engine.features import Features, check_name

    console = prepare(args)
    if args.out:
        check_name(args.out)
    if args.source.suffix == ".npz":
        found = Features.load(args.source)
    else:
        if not (args.out or args.folds):
            raise BadOption("features wants --out FILE.npz, or --folds N", fix="--out f.npz --folds 5")
        found = _extracted(args, console)
        for one in found.about["left_out"]:
            print(one_line(f"left out: {one['id']}: {one['problem']}"), file=sys.stderr)
        if args.out:
            found.save(args.out)
            console.print(f"{len(found.ids)} clips, {found.values.shape[1]} features each: {args.out}", markup=False)
    if args.folds:
        _tell(args, found, console)
    return 0


def _extracted(args: argparse.Namespace, console: Console) -> Features:
    from repro.cli.arguments import model_of
    from repro.engine.features import clips_in, extract
    from repro.models import pretrained
    from repro.models.device import device_of

    if not (args.weights or args.model):
        raise BadOption("features wants --weights, or --model for random ones", fix="--weights mobilenetv2-imagenet")
    network = trained_of(args) if args.weights else pretrained.random(model_of(args))
    with console.status("reading clips") as line:
        return extract(
            clips_in(args.source),
            network,
            views_of(args, network.views, network.model),
            decoder=args.decoder,
            device=device_of(args.device),
            on_clip=lambda done, all: line.update(f"clip {done + 1} of {all}"),
        )


def _tell(args: argparse.Namespace, found: Features, console: Console) -> None:
    from repro.data.clip_controls import simple
    from repro.engine.features import clips_in
    from repro.evidence.linear_probe import folds_of, probe

    fold = folds_of(found.labels, found.groups, args.folds)
    groups = len(set(found.groups) - {""}) or len(found.ids)
    chance = 100 * max((found.labels == label).mean() for label in set(found.labels.tolist()))
    console.print(
        f"{len(found.ids)} clips of {len(found.classes)} classes in {groups} groups, {args.folds} folds of whole groups"
    )
    name = "features" if found.about.get("weights_sha256") else "random network's features"
    rows = {name: found.values}
    if args.source.suffix != ".npz":
        read = {clip.id: clip.path for clip in clips_in(args.source)[0]}
        clips = [read[name] for name in found.ids]
        rows |= {f"{kind} alone": simple(clips, kind) for kind in ("geometry", "colour")}
    for label, values in rows.items():
        told = probe(values, found.labels, fold)
        console.print(f"{label:<26}{told.accuracy:6.2f} %  ({told.interval.low:.1f} to {told.interval.high:.1f})")
    console.print(f"{'the largest class':<26}{chance:6.2f} %")
