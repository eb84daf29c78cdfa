"""A plan as text, Markdown, CSV and JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console

from repro.core.words import many
from repro.evidence.plan import CellPlan, Estimate, Plan
from repro.evidence.plan_seeds import METHOD, Decision
from repro.report.csv_table import delimited_lines
from repro.report.markdown import escape, grid
from repro.report.text import listing

_COSTS = ("row", "cell", "record", "hours", "kWh", "GB", "sources")
_SEEDS = ("row", "against", "dataset", "printed difference", "test set alone", "seeds")


def print_plan(plan: Plan, console: Console, *, full: bool = False) -> None:
    """Tables for a terminal: of the cells without a record; `full`: of all, with the sources of each number."""
    console.print(f"[bold]{plan.table}[/] on {plan.count} x {plan.device}, one seed: value (low to high)")
    numbers = _numbered(plan)
    left = [cell for cell in plan.cells if full or not cell.done]
    titles = _COSTS if full else tuple(title for title in _COSTS if title not in ("record", "sources"))
    lines = [dict(zip(_COSTS, _costs(cell, numbers), strict=True)) for cell in left]
    if lines:
        console.print(listing(titles, ([line[title] for title in titles] for line in lines)))
    console.print(_total(plan), markup=False)
    if full:
        for text, number in numbers.items():
            console.print(f"  {number}  {text}", markup=False)
    if plan.seeds:
        console.print("\n[bold]seeds that decide a printed difference (low to high)[/]")
        console.print(listing(_SEEDS, map(_decision, plan.seeds)))
    if full:
        console.print(METHOD, markup=False)
        return
    done = many(len(plan.cells) - len(left), "cell has its record", "cells have their records")
    console.print(f"{done}; all of them, and where each number comes from: --full", markup=False)


def markdown(plan: Plan) -> str:
    """Tables of GitHub Markdown."""
    numbers = _numbered(plan)
    lines = [f"### {escape(plan.table)} on {plan.count} x {escape(plan.device)}, one seed: value (low to high)", ""]
    lines += grid(_COSTS, (map(escape, _costs(cell, numbers)) for cell in plan.cells))
    lines += ["", escape(_total(plan)), ""]
    lines += [f"{number}. {escape(text)}" for text, number in numbers.items()]
    if plan.seeds:
        lines += ["", *grid(_SEEDS, (map(escape, _decision(one)) for one in plan.seeds)), "", escape(METHOD)]
    return "\n".join(lines) + "\n"


def delimited(plan: Plan) -> str:
    """CSV: a line a cell, then the seeds of its row; empty where a number cannot be told."""
    costs = [f"{what}{end}" for what in ("hours", "kwh", "disk_gb") for end in ("", "_low", "_high")]
    titles = ["row", "cell", "done", *costs, "printed_difference", "seeds", "seeds_low", "seeds_high", "sources"]
    lines: list[Sequence[object]] = [titles]
    seeds = {one.row: one for one in plan.seeds}
    for cell in plan.cells:
        one = seeds.get(cell.row)
        costs = []
        for cost in (cell.hours, cell.kwh, cell.disk_gb):
            costs += [f"{end:.6g}" for end in (cost.value, cost.low, cost.high)] if cost else [""] * 3
        told = (round(one.difference, 4), one.seeds, one.low, one.high) if one else ("",) * 4
        lines.append([cell.row, cell.cell, cell.done, *costs, *told, "; ".join(cell.sources)])
    return delimited_lines(lines)


def as_json(plan: Plan) -> str:
    """All of it, with the totals and the method of the seeds."""
    hours, kwh, disk, untold = plan.total()
    data: dict[str, Any] = asdict(plan)
    data["total"] = {"hours": asdict(hours), "kwh": asdict(kwh), "disk_gb": asdict(disk), "cells_not_told": untold}
    data["without_record"] = {name: asdict(cost) for name, cost in zip(("hours", "kwh"), plan.left(), strict=True)}
    data["seeds_method"] = METHOD
    return json.dumps(data, indent=1, allow_nan=False) + "\n"


#: format -> what makes it; `text` needs a console
FORMATS: dict[str, Callable[[Plan], str]] = {"markdown": markdown, "csv": delimited, "json": as_json}


def _numbered(plan: Plan) -> dict[str, int]:
    """Source -> its number, in order of first use."""
    texts = dict.fromkeys(text for cell in plan.cells for text in cell.sources)
    texts.update(dict.fromkeys(f"{name}: {size.source}" for name, size in plan.datasets_gb.items()))
    return {text: number for number, text in enumerate(texts, start=1)}


def _costs(cell: CellPlan, numbers: dict[str, int]) -> tuple[str, ...]:
    costs = [_estimate(cost) for cost in (cell.hours, cell.kwh, cell.disk_gb)]
    sources = " ".join(str(numbers[text]) for text in cell.sources)
    return (cell.row, cell.cell, "done" if cell.done else "", *costs, sources)


def _decision(one: Decision) -> tuple[str, ...]:
    ends = " to ".join(str(end) if end is not None else "none is enough" for end in (one.low, one.high))
    seeds = str(one.seeds) if one.seeds is not None else "none is enough"
    alone = f"±{1.96 * one.test_deviation:.2f} of {one.videos:,} videos"
    return (one.row, one.baseline, one.dataset, f"{one.difference:+.2f}", alone, f"{seeds} ({ends})")


def _total(plan: Plan) -> str:
    hours, kwh, disk, untold = plan.total()
    sets = ", ".join(f"{name} {size.value:g} GB" for name, size in plan.datasets_gb.items())
    told = f"together: {_estimate(hours)} h, {_estimate(kwh)} kWh, {_estimate(disk)} GB"
    told += f", of which {sets}" if sets else ""
    if not all(cell.done for cell in plan.cells):
        left, energy = plan.left()
        told += f"; cells without a record: {_estimate(left)} h, {_estimate(energy)} kWh"
    return told + (f"; {untold} cells could not be told" if untold else "")


def _estimate(found: Estimate | None) -> str:
    if found is None:
        return "not told"
    if found.high == 0:
        return "-"
    return f"{_short(found.value)} ({_short(found.low)} to {_short(found.high)})"


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}"
