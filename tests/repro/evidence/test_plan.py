from __future__ import annotations

import csv
import io
import json
import shutil

import pytest

from repro import papers
from repro.__main__ import main
from repro.core import paths
from repro.core.errors import BadOption, UnknownName
from repro.core.roofline import PEAKS
from repro.core.spec import replace
from repro.data.known_datasets import KNOWN
from repro.evidence import plan_facts as facts
from repro.evidence.noise import TEST_VIDEOS
from repro.evidence.plan import device_name, plan
from repro.evidence.plan_seeds import decide, deviation_of_test
from repro.records.store import load_all

#: read where they are committed, before a test's own folders take their place
_COMMITTED = paths.records()


@pytest.fixture(scope="module")
def records():
    return load_all(_COMMITTED).records


def cell(made, row, name):
    return next(one for one in made.cells if (one.row, one.cell) == (row, name))


def test_facts_are_whole():
    assert set(facts.WATTS) == set(PEAKS)
    assert set(facts.GIGABYTES) == set(TEST_VIDEOS) <= set(KNOWN)  # what papers report on; others are known too
    ranges = [value for value in vars(facts).values() if isinstance(value, facts.Range)]
    ranges += [*facts.GIGABYTES.values(), *facts.SECONDS.values()]
    assert len(ranges) > 15
    for one in ranges:
        assert 0 < one.low <= one.value <= one.high
        assert one.source


@pytest.mark.parametrize("text", ["h200", "H200", "NVIDIA H200", "rtx-2080-ti", "RTX 2080 Ti", "2080"])
def test_a_device_is_found_or_the_known_ones_are_named(text):
    if text == "2080":
        with pytest.raises(UnknownName, match="rtx-2080-ti"):
            device_name(text)
    else:
        assert device_name(text) in PEAKS


def test_a_training_is_carried_over_from_the_networks_own_speed_record(records):
    table = papers.find("table6")
    made = cell(plan(table, records, device="h200", count=8), "tsm_r50", "kinetics400")
    speed = next(r for r in records if (r.row, r.kind) == ("tsm_r50", "speed"))
    train, test = table.row("tsm_r50").cells["kinetics400"].measure.train, KNOWN["kinetics400"].splits
    ratio = speed.results["roofline"]["peak_tmacs"] / PEAKS["H200"]["tf32"]
    forward = speed.results["median_s"] * ratio / facts.KEPT_SHARE.value
    busy = 3 * forward * train.epochs * test["train"] / 8 / facts.SCALING.value
    decode = facts.DECODE_S.value * train.epochs * test["train"] / facts.CORES / 8
    views = 30 * test["val"]
    tested = forward * (256 / 224) ** 2 * views / 8 / facts.SCALING.value
    seconds = max(busy, decode) + max(tested, facts.DECODE_S.value * views / facts.CORES / 8)
    assert made.hours.value == pytest.approx(seconds / 3600, rel=1e-6)
    assert made.hours.low < made.hours.value < made.hours.high
    assert made.kwh.value == pytest.approx(made.hours.value * 8 * 0.7 * 0.75 * 1.3)
    assert any(speed.relative_path.as_posix() in source for source in made.sources)
    assert any(source.startswith("assumption") for source in made.sources)


def test_a_speed_measured_on_the_device_is_taken_as_it_is(records):
    here = next(r for r in records if (r.row, r.kind) == ("tsm_r50", "speed"))
    results = {**here.results, "device_name": "NVIDIA H200", "median_s": 0.01, "times_s": [0.009, 0.01, 0.012]}
    measured = here.model_copy(update={"results": results})
    table = papers.find("table6")
    made = cell(plan(table, [measured, *records], device="h200"), "tsm_r50", "kinetics400")
    videos = KNOWN["kinetics400"].splits
    epochs = table.row("tsm_r50").cells["kinetics400"].measure.train.epochs
    seconds = 3 * 0.01 * videos["train"] * epochs + 0.01 * (256 / 224) ** 2 * 30 * videos["val"]
    assert made.hours.value == pytest.approx(seconds / 3600)
    assert not any("20 to 100 %" in source for source in made.sources)


def test_without_a_speed_the_arithmetic_is_used_and_without_both_nothing_is_told(records):
    table = papers.find("table6")
    static = [r for r in records if r.kind == "static"]
    made = cell(plan(table, static, device="a100"), "tsm_r50", "kinetics400")
    assert any("GMACs" in source for source in made.sources)
    assert made.hours.high / made.hours.low > 5
    bare = plan(table, [], device="a100")
    untold = cell(bare, "tsm_r50", "kinetics400")
    assert untold.hours is None and untold.kwh is None
    assert any(source.startswith("not told") for source in untold.sources)
    assert bare.total()[3] == sum(one.cell == "kinetics400" for one in bare.cells)


