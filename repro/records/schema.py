"""What a record holds: the document of one measurement, with everything that its numbers depend on."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
from pydantic import BaseModel, ConfigDict, Field

from repro.core.errors import RecordError, ReproError
from repro.core.names import PATTERN
from repro.core.spec import SPEC_VERSION, Experiment, canonical_json, experiment_from_dict

#: the widest of a CPU's vector instructions -> how it is told beside the name
_WORDS = {
    "avx512f": " with AVX-512", "avx512_bf16": " with bf16 arithmetic", "amx_bf16": " with AMX", "sve": " with SVE",
    "bf16": " with bf16 arithmetic",
}  # fmt: skip
_NEEDED = ("python", "packages", "device", "threads", "flags", "git")

#: version of the document; `records/upgrade.py` turns older ones into it
SCHEMA_VERSION: Literal[2] = 2

Name = Annotated[str, Field(pattern=PATTERN)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Percent = Annotated[float, Field(ge=0, le=100)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Natural = Annotated[int, Field(ge=0)]


class _Result(BaseModel):
    """Measuring functions may tell more than is required here; what is required must be there and be possible."""

    model_config = ConfigDict(extra="allow")


class Count(_Result):
    """Multiply-accumulates of one view at one crop size, by three counters; None: that counter failed."""

    gmacs: Positive
    fvcore: Positive | None = None
    ptflops: Positive | None = None
    ptflops_aten: Positive | None = None


class StaticResult(_Result):
    """Parameters and multiply-accumulates."""

    params: Natural
    params_trainable: Natural
    params_method: Natural
    sizes: Annotated[dict[str, Count], Field(min_length=1)]


class Ratio(_Result):
    """The network without the method, timed in turn; ratio = time with / time without."""

    median_s: Positive
    ratios: Annotated[list[Positive], Field(min_length=1)]
    ratio_median: Positive
    ratio_iqr: Any


class SpeedResult(_Result):
    """Forward time of a batch of views, in seconds."""

    times_s: Annotated[list[Positive], Field(min_length=1)]
    median_s: Positive
    views_per_s: Positive
    batch: Annotated[int, Field(ge=1)]
    size: Annotated[int, Field(ge=1)]
    threads: Annotated[int, Field(ge=1)]
    device: str
    device_name: str
    precision: str
    form: str
    against: Ratio | None = None


class Rate(_Result):
    """Shares of videos in percent."""

    top1: Percent
    top5: Percent

    @pydantic.model_validator(mode="after")
    def _ordered(self) -> Rate:
        if self.top1 > self.top5 + 1e-9:
            raise ValueError(f"top1 {self.top1} exceeds top5 {self.top5}")
        return self


class AccuracyResult(Rate):
    """Accuracy over the scored videos; those left out are named."""

    videos: Annotated[int, Field(ge=1)]
    left_out: list[dict[str, Any]]
    aggregations: dict[str, Rate] = {}
    extra: dict[str, float] = {}
    cost: dict[str, Any] = {}


_RESULTS: dict[str, type[_Result]] = {"static": StaticResult, "speed": SpeedResult, "accuracy": AccuracyResult}


class Git(_Result):
    """State of the code."""

    commit: str | None
    dirty: bool | None = None


class Environment(_Result):
    """What a finished record was measured on; more may be told."""

    python: str
    packages: dict[str, str]
    device: str
    threads: Any
    flags: dict[str, Any]
    git: Git
    device_name: str = ""
    cpu: str | None = None
    cores: int | None = None
    platform: str | None = None
    memory_gib: float | None = None
    vectors: list[str] = []


class Scores(BaseModel):
    """The file beside the record that holds the scores of every video and view."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: Annotated[str, Field(pattern=r"^[0-9a-f]{16}-s\d+\.npz$")]
    sha256: Sha256


