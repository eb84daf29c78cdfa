"""Figures of policies: bubbles, shares, blocks; as SVG with titles and words for those who do not see them."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from typing import Any

import numpy as np
import pytest

from repro.core.spec import replace
from repro.evidence.aggregate import cubic_trend
from repro.papers import find
from repro.papers.probe_cells import on_probe
from repro.papers.probes import ORDER, SIGHT
from repro.papers.table import TableSpec
from repro.records.schema import Record
from repro.report.adaptive_figures import Bar, blocks, bubbles, shares
from repro.report.build_table import table_view
from repro.report.drawing import Drawing
from repro.report.figures import Source, sources
from tests.repro.made_table import accuracy, record_of

SVG = "{http://www.w3.org/2000/svg}"
BLOCKS = ("layer1.0", "layer1.1", "layer2.0", "layer2.1", "layer3.0", "layer3.1")


def decided(skip: float, reuse: float) -> dict[str, Any]:
    """What an accuracy's results hold under `cost`, the same in every block."""
    mean = {"gmacs": 0.02, "gmacs_macs": 0.019}
    for place in ("", *(f"{block}." for block in BLOCKS)):
        for action, share in (("skip", skip), ("reuse", reuse), ("keep", 1 - skip - reuse)):
            mean |= {f"{place}{action}": share, f"{place}{action}_constant": share / 2}
    return {"mean": mean, "std": dict.fromkeys(mean, 0.0), "facts": {"gmacs_macs_base": 0.03}}


def layout() -> TableSpec:
    """AdaFuse's Table 6 with two probes in each row."""
    table = find("adafuse/table6")
    rows = [
        replace(row, cells=row.cells | {name: on_probe(row.cells["static"].model, name) for name in (ORDER, SIGHT)})
        for row in table.rows
    ]
    return replace(table, rows=tuple(rows))


def record(row: str, cell: str, results: dict[str, Any], seed: int = 0) -> Record:
    return record_of(layout(), row, cell, results, seed=seed)


@pytest.fixture(scope="module")
def source() -> Source:
    records = [record("tsn", "probe-order", accuracy(13.0))]
    for seed, skip in enumerate((0.2, 0.4)):
        records.append(record("adafuse", "probe-order", accuracy(60.0, cost=decided(skip, 0.3)), seed))
        records.append(record("adafuse", "probe-sight", accuracy(70.0, cost=decided(0.6, 0.1)), seed))
    return sources([layout()], [table_view(layout(), records)], records)[0]


def parsed(drawing: Drawing) -> ElementTree.Element:
    text = str(drawing.svg).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    root = ElementTree.fromstring(text)
    title = root.find(f"{SVG}title")
    assert root.attrib["role"] == "img" and title is not None and title.text == drawing.title
    description = root.find(f"{SVG}desc")
    assert description is not None and description.text and description.text.strip()
    return root


def test_shares_of_every_network_and_dataset_with_their_quotient(source: Source) -> None:
    (drawing,) = shares(source)
    root = parsed(drawing)
    words = root.find(f"{SVG}desc").text  # type: ignore[union-attr]
    assert "AdaFuse, probe-order: skip 30.0%, reuse 30.0%, keep 40.0%, reuse / keep 0.750" in words  # type: ignore[operator]
    assert "AdaFuse, probe-sight: skip 60.0%, reuse 10.0%, keep 30.0%, reuse / keep 0.333" in words  # type: ignore[operator]
    assert "TSN" not in words  # type: ignore[operator]
    assert "sthv1 0.694" in drawing.note and "minikinetics 0.232" in drawing.note


def test_a_panel_for_each_action_and_a_bar_for_each_block(source: Source) -> None:
    found = {drawing.title: drawing for drawing in blocks(source)}
    assert set(found) == {f"Shares by block, AdaFuse, {name} (as Figure 4)" for name in (ORDER, SIGHT)}
    root = parsed(found["Shares by block, AdaFuse, probe-order (as Figure 4)"])
    assert len(root.findall(f".//{SVG}rect")) == 3 * len(BLOCKS) * 2
    assert len(root.findall(f".//{SVG}path[@stroke-dasharray]")) == 3
    words = root.find(f"{SVG}desc").text  # type: ignore[union-attr]
    assert "layer3.1: keep 40.0 %, constant over the clip 20.0 %" in words  # type: ignore[operator]


def test_printed_bubbles_have_diameters_in_proportion() -> None:
    layout = find("adafuse/table5")
    (drawing,) = bubbles(sources([layout], [table_view(layout, [])], [])[0])
    radii = {}
    for group in parsed(drawing).findall(f".//{SVG}circle"):
        title = group.find(f"{SVG}title")
        assert title is not None and title.text is not None
        radii[title.text.partition(":")[0]] = float(group.attrib["r"])
    assert set(radii) >= {"TSM R50", "AdaFuse TSM R50", "ECO en Lite", "TRN multi-scale"} and len(radii) == 13
    assert radii["I3D+GCN+NL"] / radii["ECO en Lite"] == pytest.approx(62.2 / 150, rel=0.01)


def test_a_trend_goes_through_a_polynomial_of_third_order() -> None:
    line = np.polynomial.Polynomial([1.0, -2.0, 0.5, 0.25])
    found = cubic_trend([float(line(n)) for n in range(6)])
    assert all(value == pytest.approx(float(line(at)), abs=1e-9) for at, value in found)
    assert cubic_trend([1.0, 2.0, 3.0, 4.0]) == [], "four values lie on it anyway"


def test_a_network_that_keeps_nothing_has_no_quotient() -> None:
    assert Bar("x", (0.5, 0.5, 0.0)).behind == "no keep"
    assert Bar("x", (0.5, 0.0, 0.5)).behind == "no reuse"


def test_tables_of_others_have_none_of_it() -> None:
    layout = find("dnr/table1a")
    plain = sources([layout], [table_view(layout, [])], [])[0]
    assert [*bubbles(plain), *shares(plain), *blocks(plain)] == []
