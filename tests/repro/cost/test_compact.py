"""The measurement of compact AdaFuse, on a small network; no time decides."""

from __future__ import annotations

import io

import pytest
import torch
from rich.console import Console

from methods.adafuse.compact.compact import compact
from repro.cli.compact_text import render_compact, render_points
from repro.core.errors import BadOption
from repro.core.spec import Model, Speed, frozen, replace
from repro.cost.compact import measure_compact
from repro.cost.compact_bench import parts_for
from repro.cost.speed import random_network
from repro.papers import find
from repro.records.parts import SpeedResult

PLAIN = Model(name="tsn", backbone="tiny_resnet", frames=3, num_classes=5)
ADAFUSE = replace(PLAIN, method="adafuse", method_options=frozen(hidden=8))
MEASURE = Speed(size=32, form="compact", shares=(0.37, 0.258, 0.372), against=PLAIN, repeats=2)


@pytest.fixture(scope="module")
def found():
    return measure_compact(ADAFUSE, MEASURE, threads=1)


def test_three_networks_take_turns(found):
    SpeedResult.model_validate(found)
    assert len(found["times_s"]) == len(found["against"]["ratios"]) == len(found["masked"]["ratios"]) == 2
    assert found["max_rel_error"] < 1e-5 and found["stream"]["max_rel_error"] < 1e-5
    assert found["against"]["form_detail"]["chosen"].startswith(("whole clips: ", "frame after frame: "))
    assert sum(found["kinds"].values()) == pytest.approx(1) and len(found["kinds_by_block"]) == 3


def test_executed_arithmetic_is_the_rule(found):
    gmacs = found["gmacs"]
    assert gmacs["rule_off_percent_but_first_reuse"] == pytest.approx(0, abs=1e-3)
    assert gmacs["compact"] <= gmacs["executed"] <= gmacs["masked"]
    assert gmacs["plain"] < gmacs["masked"] and gmacs["first_reuse"] > 0


def test_it_can_be_read(found):
    console = Console(file=io.StringIO(), width=200)
    console.print(render_compact("as given", found))
    console.print(render_points({"as given": found}))
    text = console.file.getvalue()
    assert "compact / TSN" in text and "by eq. 5" in text and "one frame of a stream" in text


@torch.inference_mode()
def test_policies_of_the_compact_form_score_as_the_network_does():
    masked = random_network(ADAFUSE, torch.Generator().manual_seed(0))
    with torch.inference_mode(False):
        small = compact(masked, **parts_for("cpu")[0])
    for gate, fused in zip(masked.adafuse.gates.values(), small.adafuse.gates.values(), strict=True):
        for rows in (3, 1, 6):
            joined = torch.rand(rows, 2 * gate.channels)
            torch.testing.assert_close(fused.decide(joined), gate.decide(joined), rtol=1e-5, atol=1e-6)
        assert fused.scored is not None


def test_what_has_no_compact_form():
    with pytest.raises(BadOption, match="method adafuse"):
        measure_compact(PLAIN, MEASURE)
    with pytest.raises(BadOption, match="whose sum is 1"):
        measure_compact(ADAFUSE, replace(MEASURE, shares=()))


def test_the_table_asks_for_each_operating_point_and_way_of_drawing():
    table = find("adafuse/speed")
    asked = {(row.cells["compact"].measure.shares, row.cells["compact"].measure.drawn) for row in table.rows}
    assert len(asked) == len(table.rows) == 10
    assert len({row.cells["compact"].id for row in table.rows}) == 10
    assert all(row.cells["compact"].measure.against.method is None for row in table.rows)
