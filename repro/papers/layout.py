"""A table out of its parts: the experiments of its rows, the printed values, and what its file says.

The spec of a table is Python where something is run, and data where something is said:

    def table1() -> TableSpec:
        rows = [RowSpec(key="tsn", cells={"static": Experiment(...)}), ...]
        return table("other/table1", rows)

with `other_table1.csv` (printed rows, their labels) and `other_table1.toml` (title, columns, notes) in one folder.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from repro.core.errors import BadOption, ReproError
from repro.core.spec import replace
from repro.papers import probe_cells, published
from repro.papers.columns import columns, require_named
from repro.papers.published import PublishedTable
from repro.papers.question import Question, question
from repro.papers.table import ColumnSpec, FigureSpec, Reading, RowSpec, TableSpec
from repro.papers.text import Text, csv_of, fits, of_table, said, shared

#: what a reading says in words
_OF_READING = ("source", "plus", "needs", "says")


def table(
    name: str, rows: Iterable[RowSpec], *, seeds: Mapping[str, int] | None = None, text: Text | None = None
) -> TableSpec:
    """The table `paper/name` with these rows; its file is found by its name, or is given as `text`."""
    text = text or of_table(name)
    csv = "" if text.alone else csv_of(text)
    made = list(rows)
    asked = tuple(_asked(text, key, name, made) for key in text.data.get("questions", {}))
    made, shown = probe_cells.with_cells(made, asked), columns(text)
    shown += tuple(probe_cells.columns(made, shown, text))
    require_named(shown, text)
    printed = published.load(csv)
    paper, _, short = name.partition("/")
    try:
        return TableSpec(
            paper=paper,
            name=short,
            title=said(text, text.data.get("title", name), "title"),
            caption=said(text, text.data.get("caption", ""), "caption"),
            published_csv=csv,
            rows=tuple(_told(made, shown, printed, text)),
            columns=shown,
            footnotes=tuple(said(text, one, "footnotes") for one in text.data.get("footnotes", ())),
            short=_short(text, shown),
            across=tuple(text.data.get("across", "").split()),
            figures=tuple(FigureSpec(**one) for one in text.data.get("figures", ())),
            questions=asked,
            seeds=seeds or {},
        )
    except (TypeError, ReproError) as error:
        if text.path.name in str(error):
            raise
        raise text.fault(str(error), "title") from error


def _asked(text: Text, key: str, table: str, rows: Sequence[RowSpec]) -> Question:
    """A question that the file declares, on rows that there are."""
    facts: Mapping[str, Any] = text.data["questions"][key]
    told = {name: said(text, facts.get(name, ""), "questions", key, name) for name in ("chosen", "waits")}
    with text.at("questions", key):
        made = question(key, {**facts, **told}, table)
        known = [row.key for row in rows]
        if not {*made.own_rows} <= {*known}:
            raise BadOption(f"question {key!r} names no row", allowed=", ".join(known))
        return made


def _short(text: Text, shown: Sequence[ColumnSpec]) -> tuple[str, ...]:
    """Columns of the short form: the table's own, else those of the paper's that the table has."""
    if "short" in text.data:
        return tuple(text.data["short"].split())
    common, known = shared(text), {column.key for column in shown}
    items = common.data.get("short", "").split() if common else []
    return tuple(item for item in items if item.partition("=")[0] in known)


def _told(rows: Sequence[RowSpec], shown: Sequence[ColumnSpec], printed: PublishedTable, text: Text) -> list[RowSpec]:
    """The rows with their labels, sections and sentences."""
    labels, keys = text.data.get("labels", {}), [row.key for row in rows]
    if missing := [key for key in printed.rows if key not in keys]:
        told = f"rows of {printed.stem}.csv that the table does not have: {', '.join(missing)}"
        raise text.fault(told, "title", allowed="a row of each in the spec, or its network in the CSV, and quoted()")
    places = list(dict.fromkeys(place for column in shown for place in (column.key, column.cell) if place))
    notes: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for kind in ("reasons", "explained", "notes", "inferred"):
        for key, at, sentence, brief in _sentences(text, kind, keys, places):
            notes[kind, key][at] = sentence
            if brief:
                notes["briefly", key][at] = brief
    readings = _readings(text, keys, printed)
    found = []
    for row in rows:
        line = printed.rows.get(row.key)
        label = labels.get(row.key) or (line.label if line else "") or row.label
        if not label:
            raise text.fault(
                f"row {row.key!r} has no label", "labels", allowed="one here, or in the CSV's column label"
            )
        section = row.section if row.section != "reproduced" or line else "added" if printed.rows else "own"
        found.append(
            replace(
                row,
                label=label,
                section=section,
                published_row=row.key if line else None,
                reasons={**notes["reasons", row.key], **row.reasons},
                explained={**row.explained, **notes["explained", row.key]},
                readings={**readings[row.key], **row.readings},
                note=notes["notes", row.key].get("", row.note),
                briefly={**row.briefly, **notes["briefly", row.key]},
                inferred=frozenset(notes["inferred", row.key]),
            )
        )
    return found


def _sentences(
    text: Text, kind: str, rows: Sequence[str], places: Sequence[str]
) -> Iterator[tuple[str, str, str, str]]:
    """Row, place, what the file says there, and that in short; rows and places are patterns with spaces between."""
    for number, one in enumerate(text.data.get(kind, ())):
        sentence = said(text, one.get("says", ""), kind, number, "says")
        brief = said(text, one.get("short", ""), kind, number, "short")
        wanted = _matching(one.get("rows", "*"), rows, text, kind, number, "rows")
        at = _matching(one.get("at", "*"), places, text, kind, number, "at") if kind != "notes" else [""]
        yield from ((row, place, sentence, brief) for row in wanted for place in at)


def _readings(text: Text, rows: Sequence[str], printed: PublishedTable) -> dict[str, dict[str, Reading]]:
    """Row -> column of the CSV -> what its count is of."""
    found: dict[str, dict[str, Reading]] = {key: {} for key in rows}
    for number, one in enumerate(text.data.get("readings", ())):
        told = {name: said(text, one.get(name, ""), "readings", number, name) for name in _OF_READING}
        reading = Reading(times=one.get("times", 1), **told)
        if reading.plus and reading.plus not in printed.rows:
            raise text.fault(f"no printed row {reading.plus!r}", "readings", number, "plus", allowed=", ".join(rows))
        for key in _matching(one.get("rows", "*"), rows, text, "readings", number, "rows"):
            for column in _matching(one.get("at", ""), printed.columns, text, "readings", number, "at"):
                found[key][column] = reading
    return found


def _matching(patterns: str, names: Sequence[str], text: Text, *trail: Any) -> list[str]:
    found: dict[str, None] = {}
    for pattern in patterns.split():
        matching = [name for name in names if fits(name, pattern)]
        if not matching:
            raise text.fault(f"{pattern!r} fits nothing", *trail, allowed=", ".join(names))
        found.update(dict.fromkeys(matching))
    return list(found)
