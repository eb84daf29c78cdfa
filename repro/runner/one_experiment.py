"""One experiment by hand: the `train` and `test` verbs. Weights, scores and a record land in the folder asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from repro import registry
from repro.core.environment import machine
from repro.core.errors import BadOption, WeightsError
from repro.core.files import file_sha256, require_writable
from repro.core.spec import Accuracy, Experiment, Model, frozen, replace
from repro.core.words import many
from repro.data import label_maps, user_data
from repro.data.datasets import is_configured, open_index
from repro.data.index import Index as Videos
from repro.data.splits import known_split
from repro.data.user_data import dataset_name
from repro.engine.execution import Execution, Files
from repro.models.pretrained import require_frames, require_views, short_name
from repro.papers.probes import CHOOSE, probe
from repro.papers.recipes.used import KINETICS
from repro.papers.with_data import OwnData, on_data
from repro.records import store
from repro.records.index import Index
from repro.records.schema import Record
from repro.report.provenance import conditions
from repro.runner.execute import execute
from repro.runner.jobs import Job, changed, record_of


def with_weights(model: Model, path: Path) -> Model:
    """The network with the weights of this file as a part of what is measured: by their sha256, not their place."""
    if not path.is_file():
        raise WeightsError(f"{str(path)!r} is not a file", allowed="a file of import-weights or train")
    return replace(model, pretrained=f"sha256:{file_sha256(path)}")


def scored_split(name: str, given: str | None = None) -> str:
    """The split scored by hand: as given; else `val`, or `test` where a file has no other, `choose` of a probe."""
    if given:
        return known_split(given) or given
    return CHOOSE if name.startswith("probe-") else user_data.test_split(name)


def recipe(
    model: Model,
    dataset: str,
    changes: Mapping[str, Any],
    *,
    views: str = "",
    crop: int | None = None,
    on_note: Callable[[str], None] = lambda text: None,
) -> Experiment:
    """Training and test as the network's authors give them for Kinetics, or the probes' own on a probe.

    `on_note` is told what of the recipe did not fit the data: a batch of more clips than there are.
    """
    name = dataset_name(dataset)
    if not is_configured(name):
        open_index(name, "train")
    if name.startswith("probe-"):
        # what is tried by hand is a way to choose; rate, warm-up and milestones go along with batch and epochs
        along = {key: changes[key] for key in ("epochs", "batch") if isinstance(changes.get(key), int)}
        made = probe(model, name, split=CHOOSE, **along)
        assert isinstance(made.measure, Accuracy)
        model, measure = made.model, made.measure
    else:
        if model.name not in KINETICS:
            raise BadOption(f"no training recipe is known for {model.name}", allowed=", ".join(sorted(KINETICS)))
        train, test = KINETICS[model.name]
        measure = Accuracy(dataset=name, train=train, test=test, test_split=scored_split(name))
    own = OwnData(dataset, views, crop, frozen({"flip_labels": _flip_labels(name), **changes}))
    made, note = on_data(Experiment(model=model, measure=measure), name, own)
    if note:
        on_note(note)
    return made


def _flip_labels(name: str) -> tuple[Any, ...]:
    """The labels that change places in a mirrored clip. They are told in the official order, and hold in no other."""
    told = tuple(registry.datasets[name].fact("flip_labels", ()))
    official = label_maps.official(name)
    if told and official and label_maps.difference(open_index(name, "train").classes, official):
        return ()
    return told


def run_single(
    experiment: Experiment,
    how: Execution,
    *,
    out: Path,
    seed: int = 0,
    weights: Path | None = None,
    on_note: Callable[[str], None] = lambda text: None,
) -> tuple[Record, Path]:
    """Run it (a training that was interrupted goes on) and return its record with the record's path below `out`.

    The training's log lies beside the record. A finished record of the same experiment on the same data is returned as
    it is; `on_note` is told that, and what else was not done as asked.
    """
    verb = "test" if weights else "train"
    measure = experiment.measure
    assert isinstance(measure, Accuracy)
    splits = _preflight(experiment, measure, how, weights)
    for text in _notes(splits, experiment, weights, how.workers):
        on_note(text)
    job = Job("own", verb, experiment.model.name, measure.dataset.partition("@")[0], experiment, seed)
    path = store.path_of(out, job.paper, job.table, job.row, experiment.id, seed)
    require_writable(path.parent)
    saved = None if weights else path.with_suffix(".safetensors")
    files = Files(weights=weights, save_weights=saved, logs=path.with_suffix(""))
    index = Index(out)
    before = record_of(job, index)
    differs = changed(before, splits)
    if differs:
        on_note(f"{differs}; they are measured anew")
    made = execute(job, how, index=index, files=files, replace=bool(differs))
    if made == before and made.status == "done":
        on_note(f"stored result of {made.finished}, nothing was measured anew: weights, data and protocol are the same")
    return made, path


def _notes(
    splits: Mapping[str, Videos], experiment: Experiment, weights: Path | None, workers: int | None
) -> Iterator[str]:
    """What is read, mapped or bounded otherwise than it was written."""
    from repro.engine import class_order
    from repro.engine.accuracy import bounded

    yield from dict.fromkeys(note for index in splits.values() for note in index.notes)
    most = max(map(len, splits.values()))
    if workers and bounded(workers, most) < workers:
        yield f"{bounded(workers, most)} processes decode, not {workers}: there are {most} videos, {machine()[1]} cores"
    measure = experiment.measure
    if isinstance(measure, Accuracy) and measure.train and not 2 / 3 <= measure.test.crop / measure.train.crop <= 1.5:
        yield (
            f"trained at {measure.train.crop} x {measure.train.crop}, tested at {measure.test.crop} x "
            f"{measure.test.crop}; --crop {measure.train.crop} tests as it was trained"
        )
    if weights is not None and isinstance(measure, Accuracy):
        found = class_order.matched(weights, splits[measure.test_split], experiment.model.num_classes)
        if found.note:
            yield found.note


def _preflight(experiment: Experiment, measure: Accuracy, how: Execution, weights: Path | None) -> dict[str, Videos]:
    """Find what cannot be before anything is measured, so that a slip of the hand is told and not recorded. Returns the
    splits that are used.
    """
    from repro.engine.distributed import Ranks
    from repro.engine.train import optim
    from repro.models.build import build_meta
    from repro.models.weights import load_weights

    model, train = experiment.model, measure.train
    require_views(model, measure.test)
    if train:
        require_frames(model, train.sampling)
    used = (measure.test_split, *(["train"] if train else []))
    splits = {split: open_index(measure.dataset, split) for split in used}
    if train:
        world, size = Ranks.current().world_size, how.micro_batch
        optim.plan(train, len(splits["train"]), world_size=world, micro_batch=size, exact=size is not None)
    if 0 < measure.test.resize < measure.test.crop:
        raise BadOption(f"crop {measure.test.crop} does not fit into a short side of {measure.test.resize}")
    module = build_meta(model)
    if weights is not None:
        load_weights(module.to_empty(device="cpu"), weights, model)
    return splits


def summary(made: Record, path: Path) -> str:
    """Accuracies, counts and where everything is, as lines of text."""
    if made.status == "failed":
        return f"failed: {made.reason}\nrecord: {path}"
    results = made.results
    lines = [f"top-1 {results['top1']:.2f} %   top-5 {results['top5']:.2f} %   of {many(results['videos'], 'video')}"]
    lines.append(f"  {short_name(made.experiment().model)} on {conditions(made)}")
    for name, rate in results.get("aggregations", {}).items():
        lines.append(f"  {name:<20} top-1 {rate['top1']:.2f} %   top-5 {rate['top5']:.2f} %")
    for name, value in results.get("extra", {}).items():
        lines.append(f"  {name:<20} {value:.2f}")
    cost = results.get("cost", {})
    if "gmacs" in cost.get("mean", {}):
        base = cost["facts"].get("gmacs_base")
        told = f", {base:.4g} when nothing is saved" if base else ""
        lines.append(f"GMACs of a view {cost['mean']['gmacs']:.4g} ± {cost['std']['gmacs']:.2g} over the videos{told}")
    left_out = results.get("left_out", [])
    if left_out:
        lines.append(
            f"{many(len(left_out), 'video')} could not be read and count{'s' * (len(left_out) == 1)} in no accuracy:"
        )
        lines += [f"  {video['id']}: {video['problem']}" for video in left_out[:20]]
    lines.append(f"record: {path}")
    if path.with_suffix(".safetensors").exists():
        lines.append(f"weights: {path.with_suffix('.safetensors')}")
    if path.with_suffix("").is_dir():
        lines.append(f"log: {path.with_suffix('') / 'train.jsonl'}")
    return "\n".join(lines)
