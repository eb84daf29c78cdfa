"""One accuracy cell: train if there is a recipe, score the test split, read off the accuracies."""

from __future__ import annotations

import functools
import importlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from repro import registry
from repro.core import paths
from repro.core.environment import machine
from repro.core.errors import BadOption, NotConfigured
from repro.core.spec import Accuracy, Experiment, Model, canonical_json, replace
from repro.data.cache import open_cache
from repro.data.class_names import Match
from repro.data.datasets import open_index
from repro.data.index import Index
from repro.data.loader import normalize as normalized
from repro.engine import class_order
from repro.engine.distributed import Ranks
from repro.engine.evaluate import Scores, predictions, score, summarise
from repro.engine.execution import Execution, Files
from repro.engine.reestimate import fresh_batches, reestimated
from repro.engine.train import initial_weights
from repro.engine.train.checkpoint import weights_sha256
from repro.engine.train.fit import Initialise, describe, fit
from repro.engine.train.step import Normalize
from repro.models import known_weights
from repro.models.build import build, require_room
from repro.models.device import deterministic, seed_all
from repro.models.weights import load_weights, save_weights

#: more decoding processes than this for one GPU find no use
_MOST_WORKERS = 16
#: decoding processes for each core beyond which they only take memory
_A_CORE = 4


def measure_accuracy(
    model: Model,
    accuracy: Accuracy,
    seed: int,
    workdir: Path,
    how: Execution = Execution(),
    files: Files = Files(),
) -> dict[str, Any]:
    """What goes into the record: results, curve, effective, dataset, decoder, weights_sha256, scores_path.

    Started again with the same `workdir` it goes on where it stopped.
    """
    require_room(model, max(accuracy.test.crop, accuracy.test.resize))
    if accuracy.train is not None:
        require_room(model, max(accuracy.train.crop, accuracy.train.resize))
    test_index = open_index(accuracy.dataset, accuracy.test_split)
    found = Match(())
    if accuracy.train is None and (file := file_of(model, files.weights)):
        found = class_order.matched(file, test_index, model.num_classes)
    how = _with_workers(how)
    files = replace(files, logs=files.logs or paths.cache() / "logs" / workdir.name)
    counting = with_test(how, accuracy, len(test_index))
    module, trained, normalize = _network(model, accuracy, seed, workdir, counting, files)
    if files.save_weights is not None and Ranks.current().rank == 0:
        contract, more = initial_weights.contract_of(normalize), trained_on(accuracy, test_index.classes)
        save_weights(files.save_weights, module.state_dict(), model=model, contract=contract, more=more)
    workers = bounded(how.workers or 0, len(test_index))
    scored = functools.partial(
        score,
        index=test_index,
        views=accuracy.test,
        device=how.device,
        decoder=how.decoder,
        workers=workers,
        amp=accuracy.amp,
        cache=_cache(test_index, accuracy, accuracy.test.resize, how),
        seed=seed,
        normalize=normalize,
        order=found.order if found.moved else (),
        on_progress=how.on_progress,
    )
    scores = scored(module, folder=workdir)
    anew = _with_statistics_anew(module, accuracy, seed, how, normalize, scored)
    told = {"classes": found.note} if found.note else {}
    return {
        **trained,
        **_told(scores, accuracy, workdir, anew),
        "effective": {**trained["effective"], "views_per_batch": scores.about["views_per_batch"], **told},
        "dataset": {**describe(test_index), **({"train": trained["dataset"]} if trained["dataset"] else {})},
        "decoder": used_decoder(how.decoder, scores.about["decoders"]),
        "weights_sha256": weights_sha256(module.state_dict()),
    }


def with_test(how: Execution, accuracy: Accuracy, videos: int) -> Execution:
    """The same, with the test in the seconds that a training tells as left.

    A view of the test takes a third of what a clip takes in training, forward and backward, by the areas of the crops.
    """
    train, test, progress = accuracy.train, accuracy.test, how.on_progress
    if train is None or progress is None:
        return how
    steps, pace = videos * test.count * (test.crop / train.crop) ** 2 / (3 * train.batch), 0.0

    def told(facts: dict[str, Any]) -> None:
        nonlocal pace
        if facts.get("phase") == "train" and "eta" in facts:
            left = facts["steps"] - facts["step"]
            pace = facts["eta"] / left if left else pace
            facts = {**facts, "eta": facts["eta"] + pace * steps}
        progress(facts)

    return replace(how, on_progress=told)


