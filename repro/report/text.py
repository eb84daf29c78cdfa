"""A table on a terminal. Columns that do not fit side by side stand below each other, each time with the labels."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterable
from itertools import groupby

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from repro.report.table import Cell, Row, Table, marks, runs

_STYLES = {"published": "", "measured": "cyan", "derived": "dim", "reason": "dim"}
_GAP = "  "
#: columns of a short form; of the heads below it
_SHORT, _HEAD, _FURTHER = 100, 12, 16
#: least room for a label
_LEAST = 20
_LEGEND = "cyan: measured here; bold and underlined: best and second best of the rows that were run"


def listing(titles: Iterable[str], lines: Iterable[Iterable[str | Text]], title: str | None = None) -> Grid:
    """Lines below titles, for a terminal; what does not fit into a column is folded."""
    made = Grid(title=title, title_justify="left", show_edge=False, pad_edge=False)
    for heading in titles:
        made.add_column(heading, overflow="fold")
    for line in lines:
        made.add_row(*line)
    return made


def print_text(table: Table, console: Console) -> None:
    """Print the table, its footnotes and its remarks, at the console's width."""
    if table.short:
        _print_short(table, console)
        return
    _line(console, Text(_printable(f"{table.full_name}  {table.title}"), style="bold"))
    if table.caption:
        _line(console, Text(_printable(table.caption)))
    for verdict in table.above:
        _note(console, "*", verdict)
    sized = _Sized(table)
    left = _label_width(sized, console.width)
    _print_blocks(sized, console, console.width, left)
    console.print()
    if console.color_system:
        _line(console, Text(_LEGEND, style="dim"))
    for sign, note in table.noted():
        _note(console, sign, note)
    for remark in table.below:
        _note(console, "*", remark)


def _print_short(table: Table, console: Console) -> None:
    """The short form, on lines of at most `_SHORT`; what stands below it has its heads in one column."""
    width = min(console.width, _SHORT)
    _line(console, Text(_printable(f"{table.full_name}  {table.title}"), style="bold"))
    for text in filter(None, (table.caption, table.legend)):
        for part in textwrap.wrap(_printable(text), width):
            _line(console, Text(part, style="dim"))
    sized = _Sized(table)
    left = _label_width(sized, width)
    if table.rows and table.columns:
        _print_blocks(sized, console, width, left)
    lines = list(table.told)
    while lines and not lines[0][0]:
        _line(console, Text(f"  {_printable(lines.pop(0)[1])}", style="italic"))
    for sign, note in table.noted():
        _note(console, sign, note, width)
    console.print()
    for head, text in lines:
        _line(console, Text(f"{head:<{_HEAD}} ", style="bold").append(_printable(text), style="not bold"))
    for head, text in table.further:
        _line(console, Text(f"{head + ':':<{_FURTHER}} ", style="dim").append(_printable(text), style="not dim"))
    for remark in (*table.findings, *table.remarks, *table.deviations):
        _note(console, "*", remark, width)


def render_text(table: Table, width: int = 160) -> str:
    """The same as plain text without colours."""
    stream = io.StringIO()
    console = Console(
        file=stream, width=width, color_system=None, highlight=False, legacy_windows=False, force_jupyter=False
    )
    print_text(table, console)
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines()) + "\n"


def _line(console: Console, text: Text) -> None:
    console.print(text, soft_wrap=False, no_wrap=False)


def _note(console: Console, sign: str, note: str, width: int | None = None) -> None:
    grid = Grid.grid(padding=(0, 1, 0, 0))
    grid.add_column(width=3, no_wrap=True, justify="right")
    grid.add_column(overflow="fold")
    grid.add_row(Text(sign, style="italic"), Text(_printable(note)))
    console.print(grid, soft_wrap=False, no_wrap=False, width=width)


class _Sized:
    """A table, and of each column the width of its values and of their footnotes' signs."""

    def __init__(self, table: Table) -> None:
        self.shown, self.columns, self.rows = table, table.columns, table.rows
        self.signed = [
            table.short and any(row.cells[i].spread for row in table.rows) for i in range(len(table.columns))
        ]
        """Whether a place for one sign stands behind the values of a column."""
        self.indent = "" if table.short else "  "
        self.widths = [_widths(self, index) for index in range(len(table.columns))]


def _print_blocks(table: _Sized, console: Console, width: int, left: int) -> None:
    for columns in _blocks(table, width, left):
        console.print()
        for line in _block(table, columns, left):
            console.print(line, no_wrap=True, overflow="ignore", crop=False, soft_wrap=False)


def _blocks(table: _Sized, width: int, left: int) -> list[list[int]]:
    """Column positions, as many side by side as the width takes; a group that fits whole is not torn."""
    blocks: list[list[int]] = [[]]
    room = width - left
    for _, start, stop in table.shown.groups():
        needed = [len(_GAP) + _width(table, index) for index in range(start, stop)]
        if blocks[-1] and sum(needed) > room:
            blocks.append([])
            room = width - left
        for index, columns in zip(range(start, stop), needed, strict=True):
            if blocks[-1] and columns > room:
                blocks.append([])
                room = width - left
            blocks[-1].append(index)
            room -= columns
    return blocks


