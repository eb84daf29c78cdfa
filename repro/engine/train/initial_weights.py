"""Initial weights that another training of this suite leaves: made once for each seed, then read by all who ask.

    <cache>/initial/<first 16 digits of the content id>-s<seed>/weights.safetensors      and .json, how they came about

A training that is interrupted goes on where it stopped; of several processes that ask at once, on whatever machine,
one trains and the others wait for as long as it lives (`core.lease`). Files that do not fit their own sha256, or were
trained on other videos of that name, are made again. Everything here can be deleted: it is trained again, bit for bit.
"""

from __future__ import annotations

import functools
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from repro.core import lease, paths
from repro.core.errors import BadOption
from repro.core.files import parse_json, write_atomic
from repro.core.spec import Accuracy, Experiment, Model
from repro.data.index import Index
from repro.engine.distributed import Ranks, hold_together
from repro.engine.execution import Execution
from repro.engine.train.checkpoint import weights_sha256
from repro.engine.train.fit import Fitted, Initialise, fit
from repro.engine.train.step import Normalize
from repro.models.formats import IMAGENET, Contract
from repro.models.weights import import_checkpoint, save_weights


def weights_of(
    experiment: Experiment,
    seed: int,
    how: Execution,
    *,
    index: Index | None = None,
    cache: Any = None,
    initialise: Initialise | None = None,
) -> tuple[Path, dict[str, Any]]:
    """The trained weights of `experiment` at `seed`, and how they came about, for the record; arguments as of `fit`."""
    if not isinstance(experiment.measure, Accuracy) or experiment.measure.train is None:
        raise BadOption("initial weights come from a training", allowed="an Accuracy with a recipe `train`")
    folder = paths.cache() / "initial" / f"{experiment.id[:16]}-s{seed}"
    ranks, quiet = Ranks.current(), replace(how, on_progress=None)

    def wait() -> None:
        how.report({"phase": lease.waited_for(experiment.id, seed)})

    with hold_together(ranks, experiment.id, seed, on_wait=wait):
        if ranks.rank:
            return _as_rank(ranks, folder, lambda: _fit(experiment, seed, quiet, index, cache, initialise))
        found = stored(folder, index)
        if not ranks.share(found is None):
            assert found is not None
            return found
        _keep(_fit(experiment, seed, how, index, cache, initialise), experiment, seed, folder)
        ranks.barrier()
    made = stored(folder)
    assert made is not None
    return made


def fill(module: nn.Module, path: Path, model: Model) -> Contract:
    """Every tensor of `module` from the file but the classifier's; any other that lacks its counterpart is an error.

    Returns what input the weights were trained on.
    """
    tensors, report = import_checkpoint(path, model, new_classifier=True)
    module.load_state_dict(tensors, strict=False)
    return report.contract


def contract_of(normalize: Normalize | None) -> Contract:
    """What input a training saw, from the function that made it."""
    given = normalize.keywords if isinstance(normalize, functools.partial) else None
    return Contract.from_dict(given) if given else IMAGENET


def _as_rank(ranks: Ranks, folder: Path, train: Callable[[], Fitted]) -> tuple[Path, dict[str, Any]]:
    """What the processes beside the first do: train with it if it has to, then read what it wrote."""
    if ranks.share(False):
        train()
        ranks.barrier()
    found = stored(folder)
    assert found is not None
    return found


def _fit(
    experiment: Experiment,
    seed: int,
    how: Execution,
    index: Index | None,
    cache: Any,
    initialise: Initialise | None,
) -> Fitted:
    measure = experiment.measure
    assert isinstance(measure, Accuracy)

    def report(facts: dict[str, Any]) -> None:
        how.report({**facts, "phase": f"initial weights: {facts.get('phase', '')}"})

    work, told = paths.work(experiment.id, seed), replace(how, on_progress=report)
    return fit(experiment.model, measure, seed, work, told, index=index, cache=cache, initialise=initialise)


def _keep(fitted: Fitted, experiment: Experiment, seed: int, folder: Path) -> None:
    state = fitted.module.state_dict()
    facts = {
        "experiment": experiment.id,
        "seed": seed,
        "dataset": fitted.dataset,
        "weights_sha256": weights_sha256(state),
        "curve": fitted.curve,
        **{key: fitted.effective[key] for key in ("micro_batch", "steps", "resumes", "training_problems")},
    }
    folder.mkdir(parents=True, exist_ok=True)
    save_weights(folder / "weights.safetensors", state, model=experiment.model, contract=contract_of(fitted.normalize))
    write_atomic(folder / "weights.json", json.dumps(facts, indent=1).encode())  # last: it says that both are whole
    shutil.rmtree(paths.work(experiment.id, seed), ignore_errors=True)


def stored(folder: Path, index: Index | None = None) -> tuple[Path, dict[str, Any]] | None:
    """The file and its facts, if both are there and fit each other, and the videos of `index`."""
    path = folder / "weights.safetensors"
    try:
        facts = parse_json((folder / "weights.json").read_bytes())
        sound = weights_sha256(load_file(path)) == facts["weights_sha256"]
        if index is not None and facts["dataset"]["fingerprint"] != index.fingerprint:
            return None
    except (OSError, ValueError, KeyError, TypeError, SafetensorError):
        return None
    return (path, facts) if sound else None
