"""A table on a terminal. Columns that do not fit side by side stand below each other, each time with the labels."""

from __future__ import annotations

import io
from itertools import groupby

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from repro.report.table import Cell, Row, Table, mark, marks

_STYLES = {"published": "", "measured": "cyan", "derived": "dim", "reason": "dim"}
_GAP = "  "
_LEGEND = "cyan: measured here; bold and underlined: best and second best of the rows that were run"


def print_text(table: Table, console: Console) -> None:
    """Print the table, its footnotes and its remarks, at the console's width."""
    _line(console, Text(_printable(f"{table.full_name}  {table.title}"), style="bold"))
    if table.caption:
        _line(console, Text(_printable(table.caption)))
    for columns in _blocks(table, console.width):
        console.print()
        for line in _block(table, columns):
            console.print(line, no_wrap=True, overflow="ignore", crop=False, soft_wrap=False)
    console.print()
    if console.color_system:
        _line(console, Text(_LEGEND, style="dim"))
    for number, note in enumerate(table.footnotes):
        _note(console, mark(number), note)
    for remark in table.remarks:
        _note(console, "*", remark)


def render_text(table: Table, width: int = 160) -> str:
    """The same as plain text without colours."""
    stream = io.StringIO()
    console = Console(file=stream, width=width, color_system=None, highlight=False, legacy_windows=False)
    print_text(table, console)
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines()) + "\n"


def _line(console: Console, text: Text) -> None:
    console.print(text, soft_wrap=False, no_wrap=False)


def _note(console: Console, sign: str, note: str) -> None:
    grid = Grid.grid(padding=(0, 1, 0, 0))
    grid.add_column(width=3, no_wrap=True, justify="right")
    grid.add_column(overflow="fold")
    grid.add_row(Text(sign, style="italic"), Text(_printable(note)))
    console.print(grid, soft_wrap=False, no_wrap=False)


def _blocks(table: Table, width: int) -> list[list[int]]:
    """Column positions, as many side by side as the width takes; a group that fits whole is not torn."""
    left = _label_width(table)
    blocks: list[list[int]] = [[]]
    room = width - left
    for _, start, stop in table.groups():
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


def _block(table: Table, columns: list[int]) -> list[Text]:
    left = _label_width(table)
    lines = [Text(" " * left), Text(" " * left), Text(" " * left)]
    for title, members in groupby(columns, key=lambda index: table.columns[index].group):
        own = list(members)
        width = sum(_width(table, index) + len(_GAP) for index in own) - len(_GAP)
        lines[0].append(_GAP).append(_rule(title, width), style="dim")
        for index in own:
            column = table.columns[index]
            lines[1].append(_GAP).append(_heading(table, index))
            lines[2].append(_GAP).append(_body(table, index, Text(column.unit, style="dim"), ()))
    for section, rows in table.sections():
        lines.append(Text(_printable(section), style="italic"))
        lines += [_row(table, row, columns, left) for row in rows]
    return lines


def _row(table: Table, row: Row, columns: list[int], left: int) -> Text:
    label = Text("  ").append(_label(row))
    label.append(" " * (left - label.cell_len))
    for index in columns:
        cell = row.cells[index]
        label.append(_GAP).append(_body(table, index, _value(cell), cell.notes))
    return label


def _rule(title: str, width: int) -> str:
    """`-- title --` over a group, cut where the columns are narrower."""
    title = _printable(title)
    if not title:
        return " " * width
    rest = width - cell_len(title) - 2
    if rest < 2:
        return title.ljust(width)[:width] if cell_len(title) <= width else title[: width - 1] + "."
    return f"{'─' * (rest // 2)} {title} {'─' * (rest - rest // 2)}"


def _label(row: Row) -> Text:
    shown = Text(_printable(row.label))
    return shown.append(f" {marks(row.notes)}", style="dim italic") if row.notes else shown


def _value(cell: Cell) -> Text:
    style = _STYLES[cell.kind] + (" bold" if cell.best else "") + (" underline" if cell.second else "")
    shown = Text("").append(_printable(cell.text), style=style.strip())
    return shown.append(f" {_printable(cell.spread)}", style="dim") if cell.spread else shown


def _heading(table: Table, index: int) -> Text:
    column = table.columns[index]
    return _body(table, index, Text(_printable(column.title), style="bold"), column.notes)


def _body(table: Table, index: int, value: Text, notes: tuple[int, ...]) -> Text:
    """Value at the right edge of its place, then the signs of its footnotes in a place of their own."""
    body, signs = _widths(table, index)
    shown = Text(" " * (body - value.cell_len)).append(value)
    if signs:
        shown.append(f" {marks(notes):<{signs}}", style="dim italic")
    return shown


def _widths(table: Table, index: int) -> tuple[int, int]:
    column, cells = table.columns[index], [row.cells[index] for row in table.rows]
    body = max(cell_len(_printable(text)) for text in (column.title, column.unit))
    body = max([body, *(_value(cell).cell_len for cell in cells)])
    alone = len(list(filter(lambda other: other.group == column.group, table.columns))) == 1
    signs = max(len(marks(notes)) for notes in (column.notes, *(cell.notes for cell in cells)))
    wanted = cell_len(_printable(column.group)) if alone else 0
    return max(body, wanted - (signs + 1 if signs else 0)), signs


def _width(table: Table, index: int) -> int:
    body, signs = _widths(table, index)
    return body + (signs + 1 if signs else 0)


def _label_width(table: Table) -> int:
    return max((2 + _label(row).cell_len for row in table.rows), default=0)


def _printable(text: str) -> str:
    """Control characters, such as those that steer a terminal, become visible signs."""
    return "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in text)