def _block(table: _Sized, columns: list[int], left: int) -> list[Text]:
    groups = [(title, list(own)) for title, own in groupby(columns, key=lambda index: table.columns[index].group)]
    titles = [_centred(title, _span(table, own)) for title, own in groups]
    height = max(map(len, titles)) if any(title for title, _ in groups) or not table.shown.short else 0
    lines = []
    for number in range(height):
        line = Text(" " * left)
        for title, (_, own) in zip(titles, groups, strict=True):
            padded = [" " * _span(table, own)] * (height - len(title)) + title
            line.append(_GAP).append(padded[number], style="dim")
        lines.append(line)
    lines.append(_joined(left, [_heading(table, index) for index in columns]))
    if any(table.columns[index].unit for index in columns):
        units = [Text(table.columns[index].unit, style="dim") for index in columns]
        lines.append(_joined(left, [_body(table, i, unit, ()) for i, unit in zip(columns, units, strict=True)]))
    for section, rows in table.shown.sections():
        lines += [Text(_printable(section), style="italic")] if section else []
        for members in [[row] for row in rows] if table.shown.short else runs(rows, columns):
            label = _label(members[0]) if len(members) == 1 else Text(f"{len(members)} rows", style="dim italic")
            lines += _row(table, label, members[0], columns, left)
    return lines


def _row(table: _Sized, name: Text, row: Row, columns: list[int], left: int) -> list[Text]:
    """The row's line; a label that is too long goes on below."""
    first, *more = name.wrap(Console(width=left), left - len(table.indent))
    label = Text(table.indent).append(first)
    label.append(" " * (left - label.cell_len))
    line = label.append(
        _joined(0, [_body(table, i, _value(row.cells[i], table.signed[i]), row.cells[i].notes) for i in columns])
    )
    return [line, *(Text(f"{table.indent}  ").append(rest) for rest in more)]


def _joined(left: int, parts: list[Text]) -> Text:
    line = Text(" " * left)
    for part in parts:
        line.append(_GAP).append(part)
    return line


def _span(table: _Sized, columns: list[int]) -> int:
    return sum(_width(table, index) + len(_GAP) for index in columns) - len(_GAP)


def _centred(title: str, width: int) -> list[str]:
    """A group's title over its columns, in as many lines as it needs, the last one ruled."""
    if not title:
        return [" " * width]
    folded = textwrap.wrap(_printable(title), width) or [""]
    lines = [line.center(width) for line in folded]
    lines[-1] = f" {folded[-1]} ".center(width, "─") if len(folded[-1]) + 4 <= width else lines[-1]
    return lines


def _label(row: Row) -> Text:
    shown = Text(_printable(row.label))
    return shown.append(f" {marks(row.notes)}", style="dim italic") if row.notes else shown


def _value(cell: Cell, signed: bool = False) -> Text:
    style = _STYLES[cell.kind] + (" bold" if cell.best else "") + (" underline" if cell.second else "")
    shown = Text("").append(_printable(cell.text), style=style.strip())
    if cell.spread:
        return shown.append(f" {_printable(cell.spread)}", style="dim")
    return shown.append("  ") if signed else shown


def _heading(table: _Sized, index: int) -> Text:
    column = table.columns[index]
    return _body(table, index, Text(_printable(column.title), style="bold"), column.notes)


def _body(table: _Sized, index: int, value: Text, notes: tuple[int, ...]) -> Text:
    """Value at the right edge of its place, then the signs of its footnotes in a place of their own."""
    body, signs = table.widths[index]
    shown = Text(" " * (body - value.cell_len)).append(value)
    if signs:
        shown.append(f"{'' if table.shown.short else ' '}{marks(notes):<{signs}}", style="dim italic")
    return shown


def _widths(table: _Sized, index: int) -> tuple[int, int]:
    column, cells = table.columns[index], [row.cells[index] for row in table.rows]
    body = max(cell_len(_printable(text)) for text in (column.title, column.unit))
    body = max([body, *(_value(cell, table.signed[index]).cell_len for cell in cells)])
    signs = max(len(marks(notes)) for notes in (column.notes, *(cell.notes for cell in cells)))
    longest = max(map(cell_len, _printable(column.group).replace("-", "- ").split()), default=0)
    if table.shown.short and any(stop - start > 1 for _, start, stop in table.shown.groups() if start <= index < stop):
        return body, signs  # columns of a group have room for its title together
    return max(body, longest - _room(table, signs)), signs


def _width(table: _Sized, index: int) -> int:
    body, signs = table.widths[index]
    return body + _room(table, signs)


def _room(table: _Sized, signs: int) -> int:
    """Of the signs of footnotes, with the space before them; a short form has none there."""
    return signs + (not table.shown.short) if signs else 0


def _label_width(table: _Sized, width: int) -> int:
    """Room for the labels: of the longest, at most two fifths, and so that the widest column stands beside it."""
    longest = max((len(table.indent) + _label(row).cell_len for row in table.rows), default=0)
    widest = max((_width(table, index) for index in range(len(table.columns))), default=0)
    return min(longest, max(min(width - widest - len(_GAP), width * 2 // 5), _LEAST))


def _printable(text: str) -> str:
    """Control characters, such as those that steer a terminal, become visible signs."""
    return "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in text)
