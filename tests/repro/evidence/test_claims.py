from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from repro import papers
from repro.core.errors import BadOption, UnknownName
from repro.core.spec import replace
from repro.evidence import trends
from repro.evidence.arithmetic import references
from repro.evidence.claims import find, judge, printed_value, together
from repro.evidence.comparisons import of_print
from repro.papers.claim import Claim
from repro.papers.comparison import Comparison


def record(row, value, seed=0, cell="twin-temporal", **more):
    facts = {"paper": "dnr", "table": "table6", "status": "done", "smoke": False, "results": {"top1": value}}
    facts |= {"id": f"{row} {cell}", "finished": "2026-01-01T00:00:00+00:00"}
    return SimpleNamespace(row=row, seed=seed, cell=cell, **(facts | more))


def claim(**parts):
    return Claim(key="dnr-99", paper="dnr", where="here", says="something", **parts)


def runs(cell="twin-temporal", **parts):
    """A comparison that runs alone decide."""
    return Comparison(cell=cell, printed=False, **parts)


def judged(records=(), **parts):
    (found,) = judge([claim(**parts)], records)
    return found


def test_all_claims_can_be_read_and_name_cells_that_exist():
    claims = papers.claims()
    assert len(claims) >= 80
    assert len({one.key for one in claims}) == len(claims)
    for one in claims:
        for statement in one.printed:
            for parts in references(statement):
                assert printed_value(parts) is not None, (one.key, parts)
        for statement in one.measured:
            assert {parts[0] for parts in references(statement)} == {"here"}, one.key
        for pair in one.compares:
            table = papers.find(pair.table)
            assert pair.cell or pair.printed, one.key
            for row in pair.rows if pair.cell else ():
                for cell in filter(None, (pair.cell, pair.worse_cell, pair.beyond_cell)):
                    assert cell in table.row(row).cells, (one.key, row)
            assert not pair.printed or of_print(pair).verdict != "untested", one.key
        assert one.printed or one.measured or one.would_decide, one.key


def test_claims_about_twins_are_never_about_print():
    """What is printed and what the twins say stay two verdicts."""
    found = judged(
        [record("tsn_r50_dnr", 99.0, seed) for seed in (0, 1)]
        + [record("tsn_r50", 14.0 + seed, seed) for seed in (0, 1)],
        printed=("dnr.table6.tsn_r50_dnr.top1 < dnr.table6.tsn_r50.top1",),
        compares=(runs(table="dnr/table6", better="tsn_r50_dnr", worse="tsn_r50"),),
    )
    assert (found.by_print, found.by_runs) == ("contradicted", "supported")


@pytest.mark.parametrize(
    ("better", "worse", "verdict"),
    [
        ([90.0, 91.0, 90.5], [50.0, 51.0, 50.5], "supported"),
        ([50.0, 51.0, 50.5], [90.0, 91.0, 90.5], "contradicted"),
        ([90.0, 60.0, 75.0], [50.0, 80.0, 70.0], "undecided"),
        ([90.0], [50.0], "undecided"),
        ([], [50.0], "untested"),
    ],
)
def test_a_contest_is_decided_by_its_interval_over_seeds(better, worse, verdict):
    records = [record("tsm_r50_dnr", value, seed) for seed, value in enumerate(better)]
    records += [record("tsm_r50", value, seed) for seed, value in enumerate(worse)]
    found = judged(records, compares=(runs(table="dnr/table6", better="tsm_r50_dnr", worse="tsm_r50"),))
    assert found.by_runs == verdict


def test_rows_that_share_an_experiment_share_its_runs():
    """Of Table 1d's LSTM row: measured under Table 1a, where it is the default row."""
    default = papers.find("dnr/table1a").row("ct_bn2").cells["twin-temporal"]
    none = papers.find("dnr/table1d").row("ct_none").cells["twin-temporal"]
    shared = {"table": "table1a", "id": default.id}
    records = [record("ct_bn2", 40.0 + seed, seed, **shared) for seed in range(3)]
    records += [record("ct_none", 12.0 + seed, seed, table="table1d", id=none.id) for seed in range(3)]
    contest = runs(table="dnr/table1d", better="ct_lstm", worse="ct_none")
    assert judged(records, compares=(contest,)).by_runs == "supported"


@pytest.mark.parametrize(
    ("gains", "verdict"),
    [
        ({4: [9.0, 8.0, 8.5], 8: [3.0, 2.0, 3.0]}, "supported"),
        ({4: [3.0, 2.0, 3.0], 8: [9.0, 8.0, 8.5]}, "contradicted"),
        ({4: [9.0, 2.0, 5.0], 8: [3.0, 6.0, 4.0]}, "undecided"),
        ({4: [9.0], 8: [3.0]}, "undecided"),
        ({4: [9.0, 8.0], 8: []}, "untested"),
    ],
)
def test_a_growing_gain_is_decided_by_its_seeds_and_agrees_with_the_table_s_trend(gains, verdict):
    """Host accuracies that differ from seed to seed by much more than the gains do fall out."""
    records = []
    for clips, found in gains.items():
        for seed, gain in enumerate(found):
            host = 50.0 + 20 * seed + clips
            for row, value in ((f"bn_{clips}", host), (f"bn_dnr_{clips}", host + gain)):
                records.append(record(row, value, seed, cell="twin-appearance", table="table3"))
    (contest,) = find(papers.claims(), "dnr-18").compares
    contest = replace(contest, printed=False)
    assert judged(records, compares=(contest,)).by_runs == verdict
    if min(map(len, gains.values())) > 1:
        host, method = (np.zeros((3, 2)), np.array([gains[8], gains[4]]).T)
        assert trends.verdict(trends.trend(np.array([8.0, 4.0]), host, method), -1) == verdict


