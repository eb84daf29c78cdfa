"""What is measured, as frozen dataclasses with canonical JSON and a content id.

A spec says what, never where: no path, device, worker count or memory budget. Two runs with the same content id and the
same seed are the same experiment. A row derives from another with `replace`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from types import MappingProxyType
from typing import Any, Literal, TypeVar

from repro.core.errors import BadOption

#: raised when the meaning of a field changes; it is part of every content id
SPEC_VERSION = 1

Options = Mapping[str, Any]

#: least and greatest value of fields, whatever spec they stand in
_BOUNDS: dict[str, tuple[float, float]] = {
    **dict.fromkeys(("frames", "num_classes", "clips", "crops", "crop", "epochs", "batch", "size"), (1, math.inf)),
    **dict.fromkeys(("resize", "warmup_epochs", "clip_norm", "weight_decay", "lr"), (0, math.inf)),
    **dict.fromkeys(("videos", "clips_per_device"), (0, math.inf)),
    **dict.fromkeys(("dropout", "flip", "momentum", "warmup_ratio"), (0, 1)),
    "repeats": (1, math.inf),
}


class Checked:
    """A spec whose fields hold what they are declared to hold; anything else is refused when it is made."""

    def __post_init__(self) -> None:
        for name, kind, fits in _declared(type(self)):  # type: ignore[arg-type]
            value = getattr(self, name)
            if not fits(value):
                raise BadOption(_refusal(self, name), allowed=told_kind(kind))
            if name in _BOUNDS and value is not None:
                low, high = _BOUNDS[name]
                if not low <= value <= high:
                    bounds = f"{low:g} to {high:g}" if high < math.inf else f"at least {low:g}"
                    raise BadOption(_refusal(self, name), allowed=bounds)


def _refusal(spec: object, name: str) -> str:
    return f"{name} {getattr(spec, name)!r} is not possible in {type(spec).__name__}"


@cache
def _declared(cls: Any) -> list[tuple[str, Any, Callable[[Any], bool]]]:
    """Fields of a spec: name, declared type, whether a value is of it."""
    return [(name, kind, fitting(kind)) for name, kind in typing.get_type_hints(cls).items()]


@cache
def fitting(kind: Any) -> Callable[[Any], bool]:
    """Whether a value is of a declared type; a whole number serves as a float, and a bool never as a number."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal:
        return lambda value: value in inner
    if origin in (typing.Union, types.UnionType):
        any_of = [fitting(one) for one in inner]
        return lambda value: any(fits(value) for fits in any_of)
    if origin is tuple:
        return _fits_tuple(inner)
    if kind is float:
        return lambda value: isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if kind is int:
        return lambda value: isinstance(value, int) and not isinstance(value, bool)
    return lambda value: isinstance(value, origin or kind)


def _fits_tuple(inner: tuple[Any, ...]) -> Callable[[Any], bool]:
    if inner[-1] is Ellipsis:
        each = fitting(inner[0])
        return lambda value: isinstance(value, tuple) and all(map(each, value))
    kinds = [fitting(one) for one in inner]
    return lambda value: (
        isinstance(value, tuple)
        and len(value) == len(kinds)
        and all(fits(one) for fits, one in zip(kinds, value, strict=True))
    )


def told_kind(kind: Any) -> str:
    """A declared type in words."""
    if typing.get_origin(kind) is Literal:
        return ", ".join(map(str, typing.get_args(kind)))
    words = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
    return words.get(kind) or str(kind).replace("typing.", "").replace("repro.core.spec.", "")


replace = dataclasses.replace


def added(default: Any) -> Any:
    """A field that came after records of its spec: at its default it does not change their ids."""
    return field(default=default, metadata={"added": True})


def frozen(options: Options | None = None, **more: Any) -> Options:
    """An immutable mapping for the option fields below."""
    return MappingProxyType({**(options or {}), **more})


