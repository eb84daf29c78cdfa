"""Colours of the style sheet: every text colour on every ground, by the contrast ratio of WCAG 2.2."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import repro.report

STYLE = (Path(repro.report.__file__).parent / "templates" / "style.css").read_text()
TEXTS = ("text", "soft", "own", "good", "bad", "doubt")
GROUNDS = ("page", "card", "band")
#: ground of the cell that is opened: 14 % of the colour of measured values on the card
SHOWN = 0.14


def _themes() -> dict[str, dict[str, str]]:
    light, dark, paper = re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
    return {
        name: dict(re.findall(r"--(\w+): (#[0-9a-f]+)", block))
        for name, block in (("light", light), ("dark", dark), ("print", paper))
    }


def _channels(colour: str) -> list[float]:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    return [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]


def _luminance(channels: list[float]) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: list[float], b: list[float]) -> float:
    low, high = sorted((_luminance(a), _luminance(b)))
    return (high + 0.05) / (low + 0.05)


def test_the_ratio_is_that_of_the_standard() -> None:
    assert contrast(_channels("#000"), _channels("#ffffff")) == pytest.approx(21)
    assert contrast(_channels("#777777"), _channels("#fff")) == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", ["light", "dark", "print"])
def test_every_text_stands_out(theme: str) -> None:
    colours = _themes()[theme]
    assert set(TEXTS + GROUNDS) <= set(colours)
    card, own = _channels(colours["card"]), _channels(colours["own"])
    grounds = {name: _channels(colours[name]) for name in GROUNDS}
    grounds["shown"] = [SHOWN * a + (1 - SHOWN) * b for a, b in zip(own, card, strict=True)]
    weak = {
        (text, name): round(contrast(_channels(colours[text]), ground), 2)
        for text in TEXTS
        for name, ground in grounds.items()
        if contrast(_channels(colours[text]), ground) < 4.5
    }
    assert weak == {}


def test_no_other_colour_is_used_for_text() -> None:
    rules = re.sub(r":root \{.*?\}", "", STYLE, flags=re.DOTALL)
    used = re.findall(r"(?<![-\w])(?:color|fill|stroke): ([^;}]+)", rules)
    allowed = {"inherit", "currentColor", "none", "light", "light dark"}
    assert used and all(value in allowed or re.fullmatch(r"var\(--\w+\)", value) for value in used), used
