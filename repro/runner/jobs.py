"""A table's cells as jobs: which there are, and which of them are still to be run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from repro.core.environment import gpu_ids, is_here
from repro.core.errors import DataError, UnknownName
from repro.core.spec import Accuracy, Experiment, experiment_from_dict, to_dict
from repro.papers.table import RowSpec, TableSpec
from repro.records.index import Index, finishing
from repro.records.schema import Record

if TYPE_CHECKING:
    from repro.data.index import Index as Videos

#: seconds a job of a kind takes until one of its kind has been seen; only the ETA uses it
EXPECTED_SECONDS = {"static": 6.0, "speed": 15.0, "accuracy": 150.0}
#: in the order in which they are run
KINDS = tuple(EXPECTED_SECONDS)


@dataclass(frozen=True)
class Job:
    """One cell of one row at one seed; of a time, in one sitting: its seed is the sittings before it."""

    paper: str
    table: str
    row: str
    cell: str
    experiment: Experiment
    seed: int = 0
    smoke: bool = False
    again: bool = False
    """Whether its finished record is of other videos, and is to be replaced."""

    @property
    def kind(self) -> Literal["static", "speed", "accuracy"]:
        """static, speed or accuracy."""
        return self.experiment.measure.kind  # type: ignore[return-value]

    @property
    def name(self) -> str:
        """How progress and messages call it."""
        which = f" sitting {self.seed + 1}" if self.kind == "speed" else f" seed {self.seed}"
        return f"{self.row} {self.cell}{which * bool(self.seed)}"

    @property
    def key(self) -> tuple[str, int]:
        """Of what is measured, whichever table asks for it."""
        return self.experiment.id, self.seed

    def to_message(self) -> dict[str, Any]:
        """Plain data for another process; `from_message` is the inverse."""
        plain = {field.name: getattr(self, field.name) for field in fields(self)}
        return {**plain, "experiment": to_dict(self.experiment)}

    @staticmethod
    def from_message(message: dict[str, Any]) -> Job:
        """The job that `to_message` described."""
        return Job(**{**message, "experiment": experiment_from_dict(message["experiment"])})


def jobs_of(
    table: TableSpec,
    *,
    rows: Iterable[str] = (),
    cells: Iterable[str] = (),
    seeds: int | Sequence[int] | None = None,
    sittings: int = 1,
    smoke: bool = False,
) -> list[Job]:
    """The jobs that this machine can run, cheapest kind first. A cell whose dataset is not configured is no job, nor
    are scores of another program.

    Trainings run with seeds 0 to `seeds` - 1, by default as many as the table asks for, or with those of a list; times
    are taken in `sittings`, one after the other.
    """
    chosen = _choose("row", rows, [row.key for row in table.rows])
    wanted = _choose("cell", cells, sorted({cell for row in table.rows for cell in row.cells}))
    found = []
    for row in table.rows:
        for cell, experiment in row.cells.items():
            if row.key not in chosen or cell not in wanted or row.imported or not runnable(experiment):
                continue
            wished = _seeds_of(table, row, cell) if seeds is None else seeds
            trained = range(wished) if isinstance(wished, int) else wished
            numbers = {"static": (0,), "speed": range(sittings), "accuracy": trained}
            for seed in numbers[experiment.measure.kind]:
                found.append(Job(table.paper, table.name, row.key, cell, experiment, seed, smoke))
    return sorted(found, key=lambda job: (KINDS.index(job.kind), job.seed if job.kind == "speed" else 0))


def _seeds_of(table: TableSpec, row: RowSpec, cell: str) -> int:
    """How many seeds a cell is trained with; a quoted network's small form with one."""
    return 1 if row.quoted_network else table.seeds.get(cell, 1)


def _choose(kind: str, names: Iterable[str], known: list[str]) -> set[str]:
    chosen = list(names)
    for name in chosen:
        if name not in known:
            raise UnknownName(kind, name, known, fix="python -m repro show TABLE")
    return set(chosen or known)


def runnable(experiment: Experiment) -> bool:
    """Whether its datasets, if it needs any, are at hand."""
    measure = experiment.measure
    if not isinstance(measure, Accuracy):
        return True
    from repro.data.datasets import is_configured

    return all(map(is_configured, measure.datasets))


