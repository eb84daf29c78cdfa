from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from repro.__main__ import main
from repro.core.errors import RecordError
from repro.evidence.check import check_all, check_records, check_tables, read_tables
from repro.papers import published
from repro.records.store import load_all


def tables(folder, **texts):
    for stem, text in texts.items():
        (folder / f"{stem}.csv").write_text(text)
    return read_tables([folder])


def found(folder, records=(), **texts):
    return [(one.rule, one.severity, one.cells[0]) for one in check_tables(tables(folder, **texts), records)]


RECORDS = Path(__file__).parents[3] / "results" / "records"
HEAD = "row,model,method,backbone,dataset,frames,gflops,views,top1,delta_top1,videos_per_s,device,params_m,note\n"


def line(row="a", model="tsn", method="", frames="8x10x3", gflops="33", views="30", top1="70.0", delta="", **more):
    facts = {"speed": "", "device": "", "params": "", "backbone": "resnet50", "note": ""} | more
    return (
        f"{row},{model},{method},{facts['backbone']},kinetics400,{frames},{gflops},{views},{top1},{delta},"
        f"{facts['speed']},{facts['device']},{facts['params']},{facts['note']}\n"
    )


def test_a_sound_table_has_no_findings(tmp_path):
    text = HEAD + line() + line("b", method="mine", top1="71.5", delta="1.50", gflops="33")
    assert found(tmp_path, mine_table1=text) == []


def test_a_printed_difference_that_is_not_that_of_its_columns(tmp_path):
    text = HEAD + line() + line("b", method="mine", top1="71.5", delta="2.50")
    assert found(tmp_path, mine_table1=text) == [("difference", "error", "mine_table1/b/delta_top1")]


@pytest.mark.parametrize(
    ("top1", "delta", "wrong"), [("71.5", "1.45", False), ("71.5", "1.6", False), ("71.5", "1.8", True)]
)
def test_rounding_of_the_printed_digits_is_left_open(tmp_path, top1, delta, wrong):
    text = HEAD + line() + line("b", method="mine", top1=top1, delta=delta)
    assert bool(found(tmp_path, mine_table1=text)) == wrong


def test_views_are_clips_times_crops(tmp_path):
    assert found(tmp_path, mine_table1=HEAD + line(views="10")) == [("views", "warning", "mine_table1/a/frames")]


def test_cost_in_proportion_to_frames_and_area(tmp_path):
    text = HEAD + line() + line("b", frames="16x10x3", gflops="72") + line("c", gflops="9.3", note="input 112x112")
    rules = [one[:2] for one in found(tmp_path, mine_table1=text)]
    assert rules and set(rules) == {("proportion", "warning")}
    text = HEAD + line() + line("b", frames="16x10x3", gflops="66") + line("c", gflops="8.3", note="input 112x112")
    assert found(tmp_path, mine_table1=text) == []


def test_a_speed_above_the_peak_of_its_device(tmp_path):
    text = HEAD + line(speed="10.9", device="RTX 2080 Ti") + line("b", model="tsm", speed="3.0", device="RTX 2080 Ti")
    assert found(tmp_path, mine_table1=text) == [("throughput", "error", "mine_table1/a/videos_per_s")]


def test_one_network_with_two_values_in_two_tables(tmp_path):
    findings = found(
        tmp_path,
        mine_table1=HEAD + line(),
        mine_table2=HEAD + line("x", top1="71.0"),
        other_t=HEAD + line("y", top1="72.0"),
    )
    assert findings == [
        ("printed twice", "warning", "mine_table1/a/top1"),
        ("printed twice", "note", "mine_table1/a/top1"),
        ("printed twice", "note", "mine_table2/x/top1"),
    ]


def static(params=24_327_632):
    results = {
        "params": params,
        "sizes": {"224": {"gmacs": 32.70}, "256": {"gmacs": 42.71}},
        "modules": [{"name": "fc", "params": 400 * 2049}],
    }
    model = {"name": "tsn", "backbone": "resnet50", "method": None, "num_classes": 400, "frames": 8}
    return SimpleNamespace(
        kind="static",
        status="done",
        smoke=False,
        results=results,
        spec={"model": model},
        name="r",
        paper="p",
        table="t",
        row="r",
    )


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ({"gflops": "33"}, [("crop", "note")]),
        ({"gflops": "33", "views": "1", "frames": "8x1x1"}, []),
        ({"gflops": "42.7"}, []),
        ({"gflops": "36"}, [("cost", "warning")]),
        ({"gflops": "42.7", "params": "24.3"}, []),
        ({"gflops": "42.7", "params": "23.5"}, [("classes", "note")]),
        ({"gflops": "42.7", "params": "25.0"}, [("parameters", "warning")]),
    ],
)
def test_printed_costs_against_what_was_counted(tmp_path, cells, expected):
    rules = found(tmp_path, [static()], mine_table1=HEAD + line(**cells))
    assert [one[:2] for one in rules] == expected


