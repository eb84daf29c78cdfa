"""The verb that takes a trained network out of this suite: export."""

from __future__ import annotations

import argparse

from repro.cli.arguments import add_model, add_module, add_names, at_once, output, positive, trained_of, views_of
from repro.cli.common import Commands, prepare, verb

_FORMATS = ("onnx", "torchscript", "torch-export")


def add(commands: Commands) -> None:
    """Declare it."""
    parser = verb(
        commands,
        "export",
        export,
        "a trained network as ONNX, TorchScript or torch.export, checked in its runtime, with a JSON of how to feed it",
        "export tsm --weights w.safetensors --format onnx --out tsm.onnx",
    )
    add_model(parser, optional=True)
    parser.add_argument("--weights", required=True, help="a file of import-weights or train, or a name of weights list")
    parser.add_argument("--format", required=True, choices=_FORMATS)
    parser.add_argument("--out", type=output, required=True, metavar="FILE", help="FILE.json lies beside it")
    parser.add_argument("--sampling", help="frame sampling rule to tell; default: the network's test protocol")
    parser.add_argument("--crop", type=positive, help="height and width of the input; default: the test protocol's")
    parser.add_argument("--threads", type=at_once, help="CPU threads; default: all cores")
    add_names(parser)
    add_module(parser)


def export(args: argparse.Namespace) -> int:
    """Write the file and its JSON, and say how far it is from eager."""
    from repro.engine.export import LIMIT
    from repro.engine.export import export as write

    console = prepare(args)
    network = trained_of(args)
    with console.status(f"exporting {network.label}"):
        made = write(network, args.format, args.out, views_of(args, network.views, network.model))
    told = ", ".join(f"{error:.1e} at {n}" for n, error in made.errors.items())
    clips = "clips" if len(made.errors) > 1 else "clip"
    console.print(f"{made.path}: {network.label}, {made.path.stat().st_size / 1e6:.1f} MB", markup=False)
    console.print(
        f"largest difference from eager in {made.runtime}, of the largest logit: {told} {clips} (limit {LIMIT:g})\n"
        f"batch normalizations: {made.folded} folded, {len(made.kept)} kept\n"
        f"how to feed it: {made.sidecar}",
        markup=False,
    )
    return 0
