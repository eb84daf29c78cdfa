"""The verb that looks inside networks: inspect gradcam, inspect kernels."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

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
    seed,
    views_of,
)
from repro.cli.common import Commands, prepare, verb
from repro.core.errors import BadOption
from repro.engine.execution import Execution

if TYPE_CHECKING:
    from rich.console import Console

    from repro.models.pretrained import Trained


def add(commands: Commands) -> None:
    """Declare it."""
    parser = commands.add_parser("inspect", help="look inside a network: gradcam, kernels")
    what = parser.add_subparsers(title="what", metavar="WHAT", required=True)
    _add_gradcam(what)
    _add_kernels(what)


def _add_gradcam(what: Commands) -> None:
    parser = verb(
        what,
        "gradcam",
        gradcam,
        "which places of a clip speak for a class (Grad-CAM++), as a strip of frames",
        "inspect gradcam clip.mp4 --model tsn --method dnr --weights host.safetensors dnr.safetensors",
    )
    parser.add_argument("clip", type=clip, metavar="CLIP", help="a video file, or a folder of frames")
    parser.add_argument("--model", required=True, help="a model (tsn), or a table's row (table6/tsm_r50_dnr)")
    parser.add_argument("--weights", type=Path, nargs="+", default=[], metavar="FILE", help="a row of the strip each")
    parser.add_argument("--compare", type=Path, nargs="+", default=[], metavar="FILE", help="weights of other networks")
    parser.add_argument("--random", action="store_true", help="random weights: shows the machinery, not a network")
    parser.add_argument("--class", dest="target", metavar="CLASS", help="name or number; default: the predicted class")
    parser.add_argument("--layer", help="a module of the network; default: the last one with a map")
    parser.add_argument("--scale", default="clip", choices=["clip", "frame"], help="over what the maximum is 1")
    parser.add_argument("--columns", type=positive, default=8, help="at most so many frames; default 8")
    parser.add_argument("--out", type=Path, help="folder; default: figures/ of the results, which the report shows")
    add_names(parser)
    add_model_options(parser)
    add_views(parser)
    add_device(parser)
    add_module(parser)


def _add_kernels(what: Commands) -> None:
    parser = verb(
        what,
        "kernels",
        kernels,
        "which spatial and temporal kernels PSN's fusion joins: l1 norms of its blocks, stage by stage",
        "inspect kernels --weights sthv1.safetensors kinetics400.safetensors",
    )
    parser.add_argument(
        "--weights",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="files of train, a row of heatmaps each; default: PSN on probe-shapes, trained now or from the cache",
    )
    parser.add_argument("--seed", type=seed, default=0, help="of the trainings on the probe; default 0")
    parser.add_argument("--out", type=Path, help="folder; default: figures/ of the results, which the report shows")
    add_device(parser)
    add_module(parser)


def kernels(args: argparse.Namespace) -> int:
    """Print the norms and write the heatmaps."""
    from repro.engine.inspect import kernels as looked
    from repro.models import pretrained
    from repro.records import figures

    console = prepare(args)
    pretrained.use_threads(args.threads)
    if args.weights:
        found = [looked.read(pretrained.load(path)) for path in args.weights]
    else:
        found = [
            looked.read(network, pretrained.random(network.model, args.seed)) for network in _on_probe(args, console)
        ]
    png, facts = looked.kernels_figure(found)
    path = figures.write(looked.figure_name(facts), png, facts, args.out)
    for line in (*looked.lines(found), f"heatmaps: {path}", f"facts: {path.with_suffix('.json')}"):
        console.print(line, markup=False)
    if args.out is None:
        console.print("the report shows it: python -m repro report")
    return 0


def _on_probe(args: argparse.Namespace, console: Console) -> list[Trained]:
    """PSN's rows of Table 2 with both losses and with none, on probe-shapes."""
    from dataclasses import replace

    from repro.engine.accuracy import trained_weights
    from repro.models import pretrained
    from repro.models.device import device_of
    from repro.papers.psn.networks import figure_networks

    device, found = device_of(args.device), []
    for experiment in figure_networks():
        dataset = experiment.measure.dataset  # type: ignore[union-attr]
        console.print(f"PSN on {dataset}, seed {args.seed}: in the cache, or trained now (minutes)", markup=False)
        path = trained_weights(experiment, args.seed, Execution(device=device, workers=1))
        found.append(replace(pretrained.load(path), dataset=dataset))
    return found


def gradcam(args: argparse.Namespace) -> int:
    """Write the strip and its facts."""
    from repro.engine.inspect.explain import Look, figure_name, gradcam_figure
    from repro.models.device import device_of
    from repro.models.pretrained import use_threads
    from repro.records import figures

    console = prepare(args)
    use_threads(args.threads)
    networks = _networks(args)
    look = Look(args.target, args.layer, args.scale, args.columns, args.decoder, device_of(args.device))
    png, facts = gradcam_figure(args.clip, networks, [views_of(args, one.views, one.model) for one in networks], look)
    folder = args.out or (Path("runs") / "figures" if args.random else None)
    path = figures.write(figure_name(args.clip, facts), png, facts, folder)
    for line in (facts.title, facts.caption, f"strip: {path}", f"facts: {path.with_suffix('.json')}"):
        console.print(line, markup=False)
    if folder is None:
        console.print("the report shows it: python -m repro report")
    return 0


def _networks(args: argparse.Namespace) -> list[Trained]:
    """The rows of the strip: the files in their order, with `--method` the host's and the method's."""
    from repro.core.spec import frozen, replace
    from repro.models import pretrained

    if bool(args.weights) == args.random:
        raise BadOption(
            "inspect gradcam needs --weights: random ones show nothing of a network" if not args.random
            else "--weights and --random exclude each other",
            allowed="--weights FILE ..., or --random to try the machinery",
            fix="python -m repro train tsn --backbone tiny_resnet --dataset probe-order",
        )  # fmt: skip
    found = []
    if args.random:
        model = model_of(args)
        plain = replace(model, method=None, method_options=frozen())
        found = [pretrained.random(one) for one in ([plain, model] if model.method else [model])]
    for path in args.weights:
        known = pretrained.saved(path).model
        # with several files `--method` is that of those that have one; the others are its host
        host = len(args.weights) > 1 and known.method is None
        given = argparse.Namespace(**{**vars(args), "method": None, "method_option": []}) if host else args
        found.append(pretrained.load(path, model_of(given, known)))
    if args.method and not any(one.model.method for one in found):
        raise BadOption(f"none of the weights is of a network with {args.method}", fix="--weights HOST METHOD")
    found += [pretrained.load(path) for path in args.compare]
    names = names_of(args)
    return [pretrained.with_classes(one, names) for one in found]
