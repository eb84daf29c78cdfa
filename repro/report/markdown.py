"""A table as GitHub Markdown: groups in the header line, titles in the first row, footnotes as a list."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from repro.report.table import Cell, Row, Table, marks

_SPECIAL = re.compile(r"([\\`*_\[\]|~$])")
_NUMBERED = re.compile(r"^(\d+)\.(?= |$)")
_HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def render_markdown(table: Table) -> str:
    """The whole table with its footnotes."""
    groups = [""] * len(table.columns)
    for title, start, _ in table.groups():
        groups[start] = escape(title)
    lines = [f"### {escape(table.full_name)}: {escape(table.title)}", ""]
    for text in filter(None, (table.caption, table.legend)):
        lines += [escape(text), ""]
    lines += [*(f"- {escape(verdict)}" for verdict in table.above), ""] if table.above else []
    lines.append(_line("", groups))
    lines.append(_line("---", ["---:"] * len(table.columns)))
    titles = [f"**{escape(column.heading)}**{_sup(column.notes)}" for column in table.columns]
    lines.append(_line("", titles))
    for section, rows in table.sections():
        if section:
            lines.append(_line(f"*{escape(section)}*", [""] * len(table.columns)))
        lines += [_row(row) for row in rows]
    ranked = not table.short or any(cell.best for row in table.rows for cell in row.cells)
    lines += ["", "Bold: best, underlined: second best, of the rows that were run.", ""] if ranked else [""]
    lines += [f"- <sup>{sign}</sup> {escape(note)}" for sign, note in table.noted()]
    lines += [f"- {escape(remark)}" for remark in table.below]
    return "\n".join(lines) + "\n"


@lru_cache(maxsize=4096)  # cells of a table repeat each other
def escape(text: str) -> str:
    """Text that Markdown and the HTML in it show as it is, on one line."""
    text = "".join(letter for letter in " ".join(text.split()) if letter.isprintable())
    text = "".join(_HTML.get(letter, letter) for letter in _SPECIAL.sub(r"\\\1", text))
    return f"\\{text}" if text[:1] in {"-", "+", "#", "="} else _NUMBERED.sub(r"\1\\.", text)


def grid(titles: Sequence[str], lines: Iterable[Iterable[str]]) -> list[str]:
    """The lines of a table of Markdown, whose texts are escaped already."""
    return ["| " + " | ".join(line) + " |" for line in (titles, ["---"] * len(titles), *lines)]


def _line(label: str, cells: list[str]) -> str:
    return "| " + " | ".join([label, *cells]) + " |"


def _row(row: Row) -> str:
    return _line(f"{escape(row.label)}{_sup(row.notes)}", [_cell(cell) for cell in row.cells])


def _cell(cell: Cell) -> str:
    text = escape(cell.text)
    if cell.best:
        text = f"**{text}**"
    if cell.second:
        text = f"<u>{text}</u>"
    if cell.spread:
        text += f" {escape(cell.spread)}"
    return text + _sup(cell.notes)


def _sup(notes: tuple[int, ...]) -> str:
    return f" <sup>{marks(notes)}</sup>" if notes else ""