@dataclass(frozen=True, kw_only=True)
class Model(Checked):
    """A network: temporal model on a backbone, with at most one method inserted."""

    name: str
    """Registered model: tsn, tsm, tanet, tdn, ..."""
    backbone: str
    """Registered backbone: resnet50, ..., or tiny_resnet for the probes."""
    frames: int = 8
    """Frames (TDN: segments of five frames) that one view feeds to the network."""
    num_classes: int = 400
    dropout: float = 0.5
    """Probability before the classifier."""
    pretrained: str = "none"
    """Initial weights: none, imagenet, or `sha256:...` of an imported file."""
    options: Options = field(default_factory=frozen)
    """Options of the model, as its builder takes them."""
    method: str | None = None
    """Registered method, or None for the plain network."""
    method_options: Options = field(default_factory=frozen)
    """Options of the method's `insert`; a missing one has its default."""
    code: str = added("")
    """sha256 of the user's own file that the network or its method comes from: edited, it is another one."""


@dataclass(frozen=True, kw_only=True)
class Views(Checked):
    """How a test video becomes clips x crops views, and how their scores become one."""

    sampling: str
    """Named rule of `repro.data.sampling`, e.g. `mmaction2.dense_test_8`; it fixes frames and number of clips."""
    clips: int = 1
    crops: int = 1
    """1 centre crop; 3 crops along the longer side; 5 corners and centre; 10 those and their mirror images."""
    resize: int = 256
    """Short side in pixels before cropping; 0 keeps the video's own size."""
    crop: int = 256
    """Side of the square crop in pixels."""
    fusion: Literal["logits", "softmax", "features"] = "softmax"
    """Mean over views of: `logits`, `softmax`, or `features` (before a linear classifier: equal to logits)."""

    @property
    def count(self) -> int:
        """Views per video."""
        return self.clips * self.crops


@dataclass(frozen=True, kw_only=True)
class Train(Checked):
    """A training recipe. The learning rate belongs to `batch`, the global batch; fewer devices accumulate gradients."""

    epochs: int
    batch: int
    """Clips per optimizer step, over all devices."""
    lr: float
    sampling: str
    """Named rule of `repro.data.sampling`."""
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 1e-4
    decay_on: Literal["all", "matrices"] = "all"
    """`all` parameters, or only `matrices` (two dimensions or more)."""
    groups: Literal["plain", "tsm", "tsm-author", "tdn"] = "plain"
    """Parameter groups: `plain`, `tsm` (mmaction2's TSM rule: only the last linear is x5), `tsm-author`, `tdn`."""
    schedule: Literal["cosine", "step"] = "cosine"
    """`cosine` per `schedule_by`, or `step` (x0.1 at `milestones`)."""
    milestones: tuple[float, ...] = ()
    """In epochs."""
    schedule_by: Literal["epoch", "step"] = "epoch"
    """Whether the learning rate changes each `epoch` or each `step`."""
    warmup_epochs: float = 0.0
    warmup_ratio: float = 0.1
    """Share of the learning rate at which the linear warm-up starts."""
    clip_norm: float = 0.0
    """Gradients are scaled down to this total norm; 0 leaves them."""
    crop: int = 224
    crop_rule: Literal["multi_scale", "multi_scale_5", "random_resized", "random", "centre"] = "multi_scale"
    """`multi_scale` (13 positions), `multi_scale_5`, `random_resized`, `random`, `centre`."""
    resize: int = 256
    """Short side before cropping; 0 crops from the video's own size."""
    flip: float = 0.5
    """Probability of mirroring a clip."""
    flip_labels: tuple[tuple[int, int], ...] = ()
    """Labels that change places in a mirrored clip."""
    partial_bn: bool = False
    """Freeze the statistics of all batch normalizations but the first."""
    amp: Literal["off", "bf16", "fp16"] = "off"
    """`off`, `bf16`, `fp16`; refused where the device has it not."""
    sync_bn: bool = added(False)
    """Batch normalization over the clips of all devices in one forward pass, instead of each device's own."""
    videos: int = added(0)
    """Train on this many videos, the first of each class in turn; 0 is the whole split."""
    frozen_stages: int = added(0)
    """The stem and this many stages keep their first weights and statistics; 0: all is trained."""
    clips_per_device: int = added(0)
    """Clips that one device normalizes together, in one forward pass; 0 is as many as fit, up to the batch."""
    last_batch: Literal["drop", "smaller"] = added("drop")
    """Of videos that fill no batch: `drop` leaves them to the next epoch's shuffle (TSM, TAM, TDN: `drop_last`),
    `smaller` makes a last, smaller batch of them (mmaction2).
    """
    start: Literal["sequence", "names"] = added("sequence")
    """How first weights are drawn: one tensor after the other, or each from the seed and its `names`, so that networks
    share what they have in common."""


