"""The parts of a record that are kept as plain data: what must be in them, and of which kind what is read must be."""

from __future__ import annotations

from typing import Annotated, Any

import pydantic
from pydantic import BaseModel, ConfigDict, Field

Percent = Annotated[float, Field(ge=0, le=100)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Natural = Annotated[int, Field(ge=0, lt=10**18)]
Side = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,5}$")]
#: one number, or the two ends of a range
Spread = float | list[float]


class Part(BaseModel):
    """Measuring functions may tell more than is required here; what is required must be there and be possible, and what
    is read anywhere must be of its kind. This is asked once, when a record is read: whoever shows it need not.
    """

    model_config = ConfigDict(extra="allow", strict=True)


class Count(Part):
    """Multiply-accumulates of one view at one crop size, by three counters; None: that counter failed."""

    gmacs: Positive
    fvcore: Positive | None = None
    ptflops: Positive | None = None
    ptflops_aten: Positive | None = None


class StaticResult(Part):
    """Parameters and multiply-accumulates."""

    params: Natural
    params_trainable: Natural
    params_method: Natural
    sizes: Annotated[dict[Side, Count], Field(min_length=1)]
    method: dict[str, float] = {}
    """What the method's part counts of itself."""
    modules: list[dict[str, Any]] = []
    uncounted: dict[str, dict[str, Any]] = {}
    memory: dict[str, float] | None = None


class Ratio(Part):
    """The network without the method, timed in turn; ratio = time with / time without."""

    median_s: Positive
    ratios: Annotated[list[Positive], Field(min_length=1)]
    ratio_median: Positive
    ratio_iqr: Spread
    views_per_s: Positive
    iqr_s: Spread | None = None


class Roofline(Part):
    """Whether a time is possible on the machine that took it."""

    verdict: str | None = None
    text: str | None = None
    peak_tmacs: Positive | None = None
    gmacs_per_view: Positive | None = None

    @pydantic.model_validator(mode="after")
    def _told(self) -> Roofline:
        if self.verdict in ("impossible", "doubtful") and None in (self.peak_tmacs, self.gmacs_per_view):
            raise ValueError(f"{self.verdict}, without the numbers that tell so")
        return self


class Machine(Part):
    """What else the machine did."""

    cpu_bf16: bool | None = None


class SpeedResult(Part):
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
    iqr_s: Spread | None = None
    against: Ratio | None = None
    roofline: Roofline | None = None
    machine: Machine | None = None
    form_detail: dict[str, Any] | None = None


class Rate(Part):
    """Shares of videos in percent."""

    top1: Percent
    top5: Percent

    @pydantic.model_validator(mode="after")
    def _ordered(self) -> Rate:
        if self.top1 > self.top5 + 1e-9:
            raise ValueError(f"top1 {self.top1} exceeds top5 {self.top5}")
        return self


class LeftOut(Part):
    """A video that could not be read."""

    id: str
    problem: str


class Cost(Part):
    """What a network that decides computed, over the videos."""

    mean: dict[str, float] = {}
    std: dict[str, float] = {}
    facts: dict[str, float] = {}


class AccuracyResult(Rate):
    """Accuracy over the scored videos; those left out are named."""

    videos: Annotated[int, Field(ge=1, lt=10**12)]
    left_out: list[LeftOut]
    aggregations: dict[str, Rate] = {}
    extra: dict[str, float] = {}
    cost: Cost = Cost()


class Point(Part):
    """A training after an epoch."""

    epoch: float | None = None
    step: float | None = None
    loss: float | None = None
    top1: Percent | None = None
    lr: float | None = None


class Dataset(Part):
    """The videos that were used."""

    name: str = ""
    split: str = ""
    videos: Natural = 0
    fingerprint: str | None = None
    train: Dataset | None = None


class Initial(Part):
    """The training that this one started from."""

    dataset: Dataset | None = None
    curve: list[Point] = []


class Effective(Part):
    """What was used where the spec leaves it to the machine."""

    initial: Initial | None = None


RESULTS: dict[str, type[Part]] = {"static": StaticResult, "speed": SpeedResult, "accuracy": AccuracyResult}


class Git(Part):
    """State of the code."""

    commit: str | None
    dirty: bool | None = None


class Environment(Part):
    """What was measured on; a finished record tells all of `_NEEDED`, and more may be told."""

    python: str = ""
    packages: dict[str, str] = {}
    device: str = ""
    threads: Annotated[int, Field(ge=1)] | None = None
    flags: dict[str, Any] = {}
    git: Git = Git(commit=None)
    device_name: str = ""
    cpu: str | None = None
    cores: int | None = None
    platform: str | None = None
    memory_gib: float | None = None
    vectors: list[str] = []


class Free(BaseModel):
    """The parts of a record that are kept as plain data."""

    model_config = ConfigDict(strict=True)

    effective: Effective
    dataset: Dataset | None
    curve: list[Point]
