from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repro.cli.common import Screen
from repro.core.plain_text import as_cell, one_line, shown

HOSTILE = ["\x1b]0;title\x07", "\x1b[31mred", "a\rb", "\u202egpj.exe", "\x9b31m", "\x00", "\u2028"]


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_moves_a_terminal(text):
    stream = io.StringIO()
    Screen(file=stream, force_terminal=True, color_system="truecolor", highlight=False).print(
        f"name {text} end", markup=False
    )
    for made in (shown(text), one_line(text), as_cell(text), stream.getvalue()):
        assert not set(made) & set("\x1b\x07\x9b\x00\u202e\u2028\r")


def test_line_ends_tabs_and_styles_stay():
    assert shown("a\n\tb é −") == "a\n\tb é −"
    stream = io.StringIO()
    Screen(file=stream, force_terminal=True, color_system="truecolor").print("[red]x[/]")
    assert "\x1b[31m" in stream.getvalue()


@given(st.text())
def test_a_cell_is_one_line_and_no_formula(text):
    made = as_cell(text)
    assert made.splitlines() in ([made], [])
    assert made[:1] not in ("=", "@") or len(made) == 1


@pytest.mark.parametrize("number", ["-1.5", "+2", "-1e-05", "-", "+"])
def test_numbers_are_no_formulas(number):
    assert as_cell(number) == number


@pytest.mark.parametrize("text", ["=1+1", "@x", "-x", "+A1", "-1+1|cmd", "=\x1b"])
def test_formulas_are_text(text):
    assert as_cell(text).startswith("'")