@dataclass(frozen=True, kw_only=True)
class Static(Checked):
    """Measure parameters and multiply-accumulates (GMACs) of one view at each crop size; no weights needed."""

    sizes: tuple[int, ...] = (224, 256)
    kind: str = "static"
    memory: bool = added(False)
    """Also the memory of one view at the first size: at test, and what it keeps for backward in training."""


@dataclass(frozen=True, kw_only=True)
class Speed(Checked):
    """Measure forward time of views of frames x 3 x size x size; beside `against`, in turn, when that is given."""

    size: int = 224
    batch: int = 1
    repeats: int = 7
    precision: Literal["fp32", "tf32", "bf16", "fp16"] = "fp32"
    """Of weights and maps; `tf32` and `fp16` are of GPUs."""
    form: Literal["eager", "fast", "frozen", "compact"] = "eager"
    """`eager` as written, `fast`: the fastest form within 1e-5 of eager, `frozen`: the method's own form for inference
    (`against`, which has no method, as written), `compact`: only what AdaFuse's decisions ask for (`against` in its
    fastest form)."""
    against: Model | None = None
    """The network without the method, timed in turn with it."""
    kind: str = "speed"
    threads: int = added(0)
    """Of `compact`: threads on a CPU; 0 is as many as the run has."""
    shares: tuple[float, ...] = added(())
    """Of `compact`: the shares of skip, reuse and keep that decisions are drawn at."""
    drawn: Literal["each", "groups", "lasting"] = added("each")
    """Whether they are drawn for `each` channel and frame, for `groups` of 16 channels and each frame, or with skips
    `lasting` over the clip and the rest for each channel and frame."""


@dataclass(frozen=True, kw_only=True)
class Accuracy(Checked):
    """Train on a dataset's `train` split (unless `train` is None) and score its `test_split`."""

    dataset: str
    """Registered dataset: kinetics400, probe-order, ..."""
    test: Views
    train: Train | None = None
    test_split: str = "val"
    kind: str = "accuracy"
    initial: Experiment | None = added(None)  # noqa: RUF009 - it is a field
    """A training whose weights this one starts from, at the same seed, all but the classifier; None starts afresh."""
    amp: Literal["off", "bf16", "fp16"] = added("off")
    """Of the test; a training has its own."""

    @property
    def datasets(self) -> tuple[str, ...]:
        """Every dataset that has to be at hand: its own, and before it those of the initial training."""
        before = self.initial.measure if self.initial else None
        return (*(before.datasets if isinstance(before, Accuracy) else ()), self.dataset)


Measure = Static | Speed | Accuracy


@dataclass(frozen=True, kw_only=True)
class Experiment(Checked):
    """One measurement of one network: the unit that is run, recorded and shown in a cell."""

    model: Model
    measure: Measure

    @cached_property
    def id(self) -> str:
        """sha256 of the canonical JSON: 64 hexadecimal digits."""
        return content_id(self)


