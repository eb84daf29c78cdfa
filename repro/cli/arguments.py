"""The arguments that several verbs share, and the specs they become."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from repro.core.errors import BadOption
from repro.core.options import parsed
from repro.core.paths import expand
from repro.core.spec import Model, Views, frozen, replace
from repro.papers import row_model
from repro.registry import backbones, code_of, methods, models

if TYPE_CHECKING:
    from repro.models.pretrained import Trained

#: bytes of a file's name on most file systems, less the longest ending
_LONGEST_NAME = 240


def add_model(parser: argparse.ArgumentParser, *, optional: bool = False) -> None:
    """MODEL and what it is built with."""
    nargs = "?" if optional else None
    help_ = "a model (tsm), or a table's row (table6/tsm_r50_dnr)"
    parser.add_argument("model", metavar="MODEL", nargs=nargs, help=help_)
    add_model_options(parser)


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """What a model is built with."""
    parser.add_argument("--backbone", help="default resnet50")
    parser.add_argument("--frames", type=positive, help="frames (TDN: segments) of one view; default 8")
    parser.add_argument("--classes", type=positive, help="default 400")
    parser.add_argument("--method", help="insert a method, e.g. dnr")
    parser.add_argument("--option", action="extend", nargs="+", default=[], metavar="K=V", help="option of the model")
    parser.add_argument(
        "--method-option", action="extend", nargs="+", default=[], metavar="K=V", help="option of the method"
    )


def add_module(parser: argparse.ArgumentParser) -> None:
    """--module, for a user's own models, methods and datasets."""
    parser.add_argument(
        "--module", action="append", default=[], metavar="FILE", help="run FILE, whose decorators register more names"
    )


def add_device(parser: argparse.ArgumentParser) -> None:
    """--device and --threads."""
    parser.add_argument("--device", default="auto", help="auto (CUDA where there is one), cpu, cuda, cuda:1")
    parser.add_argument("--threads", type=at_once, help="CPU threads; default: all cores")


def positive(text: str) -> int:
    """A whole number above 0."""
    value = int(text) if _is_whole(text) else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return value


def at_once(text: str) -> int:
    """Threads or processes side by side; more than the cores can feed would take the memory, or end in a library."""
    value, most = positive(text), max(64, 4 * (os.cpu_count() or 1))
    if value > most:
        raise argparse.ArgumentTypeError(f"{text!r} at once; this machine has work for {most} at most")
    return value


