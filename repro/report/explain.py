"""One cell of a table in words: printed, ours by each counter and crop, verdict, reason, sources, record, command."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from repro.core.errors import BadOption, UnknownName
from repro.core.spec import Static
from repro.evidence.deviations import sources
from repro.evidence.verdicts import LEGEND, Verdict
from repro.papers import published
from repro.papers.table import ColumnSpec, RowSpec, TableSpec
from repro.records.schema import Record
from repro.report.build_table import MIXED
from repro.report.provenance import again, conditions, machines
from repro.report.short_columns import counterparts
from repro.report.table import Cell, Table

#: counters of a record -> what they are called
_COUNTERS = {"gmacs": "GMACs", "fvcore": "fvcore", "ptflops": "ptflops", "ptflops_aten": "ptflops (aten)"}


def split(place: str) -> tuple[str, str, str]:
    """Table, row and column of `table6/tanet_r50/gflops` or `dnr/table6/tanet_r50/gflops`."""
    parts = place.split("/")
    if len(parts) not in (3, 4) or not all(parts):
        raise BadOption(f"cell {place!r}", allowed="TABLE/ROW/COLUMN", fix="explain table6/tanet_r50/gflops")
    return "/".join(parts[:-2]), parts[-2], parts[-1]


def _plain(text: str) -> str:
    return "".join(letter for letter in text.casefold() if letter.isalnum())


def _row(layout: TableSpec, text: str) -> RowSpec:
    """By its key, or by the label that is shown, where only one row has that."""
    own = [row for row in layout.rows if _plain(row.label) == _plain(text)]
    return own[0] if len(own) == 1 and text not in {row.key for row in layout.rows} else layout.row(text)


def _key(layout: TableSpec, printed: published.PublishedTable, text: str) -> str:
    """The key of a column: itself, or of the first that is titled so."""
    known = dict.fromkeys([*(one.key for one in layout.columns), *printed.columns])
    own = [one.key for one in layout.columns if _plain(text) in map(_plain, (one.key, one.title, one.short))]
    if text in known or own:
        return text if text in known else own[0]
    raise UnknownName(f"column of {layout.full_name}", text, known, fix=layout.command("table", "--full"))


def explain(
    table: Table, layout: TableSpec, row: str, column: str, records: Sequence[Record], places: Mapping[str, str]
) -> list[tuple[str, str]]:
    """(what, in words), in order. `row`, `column`: keys, or as shown. `places`: a record's name -> its path."""
    spec = _row(layout, row)
    keys = [one.key for one in layout.columns]
    column = _key(layout, published.load(layout.published_csv), column)
    cells = dict(zip(keys, next(one.cells for one in table.rows if one.key == spec.key), strict=True))
    known = {record.name: record for record in records}
    title = next((one.heading for one in table.columns if one.key == column), column.replace("_", " "))
    found = [("", f"{layout.full_name}, {spec.label}: {title}")]
    ours = counterparts(table, layout, column)
    found += _printed(layout, spec, column, cells)
    if any(cells[keys[index]].kind != "reason" for index in ours):
        ours = tuple(index for index in ours if not cells[keys[index]].reason.startswith("not applicable"))
    for index in ours:
        why = cells[keys[index]].reason
        if not why or not any(why.removeprefix("not run: ") in text for _, text in found):  # each reason once
            found += _here(table, layout, spec, index, cells)
    used = [name for index in ours for name in cells[keys[index]].records]
    used += [name for name in cells[column].records if name not in used] if column in cells else []
    shown = [known[name] for name in dict.fromkeys(used) if name in known]
    found += _counted(_counts(layout, spec, ours, records))
    found += [("measured", text) for text in dict.fromkeys(map(conditions, shown)) if text]
    found += _about(table, layout, column)
    for one in sources(spec):
        found.append(("source", f"{one.name}: {one.file}{f' after {one.says}' if one.says else ''}"))
    if spec.note:
        found.append(("row", spec.note))
    for same in _by_experiment(shown):
        found += _record(same[0], places, len(same))
    if not shown:
        beside: list[ColumnSpec | None] = [layout.columns[index] for index in ours]
        found += _none(layout, spec, beside or [_column(layout, column)], column, told=bool(ours))
    return [(head, " ".join(text.split())) for head, text in found if text]


def _column(layout: TableSpec, key: str) -> ColumnSpec | None:
    return next((one for one in layout.columns if one.key == key), None)


