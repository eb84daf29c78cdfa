"""Times of decoding and of making views as text for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from repro.core.environment import cpu_name
from repro.core.words import many
from repro.cost.loading_speed import PUBLIC, DataSpeed
from repro.cost.mmaction2_pipeline import resizer
from repro.data import decode

_BEHIND = 1.1


def render_data_speed(results: Sequence[DataSpeed]) -> RenderableType:
    """A line for each clip and case: CPU time, what auto chose, the public pipeline, every decoder."""
    named = [name for name in decode.DECODERS if name != "auto"]
    table = Table(title="CPU time of one video, from the file to uint8 views", title_justify="left")
    for title in ("clip", "views"):
        table.add_column(title)
    for title in ("auto (ms)", "quartiles", "chosen", "public (ms)", "public / auto", "quartiles"):
        table.add_column(title, justify="right")
    for name in named:
        table.add_column(f"{name} (ms)", justify="right")
    for result in results:
        table.add_row(*_cells(result, named))
    return Group(table, Text("\n".join(_notes(results))))


def render_end_to_end(label: str, found: Mapping[str, Any]) -> str:
    """What came out of files and what each part alone would give."""
    rates = f"decoding alone {found['decoded_per_s']:.3g}, the network alone {found['network_per_s']:.3g}"
    return (
        f"{label}: {found['videos_per_s']:.3g} videos/s from file to scores, {many(found['views'], 'view')} a video\n"
        f"  {rates}: {found['of_the_slower']:.2f} of the slower\n"
        f"  {found['videos']} videos, {many(found['workers'], 'process', 'processes')} to decode, "
        f"{many(found['threads'], 'thread')}, {found['device_name']}"
    )


def _cells(result: DataSpeed, named: Sequence[str]) -> list[str]:
    ratio, spread = result.ratio, result.ratio_spread
    cells = [result.clip, result.case, _ms(result.median()), _range([1e3 * value for value in result.spread()])]
    cells += [result.chosen, _ms(result.median(PUBLIC)) if PUBLIC in result.times_s else "-"]
    cells += ["-", "-"] if ratio is None or spread is None else [f"{ratio:.2f}", _range(spread)]
    return cells + [_ms(result.median(name)) if name in result.times_s else "-" for name in named]


def _notes(results: Sequence[DataSpeed]) -> list[str]:
    repeats = len(results[0].times_s["auto"])
    notes = [
        f"{repeats} repeats in turn, CPU time of the process, one thread, no worker processes; {cpu_name()}",
        f"{decode.version('auto')}; the public pipeline: decord, frames as drawn, each resized by {resizer()[1]}",
    ]
    for result in results:
        if result.behind > _BEHIND:
            behind = f"{result.behind:.2f} times the time of {result.fastest}"
            notes.append(f"{result.clip}, {result.case}: auto took {behind}")
        notes += [f"{result.clip}, {result.case}: {way} left out: {why}" for way, why in result.left_out.items()]
    return notes


def _ms(seconds: float) -> str:
    return f"{1e3 * seconds:.4g}"


def _range(pair: Sequence[float]) -> str:
    return f"{pair[0]:.3g} to {pair[1]:.3g}"