def _is_whole(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19


def natural(text: str) -> int:
    """A whole number from 0."""
    if not _is_whole(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0")
    return int(text)


def seed(text: str) -> int:
    """A number that generators can be seeded with, and a record takes."""
    value = int(text) if text.isdigit() else -1
    if not 0 <= value < 2**32:
        raise argparse.ArgumentTypeError(f"{text!r} is not a seed: a whole number from 0 to {2**32 - 1}")
    return value


def clip(text: str) -> Path:
    """A video file or a folder of frames on a disk."""
    if not text:
        raise argparse.ArgumentTypeError("an empty name; a video file or a folder of frames is meant")
    if "://" in text:
        raise argparse.ArgumentTypeError(f"{text!r} is on a network; fetch it first: curl -LO {text}")
    return Path(text)


def output(text: str) -> Path:
    """A file to write: the one that a link leads to, in a folder that can be written to, and never in place of a pipe,
    a device or a folder.
    """
    path = expand(text)
    if len(os.fsencode(path.name)) > _LONGEST_NAME:
        raise argparse.ArgumentTypeError(f"{text[:80]!r}... is longer than a name of a file may be")
    path = Path(os.path.realpath(path)) if path.is_symlink() else path
    if os.path.lexists(path) and not path.is_file():
        raise argparse.ArgumentTypeError(f"{text!r} is no regular file; the name of a file is meant")
    folder = next((one for one in path.absolute().parents if os.path.lexists(one)), None)
    if folder is None or not folder.is_dir() or not os.access(folder, os.W_OK):
        raise argparse.ArgumentTypeError(f"{text!r} cannot be written: {str(folder)!r} is no folder to write to")
    return path


def add_decoder(parser: argparse._ActionsContainer) -> None:
    """Which library decodes video files; a frame asked for by its number is that frame, whichever it is."""
    known = ["auto", "decord", "pyav"]
    parser.add_argument("--decoder", default="auto", choices=known, help="auto: the faster one; frames are the same")


def add_views(parser: argparse.ArgumentParser) -> None:
    """How a clip is looked at; what is not given is as in the network's own test protocol."""
    parser.add_argument("--views", default="", metavar="CLIPSxCROPS", help="e.g. 1x1; default: the test protocol's")
    parser.add_argument("--sampling", help="frame sampling rule; default: the network's test protocol")
    parser.add_argument("--crop", type=positive, help="crop side")
    parser.add_argument("--resize", type=natural, help="short side before cropping; 0: the video's own size")
    add_decoder(parser)


def add_test_views(parser: argparse.ArgumentParser) -> None:
    """The same, and how the scores of all views become one."""
    parser.add_argument("--crops", type=int, choices=[1, 3, 5, 10], help="default: the network's test protocol")
    parser.add_argument("--fusion", choices=["softmax", "logits", "features"], help="how the views' scores are one")
    add_views(parser)


def add_names(parser: argparse.ArgumentParser) -> None:
    """Where the names of the classes are from; weights that were trained here hold them."""
    parser.add_argument("--labels", type=Path, metavar="FILE", help="class names, one a line")
    parser.add_argument("--dataset", help="a registered dataset whose class names are meant, e.g. kinetics400")


def names_of(args: argparse.Namespace) -> tuple[str, ...]:
    """The class names that the arguments of `add_names` mean; none where they say nothing."""
    from repro.data import label_maps

    if args.labels and args.dataset:
        raise BadOption("--labels and --dataset both name the classes", allowed="one of them")
    if args.labels:
        return label_maps.read(args.labels)
    if not args.dataset:
        return ()
    from repro.data.datasets import class_names

    return class_names(args.dataset)


def trained_of(args: argparse.Namespace) -> Trained:
    """The network of --weights, which MODEL and its options must be where they are given; imports torch."""
    from repro.models import pretrained
    from repro.models.known_weights import file_of

    pretrained.use_threads(args.threads)
    weights = file_of(args.weights)
    known = pretrained.saved(weights).model
    named = argparse.Namespace(**{**vars(args), "model": args.model or known.name})
    return pretrained.with_classes(pretrained.load(weights, model_of(named, known)), names_of(args))


def views_of(args: argparse.Namespace, usual: Views, model: Model) -> Views:
    """`usual` with what the arguments of `add_views` change, for this network."""
    from repro.data.sampling import clips_of
    from repro.papers.default_views import views_of as views_for

    names = ("sampling", "crops", "crop", "resize", "fusion")
    changes = {name: getattr(args, name) for name in names if getattr(args, name, None) is not None}
    views = replace(usual, **changes)
    if getattr(args, "views", ""):
        if "sampling" in changes or "crops" in changes:
            raise BadOption("--views is beside --sampling or --crops", allowed="one of them")
        views = views_for(model, views, args.views)
    if 0 < views.resize < views.crop:
        raise BadOption(f"crop {views.crop} does not fit into a short side of {views.resize}", fix="--resize 0")
    return replace(views, clips=clips_of(views.sampling))


def model_of(args: argparse.Namespace, known: Model | None = None) -> Model:
    """The Model spec that the arguments name; a row's own settings are the defaults when a row is named, and those of
    `known`, as a file of weights tells it, when it has the model's name.
    """
    base = row_model(args.model) if "/" in args.model else known if known and known.name == args.model else None
    if base is None:
        models[args.model]
        base = Model(name=args.model, backbone="resnet50")
    return changed_model(
        base,
        backbone=args.backbone,
        frames=args.frames,
        num_classes=args.classes,
        options=parsed(args.option),
        method=args.method,
        method_options=parsed(args.method_option),
    )


def changed_model(
    base: Model,
    *,
    backbone: str | None,
    frames: int | None,
    num_classes: int | None,
    options: Mapping[str, Any] | None,
    method: str | None,
    method_options: Mapping[str, Any] | None,
) -> Model:
    """`base` with what is given changed; options are added to its own, those of its method as long as it stays."""
    changes: dict[str, Any] = {"backbone": backbones[backbone].name} if backbone else {}
    changes |= {key: value for key, value in (("frames", frames), ("num_classes", num_classes)) if value}
    if options:
        changes["options"] = frozen(base.options, **options)
    if method is not None or method_options:
        name = base.method if method is None else methods[method].name
        if name is None:
            raise BadOption("options of a method without a method", fix='--method dnr; in Python method="dnr"')
        own = base.method_options if base.method == name else {}
        changes |= {"method": name, "method_options": methods[name].resolved({**own, **(method_options or {})})}
    made = replace(base, **changes)
    return replace(made, code=code_of(made.name, made.backbone, made.method))
