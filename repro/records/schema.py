"""What a record holds: the document of one measurement, with everything that its numbers depend on."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
from pydantic import BaseModel, ConfigDict, Field

from repro.core.errors import ReproError
from repro.core.names import PATTERN
from repro.core.spec import SPEC_VERSION, Experiment, experiment_from_dict, to_dict
from repro.records.parts import RESULTS, Environment, Free, Natural

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
    """Name of the measurement in its row: static, speed, probe-order, ..."""
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
        Free(effective=self.effective, dataset=self.dataset, curve=self.curve)  # type: ignore[arg-type]
        _check_environment(self.environment)
        if self.status == "failed":
            if not (self.reason or "").strip() or self.results:
                raise ValueError("a failed record has a reason and no results")
            return self
        RESULTS[self.kind].model_validate(self.results)
        missing = [key for key in _NEEDED if key not in self.environment]
        if missing:
            raise ValueError(f"environment lacks {', '.join(missing)}")
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
        """The spec as dataclasses."""
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
    """Whether `id` is the content id of a plain spec, be its later fields written out at their defaults or not. The
    spec must be one that can be read: what shows a record takes its fields as they are.
    """
    if version != SPEC_VERSION:
        raise ValueError(f"spec version {version}; this program reads {SPEC_VERSION}")
    try:
        made = experiment_from_dict(plain)
        return made.id == id and _holds(plain, to_dict(made, identity=True))
    except (ReproError, TypeError, KeyError, AttributeError, ValueError, OverflowError):
        return False


def _holds(plain: Any, wanted: Any) -> bool:
    """Whether every field of `wanted` is written out in `plain`."""
    if not isinstance(wanted, dict):
        return True
    return isinstance(plain, dict) and all(key in plain and _holds(plain[key], wanted[key]) for key in wanted)


def faults(error: pydantic.ValidationError) -> str:
    """A validation error in one line: field and fault of the first three."""
    told = []
    for fault in error.errors(include_url=False)[:3]:
        place = ".".join(str(part) for part in fault["loc"])
        told.append(f"{place}: {fault['msg']}" if place else fault["msg"])
    return "; ".join(told)
