"""The small forms of a question's arms on its probe, and the cells and columns that they are in the arms' tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from repro.core.errors import BadOption
from repro.core.options import plain
from repro.core.spec import Experiment, Model, frozen, replace
from repro.papers.columns import in_group
from repro.papers.probes import probe
from repro.papers.published import find as file_of
from repro.papers.question import BATCH, GRADE, Question
from repro.papers.table import PROBE, ColumnSpec, RowSpec
from repro.papers.text import Text, read

_GROUP = "on probes (synthetic clips, small networks), NOT on a real dataset"
_NOT_ASKED = "not trained: no declared question is of this row"
#: columns of a probe, and further ones of methods that decide for each clip what they compute
COLUMNS, DECIDED = ("probe@", "gain@"), ("small@", "skip@", "reuse@", "keep@")
_DECIDING = ("adafuse", "random_policy")


@cache
def about() -> Mapping[str, Any]:
    """What is said of the probes: how each was chosen, what it waits for, options of methods in their small forms."""
    path = file_of("probes.toml")
    return dict(read(path, "PROBES").data) if path else {}


def waits(one: Question) -> list[str]:
    """What of a question, and of its probe, is still to be chosen."""
    return [text for text in (one.waits, str(about().get(one.probe, {}).get("waits", ""))) if text]


def name_of(one: Question, point: Any) -> str:
    """The cell that an arm is at a point: the probe's name, and what of the training the point changes."""
    if point is None or one.vary == GRADE:
        return one.probe
    return f"{one.probe}-{'' if one.vary == BATCH else one.vary}{point}"


def experiment(one: Question, row: RowSpec, point: Any) -> Experiment:
    """Training and test of a row's network on the question's probe, at one point."""
    if "static" not in row.cells:
        raise BadOption(f"row {row.key!r} has no network of its own", allowed="a row with a static cell")
    varied = {} if one.vary in ("", BATCH, GRADE) else {one.vary: point}
    return on_probe(row.cells["static"].model, one.probe, varied, **({"batch": point} if one.vary == BATCH else {}))


def on_probe(model: Model, name: str, varied: Mapping[str, Any] = frozen(), **changes: Any) -> Experiment:
    """A full-size network's small form on a probe. TSN and TSM have one form, whichever table they are of, so that they
    are one experiment. Where options of a method in its small form are chosen, they stand in the place of its own, of
    which `actions` stay; `varied` are options of it too.
    """
    if model.name in ("tsn", "tsm") and "inception" not in model.backbone:
        model = replace(model, options=frozen(model.options, head="clip"))
    made = probe(model, name, **changes)
    small = made.model
    chosen = about().get("options", {}).get(small.method or "", {})
    options = {key: value for key, value in small.method_options.items() if key == "actions" or not chosen}
    options |= {key: plain(value) for key, value in {**chosen, **varied}.items()}
    return replace(made, model=replace(small, method_options=frozen(options)))


def with_cells(rows: Sequence[RowSpec], questions: Sequence[Question]) -> list[RowSpec]:
    """The rows with a cell for each of their trainings that a question asks for and that waits for nothing."""
    found: dict[str, dict[str, Experiment]] = {row.key: {} for row in rows}
    for one in questions:
        if not one.probe or waits(one):
            continue
        for row in rows:
            if row.key in one.own_rows:
                found[row.key] |= {name_of(one, point): experiment(one, row, point) for point in one.points or (None,)}
    names = dict.fromkeys(name for cells in found.values() for name in cells)
    return [
        replace(
            row,
            cells={**row.cells, **found[row.key]},
            reasons={**{name: _NOT_ASKED for name in names if name not in found[row.key]}, **row.reasons},
        )
        for row in rows
    ]


def columns(rows: Sequence[RowSpec], there: Sequence[ColumnSpec], text: Text) -> Iterator[ColumnSpec]:
    """Accuracy of each probe, its gain where the network alone is there too, and what networks compute that decide it;
    but for columns that are there.
    """
    known, on = {column.source for column in there}, {row.key: row.cells for row in rows}
    for name in dict.fromkeys(name for row in rows for name in row.cells if name.startswith(PROBE)):
        having = [row for row in rows if name in row.cells]
        gains = any(name in on.get(row.baseline or "", {}) for row in having)
        deciding = any(row.cells[name].model.method in _DECIDING for row in having)
        wanted = COLUMNS[: 1 + gains] + DECIDED * deciding
        made = in_group(_GROUP, [f"{item}{name}" for item in wanted], text)
        yield from (column for column in made if column.source not in known)