class Record(BaseModel):
    """One finished or failed measurement, with all that its numbers depend on."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, ser_json_inf_nan="constants")

    schema_version: Literal[2] = SCHEMA_VERSION
    spec_version: int = SPEC_VERSION
    id: Sha256
    """Content id of `spec`."""
    paper: Name
    table: Name
    row: Name
    cell: Name
    """Name of the measurement in its row: static, speed, twin-temporal, ..."""
    kind: Literal["static", "speed", "accuracy"]
    seed: Natural = 0
    status: Literal["done", "failed"]
    reason: str | None = None
    """Why it failed."""
    smoke: bool = False
    """Run only to see that it runs; never a result."""
    spec: dict[str, Any]
    """The experiment as plain data."""
    results: dict[str, Any] = {}
    effective: dict[str, Any] = {}
    """What was used where the spec leaves it to the machine: steps, micro-batch, accumulated gradients."""
    weights_sha256: Sha256 | None = None
    dataset: dict[str, Any] | None = None
    """Name, split, number of videos and fingerprint."""
    decoder: str | None = None
    environment: dict[str, Any] = {}
    command: list[str] = []
    modules: dict[str, str] = {}
    """Files given by --module -> sha256."""
    started: str
    finished: str
    """ISO 8601 in UTC."""
    wall_s: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    curve: list[dict[str, Any]] = []
    """Training curve: one dict a point."""
    scores: Scores | None = None

    @pydantic.field_validator("started", "finished")
    @classmethod
    def _utc(cls, value: str) -> str:
        if datetime.fromisoformat(value).utcoffset() != timedelta(0):
            raise ValueError(f"{value!r} is not an ISO 8601 time in UTC, such as 2026-01-31T12:00:00+00:00")
        return value

    @pydantic.model_validator(mode="after")
    def _consistent(self) -> Record:
        if not self._names_its_spec():
            raise ValueError("id is not the content id of spec")
        measure = self.spec.get("measure")
        kind = measure.get("kind") if isinstance(measure, dict) else measure
        if kind != self.kind:
            raise ValueError(f"kind is {self.kind!r}, but spec measures {kind!r}")
        if self.status == "failed":
            if not (self.reason or "").strip() or self.results:
                raise ValueError("a failed record has a reason and no results")
            return self
        _RESULTS[self.kind].model_validate(self.results)
        missing = [key for key in _NEEDED if key not in self.environment]
        if missing:
            raise ValueError(f"environment lacks {', '.join(missing)}")
        _check_environment(self.environment)
        return self

    def _names_its_spec(self) -> bool:
        key = (self.id, self.spec_version)
        if _KNOWN.get(key) == self.spec:
            return True
        found = _is_id(self.id, self.spec_version, self.spec)
        if found:
            _KNOWN[key] = self.spec
        return found

    @property
    def name(self) -> str:
        """File name without its ending; unique within a row, and the record's anchor in the report."""
        return f"{self.id[:16]}-s{self.seed}"

    @property
    def processor(self) -> str:
        """What a speed belongs to: the device, and the vector instructions that tell two CPUs of a name apart."""
        return f"{self.results['device_name']}{self._vectors()}"

    def _vectors(self) -> str:
        if self.results["device"] != "cpu":
            return ""
        if "vectors" in self.environment:
            return _WORDS.get((self.environment["vectors"] or [""])[-1], "")
        return _WORDS["bf16"] if (self.results.get("machine") or {}).get("cpu_bf16") else ""  # older records

    @property
    def place(self) -> str:
        """Where the record lies below its root."""
        return f"{self.paper}/{self.table}/{self.row}/{self.name}.json"

    @property
    def relative_path(self) -> Path:
        """The same as a path."""
        return Path(self.place)

    def experiment(self) -> Experiment:
        """The spec as dataclasses; refused when it was written under another meaning of the fields."""
        if self.spec_version != SPEC_VERSION:
            raise RecordError(f"record {self.name} has spec version {self.spec_version}, this is {SPEC_VERSION}")
        return experiment_from_dict(self.spec)


#: content id and version -> a spec that it was found to be of; seeds, and tables that share an experiment, ask again
_KNOWN: dict[tuple[str, int], dict[str, Any]] = {}


def _check_environment(facts: dict[str, Any]) -> None:
    """Most records of a folder share a machine: the last sound one is remembered."""
    if _SOUND.get("environment") != facts:
        Environment.model_validate(facts)
        _SOUND["environment"] = facts


_SOUND: dict[str, dict[str, Any]] = {}


def _is_id(id: str, version: int, plain: dict[str, Any]) -> bool:
    """Whether `id` is the content id of a plain spec, be its later fields written out at their defaults or not."""
    text = f"{version}:Experiment:{canonical_json(plain)}"
    if hashlib.sha256(text.encode()).hexdigest() == id:
        return True
    try:
        return version == SPEC_VERSION and experiment_from_dict(plain).id == id
    except (ReproError, TypeError, KeyError):
        return False


def faults(error: pydantic.ValidationError) -> str:
    """A validation error in one line: field and fault of the first three."""
    told = []
    for fault in error.errors(include_url=False)[:3]:
        place = ".".join(str(part) for part in fault["loc"])
        told.append(f"{place}: {fault['msg']}" if place else fault["msg"])
    return "; ".join(told)
