"""The rules of the linter. Each takes printed tables (or a record) and yields findings with their arithmetic.

Printed numbers are rounded: every rule leaves the half units of the printed digits open before it says anything.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from repro.core.roofline import PEAKS, check_throughput
from repro.evidence.noise import TEST_VIDEOS, doubt
from repro.papers.published import PublishedRow, PublishedTable, Value
from repro.records.schema import Record

Severity = Literal["error", "warning", "note"]

#: what names a network, and what else has to agree before two printed numbers are of the same thing
_NETWORK = ("model", "method", "backbone")
_VALUES = ("top1", "top5", "params_m", "gflops", "videos_per_s")


@dataclass(frozen=True)
class Finding:
    """One thing to look at."""

    rule: str
    severity: Severity
    """`error`: cannot be true as printed; `warning`: disagrees with something; `note`: true under a condition."""
    cells: tuple[str, ...]
    arithmetic: str
    means: str


def differences(table: PublishedTable) -> Iterator[Finding]:
    """Printed differences against their columns: `delta_X` of a row with a method, X of the row without it."""
    for column in (name for name in table.columns if name.startswith("delta_")):
        source = column.removeprefix("delta_")
        for row in table.rows.values():
            base, told = _plain(table, row), row.values.get(column)
            pair = (row.values.get(source), base.values.get(source) if base else None)
            if told is None or base is None or pair[0] is None or pair[1] is None:
                continue
            found = Decimal(pair[0].text) - Decimal(pair[1].text)
            if abs(found - Decimal(told.text)) > half_unit(told) + half_unit(pair[0]) + half_unit(pair[1]):
                yield Finding(
                    "difference", "error", (cell_of(table, row, column), cell_of(table, base, source)),
                    f"{pair[0].text} - {pair[1].text} = {found}, printed {told.text}",
                    "the printed difference is not that of its columns",
                )  # fmt: skip


def views(table: PublishedTable) -> Iterator[Finding]:
    """`frames` of the form AxBxC against `views`: B x C."""
    for row in table.rows.values():
        frames, count = row.values.get("frames"), row.values.get("views")
        match = re.fullmatch(r"(?:\d+|\([\d+]+\))x(\d+)x(\d+)", frames.text) if frames else None
        if match and count and count.number != int(match[1]) * int(match[2]):
            yield Finding(
                "views", "warning", (cell_of(table, row, "frames"), cell_of(table, row, "views")),
                f"{match[1]} x {match[2]} = {int(match[1]) * int(match[2])}, printed {count.text}",
                "clips times crops is not the printed number of views; the cost may be of one frame",
            )  # fmt: skip


def frames_scale(table: PublishedTable) -> Iterator[Finding]:
    """A network that treats frames alike costs in proportion to them, and a quarter at half the side."""
    for a, b in itertools.combinations(table.rows.values(), 2):
        first, second = a.values.get("gflops"), b.values.get("gflops")
        if not first or not second or any(text_of(a, name) != text_of(b, name) for name in _NETWORK):
            continue
        if _setting(table, a) != _setting(table, b):
            continue
        frames = frames_of(a), frames_of(b)
        if not frames[0] or not frames[1]:
            continue
        ratio = frames[1] / frames[0] * (_side(b) / _side(a)) ** 2
        if ratio == 1:
            continue
        expected, slack = first.number * ratio, (half_unit(first) * Decimal(ratio) + half_unit(second))  # type: ignore[operator]
        if abs(Decimal(expected) - Decimal(second.text)) > slack * Decimal("1.01"):
            yield Finding(
                "proportion", "warning", (cell_of(table, a, "gflops"), cell_of(table, b, "gflops")),
                f"{first.text} x {ratio:g} = {expected:.4g}, printed {second.text}",
                "cost does not grow with frames and area; a network that mixes frames, another crop, or a slip",
            )  # fmt: skip


def throughput(table: PublishedTable) -> Iterator[Finding]:
    """Printed speed times printed cost against the peak of the printed device."""
    for row in table.rows.values():
        speed, cost = row.values.get("videos_per_s"), row.values.get("gflops")
        device = text_of(row, "device")
        if not speed or not cost or not device or speed.number is None or cost.number is None:
            continue
        count = row.values.get("views")
        found = check_throughput(cost.number * ((count.number or 1) if count else 1), speed.number, device)
        if found.verdict == "unknown":
            means = f"its speed is held against nothing; known: {', '.join(PEAKS)}"
            yield Finding("device", "note", (cell_of(table, row, "device"),), found.text, means)
        if found.verdict in ("impossible", "doubtful"):
            yield Finding(
                "throughput", "error" if found.verdict == "impossible" else "warning",
                (cell_of(table, row, "videos_per_s"), cell_of(table, row, "gflops")),
                found.text,
                "fewer views, a smaller crop or another precision than stated",
            )  # fmt: skip


def single_runs(table: PublishedTable) -> Iterator[Finding]:
    """The gain of a row with a method over the row without it, against what two single runs may differ by."""
    for row in table.rows.values():
        base, dataset = _plain(table, row), table.dataset(row.key)
        pair = (row.values.get("top1"), base.values.get("top1") if base else None)
        if base is None or dataset not in TEST_VIDEOS or not all(one is not None and one.number for one in pair):
            continue
        found = doubt([float(one.number or 0) for one in pair if one is not None], dataset)
        if not found.decided:
            yield Finding(
                "gain", "note", (cell_of(table, row, "top1"), cell_of(table, base, "top1")), found.told(),
                "within what two single runs differ by",
            )  # fmt: skip


def printed_twice(tables: Mapping[str, PublishedTable]) -> Iterator[Finding]:
    """The same quantity of the same network on the same data in two tables, with two values."""
    for first, second in itertools.combinations(tables.values(), 2):
        if not {"model", "backbone"} <= set(first.columns) & set(second.columns):
            continue
        shared = [name for name in _identity(first) if name in second.columns and name not in ("method", "dataset")]
        for a, b in _same(first, second, shared):
            for column in _VALUES:
                left, right = a.values.get(column), b.values.get(column)
                if (
                    left
                    and right
                    and abs(Decimal(left.text) - Decimal(right.text)) > half_unit(left) + half_unit(right)
                ):
                    same_paper = first.stem.split("_")[0] == second.stem.split("_")[0]
                    yield Finding(
                        "printed twice", "warning" if same_paper else "note",
                        (cell_of(first, a, column), cell_of(second, b, column)),
                        f"{left.text} and {right.text}",
                        "one network, two values" if same_paper else "two papers print one network differently",
                    )  # fmt: skip


#: processor, threads, precision -> the best peak in TMAC/s that was calibrated there
Peaks = Mapping[tuple[object, ...], float]


def peaks_of(records: Iterable[Record]) -> Peaks:
    """The best calibration of each kind of machine: one taken while others worked says too little."""
    found: dict[tuple[object, ...], float] = {}
    for record in records:
        peak = (record.results.get("roofline") or {}).get("peak_tmacs") if record.kind == "speed" else None
        if peak and record.status == "done" and not record.smoke:
            found[_processor(record)] = max(peak, found.get(_processor(record), 0.0))
    return found


def _processor(record: Record) -> tuple[object, ...]:
    return record.processor, record.results["threads"], record.results["precision"]


def own_record(record: Record, peaks: Peaks) -> Iterator[Finding]:
    """A finished record of this suite: speeds within the peak, ratios of a pair consistent, accuracy possible."""
    if record.status != "done" or record.smoke:
        return
    found = record.results
    if record.kind == "speed":
        yield from _own_speed(record, peaks.get(_processor(record), 0.0))
        if abs(found["views_per_s"] * found["median_s"] / found["batch"] - 1) > 1e-6:
            told = f"{found['views_per_s']} views/s, {found['batch']} views in {found['median_s']} s"
            yield Finding("speed", "error", (record.name,), told, "speed is not batch / time")
    if record.kind == "accuracy" and found["videos"]:
        correct = found["top1"] * found["videos"] / 100
        if abs(correct - round(correct)) > 1e-3:
            told = f"{found['top1']} % of {found['videos']} videos are {correct:.3f}"
            yield Finding("top-1", "error", (record.name,), told, "not a whole number of videos")


def _own_speed(record: Record, best: float) -> Iterator[Finding]:
    """Above its own peak, unless other records of such a machine calibrated one that allows it."""
    roofline = record.results.get("roofline") or {}
    if roofline.get("verdict") not in ("impossible", "doubtful"):
        return
    again = check_throughput(
        roofline["gmacs_per_view"], record.results["views_per_s"], record.results["device_name"], peak=best
    )
    told = str(roofline.get("text", roofline["verdict"]))
    if best > roofline["peak_tmacs"] and again.verdict == "possible":
        yield Finding(
            "throughput", "note", (record.name,), told,
            f"its peak was calibrated under load: other records of such a machine have {best:.4g} TMAC/s, of which "
            f"this needs {again.share:.0%}",
        )  # fmt: skip
        return
    severity: Severity = "error" if roofline["verdict"] == "impossible" else "warning"
    yield Finding("throughput", severity, (record.name,), told, "mistimed")


def _identity(table: PublishedTable) -> list[str]:
    """Columns that say what a row is, not what was found."""
    facts = {"row", "note", "videos_per_s", "ir_interactions", "kernel_shapes", *_VALUES}
    return [name for name in table.columns if name not in facts and not name.startswith("delta_")]


def _same(
    first: PublishedTable, second: PublishedTable, shared: list[str]
) -> Iterator[tuple[PublishedRow, PublishedRow]]:
    """Rows that agree in all shared columns and are the only ones to do so in their table."""

    def by_identity(table: PublishedTable) -> dict[tuple[str, ...], list[PublishedRow]]:
        groups: dict[tuple[str, ...], list[PublishedRow]] = {}
        for row in table.rows.values():
            named = tuple(text_of(row, name) for name in shared)
            groups.setdefault((*named, text_of(row, "method"), table.dataset(row.key)), []).append(row)
        return groups

    left, right = by_identity(first), by_identity(second)
    for key, rows in left.items():
        if len(rows) == 1 and len(right.get(key, [])) == 1 and text_of(rows[0], "model"):
            yield rows[0], right[key][0]


def _plain(table: PublishedTable, row: PublishedRow) -> PublishedRow | None:
    """The one row that is like this one but without its method."""
    if not text_of(row, "method"):
        return None
    same = [name for name in _identity(table) if name not in ("method", "device")]
    found = [
        other
        for other in table.rows.values()
        if not text_of(other, "method") and all(text_of(other, name) == text_of(row, name) for name in same)
    ]
    return found[0] if len(found) == 1 else None


def _setting(table: PublishedTable, row: PublishedRow) -> tuple[str, ...]:
    skipped = {*_NETWORK, "frames", "views", "input_size", "pretrain", "dataset"}
    return tuple(text_of(row, name) for name in _identity(table) if name not in skipped)


def text_of(row: PublishedRow, column: str) -> str:
    """A cell's text; empty where nothing is printed."""
    found = row.values.get(column)
    return found.text if found else ""


def cell_of(table: PublishedTable, row: PublishedRow, column: str) -> str:
    """A cell's name."""
    return f"{table.stem}/{row.key}/{column}"


def half_unit(value: Value) -> Decimal:
    """Half a unit of the last printed digit."""
    exponent: Any = Decimal(value.text).as_tuple().exponent
    return Decimal(5).scaleb(exponent - 1)


def frames_of(row: PublishedRow) -> int | None:
    """Frames of one view, the first number of `frames`."""
    match = re.match(r"\d+", text_of(row, "frames"))
    return int(match[0]) if match else None


def _side(row: PublishedRow) -> float:
    """Crop side in pixels; 224 unless the table or the note says otherwise."""
    found = row.values.get("input_size")
    if found and found.number:
        return found.number
    match = re.search(r"input (\d+)x\1", row.note)
    return float(match[1]) if match else 224.0