def test_own_records_are_checked_too():
    facts = {"status": "done", "smoke": False, "name": "r", "processor": "cpu"}
    speed = _speed(peak=0.1, verdict="impossible")
    accuracy = {"top1": 33.3, "videos": 10}
    broken = [
        SimpleNamespace(kind="speed", results=speed, **facts),
        SimpleNamespace(kind="accuracy", results=accuracy, **facts),
    ]
    assert [one.rule for one in check_records(broken)] == ["speed", "throughput", "top-1"]
    assert {one.severity for one in check_records(load_all(RECORDS).records)} <= {"note"}


def _speed(peak: float, verdict: str) -> dict[str, object]:
    """2 views/s of 100 GMACs, 0.2 TMAC/s; the time does not fit."""
    roofline = {"verdict": verdict, "text": "too fast", "peak_tmacs": peak, "gmacs_per_view": 100.0}
    named = {"device_name": "cpu", "threads": 2, "precision": "fp32"}
    return {"views_per_s": 2.0, "median_s": 1.0, "batch": 1, "roofline": roofline, **named}


def test_a_peak_that_was_calibrated_under_load_is_no_error_where_the_machine_is_known_to_do_more():
    facts = {"kind": "speed", "status": "done", "smoke": False, "processor": "cpu"}
    low = SimpleNamespace(name="low", results=_speed(0.1, "impossible") | {"median_s": 0.5}, **facts)
    high = SimpleNamespace(name="high", results=_speed(0.4, "possible") | {"median_s": 0.5}, **facts)
    assert [one.severity for one in check_records([low])] == ["error"]
    found = check_records([low, high])
    assert [(one.severity, one.cells) for one in found] == [("note", ("low",))]
    threads = SimpleNamespace(name="threads", results=high.results | {"threads": 4}, **facts)
    vectors = SimpleNamespace(name="vectors", results=high.results, **(facts | {"processor": "cpu with AVX-512"}))
    for other in (threads, vectors):
        assert [one.severity for one in check_records([low, other])] == ["error"]


def test_the_known_findings_in_the_three_papers():
    cells = {(one.rule, one.cells[0]) for one in check_all(load_all(RECORDS).records)[0]}
    assert ("throughput", "dnr_supp_table2/tsn_r50/videos_per_s") in cells
    assert ("printed twice", "dnr_table4/k400_tsn_r50/top1") in cells
    assert ("cost", "dnr_table6/tanet_r50/gflops") in cells
    assert ("claim", "psn-30") in cells
    assert not [cell for rule, cell in cells if rule == "difference"], "DNR's printed differences are right"


def test_the_verb(tmp_path, capsys):
    (tmp_path / "mine_table1.csv").write_text(HEAD + line() + line("b", method="mine", top1="71.5", delta="2.50"))
    assert main(["check", str(tmp_path), "--format", "json"]) == 1
    assert '"difference"' in capsys.readouterr().out
    assert main(["check", "--severity", "error"]) == 0
    assert "RTX 2080 Ti" in capsys.readouterr().out
    (tmp_path / "empty").mkdir()
    with pytest.raises(RecordError, match="no CSV file"):
        read_tables([tmp_path / "empty"])
    with pytest.raises(RecordError, match=r"mine\.toml' is a table.*show "):
        read_tables([tmp_path / "mine.toml"])


def test_published_datasets_of_tables_without_such_a_column():
    assert published.load("dnr_table6").dataset("tsn_r50") == "kinetics400"
    assert published.load("dnr_table4").dataset("sthv1_tsn_r50") == "sthv1"


def test_a_count_at_the_printed_input_is_among_the_crops():
    """X3D-XL's 48.4 GFLOPs are those of 356 pixels, which stand in a cell of their own."""
    found = check_tables(published.load_all(), load_all(RECORDS).records)
    told = [one.means for one in found if any("dnr_table6/x3d_xl/gflops" in cell for cell in one.cells)]
    assert told == []