def _printed(layout: TableSpec, spec: RowSpec, column: str, cells: Mapping[str, Cell]) -> Iterator[tuple[str, str]]:
    printed, shown = published.load(layout.published_csv), _column(layout, column)
    where = f"{layout.title.partition(':')[0]}, row {spec.key} of {printed.stem}.csv"
    if column in cells and cells[column].kind in ("published", "derived"):
        yield "printed", f"{cells[column].full} ({where})"
    elif column not in cells and spec.published_row in printed.rows:
        value = printed.value(spec.published_row or "", column) if column != "row" else None
        yield "printed", f"{value.text if value else 'no value'} ({where})"
    elif shown is not None and shown.measured:
        beside = [text.partition("=")[0] for text in layout.short if column in text.partition("=")[2].split(",")]
        other = cells[beside[0]] if beside and beside[0] in cells else None
        told = f"{other.full} ({where}) [{beside[0]}]" if other is not None and other.text else ""
        yield "printed", told or "nothing that this column could be held against"
    else:
        why = cells[column].reason if column in cells else ""
        yield "printed", f"no value: {why or 'no paper prints this row'}"
    if spec.published_row in printed.rows and printed.rows[spec.published_row or ""].note:
        yield "paper", printed.rows[spec.published_row or ""].note
    verdict = cells[column].verdict if column in cells and cells[column].kind in ("derived", "published") else None
    if verdict is not None:
        yield "verdict", verdict.full
    if column in spec.explained and column in cells and cells[column].kind == "published":
        yield "reason", _unless(spec.explained[column], verdict)


def _here(
    table: Table, layout: TableSpec, spec: RowSpec, index: int, cells: Mapping[str, Cell]
) -> Iterator[tuple[str, str]]:
    column, cell = layout.columns[index], cells[layout.columns[index].key]
    group = f", {column.group}" if column.group else ""
    what = f"{column.title}{group} [{column.key}]"
    if cell.kind == "reason":
        yield "here", f"no value: {cell.reason}: {what}"
        return
    yield "here", f"{cell.full}: {what}"
    if cell.verdict is not None:
        yield "verdict", cell.verdict.full
    if column.key in spec.explained:
        yield "reason", _unless(spec.explained[column.key], cell.verdict)
    for note in cell.notes:
        text = table.footnotes[note]
        if text not in (spec.explained.get(column.key, ""), cell.verdict.full if cell.verdict else ""):
            yield "note", text


def _unless(reason: str, verdict: Verdict | None) -> str:
    """The reason; empty where the verdict has told it."""
    return "" if verdict is not None and reason in verdict.full else reason


def _counts(layout: TableSpec, spec: RowSpec, ours: Sequence[int], records: Sequence[Record]) -> list[Record]:
    """Of a number that is a count, all records of the row's counts, at whatever crop."""
    static = {cell: one.id for cell, one in spec.cells.items() if isinstance(one.measure, Static)}
    if not {layout.columns[index].cell for index in ours} & set(static):
        return []
    wanted = set(static.values())
    return [record for record in records if record.id in wanted and record.status == "done"]


def _counted(records: Sequence[Record]) -> Iterator[tuple[str, str]]:
    """Each counter at each crop; of several networks by the names of their cells."""
    done: set[str] = set()
    several = len({record.cell for record in records} - {"input"}) > 1
    for record in records:
        of = f" [{record.cell}]" if several else ""
        for size, found in record.results.get("sizes", {}).items() if record.kind == "static" else ():
            told = [f"{name} {found[key]:.3f}" for key, name in _COUNTERS.items() if found.get(key) is not None]
            if (line := f"at {size}{of}: {', '.join(told)}") not in done:
                done.add(line)
                yield "counters", line


def _about(table: Table, layout: TableSpec, column: str) -> Iterator[tuple[str, str]]:
    """What is said of the column."""
    for spec, shown in zip(layout.columns, table.columns, strict=True):
        if spec.key == column:
            for note in shown.notes:
                if table.footnotes[note] != LEGEND and not table.footnotes[note].startswith(MIXED):
                    yield "column", table.footnotes[note]


def _by_experiment(records: Sequence[Record]) -> Iterator[list[Record]]:
    """The records, those of seeds 0 to n - 1 of an experiment together."""
    found: dict[str, list[Record]] = {}
    for record in records:
        found.setdefault(record.id if record.status == "done" else record.name, []).append(record)
    for same in found.values():
        whole = [record.seed for record in same] == list(range(len(same)))
        yield from [same] if whole else [[record] for record in same]


def _record(record: Record, places: Mapping[str, str], seeds: int = 1) -> Iterator[tuple[str, str]]:
    """Where it is and what makes it anew; of several seeds the first one's place."""
    on = machines([record]) if record.status == "done" else "failed"
    what = f"sittings 1 to {seeds}" if record.kind == "speed" else f"seeds 0 to {seeds - 1}"
    more = f"; {what} beside it" * (seeds > 1)
    yield "record", f"{places.get(record.name, record.relative_path.as_posix())} ({record.cell}; {on}{more})"
    if record.command:
        yield "again", again(record, seeds)


def _none(
    layout: TableSpec, spec: RowSpec, columns: Sequence[ColumnSpec | None], key: str, *, told: bool
) -> Iterator[tuple[str, str]]:
    """Why there is no record, and the command that would make one."""
    wanted = [one.cell for one in columns if one is not None and one.measured and one.cell in spec.cells]
    if wanted:
        yield "record", "none: not measured yet"
        yield "again", layout.command("run", f"--rows {spec.key} --only {wanted[0]}")
    elif any(one is not None and one.measured for one in columns):
        why = spec.reasons.get(key) or (spec.quoted_reason if spec.section == "quoted" else "not applicable")
        yield "record", f"none: nothing is run for this cell{f': {why}' * (not told)}"
    else:
        yield "record", "none: printed, and nothing here is measured beside it"
