"""The declarations: few, within their budgets, each experiment once, and refused where they cannot be asked."""

from __future__ import annotations

from collections import Counter

import pytest

from repro.core.errors import BadOption, UnknownName
from repro.core.spec import Accuracy
from repro.papers.probes import PROBES, SEEDS, TEST
from repro.papers.published import find as file_of
from repro.papers.question import BUDGET, question
from repro.papers.questions import (
    contrast_of,
    controls_of,
    declared,
    experiments,
    find,
    terms,
    told_of_probe,
    waits_for,
)
from repro.papers.text import read

ASKS = {"asks": "?", "arms": ["a", "b"], "probe": "probe-order"}


def trainings(questions) -> int:
    """Each experiment once, at the most seeds that a question or a control asks of it."""
    most: Counter[str] = Counter()
    for one in questions:
        for id_ in experiments(one):
            most[id_] = max(most[id_], one.seeds)
        for control in controls_of(one):
            most[control.experiment.id] = max(most[control.experiment.id], control.seeds)
    return sum(most.values())


def test_about_twenty_questions_one_to_three_a_table_within_their_budgets():
    all_ = declared()
    assert 18 <= len(all_) <= 22 and max(Counter(one.table for one in all_).values()) <= 3
    assert len({contrast_of(one) for one in all_}) == len(all_), "the same contrast under two names"
    assert trainings(all_) <= 420
    for one in all_:
        assert len(experiments(one)) * one.seeds <= BUDGET
        assert one.seeds <= len(SEEDS) and one.probe in PROBES
        assert one.seeds == len(SEEDS) or one.chosen, "fewer seeds, and not said why"
        assert one.width <= 2 or one.metric != "top1" or one.chosen, "wider, and not said why"
        assert told_of_probe(one.probe)
        assert controls_of(one) and {control.positive for control in controls_of(one)} == {True, False}


@pytest.mark.parametrize("one", declared(), ids=lambda one: one.full_name)
def test_arms_differ_in_what_is_asked_alone(one):
    """Recipe and views are the same, but for what varies (and TDN's five frames); `test` is what is scored."""
    found = terms(one)
    assert sum(term.weight for term in found) == pytest.approx(0, abs=1e-9)
    measures = {term.experiment.measure for term in found}
    assert len(measures) == (len(one.points) if one.vary == "batch" else 1)
    for measure in measures:
        assert isinstance(measure, Accuracy) and measure.test_split == TEST
    if one.vary != "grade":
        assert len(experiments(one)) == len(found)


def test_rows_that_are_one_network_are_one_experiment():
    """TSN of three papers, and PSN's row of the same name in two tables."""
    tsn = {next(t for t in terms(find(name)) if t.weight < 0).experiment.id for name in (
        "ct_reads_order", "dnr_without_shift", "adafuse_over_tsn")}  # fmt: skip
    assert len(tsn) == 1
    psn = {terms(find(name))[0].experiment.id for name in ("psn_over_tsm", "learned_over_grouping")}
    assert len(psn) == 1
    assert terms(find("scales_over_one"))[0].experiment.id == terms(find("learned_over_grouping"))[1].experiment.id


def test_at_a_single_point_the_difference_is_asked_for():
    assert [term.weight for term in terms(find("bn_relay_at_two"))] == [1, -1]


def test_names():
    assert find("dnr_on_tsm") == find("dnr/table6/dnr_on_tsm")
    assert [one.key for one in declared(table="table6")] == ["dnr_on_tsm", "dnr_on_tanet", "dnr_on_tdn"]
    assert {one.paper for one in declared("psn")} == {"psn"}
    with pytest.raises(UnknownName, match="dnr_on_tsm"):
        find("dnr_on_tms")
    with pytest.raises(UnknownName, match="psn"):
        declared("psm")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"asks": ""}, "asks, and one arm or two"),
        ({"arms": ["a", "b", "c"]}, "asks, and one arm or two"),
        ({"cell": "probe-order"}, "probe, or cell"),
        ({"probe": ""}, "probe, or cell"),
        ({"arms": ["a"]}, "points along which one varies"),
        ({"points": [1, 2]}, "vary, and points"),
        ({"vary": "batch"}, "vary, and points"),
        ({"arms": ["a"], "vary": "batch", "points": [2]}, "points along which one varies"),
        ({"vary": "batch", "points": [2, 8, 32]}, "60 trainings"),
        ({"seeds": 21}, "42 trainings"),
        ({"seeds": 1}, "two seeds or more"),
        ({"says": "better"}, "higher, lower"),
    ],
)
def test_what_cannot_be_asked_is_refused(change, told):
    with pytest.raises(BadOption, match=told):
        question("one", {**ASKS, **change}, "dnr/table6")


def test_a_network_without_a_mark_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not waits_for(find("psn/table1/psn_over_tsm"))
    monkeypatch.setattr("repro.papers.questions.MARKS", {})
    waits = {one.full_name: waits_for(one) for one in declared()}
    assert waits["dnr/table6/dnr_on_tanet"] == "a mark of tanet on probe-order"
    assert waits["psn/table1/psn_over_tsm"] == "a mark of tsm on probe-shapes"
    for name in ("dnr/table1a/ct_reads_order", "dnr/table3/bn_by_batch"):
        assert "a mark of" not in waits[name]


def test_a_probe_whose_dial_is_not_confirmed_is_waited_for() -> None:
    told = read(file_of("probes.toml"), "PROBES").data
    for one in declared():
        assert told[one.probe].get("waits", "") in waits_for(one)
