"""From a `Model` spec to a network with its initial weights."""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from repro.core import spec
from repro.core.environment import memory_at_hand
from repro.core.errors import BadOption, NotConfigured, ReproError
from repro.models import checkpoint_reader, known_weights
from repro.registry import Entry, backbones, methods, models, place_of

#: timm's tag of torchvision's first ImageNet weights, which the video repositories start from
IMAGENET_TAG = "tv_in1k"


def build(model: spec.Model) -> nn.Module:
    """The network, on the CPU and in training mode, its initial weights drawn from torch's global generator.

    `pretrained="imagenet"` loads the 2D backbone before the method is inserted. Weights named by a sha256 are loaded
    afterwards, by `repro.models.weights`.
    """
    net = _plain(model)
    if model.pretrained == "imagenet":
        weights = models[model.name].fact("imagenet", {}).get(model.backbone, model.backbone)
        state = imagenet_state(weights)
        with _bad_options(f"model {model.name!r} with ImageNet weights"):
            net.load_backbone(state)  # type: ignore[operator]
    elif model.pretrained != "none" and not model.pretrained.startswith("sha256:"):
        raise BadOption(
            f"pretrained {model.pretrained!r} is not possible", allowed="none, imagenet, sha256:... of an imported file"
        )
    return _with_method(net, model)


def build_meta(model: spec.Model) -> nn.Module:
    """The network on torch's meta device: shapes and names, no memory, no weights."""
    with torch.device("meta"):
        return _with_method(_plain(model), model)


def frozen_form(net: nn.Module, method: str) -> nn.Module:
    """A copy of a network in its method's own form for inference, which the method's registration names."""
    target = methods[method].fact("freeze")
    if target is None:
        known = ", ".join(entry.name for entry in methods if entry.fact("freeze"))
        raise BadOption(f"method {method!r} has no form for inference of its own", allowed=known)
    module, _, attribute = target.partition(":")
    frozen: nn.Module = getattr(importlib.import_module(module), attribute)(net)
    return frozen


def input_shape(model: spec.Model, size: int, batch: int = 1) -> tuple[int, ...]:
    """(N, T, 3, size, size), or (N, T, L, 3, size, size) where a segment has L > 1 consecutive frames."""
    length = models[model.name].fact("clip_length", 1)
    inner = () if length == 1 else (length,)
    return (batch, model.frames, *inner, 3, size, size)


def require_room(model: spec.Model, size: int, batch: int = 1) -> None:
    """Raise `BadOption` for input of more bytes than the memory at hand, as float32."""
    wanted, free = 4 * math.prod(input_shape(model, size, batch)), memory_at_hand()
    if free is not None and wanted > free:
        raise BadOption(
            f"batch {batch} of {model.frames} frames at {size}: {wanted / 2**30:.1f} GiB of input alone, "
            f"and {free / 2**30:.1f} GiB of memory are free",
            allowed=f"at most {free * batch // wanted} such clips, less what the network takes",
        )


def imagenet_state(backbone: str) -> Mapping[str, Tensor]:
    """Weights of the 2D backbone: of a known set, where one is of it; else those that timm knows by name and tag, from
    its cache or, once, its download.
    """
    import timm

    if known := known_weights.imagenet_for(backbone):
        tensors = checkpoint_reader.read(known_weights.file_of(known.name)).tensors
        return {name: value for name, value in tensors.items() if not name.startswith("fc.")}
    name = backbone if "." in backbone else f"{backbone}.{IMAGENET_TAG}"
    if not timm.is_model_pretrained(name):
        raise BadOption(f"no ImageNet weights are known for backbone {backbone!r}", allowed="pretrained none")
    try:
        return timm.create_model(name, pretrained=True).state_dict()
    except (OSError, RuntimeError, ConnectionError) as error:
        raise NotConfigured(
            f"ImageNet weights {name!r} are neither in timm's cache nor downloadable ({type(error).__name__})",
            fix=f"on a machine with a network: python -c \"import timm; timm.create_model('{name}', pretrained=True)\"",
        ) from error


def _plain(model: spec.Model) -> nn.Module:
    entry = models[model.name]
    allowed = entry.fact("backbones")
    with _bad_options(f"model {model.name!r}"):
        if model.backbone not in (allowed or [model.backbone]) and entry.origin == "repro" and not _fits(entry, model):
            raise ValueError(
                f"{model.name} on backbone {model.backbone!r} is not published; allowed: {', '.join(allowed)}"
            )
        builder = entry.load()
        return builder(
            model.backbone,
            num_classes=model.num_classes,
            frames=model.frames,
            dropout=model.dropout,
            **model.options,
        )


def _with_method(net: nn.Module, model: spec.Model) -> nn.Module:
    if model.method is None:
        if model.method_options:
            raise BadOption("method_options are given, but no method", allowed="method_options with a method")
        return net
    with _bad_options(f"method {model.method!r} on {model.name!r}"):
        entry = methods[model.method]
        declaration = entry.fact("options")
        options = model.method_options if not isinstance(declaration, type) else declaration(**model.method_options)
        return entry.load()(net, options)


def _fits(entry: Entry, model: spec.Model) -> bool:
    """Whether a network of ours takes this backbone, which it is not listed with: a user's, or one of timm's."""
    body = backbones[model.backbone]
    return body.origin != "repro" or bool(body.fact("timm") and entry.fact("any_backbone"))


@contextmanager
def _bad_options(what: str) -> Iterator[None]:
    """Turn the plain errors of `baselines/` and `methods/`, and any of a user's file, into one that the command line
    prints.
    """
    try:
        yield
    except ReproError:
        raise
    except Exception as error:
        where = place_of(error)
        if not where and not isinstance(error, ValueError | TypeError):
            raise
        told = f"{type(error).__name__}: {error}{where}" if where else str(error)
        raise BadOption(f"{what} cannot be built: {told}") from error
