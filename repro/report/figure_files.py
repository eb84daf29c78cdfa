"""The report's figures as files: SVG that stands by itself, and PNG of the same, in the colours of print.

PNG are drawn by resvg with matplotlib's copy of DejaVu Sans, so that they are the same on every machine.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path

from repro.core.files import write_atomic
from repro.report.drawing import Drawing
from repro.report.figures import Source, drawings
from repro.report.networks import Networks

#: pixels of a PNG for one of the drawing
_ZOOM = 3
_FONT = "DejaVu Sans"


def write_figures(folder: Path, sources: Sequence[Source], networks: Networks) -> list[Path]:
    """Each figure as NAME.svg and NAME.png; the names of the files, in the order of the report."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, drawing in _named(sources, networks):
        svg = standalone(drawing)
        for suffix, data in (("svg", svg.encode()), ("png", _png(svg))):
            written.append(folder / f"{name}.{suffix}")
            write_atomic(written[-1], data)
    return written


def _named(sources: Sequence[Source], networks: Networks) -> Iterator[tuple[str, Drawing]]:
    for title, drawn in networks.figures:
        yield from ((_slug(f"networks {drawing.title or title}"), drawing) for drawing in drawn)
    for source in sources:
        named = f"{source.table.paper} {source.table.name}"
        yield from ((_slug(f"{named} {drawing.title}"), drawing) for drawing in drawings(source))


def _slug(text: str) -> str:
    return "-".join(re.findall(r"[a-z0-9]+", text.lower()))[:100]


def standalone(drawing: Drawing) -> str:
    """The drawing with its size and its style sheet, readable by any program that reads SVG."""
    text = str(drawing.svg)
    found = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', text)
    assert found is not None
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{found[1]}" height="{found[2]}" color="#000" '
    ground = f'<rect width="{found[1]}" height="{found[2]}" fill="#fff"/>'
    start = text.index(">") + 1
    return f"{head}{text[len('<svg ') : start]}<style>{_style()}</style>{ground}{text[start:]}\n"


@cache
def _style() -> str:
    """The rules of the page's style sheet that are of drawings, with the colours of print in place of their names."""
    sheet = files("repro.report").joinpath("templates/style.css").read_text(encoding="utf-8")
    colours = dict(re.findall(r"--(\w+): (#[0-9a-f]+)", sheet[sheet.index("@media print") :]))
    rules = [line for line in sheet.splitlines() if line.startswith("svg")]
    text = re.sub(r"var\(--(\w+)\)", lambda name: colours[name[1]], " ".join(rules))
    return re.sub(r"font: (\w+) [^;}]*", rf"font-size: \1; font-family: '{_FONT}', sans-serif", text)


def _png(svg: str) -> bytes:
    import matplotlib
    import resvg_py

    font = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    return resvg_py.svg_to_bytes(svg_string=svg, zoom=_ZOOM, skip_system_fonts=True, font_files=[str(font)])
