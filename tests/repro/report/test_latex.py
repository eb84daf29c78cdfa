"""LaTeX that LaTeX takes: every table of the suite, a hostile one, and every sign that a label may hold."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from repro import papers
from repro.core import paths
from repro.core.spec import replace
from repro.papers.table import TableSpec
from repro.records.index import Index
from repro.records.schema import Record
from repro.report import build, chosen
from repro.report.build_table import table_view
from repro.report.latex import escape, render_latex

from .test_formats import HOSTILE

PDFLATEX = shutil.which("pdflatex")
needs_latex = pytest.mark.skipif(PDFLATEX is None, reason="no pdflatex here (Debian: texlive-latex-recommended)")
DOCUMENT = r"""\documentclass[10pt,twocolumn]{article}
\usepackage{booktabs,graphicx,textcomp}
\begin{document}
%s
\end{document}
"""


def _compiled(body: str, folder: Path) -> tuple[str, str]:
    """What LaTeX said, and the text of the pages where pdftotext can tell it."""
    (folder / "paper.tex").write_text(DOCUMENT % body, encoding="utf-8")
    command = [str(PDFLATEX), "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "paper.tex"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", timeout=240)
    assert done.returncode == 0, done.stdout[-2000:]
    reader = shutil.which("pdftotext")
    told = (
        subprocess.run([reader, "paper.pdf", "-"], cwd=folder, capture_output=True, text=True).stdout if reader else ""
    )
    return done.stdout, told


def test_signs_that_latex_lacks_are_told_by_their_nearest_or_their_number() -> None:
    assert escape("≥ 2² λ — Ångström ğ ﬁ 日") == r"$\geq$ 2$^2$ $\lambda$ \textemdash{} Ångström g fi U+65E5"
    assert "--" not in escape("a--b---c")


def test_a_long_table_is_cut_into_floats_of_one_number(layout: TableSpec, records: list[Record]) -> None:
    notes = tuple(f"{number}: {'a long remark ' * 20}" for number in range(60))
    text = render_latex(table_view(replace(layout, footnotes=notes), records))
    floats = text.split("\\begin{table*}")[1:]
    assert len(floats) > 1 and text.count("\\end{table*}") == len(floats) and text.count("\\label{") == 1
    assert [("addtocounter" in one, "(continued)" in one) for one in floats] == [
        (False,) * 2,
        *[(True,) * 2] * (len(floats) - 1),
    ]
    assert all(f"{number}: a long" in text for number in range(60))


@needs_latex
def test_hostile_texts_compile(layout: TableSpec, records: list[Record], tmp_path: Path) -> None:
    signs = " ".join(chr(code) for code in (*range(0x20, 0x17F), *range(0x370, 0x3FF), *range(0x2010, 0x2265)))
    rows = tuple(replace(row, label=HOSTILE, note=signs) for row in layout.rows)
    columns = tuple(replace(column, title=HOSTILE, group=HOSTILE, unit="µ°") for column in layout.columns)
    hostile = replace(layout, rows=rows, columns=columns, title=HOSTILE, caption="ÀÖ≥λ", footnotes=(HOSTILE, signs))
    said, told = _compiled(render_latex(table_view(hostile, records)), tmp_path)
    assert "too large" not in said
    assert not told or "alert(1)" in told


@needs_latex
def test_the_short_form_of_every_table_is_one_float_on_one_page(tmp_path: Path) -> None:
    """Each is followed by a page break: as many pages as tables, and none too large or too wide."""
    index = Index(paths.published().parent / "records")
    layouts = [papers.find(name) for name in papers.TABLES]
    shown = [render_latex(chosen(build(layout, index), layout)) for layout in layouts]
    said, told = _compiled("\n\\clearpage\n".join(shown), tmp_path)
    assert re.findall(r"(?:Float too large|Overfull).*", said) == []
    assert re.findall(r"paper.pdf \((\d+) pages", " ".join(said.split())) == [str(len(layouts))]
    assert not told or all(f"Table {number}:" in told for number in range(1, len(layouts) + 1))


@needs_latex
@pytest.mark.slow
def test_every_table_compiles_and_fits(tmp_path: Path) -> None:
    index = Index(paths.published().parent / "records")
    shown = [build(papers.find(name), index) for name in papers.TABLES]
    said, told = _compiled("\n\\clearpage\n".join(map(render_latex, shown)), tmp_path)
    assert re.findall(r"(?:Float too large|Overfull \\hbox \(\d{3}).*", said) == []
    if told:
        assert all(f"Table {number}:" in told for number in range(1, len(shown) + 1))
        assert "74.35" in told and "DNR Table 6" in told
