"""Initial weights that another training of this suite leaves: made once for each seed, then read by all who ask.

    <cache>/initial/<first 16 digits of the content id>-s<seed>/weights.safetensors      and .json, how they came about

A training that is interrupted goes on where it stopped; of several processes that ask at once, on whatever machine,
one trains and the others wait for as long as it lives (`core.lease`). Files that do not fit their own sha256 are made
again. Everything here can be deleted: it is trained again, bit for bit.
"""

from __future__ import annotations

import functools
import json
import shutil
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from repro.core import paths
from repro.core.errors import BadOption
from repro.core.files import write_atomic
from repro.core.spec import Accuracy, Experiment, Model
from repro.engine.distributed import Ranks, hold_together
from repro.engine.train.checkpoint import weights_sha256
from repro.engine.train.fit import Fitted, Progress, fit
from repro.engine.train.step import Normalize
from repro.models.formats import IMAGENET, Contract
from repro.models.weights import import_checkpoint, save_weights


def weights_of(
    experiment: Experiment, seed: int, *, on_progress: Progress | None = None, **options: Any
) -> tuple[Path, dict[str, Any]]:
    """The trained weights of `experiment` at `seed`, and how they came about, for the record.

    `options` go to `repro.engine.train.fit.fit`: device, workers, cache, micro_batch, initialise, checkpoint_every_s.
    """
    if not isinstance(experiment.measure, Accuracy) or experiment.measure.train is None:
        raise BadOption("initial weights come from a training", allowed="an Accuracy with a recipe `train`")
    folder = paths.cache() / "initial" / f"{experiment.id[:16]}-s{seed}"
    ranks = Ranks.current()
    waiting = {"phase": "waiting for another run's initial weights"}
    with hold_together(ranks, experiment.id, seed, on_wait=lambda: (on_progress or _silent)(waiting)):
        if ranks.rank:
            return _as_rank(ranks, experiment, seed, folder, options)
        found = _read(folder)
        if not ranks.share(found is None):
            assert found is not None
            return found
        _train(experiment, seed, folder, on_progress, options)
        ranks.barrier()
    made = _read(folder)
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


def _as_rank(
    ranks: Ranks, experiment: Experiment, seed: int, folder: Path, options: dict[str, Any]
) -> tuple[Path, dict[str, Any]]:
    """What the processes beside the first do: train with it if it has to, then read what it wrote."""
    if ranks.share(False):
        _fit(experiment, seed, None, options)
        ranks.barrier()
    found = _read(folder)
    assert found is not None
    return found


def _silent(_facts: dict[str, Any]) -> None: ...


def _fit(experiment: Experiment, seed: int, on_progress: Progress | None, options: dict[str, Any]) -> Fitted:
    measure = experiment.measure
    assert isinstance(measure, Accuracy)

    def report(facts: dict[str, Any]) -> None:
        if on_progress is not None:
            on_progress({**facts, "phase": f"initial weights: {facts.get('phase', '')}"})

    work = paths.work(experiment.id, seed)
    return fit(experiment.model, measure, seed, work, on_progress=report, **options)


def _train(
    experiment: Experiment, seed: int, folder: Path, on_progress: Progress | None, options: dict[str, Any]
) -> None:
    fitted = _fit(experiment, seed, on_progress, options)
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


def _read(folder: Path) -> tuple[Path, dict[str, Any]] | None:
    """The file and its facts, if both are there and fit each other."""
    path = folder / "weights.safetensors"
    try:
        facts = json.loads((folder / "weights.json").read_bytes())
        sound = weights_sha256(load_file(path)) == facts["weights_sha256"]
    except (OSError, ValueError, KeyError, SafetensorError):
        return None
    return (path, facts) if sound else None
