"""A table as LaTeX with booktabs: groups over the columns, footnotes under the table. Every text is escaped."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from repro.report.table import Cell, Row, Table, marks, runs

_SIGNS = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': "''", "`": r"\textasciigrave{}", "[": "{[}",
    "×": r"$\times$", "±": r"$\pm$", "·": r"$\cdot$", "≈": r"$\approx$", "≤": r"$\leq$", "≥": r"$\geq$", "≠": r"$\neq$",
    "→": r"$\rightarrow$", "−": "$-$", "÷": r"$\div$", "∞": r"$\infty$", "√": r"$\surd$", "∈": r"$\in$",
    "°": r"$^\circ$", "²": "$^2$", "³": "$^3$", "µ": r"$\mu$", "–": r"\textendash{}", "—": r"\textemdash{}",
    "…": r"\ldots{}", "§": r"\S{}", "ß": r"\ss{}", "“": "``", "”": "''", "„": "''", "‘": "`", "’": "'",
    "•": r"\textbullet{}",
    **{letter: rf"${name}$" for letter, name in zip(
        "αβγδεζηθικλμνξπρστφχψωΔΓΘΛΞΠΣΦΨΩ",
        r"\alpha \beta \gamma \delta \epsilon \zeta \eta \theta \iota \kappa \lambda \mu \nu \xi \pi \rho \sigma \tau "
        r"\phi \chi \psi \omega \Delta \Gamma \Theta \Lambda \Xi \Pi \Sigma \Phi \Psi \Omega".split(),
        strict=True,
    )},
}  # fmt: skip
#: letters beyond ASCII that every LaTeX prints
_LETTERS = frozenset("ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜÝàáâãäåæçèéêëìíîïñòóôõöøùúûüýÿ")


#: columns beside each other; further groups stand in a second tabular below
_COLUMNS = 9
#: of a float, in points: what fits on a page of a class of two columns, a line of the table, one of the notes
_PAGE, _ROW, _NOTE = 490, 12, 8.5
#: letters in a line of the notes
_WIDE = 135


def render_latex(table: Table) -> str:
    """A `table*` environment, or several where one would not fit on a page; booktabs, graphicx and textcomp are needed.

    A short form is one, scaled to the width of the page.

    The later ones have the first one's number and say that they continue it.
    """
    above = [f"\\noteline{{{escape(verdict)}}}" for verdict in table.above]
    pieces: list[tuple[list[str], float]] = [([line], _NOTE * (1 + len(line) // _WIDE)) for line in above]
    parts = table.parts(len(table.columns) if table.short else _COLUMNS) or [[]]
    pieces += [(_tabular(table, groups), _ROW * (len(table.rows) + 8)) for groups in parts]
    notes = [escape(table.legend)] if table.legend else []
    notes += [f"\\textsuperscript{{{sign}}} {escape(note)}" for sign, note in table.noted()]
    notes += [escape(remark) for remark in table.below]
    pieces += [([f"\\noteline{{{note}}}"], _NOTE * (1 + len(note) // _WIDE)) for note in notes]
    lines = [
        "% needs \\usepackage{booktabs,graphicx,textcomp}",
        "\\providecommand{\\noteline}[1]{\\parbox{\\textwidth}{\\scriptsize\\raggedright #1\\strut}\\par}",
    ]
    for number, part in enumerate(_floats(pieces)):
        lines += _float(table, part, first=number == 0)
    return "\n".join(lines) + "\n"


def _floats(pieces: list[tuple[list[str], float]]) -> list[list[str]]:
    """Pieces in order, as many in a float as a page takes."""
    floats: list[list[str]] = [[]]
    room: float = _PAGE - 4 * _ROW
    for lines, height in pieces:
        if floats[-1] and height > room:
            floats.append([])
            room = _PAGE - 3 * _ROW
        floats[-1] += lines
        room -= height
    return floats


def _float(table: Table, body: list[str], *, first: bool) -> list[str]:
    label = "".join(letter for letter in f"{table.paper}-{table.name}" if letter.isalnum() or letter == "-")
    caption = f"{escape(table.title)}. {escape(table.caption)}" if first else f"{escape(table.title)} (continued)."
    return [
        "\\begin{table*}",
        "\\centering\\small",
        *([] if first else ["\\addtocounter{table}{-1}"]),
        f"\\caption{{{caption}}}",
        *([f"\\label{{tab:{label}}}"] if first else []),
        *body,
        "\\end{table*}",
    ]


@lru_cache(maxsize=4096)  # cells of a table repeat each other
def escape(text: str) -> str:
    """Text that LaTeX prints as it is, on one line."""
    text = "".join(map(_letter, filter(str.isprintable, " ".join(text.split()))))
    return re.sub("-(?=-)", "-{}", text)


def _letter(letter: str) -> str:
    """One character; what LaTeX has no sign for becomes its nearest in ASCII, or its number in Unicode."""
    if letter in _SIGNS:
        return _SIGNS[letter]
    if letter.isascii() or letter in _LETTERS:
        return letter
    nearest = unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode()
    return "".join(_SIGNS.get(one, one) for one in nearest) or f"U+{ord(letter):04X}"


def _tabular(table: Table, groups: list[tuple[str, int, int]]) -> list[str]:
    indices = [index for _, start, stop in groups for index in range(start, stop)]
    columns = [table.columns[index] for index in indices]
    lines = [
        "\\resizebox{\\ifdim\\width>\\textwidth\\textwidth\\else\\width\\fi}{!}{%",
        f"\\begin{{tabular}}{{@{{}}l{'r' * len(columns)}@{{}}}}",
        "\\toprule",
        *_heads(groups),
        _line("", [f"{escape(column.heading)}{_sup(column.notes)}" for column in columns]),
    ]
    for section, rows in table.sections():
        lines.append("\\midrule")
        if section:
            lines.append(f"\\multicolumn{{{len(columns) + 1}}}{{l}}{{\\emph{{{escape(section)}}}}} \\\\")
        parts = [[row] for row in rows] if table.short else runs(rows, indices)
        lines += [_row(members, indices) for members in parts]
    return [*lines, "\\bottomrule", "\\end{tabular}}\\par\\smallskip"]


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