def test_one_comparison_gives_a_verdict_by_print_and_one_by_runs():
    pair = Comparison(table="dnr/table6", better="tsn_r50_dnr", worse="tsn_r50", cell="twin-temporal")
    records = [record("tsn_r50_dnr", 10.0 + seed, seed) for seed in range(3)]
    records += [record("tsn_r50", 90.0 + seed, seed) for seed in range(3)]
    found = judged(records, compares=(pair,))
    assert (found.by_print, found.by_runs) == ("supported", "contradicted")


def test_failed_and_smoke_records_are_no_evidence():
    records = [record("tsm_r50_dnr", 99.0, smoke=True), record("tsm_r50", 10.0, status="failed")]
    found = judged(records, compares=(runs(table="dnr/table6", better="tsm_r50_dnr", worse="tsm_r50"),))
    assert found.by_runs == "untested"


def test_a_gain_within_the_noise_of_single_runs_is_undecided_and_a_large_one_is_not():
    small = Comparison(table="dnr/table6", better="tanet_r50_dnr", worse="tanet_r50")
    large = Comparison(table="dnr/table6", better="tsn_r50_dnr", worse="tsn_r50")
    wrong = Comparison(table="dnr/table6", better="tsn_r50", worse="tsn_r50_dnr")
    assert judged(compares=(small,)).by_print == "undecided"
    assert judged(compares=(large,)).by_print == "supported"
    assert judged(compares=(wrong,)).by_print == "contradicted"
    assert judged(compares=(large, small)).by_print == "undecided"


def test_measured_numbers_are_means_over_seeds():
    records = [
        record("tsn_r50", value, seed, cell="speed", results={"a": {"b": value}})
        for seed, value in enumerate((1.0, 3.0))
    ]
    assert judged(records, measured=('here.dnr.table6.tsn_r50.speed["a.b"] == 2',)).by_runs == "supported"
    assert judged([], measured=('here.dnr.table6.tsn_r50.speed["a.b"] == 2',)).by_runs == "untested"


def test_known_verdicts():
    """Arithmetic that anybody can repeat on the printed tables."""
    found = {one.claim.key: one for one in judge(papers.claims(), [])}
    for key in ("dnr-12", "dnr-14", "dnr-23", "psn-30", "psn-04", "adafuse-13", "adafuse-26"):
        assert found[key].by_print == "contradicted", key
    for key in ("dnr-13", "dnr-16", "dnr-21", "psn-09", "adafuse-07", "adafuse-12", "adafuse-39"):
        assert found[key].by_print == "supported", key
    for key in ("dnr-18", "dnr-30", "psn-23", "adafuse-35"):
        assert found[key].by_print == "undecided", key
    assert all(one.by_runs == "untested" for one in found.values())


def test_errors_name_what_is_there():
    with pytest.raises(UnknownName, match="dnr-01"):
        find(papers.claims(), "dnr-011")
    with pytest.raises(UnknownName, match="psn"):
        papers.claims("psm")
    with pytest.raises(BadOption, match=r"PAPER\.TABLE\.ROW\.COLUMN"):
        printed_value(("dnr", "table6", "tsn_r50"))
    assert together(()) == "untested"


def decided(reuse, seed, cell):
    cost = {"mean": {"reuse": reuse, "keep": 0.5, "layer1.0.skip": 0.3, "layer3.1.skip": 0.1 + seed / 100}}
    more = {"paper": "adafuse", "table": "table6", "results": {"top1": 50.0 + seed, "cost": cost}}
    return record("adafuse", 0.0, seed, cell, **more)


def test_a_contest_between_two_cells_on_a_quotient():
    records = [decided(0.4 + seed / 100, seed, "twin-temporal") for seed in range(3)]
    records += [decided(0.1 + seed / 100, seed, "twin-appearance") for seed in range(3)]
    contest = runs(
        table="adafuse/table6", better="adafuse", worse="adafuse", worse_cell="twin-appearance",
        metric="cost.mean.reuse / cost.mean.keep",
    )  # fmt: skip
    found = judged(records, compares=(contest,))
    assert found.by_runs == "supported" and "+0.600, 95 % interval" in found.runs[0].told
    assert "points" not in found.runs[0].told and "twin-appearance" in found.runs[0].told


def test_a_contest_between_two_numbers_of_one_run():
    records = [decided(0.4, seed, "twin-temporal") for seed in range(3)]
    contest = runs(
        table="adafuse/table6", better="adafuse", worse="adafuse", metric="cost.mean.layer1.0.skip",
        worse_metric="cost.mean.layer3.1.skip",
    )  # fmt: skip
    assert judged(records, compares=(contest,)).by_runs == "supported"


def test_an_effect_that_grows_from_one_cell_to_another():
    records = [decided(0.4, seed, "twin-temporal") for seed in range(3)]
    records += [decided(0.4, seed, "twin-appearance") for seed in range(3)]
    for seed in range(3):
        for cell, value in (("twin-temporal", 13.0), ("twin-appearance", 48.0)):
            records.append(record("tsn", value + seed, seed, cell, paper="adafuse", table="table6"))
    pair = ("adafuse", "tsn")
    contest = runs(table="adafuse/table6", better="adafuse", worse="tsn", beyond=pair, beyond_cell="twin-appearance")
    found = judged(records, compares=(contest,))
    assert found.by_runs == "supported" and "+35.0 points" in found.runs[0].told
