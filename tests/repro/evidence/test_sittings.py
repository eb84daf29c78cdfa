"""Ratios of times: sittings of one measurement, and what physics forbids."""

from __future__ import annotations

from pathlib import Path

import pytest

from repro import papers
from repro.core.spec import Experiment, Model, Speed, replace
from repro.evidence.sittings import forbidden, same_measurement, shared, sittings
from repro.records.index import Index
from repro.report.build_table import table_view
from tests.repro.made_table import record_of, speed

ROOT = Path(__file__).resolve().parents[3]


def timed(layout, seconds: float, ratio: float, day: int, **more):
    started = {"started": f"2026-01-{day:02d}T00:00:00+00:00", "finished": f"2026-01-{day:02d}T00:01:00+00:00"}
    return record_of(layout, "tsn_r50_dnr", "speed", speed(seconds, ratio, **more), **started)


def test_the_ratio_is_the_median_of_the_sittings_and_the_spread_their_ends(layout):
    one, *others = [timed(layout, 0.5, ratio, day) for day, ratio in enumerate((1.03, 1.11, 1.05), 1)]
    found = sittings(one, others)
    assert (found.ratio, found.low, found.high, len(found.records)) == (1.05, 1.03, 1.11, 3)
    elsewhere = timed(layout, 0.5, 2.0, 4, device_name="another CPU")
    assert sittings(one, [elsewhere, one]).records == (one,)


def test_a_table_shows_the_ends_of_three_sittings_taken_by_one_command():
    layout = papers.find("dnr/table6")
    records = [timed(layout, 0.5, ratio, 1).model_copy(update={"seed": n}) for n, ratio in enumerate((1.2, 1.1, 1.4))]
    table = table_view(layout, records)
    at = [column.key for column in table.columns].index("slowdown")
    cell = next(row for row in table.rows if row.key == "tsn_r50_dnr").cells[at]
    assert (cell.text, cell.spread, cell.value) == ("1.20", "(1.10 to 1.40, 3 sittings)", 1.2)
    (note,) = [table.footnotes[n] for n in cell.notes if "sittings" in table.footnotes[n]]
    assert note.endswith("the classifier alone: dnr/table6/tsn_r50_dnr 2026-01-01")


def test_networks_that_differ_in_the_classifier_alone_are_one_measurement():
    """TSN+DNR with 400 classes (Table 6) and with 200 (Table 1a); not TSN+DNR with another relay."""
    table6 = papers.find("dnr/table6").row("tsn_r50_dnr").cells["speed"]
    table1a = papers.find("dnr/table1a")
    assert table1a.row("cl_ct").cells["speed"].id in same_measurement(table6)
    assert table1a.row("ct_cl").cells["speed"].id not in same_measurement(table6)
    assert papers.find("dnr/table6").row("tsm_r50_dnr").cells["speed"].id not in same_measurement(table6)


def test_the_same_ratio_stands_wherever_the_measurement_does():
    from repro.report import build

    index, shown = Index(ROOT / "results" / "records"), set()
    for name, row in (("dnr/table6", "tsn_r50_dnr"), ("dnr/table1a", "cl_ct"), ("suite/matrix", "tsn_dnr")):
        table = build(papers.find(name), index)
        at = [column.key for column in table.columns].index("slowdown")
        cell = next(one for one in table.rows if one.key == row).cells[at]
        shown.add((cell.text, cell.spread))
    assert len(shown) == 1 and "sittings" in shown.pop()[1]
    assert shared([Experiment(model=Model(name="tsn", backbone="resnet50"), measure=Speed())], index.of) == {}


HOST = Model(name="tsn", backbone="resnet50")


@pytest.mark.parametrize(
    ("model", "against", "flagged"),
    [
        (replace(HOST, method="dnr"), HOST, True),
        (replace(HOST, name="tsm"), HOST, True),
        (replace(HOST, backbone="bninception"), HOST, False),
        (replace(HOST, name="gst"), HOST, False),
        (replace(HOST, method="psn"), replace(HOST, name="tsm"), False),
    ],
)
def test_less_time_for_more_work_is_flagged(model, against, flagged):
    experiment = Experiment(model=model, measure=Speed(against=against))
    found = forbidden(experiment, 0.97)
    assert (found is not None) == flagged
    assert found is None or (found.sign, found.word) == ("<1", "forbidden")
    assert forbidden(experiment, 1.01) is None
    assert forbidden(replace(experiment, measure=replace(experiment.measure, form="frozen")), 0.97) is None