def to_dict(spec: Any, *, identity: bool = False) -> Any:
    """Nested plain data of a spec; tuples become lists, mappings become dicts.

    With `identity`, a field that was `added` later is left out while it has its default: what ids are made of.
    """
    if spec is None or isinstance(spec, (bool, int, float, str)):
        return spec
    if isinstance(spec, Mapping):
        return {str(key): to_dict(spec[key], identity=identity) for key in spec}
    if isinstance(spec, (list, tuple)):
        return [to_dict(item, identity=identity) for item in spec]
    if dataclasses.is_dataclass(spec) and not isinstance(spec, type):
        values = [(name, getattr(spec, name), added, default) for name, added, default in _fields(type(spec))]
        return {
            name: to_dict(value, identity=identity)
            for name, value, added, default in values
            if not (identity and added and value == default)
        }
    raise BadOption(f"a spec cannot hold {type(spec).__name__} {spec!r}", allowed="text, numbers, lists and mappings")


@cache
def _fields(cls: Any) -> list[tuple[str, bool, Any]]:
    """Fields of a spec: name, whether it was added later, its default."""
    return [(field.name, bool(field.metadata.get("added")), field.default) for field in dataclasses.fields(cls)]


def canonical_json(spec: Any) -> str:
    """JSON with sorted keys and no spaces; equal specs give equal text. `1.0` and `1` in an option are equal."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [plain(item) for item in value]
        return int(value) if isinstance(value, float) and value.is_integer() else value

    return json.dumps(plain(to_dict(spec, identity=True)), sort_keys=True, separators=(",", ":"), allow_nan=False)


def content_id(spec: Any) -> str:
    """sha256 over the spec version, the class name and the canonical JSON."""
    text = f"{SPEC_VERSION}:{type(spec).__name__}:{canonical_json(spec)}"
    return hashlib.sha256(text.encode()).hexdigest()


def diff(a: Any, b: Any) -> dict[str, tuple[Any, Any]]:
    """Dotted field name -> (value in a, value in b) for all that differs; a missing option counts as None."""

    def flat(value: Any, prefix: str = "") -> dict[str, Any]:
        if isinstance(value, dict) and value:
            return {k: v for key in value for k, v in flat(value[key], f"{prefix}{key}.").items()}
        return {prefix[:-1]: value}

    left, right = flat(to_dict(a)), flat(to_dict(b))
    keys = [*left, *(key for key in right if key not in left)]
    return {key: (left.get(key), right.get(key)) for key in keys if left.get(key) != right.get(key)}


_S = TypeVar("_S")
_MEASURES: dict[str, type] = {"static": Static, "speed": Speed, "accuracy": Accuracy}


def _build(cls: type[_S], data: Mapping[str, Any]) -> _S:
    names = {f.name for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    unknown = set(data) - names
    if unknown:
        raise BadOption(f"{cls.__name__} has no field {sorted(unknown)[0]!r}", allowed=", ".join(sorted(names)))
    return cls(**{key: _tuples(value) for key, value in data.items()})


def _tuples(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_tuples(item) for item in value)
    return frozen(value) if isinstance(value, dict) else value


def experiment_from_dict(data: Mapping[str, Any]) -> Experiment:
    """The inverse of `to_dict` for an `Experiment`, e.g. out of a record."""
    return Experiment(model=model_from_dict(data["model"]), measure=measure_from_dict(data["measure"]))


def model_from_dict(data: Mapping[str, Any]) -> Model:
    """The inverse of `to_dict` for a `Model`, e.g. out of a file of weights."""
    return _build(Model, data)


def measure_from_dict(data: Mapping[str, Any]) -> Measure:
    """The inverse of `to_dict` for what an experiment measures."""
    measure = dict(data)
    for key, inner in {"against": Model, "test": Views, "train": Train}.items():
        if measure.get(key) is not None:
            measure[key] = _build(inner, measure[key])
    if measure.get("initial") is not None:
        measure["initial"] = experiment_from_dict(measure["initial"])
    return _build(_MEASURES[measure["kind"]], measure)