def used_decoder(asked: str, used: Mapping[str, int]) -> str:
    """For the record: the decoder that was asked for, and which videos another one read, or "auto" chose."""
    if set(used) <= {asked}:
        return asked
    return f"{asked} ({', '.join(f'{name} {count}' for name, count in used.items())} videos)"


def _with_statistics_anew(
    module: nn.Module,
    accuracy: Accuracy,
    seed: int,
    how: Execution,
    normalize: Normalize | None,
    scored: Callable[[nn.Module], Scores],
) -> dict[str, float]:
    """What the trained network gives with statistics estimated anew, of datasets that are registered to tell it."""
    entry = registry.datasets[accuracy.dataset] if accuracy.dataset in registry.datasets else None
    if accuracy.train is None or entry is None or not entry.fact("reestimate", False):
        return {}
    index, cache = _training_data(accuracy, how)
    batches = fresh_batches(module, index, accuracy.train, seed, decoder=how.decoder, cache=cache)
    with deterministic(torch.device(how.device)):
        copied = reestimated(module, batches, normalize or normalized)
    if copied is None:
        return {}
    scores = scored(copied)
    found = {"top1": summarise(scores, accuracy.test.fusion)["top1"]}
    found |= extra_metrics(accuracy.dataset, scores, accuracy.test.fusion)
    return {f"{key}_reestimated": value for key, value in found.items()}


def _told(scores: Scores, accuracy: Accuracy, workdir: Path, anew: Mapping[str, float]) -> dict[str, Any]:
    """The accuracies, and the file of scores."""
    path, fusion = workdir / "scores.npz", accuracy.test.fusion
    if Ranks.current().rank == 0:
        scores.save(path)
    extra = {**extra_metrics(accuracy.dataset, scores, fusion), **anew}
    results = {**summarise(scores, fusion), "extra": extra}
    return {"results": results, "scores_path": path}


def trained_on(accuracy: Accuracy, classes: Sequence[str]) -> dict[str, str]:
    """What a file of trained weights tells beyond its network: the protocol, and the names of the classes."""
    return {"repro.protocol": canonical_json(accuracy), "repro.classes": json.dumps(list(classes))}


def extra_metrics(dataset: str, scores: Scores, fusion: str) -> dict[str, float]:
    """What the dataset's registered `metrics` ("module:function" of labels and predicted classes) tell beyond top-k.

    A share of no videos is not a number, and left out.
    """
    target = registry.datasets[dataset].fact("metrics") if dataset in registry.datasets else None
    if target is None:
        return {}
    if isinstance(target, str):
        module, _, name = target.partition(":")
        target = getattr(importlib.import_module(module), name)
    call: Callable[[np.ndarray, np.ndarray], dict[str, float]] = target
    told = call(scores.labels, predictions(scores, fusion))
    return {key: float(value) for key, value in told.items() if math.isfinite(value)}


def file_of(model: Model, weights: Path | None = None) -> Path | None:
    """The file of weights that is given, or that the model asks for; None where it asks for none."""
    if weights is not None or not model.pretrained.startswith("sha256:"):
        return weights
    return _imported(model.pretrained.removeprefix("sha256:"))


def initialise(
    module: nn.Module, model: Model, weights: Path | None = None, index: Index | None = None
) -> Normalize | None:
    """Fill in imported weights where the model asks for them; returns how their input is normalized, if it says so.

    With the `index` to train on, classifiers are put into its order of classes.
    """
    path = file_of(model, weights)
    if path is None:
        known = known_weights.imagenet_for(model.backbone) if model.pretrained == "imagenet" else None
        return functools.partial(normalized, **known.contract.to_dict()) if known else None
    loaded = load_weights(module, path, model)
    if index is not None:
        class_order.reorder_classifier(module, class_order.matched(path, index, model.num_classes))
    return functools.partial(normalized, **loaded.contract.to_dict())


def _imported(sha256: str) -> Path:
    """The imported file whose source had this sha256."""
    for path in sorted(paths.weights().glob("**/*.safetensors")):
        try:
            with safe_open(path, framework="pt") as file:
                if (file.metadata() or {}).get("repro.source_sha256") == sha256:
                    return path
        except (OSError, SafetensorError):
            continue
    raise NotConfigured(
        f"no imported weights have sha256 {sha256[:16]}...",
        fix="python -m repro import-weights FILE --model MODEL --backbone BACKBONE --out w.safetensors, "
        f"into {paths.weights()}",
    )


