"""A table as LaTeX with booktabs: groups over the columns, footnotes under the table. Every text is escaped."""

from __future__ import annotations

from repro.report.table import Cell, Row, Table, mark, marks

_SIGNS = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': "''", "`": r"\textasciigrave{}",
    "×": r"$\times$", "±": r"$\pm$", "–": r"\textendash{}", "·": r"$\cdot$", "[": "{[}",
}  # fmt: skip


def render_latex(table: Table) -> str:
    """A `table*` environment; needs the packages booktabs, graphicx and textcomp."""
    lines = [
        "% needs \\usepackage{booktabs,graphicx,textcomp}",
        "\\begin{table*}",
        "\\centering",
        f"\\caption{{{escape(table.title)}. {escape(table.caption)}}}",
        f"\\label{{tab:{''.join(c for c in f'{table.paper}-{table.name}' if c.isalnum() or c == '-')}}}",
        "\\resizebox{\\textwidth}{!}{%",
        f"\\begin{{tabular}}{{l{'r' * len(table.columns)}}}",
        "\\toprule",
        *_groups(table),
        _line("", [f"{escape(column.heading)}{_sup(column.notes)}" for column in table.columns]),
    ]
    for section, rows in table.sections():
        lines += ["\\midrule", f"\\multicolumn{{{len(table.columns) + 1}}}{{l}}{{\\emph{{{escape(section)}}}}} \\\\"]
        lines += [_row(row) for row in rows]
    lines += ["\\bottomrule", "\\end{tabular}}", "", "\\smallskip", "\\begin{minipage}{\\textwidth}\\footnotesize"]
    lines += [f"\\textsuperscript{{{mark(number)}}} {escape(note)}\\par" for number, note in enumerate(table.footnotes)]
    lines += [f"{escape(remark)}\\par" for remark in table.remarks]
    return "\n".join([*lines, "\\end{minipage}", "\\end{table*}"]) + "\n"


def escape(text: str) -> str:
    """Text that LaTeX prints as it is, on one line."""
    text = "".join(_SIGNS.get(letter, letter) for letter in " ".join(text.split()) if letter.isprintable())
    return text.replace("--", "-{}-")


def _groups(table: Table) -> list[str]:
    if not any(title for title, _, _ in table.groups()):
        return []
    spans = [f"\\multicolumn{{{stop - start}}}{{c}}{{{escape(title)}}}" for title, start, stop in table.groups()]
    rules = [f"\\cmidrule(lr){{{start + 2}-{stop + 1}}}" for title, start, stop in table.groups() if title]
    return [_line("", spans), " ".join(rules)]


def _line(label: str, cells: list[str]) -> str:
    return " & ".join([label, *cells]) + " \\\\"


def _row(row: Row) -> str:
    return _line(f"{escape(row.label)}{_sup(row.notes)}", [_cell(cell) for cell in row.cells])


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
