from __future__ import annotations

import ast
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from repro import papers
from repro.core.errors import BadOption, UnknownName
from repro.evidence.arithmetic import parts_of
from repro.evidence.claims import find, judge, printed_value, together
from repro.papers.claim import Claim
from repro.papers.questions import find as question
from repro.records.index import Index
from tests.repro.made_answers import write


def references(node):
    """The cells that a statement, or a part of one, names."""
    if isinstance(node, str):
        node = ast.parse(node.strip(), mode="eval").body
    if isinstance(node, ast.Attribute | ast.Subscript):
        return [parts_of(node)]
    return list(dict.fromkeys(parts for child in ast.iter_child_nodes(node) for parts in references(child)))


def record(row, value, seed=0, cell="probe-order", **more):
    facts = {"paper": "dnr", "table": "table6", "status": "done", "smoke": False, "results": {"top1": value}}
    facts |= {"id": f"{row} {cell}", "finished": "2026-01-01T00:00:00+00:00"}
    return SimpleNamespace(row=row, seed=seed, cell=cell, **(facts | more))


def judged(records=(), **parts):
    (found,) = judge([Claim(key="dnr-99", paper="dnr", where="here", says="something", **parts)], records)
    return found


def test_all_claims_can_be_read_and_name_cells_and_questions_that_exist():
    claims = papers.claims()
    assert len(claims) >= 110
    assert len({one.key for one in claims}) == len(claims)
    for one in claims:
        for statement in one.printed:
            for parts in references(statement):
                assert printed_value(parts) is not None, (one.key, parts)
        for statement in one.measured:
            assert {parts[0] for parts in references(statement)} == {"here"}, one.key
        for name in one.probes:
            assert question(name).full_name == name, one.key
        assert one.printed or one.measured or one.shows or one.would_decide, one.key


def test_no_claim_is_a_tautology():
    """Every statement names two printed cells, or more than a cell and a constant; none compares one with itself."""
    for one in papers.claims():
        for statement in one.printed:
            for part in statement.split(" and "):
                sides = [side.strip() for side in re.split(r"[<>=]=?", part) if side.strip()]
                assert len(set(sides)) == len(sides), one.key
                cells = [parts for parts in references(part) if parts[0] != "here"]
                assert len(cells) > 1 or "*" in part, (one.key, "one printed number beside a constant")


@pytest.mark.parametrize("word", ["read as", "twin", "kinetics"])
def test_no_threshold_is_ours_and_no_probe_is_a_dataset(word):
    for one in papers.claims():
        if word == "read as":
            assert word not in one.note.lower(), one.key
        for name in one.probes:
            assert word not in question(name).asks.lower(), one.key


@pytest.mark.parametrize(
    ("statement", "arithmetic", "chance"),
    [
        ("dnr.table6.tsn_r50_dnr.top1 - dnr.table6.tsn_r50.top1 > 0", "holds", "beyond"),
        ("dnr.table6.tanet_r50_dnr.top1 - dnr.table6.tanet_r50.top1 > 0", "holds", "within"),
        ("dnr.table6.tsn_r50_dnr.top1 - dnr.table6.tsn_r50.top1 > 2", "holds", "within"),
        ("dnr.table6.tsn_r50_dnr.top1 - dnr.table6.tsn_r50.top1 > 5", "does not hold", "beyond"),
        ("dnr.table6.tsn_r50_dnr.top1 < dnr.table6.tsn_r50.top1", "does not hold", "beyond"),
        ("dnr.table6.tsn_r50_dnr.top1 - dnr.table6.tsn_r50.top1 == 2.70", "holds", "beyond"),
        ("dnr.table6.tsn_r50.gflops == dnr.table6.tsn_r50_dnr.gflops", "holds", ""),
        ("dnr.table6.tsn_r50.nothing > 0", "", ""),
    ],
)
def test_both_readings(statement, arithmetic, chance):
    if not arithmetic:
        with pytest.raises(UnknownName):
            judged(printed=(statement,))
        return
    found = judged(printed=(statement,))
    assert (found.by_arithmetic, found.by_chance, found.on_probe, found.by_counts) == (arithmetic, chance, "", "")


