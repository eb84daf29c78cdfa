"""Differences of protocols: on a terminal, as Markdown, as an HTML fragment. What the reference says stands first."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from repro.evidence.differences import Difference, Value
from repro.report.html import environment
from repro.report.markdown import escape, grid
from repro.report.table import mark
from repro.report.text import listing

LEGEND = (
    "The first column is compared with the others, what differs from it is marked; `not stated`: the source is silent."
)


def title(difference: Difference) -> str:
    """Network, dataset and rows."""
    return f"{difference.network} on {difference.dataset}: {'; '.join(difference.rows)}"


def remarks(difference: Difference) -> list[str]:
    """Where the values stand, which sources are silent, and what is not shown."""
    told = [f"{source.name}: {source.where}" for source in difference.sources]
    told += [f"{mark(number)}: {place}" for number, place in enumerate(difference.notes)]
    if difference.silent:
        told.append(f"no protocol of this network on this dataset: {', '.join(difference.silent)}")
    told.append(f"{difference.agreed} more fields on which all that state them agree")
    return told


def print_differences(found: Sequence[Difference], console: Console) -> None:
    """A table for each group of rows."""
    for difference in found:
        console.print(title(difference), style="bold", markup=False, emoji=False)
        lines = [
            [Text(field), *(Text(_plain(value), style="bold" if value.differs else "") for value in values)]
            for field, values in difference.lines
        ]
        console.print(listing(("field", *(source.name for source in difference.sources)), lines))
        for remark in remarks(difference):
            console.print(f"  {remark}", style="dim", markup=False, emoji=False)
        console.print()
    console.print("* differs from the first column, or from the run where that is silent (not stated)", markup=False)


def _plain(value: Value) -> str:
    return value.text + ("*" if value.differs else "") + (f" [{mark(value.note)}]" if value.note is not None else "")


def render_differences_markdown(found: Sequence[Difference]) -> str:
    """Folded tables, to stand under the table that they explain."""
    if not found:
        return ""
    lines = ["<details><summary>Protocol differences</summary>", "", LEGEND, ""]
    for difference in found:
        headings = ["field", *(escape(source.title) for source in difference.sources)]
        lines += [f"**{escape(title(difference))}**", ""]
        lines += grid(headings, ([escape(field), *map(_cell, values)] for field, values in difference.lines))
        lines += ["", *(f"- {escape(remark)}" for remark in remarks(difference)), ""]
    return "\n".join([*lines, "</details>", ""])


def _cell(value: Value) -> str:
    text = f"**{escape(value.text)}**" if value.differs else escape(value.text)
    return text + (f" <sup>{mark(value.note)}</sup>" if value.note is not None else "")


def render_differences_html(found: Sequence[Difference]) -> str:
    """The same folded, for the report."""
    shown = [(title(difference), difference, remarks(difference)) for difference in found]
    return environment().get_template("differences.html").render(shown=shown, legend=LEGEND).strip()
