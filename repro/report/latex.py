"""A table as LaTeX with booktabs: groups over the columns, footnotes under the table. Every text is escaped."""

from __future__ import annotations

from repro.report.table import Cell, Row, Table, mark, marks, runs

_SIGNS = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': "''", "`": r"\textasciigrave{}",
    "×": r"$\times$", "±": r"$\pm$", "–": r"\textendash{}", "·": r"$\cdot$", "[": "{[}",
}  # fmt: skip


#: columns beside each other; further groups stand in a second tabular below
_COLUMNS = 9


def render_latex(table: Table) -> str:
    """A `table*` environment; needs the packages booktabs, graphicx and textcomp."""
    label = "".join(letter for letter in f"{table.paper}-{table.name}" if letter.isalnum() or letter == "-")
    lines = [
        "% needs \\usepackage{booktabs,graphicx,textcomp}",
        "\\begin{table*}",
        "\\centering",
        f"\\caption{{{escape(table.title)}. {escape(table.caption)}}}",
        f"\\label{{tab:{label}}}",
    ]
    for groups in _blocks(table):
        lines += [*_tabular(table, groups), "", "\\smallskip"]
    lines.append("\\begin{minipage}{\\textwidth}\\footnotesize")
    lines += [f"\\textsuperscript{{{mark(number)}}} {escape(note)}\\par" for number, note in enumerate(table.footnotes)]
    lines += [f"{escape(remark)}\\par" for remark in table.below]
    return "\n".join([*lines, "\\end{minipage}", "\\end{table*}"]) + "\n"


def escape(text: str) -> str:
    """Text that LaTeX prints as it is, on one line."""
    text = "".join(_SIGNS.get(letter, letter) for letter in " ".join(text.split()) if letter.isprintable())
    return text.replace("--", "-{}-")


def _blocks(table: Table) -> list[list[tuple[str, int, int]]]:
    blocks: list[list[tuple[str, int, int]]] = [[]]
    for group in table.groups():
        used = sum(stop - start for _, start, stop in blocks[-1])
        if blocks[-1] and used + group[2] - group[1] > _COLUMNS:
            blocks.append([])
        blocks[-1].append(group)
    return blocks


def _tabular(table: Table, groups: list[tuple[str, int, int]]) -> list[str]:
    indices = [index for _, start, stop in groups for index in range(start, stop)]
    columns = [table.columns[index] for index in indices]
    lines = [
        "\\resizebox{\\ifdim\\width>\\textwidth\\textwidth\\else\\width\\fi}{!}{%",
        f"\\begin{{tabular}}{{l{'r' * len(columns)}}}",
        "\\toprule",
        *_heads(groups),
        _line("", [f"{escape(column.heading)}{_sup(column.notes)}" for column in columns]),
    ]
    for section, rows in table.sections():
        lines += ["\\midrule", f"\\multicolumn{{{len(columns) + 1}}}{{l}}{{\\emph{{{escape(section)}}}}} \\\\"]
        lines += [_row(members, indices) for members in runs(rows, indices)]
    return [*lines, "\\bottomrule", "\\end{tabular}}\\par"]


def _heads(groups: list[tuple[str, int, int]]) -> list[str]:
    if not any(title for title, _, _ in groups):
        return []
    first = groups[0][1]
    spans = [f"\\multicolumn{{{stop - start}}}{{c}}{{{escape(title)}}}" for title, start, stop in groups]
    rules = [f"\\cmidrule(lr){{{start - first + 2}-{stop - first + 1}}}" for title, start, stop in groups if title]
    return [_line("", spans), " ".join(rules)]


def _line(label: str, cells: list[str]) -> str:
    return " & ".join([label, *cells]) + " \\\\"


def _row(members: list[Row], indices: list[int]) -> str:
    row = members[0]
    label = f"{escape(row.label)}{_sup(row.notes)}" if len(members) == 1 else f"\\emph{{{len(members)} rows}}"
    return _line(label, [_cell(row.cells[index]) for index in indices])


def _cell(cell: Cell) -> str:
    text = escape(cell.text)
    if cell.best:
        text = f"\\textbf{{{text}}}"
    if cell.second:
        text = f"\\underline{{{text}}}"
    if cell.spread:
        text += f" {{\\scriptsize {escape(cell.spread)}}}"
    return text + _sup(cell.notes)


def _sup(notes: tuple[int, ...]) -> str:
    return f"\\textsuperscript{{{marks(notes)}}}" if notes else ""