def test_without_a_threshold_there_is_a_number_and_no_verdict():
    found = judged(shows=("dnr.table6.tsn_r50_dnr.top1 - dnr.table6.tsn_r50.top1",))
    assert (found.by_arithmetic, found.by_chance) == ("", "")
    assert found.findings[0] == ("shown", found.arithmetic[0]) and "2.70" in found.arithmetic[0].told
    assert judged().by_arithmetic == "cannot be checked"


def test_a_probe_stands_beside_a_claim_and_decides_nothing_of_it(tmp_path: Path):
    """What is printed holds whatever the probe says."""
    name = "dnr/table1a/cl_helps_sight"
    statement = "dnr.table6.tsn_r50_dnr.top1 - dnr.table6.tsn_r50.top1 > 0"
    for number, (gain, word) in enumerate([(10, "yes"), (-10, "no"), (0, "undecided")]):
        rates = lambda label, seed, gain=gain: 70 + seed / 4 + (gain if label.startswith("CL") else 0)  # noqa: E731
        index = write(tmp_path / str(number), question(name), rates)
        found = judged(index, printed=(statement,), probes=(name,))
        assert (found.on_probe, found.by_arithmetic, found.by_chance) == (word, "holds", "beyond")
    found = judged(Index(tmp_path / "none"), printed=(statement,), probes=(name,))
    assert found.on_probe == "undecided" and "not run" in found.probes[0].told


def test_measured_numbers_are_means_over_seeds():
    records = [
        record("tsn_r50", value, seed, cell="speed", results={"a": {"b": value}})
        for seed, value in enumerate((1.0, 3.0))
    ]
    statement = 'here.dnr.table6.tsn_r50.speed["a.b"] == 2'
    assert judged(records, measured=(statement,)).by_counts == "holds"
    assert judged([], measured=(statement,)).by_counts == "cannot be checked"


def test_rows_that_share_an_experiment_share_its_records():
    """Of Table 1d's LSTM row: measured under Table 1a, where it is the default row."""
    default = papers.find("dnr/table1a").row("ct_bn2").cells["static"]
    made = [record("ct_bn2", 1.0, cell="static", table="table1a", id=default.id, results={"params": 5})]
    assert judged(made, measured=("here.dnr.table1d.ct_lstm.static.params == 5",)).by_counts == "holds"


def test_known_readings():
    """Arithmetic that anybody can repeat on the printed tables."""
    found = {one.claim.key: one for one in judge(papers.claims(), [])}
    for key in ("dnr-12", "dnr-14", "psn-30", "psn-04", "adafuse-13", "adafuse-20"):
        assert found[key].by_arithmetic == "does not hold", key
    for key in ("dnr-13", "dnr-16", "dnr-21", "psn-09", "adafuse-07", "adafuse-12"):
        assert found[key].by_arithmetic == "holds", key
    for key in ("dnr-01", "dnr-13", "dnr-18", "dnr-30", "psn-23", "adafuse-35"):
        assert found[key].by_chance == "within", key
    for key in ("dnr-06", "dnr-28", "adafuse-06", "psn-37"):
        assert found[key].by_chance == "beyond", key
    assert found["dnr-22"].by_arithmetic == found["adafuse-25"].by_arithmetic == ""


def test_like_claims_are_treated_alike():
    """Whatever compares printed accuracies of known test sets has both readings; counts have the first alone."""
    for one in judge(papers.claims(), []):
        rates = [parts for text in one.claim.printed for parts in references(text) if parts[-1] in ("top1", "top5")]
        assert bool(rates) == bool(one.by_chance), one.claim.key


def test_errors_name_what_is_there():
    with pytest.raises(UnknownName, match="dnr-01"):
        find(papers.claims(), "dnr-011")
    with pytest.raises(UnknownName, match="psn"):
        papers.claims("psm")
    with pytest.raises(BadOption, match=r"PAPER\.TABLE\.ROW\.COLUMN"):
        printed_value(("dnr", "table6", "tsn_r50"))
    assert together((), "no") == ""