def test_more_devices_take_less_time_and_not_less_energy(records):
    table = papers.find("table6")
    one, eight = (plan(table, records, device="h200", count=count).total() for count in (1, 8))
    assert eight[0].value < one[0].value
    assert eight[1].value >= 0.99 * one[1].value
    with pytest.raises(BadOption):
        plan(table, records, device="h200", count=0)


@pytest.mark.parametrize("name", list(papers.TABLES))
def test_every_table_has_a_plan(name, records):
    made = plan(papers.find(name), records, device="h100", count=2)
    assert len(made.cells) == sum(len(row.cells) for row in papers.find(name).rows)
    assert made.total()[3] == 0, "every cell can be told from the committed records"
    left = sum(one.hours.value for one in made.cells if not one.done)
    assert made.left()[0].value == pytest.approx(left)
    for one in made.cells:
        assert one.sources
        if one.hours is not None:
            assert 0 < one.hours.low <= one.hours.value <= one.hours.high
    for one in made.seeds:
        assert one.seeds is None or one.seeds >= 2


def test_seeds_fall_with_the_difference_and_none_is_enough_for_a_tiny_one():
    large, small, tiny = (decide("a", "b", "kinetics400", 70 + gain, 70) for gain in (5, 1.1, 0.05))
    assert large.seeds == 2 < small.seeds
    assert tiny.seeds is None
    assert small.low <= small.seeds <= (small.high or 10_000)


def test_two_networks_on_the_same_videos_differ_at_least_as_nested_ones():
    assert deviation_of_test(60, 50, 100, 1.0) == pytest.approx(100 * (0.09 / 100) ** 0.5)
    assert deviation_of_test(60, 50, 100, 0.0) == pytest.approx(100 * (0.49 / 100) ** 0.5)


@pytest.mark.parametrize("form", ["text", "markdown", "csv", "json"])
def test_the_verb_in_every_format(form, capsys, tmp_path, monkeypatch):
    shutil.copytree(_COMMITTED, tmp_path / "records")
    monkeypatch.setenv("REPRO_RESULTS", str(tmp_path))
    assert main(["plan", "table6", "--device", "h200", "--count", "8", "--format", form, "--full"]) == 0
    out = capsys.readouterr().out
    assert "tsm_r50_dnr" in out.replace("\\", "") and "kinetics400" in out
    if form == "json":
        data = json.loads(out)
        assert data["total"]["hours"]["low"] < data["total"]["hours"]["high"]
        assert 0 < data["without_record"]["hours"]["value"] < data["total"]["hours"]["value"]
        assert {one["row"] for one in data["seeds"]} == {f"{name}_r50_dnr" for name in ("tsn", "tsm", "tanet", "tdn")}
    elif form == "csv":
        lines = list(csv.DictReader(io.StringIO(out)))
        assert len(lines) == sum(len(row.cells) for row in papers.find("table6").rows)
        assert all(line["sources"] for line in lines)
    else:
        assert "Cohen 1988" in out and "assumption" in out


def test_the_verb_tells_what_is_open_and_all_else_on_request(capsys, tmp_path, monkeypatch):
    shutil.copytree(_COMMITTED, tmp_path / "records")
    monkeypatch.setenv("REPRO_RESULTS", str(tmp_path))
    assert main(["plan", "table6"]) == 0
    out = capsys.readouterr().out
    cells = [line.split()[2] for line in out.splitlines() if line.startswith("t") and "together" not in line]
    assert "kinetics400" in cells and "static" not in out and len(out.splitlines()) < 40
    assert "on 1 x H200" in out and "records; all of them" in out and "assumption" not in out


def test_an_unknown_device_is_refused_with_the_known_list(capsys):
    assert main(["plan", "table6", "--device", "h300"]) == 2
    err = capsys.readouterr().err
    assert "h200" in err and "rtx-2080-ti" in err and err.count("\n") == 1


def test_an_initial_training_counts(records):
    table = papers.find("table6")
    row = table.row("tsm_r50")
    first = row.cells["kinetics400"]
    then = replace(first, measure=replace(first.measure, dataset="sthv1", initial=first))
    alone = replace(first, measure=replace(first.measure, dataset="sthv1"))
    row = replace(row, cells={"then": then, "alone": alone, "first": first})
    made = plan(replace(table, rows=(row,)), records, device="h200")
    hours = {one.cell: one.hours.value for one in made.cells}
    assert 0.9 * hours["first"] < hours["then"] - hours["alone"] < hours["first"]
    assert set(made.datasets_gb) == {"kinetics400", "sthv1"}