def select(jobs: list[Job], mode: str, index: Index, device: str = "") -> list[Job]:
    """Of these jobs: `missing` (no record), `failed` (last attempt failed), `undone` (both), `force` (all).

    Of rows that share an experiment, the first measures it. With `device` (cpu or cuda), a time counts that was taken
    on it alone.
    """
    jobs = list({job.key: job for job in reversed(jobs)}.values())[::-1]
    if mode == "force":
        return jobs
    wanted = {"missing": {"missing"}, "failed": {"failed"}, "undone": {"missing", "failed"}}[mode]
    return [job for job in jobs if state_of(job, index, device) in wanted]


def state_of(job: Job, index: Index, device: str = "") -> Literal["done", "failed", "missing"]:
    """What is known of a job, whichever table of whichever paper measured it."""
    found = record_of(job, index, device)
    return found.status if found else "missing"


def record_of(job: Job, index: Index, device: str = "") -> Record | None:
    """The record that finishes a job, else one that tells why it failed.

    A time that another machine took finishes nothing: speed is a fact of a machine.
    """
    found = index.of(job.experiment.id, job.seed)
    if job.kind == "speed":
        found = [record for record in found if not from_elsewhere(record, device)]
    done = finishing(found)
    return done[0] if done else next(iter(found), None)


def changed(found: Record | None, splits: Mapping[str, Videos], initial: Videos | None = None) -> str | None:
    """What to say where a finished record of this experiment was measured on other videos under the same name;
    `initial` are those of the training that it starts from.
    """
    if found is None or found.status != "done":
        return None
    now = [(name, index.fingerprint) for name, index in splits.items()]
    before = [found.dataset, (found.dataset or {}).get("train")]
    then = {one.get("split"): one.get("fingerprint") for one in before if one}
    if initial is not None:
        started = (found.effective.get("initial") or {}).get("dataset") or {}
        now.append(("its initial training", initial.fingerprint))
        then["its initial training"] = started.get("fingerprint")
    differ = [name for name, fingerprint in now if then.get(name) not in (None, fingerprint)]
    if not differ:
        return None
    return f"the videos of {' and '.join(differ)} have changed since record {found.name} was written"


def on_other_videos(jobs: Iterable[Job], index: Index) -> tuple[list[Job], list[str]]:
    """The finished jobs whose datasets on this machine are other copies now, to be measured again, and what to say of
    them. The synthetic datasets follow from the code; of a dataset that cannot be listed now nothing is known.
    """
    from repro.data.datasets import is_shipped, open_index

    opened = cache(open_index)
    found, told = [], []
    for job in jobs:
        measure = job.experiment.measure
        if not isinstance(measure, Accuracy) or all(map(is_shipped, measure.datasets)):
            continue
        before = record_of(job, index)
        if before is None or before.status != "done":
            continue
        used = (measure.test_split, *(["train"] if measure.train else []))
        start = measure.initial.measure if measure.initial else None
        try:
            splits = {split: opened(measure.dataset, split) for split in used}
            why = changed(before, splits, opened(start.dataset, "train") if isinstance(start, Accuracy) else None)
        except DataError as error:
            told.append(f"{job.name}: its record stands, though its videos cannot be listed now: {error}")
            continue
        if why:
            found.append(replace(job, again=True))
            told.append(f"{job.name}: {why}; they are measured anew")
    return list({job.key: job for job in found}.values()), told


def from_elsewhere(record: Record, device: str = "") -> bool:
    """Whether a finished time was taken on another kind of machine than this one, or on another device than asked."""
    if record.status != "done":
        return False
    return not is_here(record.environment) or not record.results["device"].startswith(device)


def device_kind(name: str) -> str:
    """What `--device` means here, cpu or cuda, told without torch."""
    return "cuda" if name.startswith("cuda") or (name == "auto" and gpu_ids()) else "cpu"


def expected_seconds(jobs: Iterable[Job], reference: Index) -> dict[tuple[str, int], float]:
    """Key of a job -> seconds that it took in the reference, or a first guess; left out where there is none."""
    made = ((job, finishing(reference.of(job.experiment.id))) for job in jobs)
    seconds = {job.key: found[0].wall_s if found else first_guess(job) for job, found in made}
    return {key: told for key, told in seconds.items() if told is not None}


def first_guess(job: Job) -> float | None:
    """Seconds of a job of this kind, on a probe by its clips and steps; None on data of the user's, of any size."""
    from repro.data.datasets import is_shipped
    from repro.data.user_data import file_of
    from repro.papers.probes import seconds_of

    measure = job.experiment.measure
    if not isinstance(measure, Accuracy):
        return EXPECTED_SECONDS[job.kind]
    if not all(is_shipped(name) and not file_of(name) for name in measure.datasets):
        return None
    return seconds_of(measure) if measure.train else EXPECTED_SECONDS["accuracy"]
