"""Figures as files: each in both forms, by itself, and the same as in the report."""

from __future__ import annotations

import io
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from PIL import Image

from repro.core.spec import replace
from repro.papers.table import FigureSpec, TableSpec
from repro.records.schema import Record
from repro.report.build_table import table_view
from repro.report.figure_files import write_figures
from repro.report.figures import sources
from repro.report.networks import networks


def test_every_figure_is_there_as_svg_and_png(layout: TableSpec, records: list[Record], tmp_path: Path) -> None:
    layout = replace(layout, figures=(FigureSpec(title="Accuracy against <GMACs>", x="gmacs224", y="top1"),))
    made = sources([layout], [table_view(layout, records)], records)
    written = write_figures(tmp_path / "new", made, networks(made))
    assert [path.name for path in written] == [
        f"{name}.{suffix}"
        for name in (
            "networks-kinetics-400-accuracy-against-gmacs", "dnr-table6-accuracy-against-gmacs",
            "dnr-table6-every-seed-probe-order", "dnr-table6-training-probe-order",
        )
        for suffix in ("svg", "png")
    ]  # fmt: skip
    for path in written[::2]:
        text = path.read_text(encoding="utf-8")
        root = ElementTree.fromstring(text)
        assert root.tag == "{http://www.w3.org/2000/svg}svg" and "var(" not in text
        size = float(root.attrib["width"]), float(root.attrib["height"])
        picture = Image.open(io.BytesIO(path.with_suffix(".png").read_bytes()))
        assert picture.size == tuple(round(3 * side) for side in size)
        colours = {tuple(int(c) for c in colour) for colour in np.asarray(picture.convert("RGB")).reshape(-1, 3)}
        assert (255, 255, 255) in colours and len(colours) > 20  # letters have soft edges: they were drawn
    again = write_figures(tmp_path / "again", made, networks(made))
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in written]