def _network(
    model: Model,
    accuracy: Accuracy,
    seed: int,
    workdir: Path,
    how: Execution,
    files: Files,
) -> tuple[nn.Module, dict[str, Any], Normalize | None]:
    """The network to test, the record's account of its training, and its input normalization."""
    if accuracy.train is None:
        if files.weights is None and not model.pretrained.startswith("sha256:"):
            raise BadOption(
                f"{model.name} would be tested with random weights: no recipe, pretrained {model.pretrained!r}",
                allowed="a training recipe, or the weights of an imported file",
                fix="python -m repro import-weights FILE ...",
            )
        seed_all(seed)
        module = build(model)
        normalize = initialise(module, model, files.weights)
        return module, {"curve": [], "effective": {}, "dataset": None}, normalize
    index, cache = _training_data(accuracy, how)
    start, told = _start(model, accuracy.initial, seed, files.weights, how, index)
    how = replace(how, workers=bounded(how.workers or 0, len(index)))
    fitted = fit(model, accuracy, seed, workdir, how, index=index, cache=cache, initialise=start, logs=files.logs)
    effective = {**fitted.effective, "notes": fitted.notes, **told}
    return fitted.module, {"curve": fitted.curve, "effective": effective, "dataset": fitted.dataset}, fitted.normalize


def trained_weights(experiment: Experiment, seed: int, how: Execution) -> Path:
    """The file of weights that a training leaves, from the cache or trained now."""
    return _trained(experiment, seed, _with_workers(how))[0]


def _trained(experiment: Experiment, seed: int, how: Execution) -> tuple[Path, dict[str, Any]]:
    measure = experiment.measure
    assert isinstance(measure, Accuracy)
    index, cache = _training_data(measure, how) if measure.train else (None, None)
    start, _ = _start(experiment.model, measure.initial, seed, None, how)
    return initial_weights.weights_of(experiment, seed, how, index=index, cache=cache, initialise=start)


def _training_data(accuracy: Accuracy, how: Execution) -> tuple[Index, Any]:
    """The videos that a recipe trains on, and their decoded frames."""
    assert accuracy.train is not None
    index = open_index(accuracy.dataset, "train").first(accuracy.train.videos)
    return index, _cache(index, accuracy, accuracy.train.resize, how)


def _start(
    model: Model,
    initial: Experiment | None,
    seed: int,
    weights: Path | None,
    how: Execution,
    index: Index | None = None,
) -> tuple[Initialise, dict[str, Any]]:
    """What fills in a network's first weights, and what the record tells of them."""
    if initial is None:
        known = known_weights.imagenet_for(model.backbone) if model.pretrained == "imagenet" else None
        told = {"imagenet": {"name": known.name, "sha256": known.sha256}} if known else {}
        return (lambda net: initialise(net, model, weights, index)), told
    if weights is not None or model.pretrained != "none":
        raise BadOption(
            f"initial weights are asked for twice: of a training, and {weights or model.pretrained}",
            allowed="pretrained 'none' where an accuracy has an `initial` training",
        )
    path, facts = _trained(initial, seed, how)

    def start(net: nn.Module) -> Normalize:
        return functools.partial(normalized, **initial_weights.fill(net, path, model).to_dict())

    return start, {"initial": facts}


def _with_workers(how: Execution) -> Execution:
    """With a number of decoding processes; on a CPU the network needs the cores itself."""
    if how.workers is not None:
        return how
    share = max(1, min(_MOST_WORKERS, machine()[1] // paths.processes_here()))
    return replace(how, workers=share if how.device.startswith("cuda") else 1)


def bounded(workers: int, videos: int) -> int:
    """So many decoding processes as asked for, but no more than there are videos, or than this machine's cores feed."""
    return min(workers, videos, max(_MOST_WORKERS, _A_CORE * machine()[1]))


def _cache(index: Any, accuracy: Accuracy, resize: int, how: Execution) -> Any:
    """The decoded frames of a registered dataset that calls itself small; None for others."""
    entry = registry.datasets[accuracy.dataset] if accuracy.dataset in registry.datasets else None
    if entry is None or not entry.fact("small", False):
        return None
    return open_cache(index, decoder=how.decoder, resize=resize, workers=how.workers or 0)
