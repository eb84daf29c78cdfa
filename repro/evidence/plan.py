"""What a table would cost on given devices: hours, energy and disk of each cell, and the seeds that would decide it.

Each number is an interval with its sources. A measured speed on the device is taken as it is; otherwise the network's
own speed record is carried over by the ratio of the devices' arithmetic peaks, and without one its multiply-accumulates
are divided by a share of the peak. Low and high ends multiply the ends of all factors: wide, and meant to be.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from repro.core.errors import BadOption, UnknownName
from repro.core.roofline import PEAKS
from repro.core.spec import Accuracy, Experiment, Train, to_dict
from repro.data.known_datasets import KNOWN
from repro.evidence import plan_facts as facts
from repro.evidence.plan_facts import Estimate, Range
from repro.evidence.plan_seeds import Decision, decisions
from repro.papers.table import RowSpec, TableSpec
from repro.records.schema import Record

_NETWORK = ("name", "backbone", "frames", "options", "method", "method_options")
#: method options of a training's loss, which a forward pass does not meet
_OF_LOSS = ("efficiency", "efficiency_weight", "efficiency_scale")


ZERO = Estimate(0, 0, 0)


def _sum(parts: Iterable[Estimate | None]) -> Estimate:
    """Together, as far as they can be told."""
    return sum((part for part in parts if part is not None), ZERO)


@dataclass(frozen=True)
class CellPlan:
    """One cell at one seed."""

    row: str
    cell: str
    done: bool
    """Whether a record has it already."""
    hours: Estimate | None
    """On all devices together; None: it cannot be told, and `sources` says why."""
    kwh: Estimate | None
    disk_gb: Estimate
    sources: tuple[str, ...]
    """Records by their path, and assumptions in words."""


@dataclass(frozen=True)
class Plan:
    """A table on `count` devices."""

    table: str
    device: str
    count: int
    cells: tuple[CellPlan, ...]
    seeds: tuple[Decision, ...]
    datasets_gb: Mapping[str, Range]
    """Each dataset once, however many cells use it."""

    def left(self) -> tuple[Estimate, Estimate]:
        """Hours and kWh of the cells without a record, as far as they could be told."""
        todo = [cell for cell in self.cells if not cell.done]
        return _sum(cell.hours for cell in todo), _sum(cell.kwh for cell in todo)

    def total(self) -> tuple[Estimate, Estimate, Estimate, int]:
        """Hours, kWh and GB of all cells that could be told, at one seed, datasets included; and how many could not."""
        disk = _sum([*(cell.disk_gb for cell in self.cells), *self.datasets_gb.values()])
        hours, kwh = _sum(cell.hours for cell in self.cells), _sum(cell.kwh for cell in self.cells)
        return hours, kwh, disk, sum(cell.hours is None for cell in self.cells)


def device_name(text: str) -> str:
    """The known device that `text` means: `h200`, `rtx-2080-ti`, `RTX 2080 Ti`."""
    plain = {_plain(name): name for name in PEAKS}
    if _plain(text) not in plain:
        raise UnknownName("device", text, [name.lower().replace(" ", "-") for name in PEAKS], fix="--device h200")
    return plain[_plain(text)]


def _plain(text: str) -> str:
    return "".join(letter for letter in text.lower() if letter.isalnum()).removeprefix("nvidia")


def plan(table: TableSpec, records: Sequence[Record], *, device: str, count: int = 1) -> Plan:
    """The plan of all cells of the table from these records."""
    if count < 1:
        raise BadOption(f"--count {count}", allowed="a whole number above 0")
    name = device_name(device)
    done = {(record.id, record.seed) for record in records if record.status == "done"}
    cells = []
    for row in table.rows:
        for cell, experiment in row.cells.items():
            made = _Cell(row, experiment, records, name, count)
            cells.append(made.plan(cell, (experiment.id, 0) in done))
    sizes = {name: facts.GIGABYTES[name] for name in sorted(table.datasets) if name in facts.GIGABYTES}
    return Plan(table.full_name, name, count, tuple(cells), tuple(decisions(table)), sizes)


class _Cell:
    """The estimate of one cell; collects the sources it uses."""

    def __init__(
        self, row: RowSpec, experiment: Experiment, records: Sequence[Record], device: str, count: int
    ) -> None:
        self.row, self.experiment, self.device, self.count = row, experiment, device, count
        self.records = [record for record in records if record.status == "done"]
        self.sources: list[str] = []

    def plan(self, cell: str, done: bool) -> CellPlan:
        measure = self.experiment.measure
        disk = ZERO
        devices = 1
        if isinstance(measure, Accuracy) and measure.dataset in KNOWN:
            hours, devices, disk = self._dataset(measure), self.count, self._disk(measure)
        else:
            hours = self._small(measure)
        kwh = None
        if hours is not None:
            watts = facts.WATTS[self.device]
            self._note(f"data sheet: {watts:g} W a device")
            kwh = self._with(self._with(hours, facts.DRAW), facts.HOST).times(watts * devices / 1000)
        return CellPlan(self.row.key, cell, done, hours, kwh, disk, tuple(dict.fromkeys(self.sources)))

    def _small(self, measure: object) -> Estimate:
        """Cells without a dataset of their own: as long as they took, on whatever machine."""
        made = next((record for record in self.records if record.id == self.experiment.id), None)
        if made is not None:
            self._note(f"record {made.place}: {made.wall_s:.0f} s there, taken as 0.3 to 1.5 of it")
            hours = made.wall_s / 3600
            return Estimate(hours, 0.3 * hours, 1.5 * hours)
        kind = "probe" if isinstance(measure, Accuracy) else self.experiment.measure.kind
        seconds = facts.SECONDS[kind]
        self._note(seconds.source)
        return seconds.times(1 / 3600)

    def _dataset(self, measure: Accuracy) -> Estimate | None:
        known = KNOWN[measure.dataset]
        counts = ", ".join(f"{count:,} {split}" for split, count in known.splits.items())
        self._note(f"{known.title}: {counts} videos ({known.source})")
        test = self._seconds(measure.test.crop, measure.train)
        if test is None:
            return None
        views = known.splits["val"] * measure.test.count
        total = self._fed(test.times(views), views)
        return (total + self._training(measure)).times(1 / 3600)

    def _training(self, measure: Accuracy) -> Estimate:
        """Seconds of its training, and of the one before it whose weights it starts from."""
        before, train = measure.initial, measure.train
        total = ZERO
        if before is not None and isinstance(before.measure, Accuracy) and before.measure.dataset in KNOWN:
            self._note(f"with its initial training on {before.measure.dataset}, also where several cells share that")
            total = self._training(before.measure)
        if train is None:
            return total
        step = self._seconds(train.crop, train)
        assert step is not None  # told for the test already
        clips = KNOWN[measure.dataset].splits["train"] * train.epochs
        return total + self._fed(self._with(step, facts.STEP_OVER_FORWARD).times(clips), clips)

    def _fed(self, busy: Estimate, clips: int) -> Estimate:
        """Seconds on all devices: what they compute, or what their cores decode, whichever takes longer."""
        if self.count > 1:
            self._note(facts.SCALING.source)
            busy = busy.over(facts.SCALING)
        busy = busy.times(1 / self.count)
        decode = facts.DECODE_S
        self._note(f"{decode.source}; {facts.CORES} cores a device")
        fed = decode.times(clips / (facts.CORES * self.count))
        return Estimate(max(busy.value, fed.value), max(busy.low, fed.low), max(busy.high, fed.high))

    def _seconds(self, crop: int, train: Train | None) -> Estimate | None:
        """Seconds of one view's forward pass on the device."""
        speeds = [record for record in self._of_network() if record.kind == "speed"]
        peak, precision = self._peak(train)
        measured = [record for record in speeds if self._on_device(record)]
        here = min(measured, key=lambda one: (one.results["precision"] != precision, _per_view(one)), default=None)
        if here is not None:
            per_view = _per_view(here)
            spread = [time / here.results["batch"] for time in here.results["times_s"]]
            self._note(f"record {here.place}: measured on {here.results['device_name']}")
            found = Estimate(per_view, min(spread), max(spread))
            return self._scaled(found, here.results["size"], crop)
        made = next((record for record in speeds if _peak_of(record)), None)
        if made is not None:
            per_view = _per_view(made)
            ratio = (_peak_of(made) or 0) / peak
            self._note(
                f"record {made.place}: {per_view:.3g} s a view on {made.results['device_name']}, "
                f"times {_peak_of(made):.3g}/{peak:.4g} TMAC/s ({precision} peak of {self.device})"
            )
            self._note(facts.KEPT_SHARE.source)
            found = Estimate(per_view, per_view, per_view).times(ratio).over(facts.KEPT_SHARE)
            return self._scaled(found, made.results["size"], crop)
        return self._from_macs(crop, peak, precision)

    def _from_macs(self, crop: int, peak: float, precision: str) -> Estimate | None:
        static = next((record for record in self._of_network() if record.kind == "static"), None)
        if static is None:
            self._note("not told: no speed or static record of this network (python -m repro run TABLE --only static)")
            return None
        size = min((int(text) for text in static.results["sizes"]), key=lambda known: abs(known - crop))
        gmacs = static.results["sizes"][str(size)]["gmacs"]
        self._note(f"record {static.place}: {gmacs:.4g} GMACs at {size}")
        self._note(f"{facts.SHARE.source}; {precision} peak of {self.device} {peak:.4g} TMAC/s")
        seconds = gmacs / 1e3 / peak
        return self._scaled(Estimate(seconds, seconds, seconds).over(facts.SHARE), size, crop)

    def _scaled(self, found: Estimate, size: int, crop: int) -> Estimate:
        if size == crop:
            return found
        self._note(f"assumption: time grows with the area of the crop, from {size} to {crop}")
        return found.times((crop / size) ** 2)

    def _peak(self, train: Train | None) -> tuple[float, str]:
        """Peak in TMAC/s at the precision of the training; fp32 convolutions run in TF32 where the device has it."""
        peaks = PEAKS[self.device]
        amp = train.amp if train is not None else "off"
        wanted = "tf32" if amp == "off" else amp
        precision = wanted if wanted in peaks else "fp32"
        return peaks[precision], precision

    def _on_device(self, record: Record) -> bool:
        return self.device.lower() in str(record.results["device_name"]).lower()

    def _of_network(self) -> list[Record]:
        wanted = _same_speed(to_dict(self.experiment.model))
        return [record for record in self.records if _same_speed(record.spec["model"]) == wanted]

    def _disk(self, measure: Accuracy) -> Estimate:
        """Checkpoints and scores; the dataset itself is counted once for the table."""
        static = next((record for record in self._of_network() if record.kind == "static"), None)
        if static is not None:
            ends = (static.results["params"],) * 3
            self._note(f"record {static.place}: {static.results['params']:,} parameters")
        else:
            ends = (30e6, 20e6, 50e6)
            self._note("assumption: 20 to 50 million parameters")
        state = 4 * 2 * 2 / 1e9  # 4 bytes, weights and momentum, two checkpoints
        known = KNOWN[measure.dataset]
        scores = known.splits["val"] * measure.test.count * known.classes * 4 / 1e9
        self._note("float32: two checkpoints of weights and momentum, scores of every view")
        return Estimate(*(end * state + scores for end in ends))

    def _with(self, found: Estimate, factor: Range) -> Estimate:
        self._note(factor.source)
        return found.times(factor)

    def _note(self, text: str) -> None:
        self.sources.append(text)


def _per_view(record: Record) -> float:
    """Seconds of a forward pass of one view."""
    return float(record.results["median_s"] / record.results["batch"])


def _peak_of(record: Record) -> float | None:
    """TMAC/s of the machine of a speed record, as its own check of plausibility found it."""
    peak = (record.results.get("roofline") or {}).get("peak_tmacs")
    return float(peak) if peak else None


def _same_speed(model: Mapping[str, Any]) -> object:
    """What two networks of the same speed have in common."""
    found = {key: model.get(key) for key in _NETWORK}
    options = found["method_options"] or {}
    found["method_options"] = {key: value for key, value in options.items() if key not in _OF_LOSS}
    return found
