"""A network with its weights, as a file of `train` or `import-weights` tells them: for the verbs that look at one clip.

The file says which network it is; what a user says beside it must agree. A file that was trained here also holds its
protocol and the names of its classes.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from repro.core.errors import BadOption, ReproError, WeightsError
from repro.core.paths import expand
from repro.core.spec import Accuracy, Model, Views, measure_from_dict, model_from_dict, replace
from repro.data.class_names import match, named
from repro.data.loader import normalize
from repro.data.sampling import clip_length_of, frames_of
from repro.models import checkpoint_reader
from repro.models.build import build, require_room
from repro.models.device import seed_all
from repro.models.weights import load_weights
from repro.papers.default_views import default_views
from repro.registry import models


def short_name(model: Model) -> str:
    """`TSM+DNR`."""
    return model.name.upper() + (f"+{model.method.upper()}" if model.method else "")


@dataclass(frozen=True)
class Saved:
    """What a file of weights says of itself, read without its tensors."""

    model: Model
    protocol: Accuracy | None
    """How it was trained and is tested; None for imported weights."""
    classes: tuple[str, ...]
    """Names of the classes; empty where the file does not hold them."""

    @property
    def views(self) -> Views:
        """The test views of its protocol, else those of the network's authors."""
        return self.protocol.test if self.protocol else default_views(self.model)

    def views_for(self, model: Model) -> Views:
        """Those of its network, for as many frames as it is asked for."""
        return self.views if model.frames == self.model.frames else default_views(model)


@dataclass(frozen=True)
class Trained:
    """A network in evaluation, and where its weights are from."""

    model: Model
    module: nn.Module
    normalize: Callable[[Tensor], Tensor]
    """uint8 (..., 3, H, W) -> the network's input."""
    sha256: str | None
    """Of the file that the weights come from; None where they are random."""
    views: Views
    classes: tuple[str, ...]
    dataset: str = ""
    """What it was trained on, where the file of its weights tells."""
    note: str = ""
    """How the names of its classes differ from those that were given."""

    @property
    def label(self) -> str:
        """A short name for pictures and tables."""
        name = short_name(self.model)
        return name if self.sha256 else f"{name}, random weights"

    def class_name(self, number: int) -> str:
        """The name of a class, else its number."""
        return self.classes[number] if number < len(self.classes) else f"class {number}"


def saved(path: str | Path) -> Saved:
    """What a file of weights says of itself; `WeightsError` where it is none of ours."""
    facts = _facts(path)
    try:
        told = checkpoint_reader.fact(path, facts, "repro.protocol", dict, "{}")
        protocol = measure_from_dict(told) if told else None
        if not isinstance(protocol, Accuracy | None):
            raise TypeError(f"a protocol of {type(protocol).__name__}")
        model = model_from_dict(checkpoint_reader.fact(path, facts, "repro.model", dict, "{}"))
        return Saved(model, protocol, class_names(path))
    except (ReproError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise WeightsError(f"{str(path)!r} holds facts that this version cannot read: {error}") from error


def class_names(path: str | Path) -> tuple[str, ...]:
    """The names of the classes that a file of weights holds, in the order of its outputs; none where it holds none."""
    names = checkpoint_reader.fact(path, _facts(path), "repro.classes", list, "[]")
    if not all(isinstance(name, str) for name in names):
        raise WeightsError(f"{str(path)!r} holds names of classes that are no list of names")
    return tuple(names)


def _facts(path: str | Path) -> Mapping[str, str]:
    """The metadata of one of our files of weights."""
    file = expand(path)
    fix = f"python -m repro import-weights {path} --model MODEL --backbone BACKBONE --out w.safetensors"
    if not file.is_file():
        raise WeightsError(f"{str(path)!r} is not a file", allowed="a file of import-weights or train")
    try:
        facts = checkpoint_reader.metadata_of(file)
    except WeightsError as error:
        raise WeightsError(f"{str(path)!r} is not a file of import-weights or train: {error}", fix=fix) from error
    if "repro.model" not in facts:
        raise WeightsError(f"{str(path)!r} is not a file of import-weights or train", fix=fix)
    return facts


def require_frames(model: Model, rule: str) -> None:
    """Raise `BadOption` unless a sampling rule gives the frames that the network takes."""
    wanted = (model.frames, models[model.name].fact("clip_length", 1))
    given = (frames_of(rule), clip_length_of(rule))
    if given != wanted:
        raise BadOption(
            f"sampling {rule!r} gives {given[0]} segments of {given[1]} frame(s)",
            allowed=f"{wanted[0]} of {wanted[1]}, as {model.name} takes them",
        )


def require_views(model: Model, views: Views) -> None:
    """The same of views, which must also fit into memory."""
    require_frames(model, views.sampling)
    require_room(model, max(views.crop, views.resize))


def load(path: str | Path, model: Model | None = None) -> Trained:
    """The network of a file of weights, filled; `model`, where given, must be the network that the file is of."""
    facts = saved(path)
    wanted = replace(model or facts.model, pretrained="none")
    module = build(wanted)
    loaded = load_weights(module, path, wanted)
    prepare = functools.partial(normalize, **loaded.contract.to_dict())
    dataset = facts.protocol.dataset if facts.protocol else ""
    return Trained(wanted, module.eval(), prepare, loaded.sha256, facts.views_for(wanted), facts.classes, dataset)


def random(model: Model, seed: int = 0) -> Trained:
    """The network with random weights: for looking at the machinery, never at the network."""
    seed_all(seed)
    model = replace(model, pretrained="none")
    return Trained(model, build(model).eval(), normalize, None, default_views(model), ())


def with_classes(network: Trained, names: tuple[str, ...]) -> Trained:
    """The network with these names for its classes; those that its weights hold where none are given.

    Names that the weights hold stay where the list has the same in another order, or some of them; other names are an
    error.
    """
    if not names:
        return network
    if named(network.classes) and named(names):
        return replace(network, note=match(network.classes, names, network.model.num_classes, "the list of names").note)
    if len(names) != network.model.num_classes:
        raise BadOption(
            f"{len(names)} class names for {network.model.num_classes} classes of {network.label}",
            allowed="a label map with a line for each class",
        )
    return replace(network, classes=names)


def use_threads(threads: int | None) -> None:
    """Limit torch to so many CPU threads in this process."""
    if threads:
        torch.set_num_threads(threads)
