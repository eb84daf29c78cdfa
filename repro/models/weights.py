"""Import public checkpoints into our networks, strictly, and keep them as safetensors that say what they are.

A file is read without running it (`models.checkpoint_reader`), its naming is recognised (`models.formats`), and
every tensor of the file and of the network must find its counterpart of equal shape. What does not is an error with the
whole report, unless it is known to be of no use, or `partial` allows it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn

from repro.core import spec
from repro.core.errors import WeightsError
from repro.core.files import filling
from repro.core.paths import expand
from repro.models import checkpoint_reader, formats
from repro.models.formats import Contract, Format
from repro.models.import_report import Report, is_classifier, misfit, some
from repro.models.weight_sets import AVERAGING_COUNTERS, equal

Tensors = dict[str, torch.Tensor]
Shapes = Mapping[str, tuple[int, ...]]

_COUNTER = "num_batches_tracked"


@dataclass(frozen=True)
class Loaded:
    """Where the weights in a module came from."""

    sha256: str
    """Of the file they were imported from; of the loaded file itself where it was trained here."""
    contract: Contract


def import_weights(
    file: str | Path,
    model: spec.Model,
    out: str | Path,
    *,
    partial: bool = False,
    new_classifier: bool = False,
    key: str | None = None,
) -> Report:
    """Import a checkpoint and write it as safetensors; nothing is written unless the report fits."""
    tensors, report = import_checkpoint(file, model, partial=partial, new_classifier=new_classifier, key=key)
    save_weights(
        out,
        tensors,
        model=model,
        contract=report.contract,
        format=report.format,
        source=Path(file).name,
        source_sha256=report.sha256,
        left_new=report.left_new,
        more={"repro.source_key": report.key} if report.others else None,
    )
    return report


def import_checkpoint(
    path: str | Path,
    model: spec.Model,
    *,
    partial: bool = False,
    new_classifier: bool = False,
    key: str | None = None,
) -> tuple[Tensors, Report]:
    """The tensors of a checkpoint under our names, and the report.

    `partial` allows layers that the file lacks (they stay as initialised) or has in excess; `new_classifier` leaves the
    file's classifier out, for another class count; `key` chooses among raw and averaged weights. Raises `Misfit` when
    the file does not fit otherwise.
    """
    checkpoint = checkpoint_reader.read(path, key)
    tensors, report = import_tensors(
        checkpoint.tensors,
        model,
        shapes_of(model),
        source=str(path),
        sha256=checkpoint.sha256,
        contract=_contract(path, checkpoint.metadata) if "repro.contract" in checkpoint.metadata else None,
        partial=partial,
        new_classifier=new_classifier,
    )
    return tensors, replace(report, key=checkpoint.key, others=checkpoint.others)


def _contract(path: str | Path, metadata: Mapping[str, str]) -> Contract:
    told = checkpoint_reader.fact(path, metadata, "repro.contract", dict, "{}")
    try:
        return Contract.from_dict(told)
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(
            f"{str(path)!r}: its repro.contract is none that this suite writes: {error}",
            allowed="order, scale, mean and std of the input, or no repro.contract",
        ) from error


def shapes_of(model: spec.Model) -> dict[str, tuple[int, ...]]:
    """Name -> shape of every tensor that the network keeps."""
    from repro.models.build import build_meta

    return {name: tuple(value.shape) for name, value in build_meta(model).state_dict().items()}


def import_tensors(
    tensors: Mapping[str, torch.Tensor],
    model: spec.Model,
    wanted: Shapes,
    *,
    source: str,
    sha256: str = "",
    format: str | None = None,
    contract: Contract | None = None,
    partial: bool = False,
    new_classifier: bool = False,
) -> tuple[Tensors, Report]:
    """`import_checkpoint` for tensors in memory; `wanted` has the network's names and shapes, `format` the naming
    where it is known (it must then suit the names).
    """
    plain = _unwrapped(tensors)
    rule = _rule(plain, wanted, format)
    found, dropped = _rename(plain, wanted, rule)
    _require_floats(source, found, wanted)
    if new_classifier:
        dropped += [(old, "a new classifier was asked for") for new, (old, _) in found.items() if is_classifier(new)]
        found = {new: pair for new, pair in found.items() if not is_classifier(new)}
    fill = {new: value for new, (_, value) in found.items() if new in wanted and tuple(value.shape) == wanted[new]}
    absent = [name for name in wanted if name not in found and not name.endswith(_COUNTER)]
    report = Report(
        source=source,
        sha256=sha256,
        format=rule.name,
        model=model,
        contract=contract or rule.contract(model.backbone),
        matched=tuple(fill),
        renamed=tuple((old, new) for new, (old, _) in found.items() if new in fill and old != new),
        missing=tuple(name for name in absent if not (new_classifier and is_classifier(name))),
        left_new=tuple(absent),
        unexpected=tuple(old for new, (old, _) in found.items() if new not in wanted),
        dropped=tuple(dropped),
        shapes=tuple(
            (new, tuple(value.shape), wanted[new])
            for new, (_, value) in found.items()
            if new in wanted and new not in fill
        ),
        problems=_shift_problem(plain, model, rule),
        partial=partial,
    )
    if not report.fits:
        raise misfit(report)
    return fill, report


def _unwrapped(tensors: Mapping[str, torch.Tensor]) -> Tensors:
    """By the names without what DataParallel and torch.compile put before them."""
    found: dict[str, tuple[str, torch.Tensor]] = {}
    for name, value in tensors.items():
        plain = formats.strip_wrappers(name)
        if plain in found and not equal(found[plain][1], value):
            raise WeightsError(f"{found[plain][0]} and {name} are one tensor by their names, {plain}, but differ")
        found.setdefault(plain, (name, value))
    return {plain: value for plain, (_, value) in found.items()}


def _require_floats(source: str, found: Mapping[str, tuple[str, torch.Tensor]], wanted: Shapes) -> None:
    """Raise `WeightsError` where whole numbers would become weights: without their scale they are none."""
    for new, (old, value) in found.items():
        if new in wanted and not new.endswith(_COUNTER) and not value.is_floating_point():
            kind = str(value.dtype).removeprefix("torch.")
            raise WeightsError(
                f"{source!r}: {old} holds {kind}, and whole numbers are no weights; the file is quantized, or masks",
                allowed="floats",
                fix="a checkpoint from before it was quantized",
            )


def _rule(plain: Mapping[str, torch.Tensor], wanted: Shapes, format: str | None) -> Format:
    if format is None:
        return formats.detect(plain, wanted)
    rule = formats.get(format)
    if not rule.matches(frozenset(plain)):
        looks = formats.detect(plain, wanted).name
        raise WeightsError(f"the tensors are not named as in {format}", allowed=f"{format}; these look like {looks}")
    return rule


def _rename(
    plain: Mapping[str, torch.Tensor], wanted: Shapes, rule: Format
) -> tuple[dict[str, tuple[str, torch.Tensor]], list[tuple[str, str]]]:
    """Our name -> (file's name, tensor), and what is of no use."""
    found: dict[str, tuple[str, torch.Tensor]] = {}
    dropped: list[tuple[str, str]] = []
    for old, value in plain.items():
        new = rule.rename(old)
        value = _point_kernel(value, wanted.get(new))
        reason = rule.reason_unused(new) if new not in wanted else None
        if reason is None and new not in wanted and new.endswith(_COUNTER):
            reason = "a counter of training steps that this network does not keep"
        if reason is None and new not in wanted and new in AVERAGING_COUNTERS and value.numel() == 1:
            reason = "a counter of the averaging"
        if reason is not None:
            dropped.append((old, reason))
        elif new in found and not equal(found[new][1], value):
            raise WeightsError(f"{found[new][0]} and {old} both become {new}, but differ")
        else:
            found.setdefault(new, (old, value))
    return found, dropped


def _point_kernel(value: torch.Tensor, shape: tuple[int, ...] | None) -> torch.Tensor:
    """A 1x1 or 1x1x1 kernel is a matrix, a 1xHxW kernel one of HxW, and public codes write the same layer either way:
    `value` as it is wanted.
    """
    if shape is None or min(value.dim(), len(shape)) < 2 or tuple(value.shape[:2]) != tuple(shape[:2]):
        return value
    beyond = {*value.shape[2:], *shape[2:]}
    still = value.dim() == 5 and value.shape[2] == 1 and tuple(value.shape[3:]) == tuple(shape[2:])
    return value.reshape(shape) if beyond == {1} or still else value


def _shift_problem(plain: Mapping[str, torch.Tensor], model: spec.Model, rule: Format) -> tuple[str, ...]:
    """TSN and TSM have the same tensors; only the file's names tell whether it was trained with the shift
    (on BN-Inception not even these).
    """
    nameless = model.backbone == "bninception"
    if rule.shift is None or nameless or model.name not in ("tsn", "tsm") or model.method is not None:
        return ()
    shifted = any(re.search(rule.shift, name) for name in plain)
    if shifted == (model.name == "tsm"):
        return ()
    had, asked = ("with", "tsn, which has none") if shifted else ("without", "tsm, which has it")
    return (f"the file's names are of a network {had} temporal shift, the model asked for is {asked}",)


def save_weights(
    path: str | Path,
    tensors: Mapping[str, torch.Tensor],
    *,
    model: spec.Model,
    contract: Contract,
    format: str = "repro",
    source: str = "",
    source_sha256: str = "",
    left_new: tuple[str, ...] = (),
    more: Mapping[str, str] | None = None,
) -> Path:
    """Write safetensors with the facts that `load_weights` checks. The file appears whole or not at all; of
    equal tensors and facts it has equal bytes.

    Weights that were trained here have no source; their own sha256 names them. `more` is kept beside the facts.
    """
    target = expand(path)
    if target.suffix != ".safetensors":
        raise WeightsError(f"cannot write weights to {str(path)!r}", allowed="a name that ends in .safetensors")
    metadata = {
        "repro.version": "1",
        "repro.model": spec.canonical_json(model),
        "repro.contract": json.dumps(contract.to_dict()),
        "repro.format": format,
        "repro.source": source,
        "repro.source_sha256": source_sha256,
        "repro.left_new": json.dumps(list(left_new)),
        **(more or {}),
    }
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with filling(target) as temporary:
            checkpoint_reader.write(temporary, tensors, metadata)
    except (OSError, SafetensorError) as error:  # the library wraps the system's errors, a full disk among them
        raise WeightsError(f"{str(target)!r} cannot be written: {error}") from error
    return target


def load_weights(module: nn.Module, path: str | Path, model: spec.Model | None = None) -> Loaded:
    """Fill `module` from a file of `save_weights`, whose network must be `model` (dropout, initialisation and frame
    count aside) and whose tensors must be those of the module.
    """
    checkpoint = checkpoint_reader.read(path)
    facts = checkpoint.metadata
    if "repro.model" not in facts:
        fix = f"python -m repro import-weights {path} --model MODEL --backbone BACKBONE --out w.safetensors"
        raise WeightsError(f"{str(path)!r} is not a file of import-weights or train", fix=fix)
    if model is not None:
        _require_same_network(str(path), checkpoint_reader.fact(path, facts, "repro.model", dict, "{}"), model)
    wanted = module.state_dict()
    left_new = {str(name) for name in checkpoint_reader.fact(path, facts, "repro.left_new", list, "[]")}
    lacking = [n for n in wanted if n not in checkpoint.tensors and n not in left_new and not n.endswith(_COUNTER)]
    excess = [name for name in checkpoint.tensors if name not in wanted]
    differ = [n for n, v in checkpoint.tensors.items() if n in wanted and v.shape != wanted[n].shape]
    for kind, names in (("lacks", lacking), ("has in excess", excess), ("has in another shape", differ)):
        if names:
            raise WeightsError(f"{str(path)!r} {kind} {some(names)}", fix="build the network the file was written for")
    whole = [n for n, v in checkpoint.tensors.items() if wanted[n].is_floating_point() and not v.is_floating_point()]
    if [name for name in whole if not name.endswith(_COUNTER)]:
        raise WeightsError(f"{str(path)!r} holds whole numbers for the weights {some(whole)}", allowed="floats")
    contract = _contract(path, facts)
    module.load_state_dict(checkpoint.tensors, strict=False)
    return Loaded(sha256=facts.get("repro.source_sha256") or checkpoint.sha256, contract=contract)


def _require_same_network(path: str, saved: Mapping[str, Any], model: spec.Model) -> None:
    asked = json.loads(spec.canonical_json(model))
    for field in ("name", "backbone", "num_classes", "options", "method", "method_options"):
        if saved.get(field) != asked[field]:
            raise WeightsError(
                f"{path!r} was written for {field} {saved.get(field)!r}, the network asked for has {asked[field]!r}",
                fix="build the network the file was written for, or import the checkpoint again for this one",
            )
