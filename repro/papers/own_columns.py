"""The columns of a user's table, by name: what it costs, how fast it is, and of each dataset accuracy and gain."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from repro.core.errors import UnknownName
from repro.core.spec import Static
from repro.papers.columns import registry
from repro.papers.table import RowSpec
from repro.papers.text import COLUMN, Text

#: shown where the file says nothing of columns
USUAL = "params gmacs slowdown top1 gain"
#: asked for on each dataset -> name in the registry of columns
_ON_DATA = {"top1": "top1@", "top5": "top5@", "gain": "gain@", "direction": "direction@"}
_OF_TIME = {
    "speed": "speed=views_per_s@speed",
    "views_per_s": "views_per_s=views_per_s@speed",
    "slowdown": "slowdown=slowdown@speed",
}
#: what a column of a user's table reads, of those in the registry
_COST = re.compile(r"(record|gain):(static|memory):(params|sizes|memory)")
#: most columns of the short form
_SHORT = 9


@dataclass(frozen=True)
class Dataset:
    """One that the rows are trained on."""

    name: str
    """As specs hold it."""
    cell: str
    title: str


def with_columns(text: Text, data: Sequence[Dataset], rows: Sequence[RowSpec], told: Sequence[str]) -> Text:
    """The file with the groups of columns that it asks for by name, and what its protocol says as footnotes."""
    facts = dict(text.data)
    asked, changes = _asked(text)
    facts["columns"] = {**_of_crop(rows), **_of_data(data, changes), **changes}
    facts["footnotes"] = [*facts.get("footnotes", ()), *told]
    facts.setdefault("title", text.path.stem)
    facts.setdefault("caption", "A table of your own, measured here; no paper prints it.")
    if "groups" not in facts:
        facts["groups"] = list(_groups(text, asked, data))
        keys = [key for group in facts["groups"] for key in _keys(group["columns"])]
        if len(keys) <= _SHORT:
            facts.setdefault("short", " ".join(keys))
        facts.setdefault("figures", _figures(keys, data))
    wanted = {name for group in facts["groups"] for name in _keys(group.get("columns", ""))}
    facts["columns"] = {name: one for name, one in facts["columns"].items() if name in changes or name in wanted}
    return replace(text, data=facts)


def _asked(text: Text) -> tuple[list[str], Mapping[str, Any]]:
    """Names of columns, and what is said of columns: `columns` is either."""
    value = text.data.get("columns", "")
    if isinstance(value, dict):
        for name, one in value.items():
            for key in one if isinstance(one, dict) else ():
                if key not in COLUMN:
                    raise text.fault(f"unknown name {key!r}", "columns", name, key, allowed=", ".join(COLUMN))
        return USUAL.split(), value
    if isinstance(value, str):
        return (value or USUAL).split(), {}
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return list(value), {}
    raise text.fault(
        f"columns is {value!r}", "columns", allowed="names of columns, or [columns.NAME] with what is said"
    )


def _groups(text: Text, asked: Sequence[str], data: Sequence[Dataset]) -> Any:
    """A group of what the networks cost, and one of each dataset."""
    of_cost = {name for name, one in registry().data.items() if _COST.match(one.get("source", ""))}
    known = {*of_cost, *_OF_TIME, *_ON_DATA, "gmacs_added"}
    for name in asked:
        if name not in known and "@" not in name:
            error = UnknownName("column", name, known)
            raise text.fault(error.what, "columns", allowed=", ".join(sorted(known)))
    costs = [_OF_TIME.get(name, name) for name in asked if name not in _ON_DATA]
    if costs:
        yield {"title": "one view at the crop of the test", "columns": " ".join(costs)}
    for one in data:
        columns = [_item(name, one) for name in asked if name in _ON_DATA]
        if columns:
            yield {"title": f"on {one.title}", "columns": " ".join(columns)}


def _item(name: str, one: Dataset) -> str:
    return f"{_key(name, one)}={_ON_DATA[name]}{one.cell}"


def _key(name: str, one: Dataset) -> str:
    return re.sub(r"\W", "_", one.cell) + f"_{name}"


def _keys(columns: str) -> list[str]:
    return [item.partition("=")[0].partition("@")[0] for item in columns.split()]


def _of_crop(rows: Sequence[RowSpec]) -> dict[str, Any]:
    """Counts at the crop of the test, whatever that is."""
    measures = [row.cells["static"].measure for row in rows]
    (size, *_) = [size for measure in measures if isinstance(measure, Static) for size in measure.sizes]
    source = f"record:static:sizes.{size}.gmacs"
    note = f"Multiply-accumulates of one view of {size}x{size}, by torch.utils.flop_counter / 2."
    counted = {"title": "GMACs", "source": source, "note": note, "better": "lower"}
    nothing = {"absent": "not applicable: nothing to compare it with"}
    return {
        "gmacs": counted,
        "gmacs_added": {"title": "added GMACs", "source": source.replace("record", "gain", 1), **nothing},
        "params_added": nothing,
        "slowdown": nothing,
    }


def _of_data(data: Sequence[Dataset], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Accuracies bear the name of their dataset in the short form."""
    found: dict[str, Any] = {}
    for one in data:
        called = one.cell if len(data) > 1 else ""
        for name, title in (("top1", "top-1"), ("top5", "top-5"), ("gain", "gain")):
            found[_key(name, one)] = {"title": title, "short": f"{called} {title}".strip(), "digits": 2}
        found[_key("gain", one)]["absent"] = "not applicable: nothing to compare it with"
        found[_key("top1", one)]["seeds"] = "interval"
    return found


def _figures(keys: Sequence[str], data: Sequence[Dataset]) -> list[dict[str, str]]:
    """Accuracy on the first dataset against cost and against speed, as far as there are such columns."""
    y = _key("top1", data[0]) if data else ""
    pairs = (("gmacs", "lower"), ("speed", "higher"), ("params", "lower"), ("slowdown", "lower"))
    titles = {"gmacs": "GMACs", "params": "parameters", "speed": "speed", "slowdown": "time"}
    return [
        {"title": f"Accuracy against {titles[x]}.", "x": x, "y": y, "cheap": cheap}
        for x, cheap in pairs
        if x in keys and y in keys
    ][:2]
